"""Films of who acts."""

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from daag import lifelong
from daag.assembly import make_env, make_planner
from daag.cli import worlds
from daag.cli.scenes import held_out_seeds
from daag.errors import ConfigError, LanguageError
from daag.filming import CAPTION_PIXELS, Film, film, save_film

TASKS = {
    "rgb-stacking": "stack the red cube on the blue cube",
    "room": "find the red ball, then the green mug",
    "language-table": "push the red moon to the blue cube",
}


@pytest.mark.parametrize("world", TASKS)
def test_an_expert_is_filmed_until_it_is_done(world):
    env = make_env(world, terminate_on_success=True, image_size=16, quality="fast")
    subgoals = make_planner(env_name=world).decompose(TASKS[world])
    shot = film(env, TASKS[world], subgoals, 1, "expert")
    assert shot.success
    assert len(shot.frames) > 3 and shot.frames.shape[1:] == (16, 16, 3)


def test_chance_is_the_same_for_the_same_seed():
    env = make_env("room", terminate_on_success=True, image_size=8, quality="fast")
    subgoals = make_planner(env_name="room").decompose("go to the red ball")
    first, again = (film(env, "go to the red ball", subgoals, 5, "random") for _ in range(2))
    assert np.array_equal(first.frames, again.frames)
    assert len(np.unique(first.frames, axis=0)) > 5  # and it does act


def test_a_film_is_saved_with_its_caption(tmp_path):
    frames = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    frames[1, :, :, 0] = 255
    path = save_film([Film(frames, "look", True), Film(frames, "look", False)], tmp_path / "a.gif", scale=2)
    with Image.open(path) as saved:
        assert saved.size == (16, 16 + CAPTION_PIXELS)
        durations, colours = [], []
        for index in range(saved.n_frames):  # frames that look alike are saved as one, which lasts longer
            saved.seek(index)
            durations.append(saved.info["duration"])
            colours.append(saved.convert("RGB").getpixel((4, 4)))
    assert sum(durations) == 4 * 100 + 2 * 800
    assert colours[:2] == [(0, 0, 0), (255, 0, 0)]
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


@pytest.mark.parametrize(
    "problem", [{"films": []}, {"path": "a.mp4"}, {"scale": 0}, {"frames_per_second": 0.0}]
)
def test_what_is_no_film_is_refused(tmp_path, problem):
    films = [Film(np.zeros((1, 4, 4, 3), dtype=np.uint8), "look", True)]
    settings = {"films": films, "scale": 1, "frames_per_second": 5.0, **problem}
    path = tmp_path / settings.pop("path", "a.gif")
    with pytest.raises(ConfigError, match=r"ends in \.gif|scale >= 1"):
        save_film(settings.pop("films"), path, **settings)


def test_a_film_of_a_run_shows_as_many_objects_as_the_run_had(tmp_path, monkeypatch):
    settings = []

    def make(name, **kwargs):
        settings.append(kwargs)
        return make_env(name, image_size=8, quality="fast", **kwargs)

    monkeypatch.setattr(worlds, "make_env", make)
    config = lifelong.LifelongConfig(
        tasks=("stack the red cube on the blue cube",), out=tmp_path / "run", num_objects=3
    )
    lifelong.start(config)
    out = tmp_path / "films" / "a.gif"  # a folder that is not there yet
    command = worlds.Watch("stack the red cube on the blue cube", tmp_path / "run", scenes=1, out=out)
    command.run(Console(quiet=True))
    assert settings[-1]["num_objects"] == 3
    assert out.exists()


def test_a_film_that_cannot_be_saved_is_refused_before_it_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(worlds, "film", lambda *_: pytest.fail("filmed"))
    (tmp_path / "file").touch()
    (tmp_path / "folder.gif").mkdir()
    refused = {
        "a.mp4": r"ends in \.gif",
        "file/a.gif": "choose another --out",
        "folder.gif": "Is a directory",
    }
    for name, words in refused.items():
        with pytest.raises(ConfigError, match=words):
            worlds.Watch("go to the red ball", env="room", out=tmp_path / name).run(Console(quiet=True))


def test_a_sentence_of_another_world_is_told_from_one_of_none(tmp_path):
    for task, words in (
        ("go to the red ball", "'room' and 'grid' would understand it"),
        ("dance", "cannot read"),
    ):
        with pytest.raises(LanguageError, match=words) as raised:
            worlds.Watch(task, out=tmp_path / "a.gif").run(Console(quiet=True))
        assert ("is 'rgb-stacking' the world that was meant?" in str(raised.value)) == (task != "dance")


def test_a_policy_is_the_policy_of_a_run_in_the_world_of_the_run(tmp_path):
    config = lifelong.LifelongConfig(tasks=("go to the red ball",), env="room", out=tmp_path / "run")
    lifelong.start(config)
    quiet, out = Console(quiet=True), tmp_path / "a.gif"
    with pytest.raises(
        ConfigError, match=r"expected --env room, the world of the run .*, got language-table"
    ):
        worlds.Watch("go to the red ball", tmp_path / "run", "language-table", out=out).run(quiet)
    with pytest.raises(ConfigError, match="expected the run whose policy acts"):
        worlds.Watch("go to the red ball", env="room", who="policy", out=out).run(quiet)
    expert = worlds.Watch("go to the red ball", tmp_path / "run", who="expert", scenes=1, out=out)
    expert.run(quiet)
    with Image.open(out) as saved:
        assert 3 < saved.n_frames < 25  # it got there, which a policy that has learnt nothing seldom does
    with pytest.raises(ConfigError, match="at least one scene, got 0"):
        held_out_seeds(0)


def test_a_run_has_no_negative_seed():
    with pytest.raises(ConfigError, match="a seed of 0 or more, got -1"):
        lifelong.LifelongConfig(seed=-1)
