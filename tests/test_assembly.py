"""What is put together by name speaks the language of its world."""

import pytest

from daag import lifelong
from daag.assembly import make_planner
from daag.errors import ConfigError, LanguageError, UnknownNameError

SAID = {
    "rgb-stacking": "stack the red cube on the blue cube",
    "language-table": "point at the red cube",
    "room": "go to the red mug",
}


@pytest.mark.parametrize("env_name", SAID)
def test_a_planner_understands_its_world_and_no_other(env_name):
    planner = make_planner(env_name=env_name)
    for name, sentence in SAID.items():
        if name == env_name:
            assert planner.decompose(sentence)[0].instruction == sentence
        else:
            with pytest.raises(LanguageError):
                planner.decompose(sentence)


def test_one_cache_serves_planners_of_several_worlds(tmp_path):
    path, said = (
        tmp_path / "cache.jsonl",
        ("the red cube touches the blue cube", "the red cube is on the blue cube"),
    )
    board, stacking = (make_planner("hea", path, name) for name in ("language-table", "rgb-stacking"))
    assert board.compare(said[0], said[0])
    with pytest.raises(LanguageError):  # asked anew: the board's answer is not stacking's
        stacking.compare(said[0], said[0])
    assert stacking.compare(said[1], said[1])


def test_the_arm_without_exchange_has_a_planner_without():
    assert make_planner("hea-no-exchange").hash != make_planner("hea").hash


def test_an_unknown_world_is_named():
    with pytest.raises(UnknownNameError, match=r"'rom'\. Did you mean 'room'"):
        make_planner(env_name="rom")


@pytest.mark.parametrize("world", ["room", "language-table"])
def test_a_world_that_no_policy_learns_in_is_refused_before_a_run_is_made(world, tmp_path):
    task = {"room": "go to the red ball", "language-table": "push the red moon to the blue cube"}[world]
    config = lifelong.LifelongConfig(tasks=(task,), env=world, out=tmp_path / "run")
    with pytest.raises(ConfigError, match=f"learns in the world '{world}' yet"):
        lifelong.start(config)
    assert not (tmp_path / "run").exists()
