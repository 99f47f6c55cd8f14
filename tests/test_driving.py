"""Driving a world from the keyboard."""

import io
import sys
from typing import get_args

import numpy as np
import pytest
from rich.console import Console

from daag.assembly import EnvName, make_env
from daag.driving import KEYS, drive, picture, raw_keys
from daag.envs import make_expert
from daag.errors import UnknownNameError

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


def test_every_world_can_be_driven_and_no_other():
    assert set(KEYS) == set(get_args(EnvName))
    with pytest.raises(UnknownNameError, match="kitchen"):
        drive("kitchen", make_env("room", **SMALL), iter(""), console())
