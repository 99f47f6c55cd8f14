"""Driving a world from the keyboard."""

import io
import os
import sys
import termios
from typing import get_args

import numpy as np
import pytest
from rich.console import Console

from daag import driving
from daag.assembly import EnvName, make_env
from daag.cli.worlds import Play
from daag.driving import KEYS, drive, fitting, picture, raw_keys
from daag.envs import make_expert
from daag.errors import ConfigError, UnknownNameError

SMALL = {"image_size": 8, "quality": "fast"}


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_keys_move_the_agent_and_what_they_do_is_written_there():
    env, screen = make_env("room", **SMALL), console()
    drive("room", env, iter("a"), screen, seed=3)
    turned = env.unwrapped._data.qpos.copy()
    drive("room", env, iter(""), screen, seed=3)
    assert env.unwrapped._data.qpos[2] != turned[2]
    assert "w forward" in said(screen) and "go to the" in said(screen) and "true now:" in said(screen)


def test_q_ends_it_and_n_begins_another_scene():
    env = make_env("room", **SMALL)
    drive("room", env, iter("q" + "w" * 5), console(), seed=3)
    assert env.unwrapped._steps == 0
    first = env.unwrapped._scene_json
    drive("room", env, iter("n"), console(), seed=3)
    assert env.unwrapped._scene_json != first


def test_fingers_stay_as_they_were_left():
    env = make_env("rgb-stacking", control="cartesian", **SMALL)
    fingers = []
    for keys in ("c", "cw", "cwo"):
        drive("rgb-stacking", env, iter(keys), console())
        fingers.append(float(env.unwrapped._data.ctrl[4]))
    closed, still_closed, opened = fingers
    assert closed == still_closed > opened


def test_the_end_is_said_and_counted():
    env, screen = make_env("room", terminate_on_success=True, **SMALL), console()
    assert drive("room", env, iter("a" * 40), screen) == 0
    assert "out of time" in said(screen)
    assert drive("room", env, iter(_way(env, seed=3)), screen, seed=3) == 1
    assert "reached!" in said(screen)


def _way(env, seed: int) -> str:
    """The keys that the scripted expert would press."""
    env.reset(seed=seed)
    expert, goal, keys, terminated = make_expert(env), env.unwrapped._goal[0], "", False
    while not terminated:
        action = expert.act(goal)
        keys += "wad"[action]
        *_, terminated, truncated, _ = env.step(action)
        assert not truncated
    return keys


def test_a_key_of_velocities_lasts_longer_than_a_step():
    env = make_env("rgb-stacking", control="cartesian", **SMALL)
    drive("rgb-stacking", env, iter("w"), console())
    assert env.unwrapped._steps == 4


def test_a_picture_has_two_rows_of_pixels_to_a_line():
    rgb = np.zeros((4, 3, 3), dtype=np.uint8)
    rgb[0, 0] = 255
    text = picture(rgb)
    assert text.plain == "▀▀▀\n▀▀▀\n"
    assert text.spans[0].style == "rgb(255,255,255) on rgb(0,0,0)"


def test_without_a_terminal_keys_are_read_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("wa d\nq"))
    with raw_keys() as keys:
        assert "".join(keys) == "wadq"


def test_neither_terminal_nor_keys_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(ConfigError, match=r"got neither; .*echo w w a q"), raw_keys():
        pass


def test_single_keys_are_read_from_a_terminal_which_is_left_as_it_was(monkeypatch):
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with raw_keys() as keys:
            os.write(ours, b"wa")  # and no line end
            assert [next(keys), next(keys)] == ["w", "a"]
            assert termios.tcgetattr(theirs) != before
        assert termios.tcgetattr(theirs) == before
    os.close(ours)


def test_an_interrupt_ends_the_keys(monkeypatch):
    class Interrupted(io.StringIO):
        def read(self, size: int | None = -1, /) -> str:
            key = super().read(size)
            if key == "!":
                raise KeyboardInterrupt
            return key

    monkeypatch.setattr(sys, "stdin", Interrupted("wa!w"))
    assert "".join(iter(driving._next_key, "")) == "wa"


@pytest.mark.parametrize(
    ("width", "height", "asked", "size"),
    [(80, 24, None, 36), (200, 80, None, 64), (80, 24, 30, 30), (40, 80, None, 40), (200, 80, 96, 96)],
)
def test_a_picture_is_as_large_as_there_is_room_for(width, height, asked, size):
    screen = Console(file=io.StringIO(), force_terminal=True, width=width, height=height)
    assert fitting(screen, asked) == size


def test_a_picture_and_its_words_fit_the_terminal_they_are_made_for():
    for world in KEYS:
        settings = {"control": "cartesian"} if world == "rgb-stacking" else {}
        screen = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
        env = make_env(world, image_size=fitting(screen, None), quality="fast", **settings)
        drive(world, env, iter(""), screen, seed=3)
        lines = said(screen).split("\n")
        assert 10 < len(lines) <= 24


@pytest.mark.parametrize(("height", "asked"), [(24, 96), (5, None), (6, None)])
def test_a_terminal_without_room_is_said_with_what_to_try(height, asked):
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, height=height)
    with pytest.raises(ConfigError, match=f"got 80 x {height}; make it larger") as raised:
        fitting(screen, asked)
    assert ("ask for --size 36" in str(raised.value)) == (height == 24)


def test_what_is_no_terminal_gets_whole_lines():
    screen = Console(file=io.StringIO(), width=20)
    drive("room", make_env("room", image_size=fitting(screen, 30), quality="fast"), iter(""), screen)
    assert said(screen).split("\n")[0] == "▀" * 30


def test_a_seed_is_not_negative():
    with pytest.raises(ConfigError, match="0 or more, got -1"):
        Play(seed=-1).run(console())


def test_every_world_can_be_driven_and_no_other():
    assert set(KEYS) == set(get_args(EnvName))
    with pytest.raises(UnknownNameError, match="kitchen"):
        drive("kitchen", make_env("room", **SMALL), iter(""), console())
