"""What an episode missed: what it was asked, and what it could have been asked."""

from dataclasses import replace

import numpy as np
import pytest

from daag.episodes import Achievement, Episode
from daag.hindsight import Failures
from daag.llm import GrammarPlanner
from daag.tasks import ROOM

PLANNER = GrammarPlanner(ROOM)
OBJECTS = {1: "red ball", 2: "blue mug", 3: "green book"}


def episode(number: int, *achieved: str, instruction: str = "go to the red ball") -> Episode:
    frames = np.full((4, 8, 8, 3), number, dtype=np.uint8)
    return Episode(
        id=f"e/{number}",
        env_id="test",
        instruction=instruction,
        seed=number,
        frames=frames,
        observation_index=np.arange(4, dtype=np.int32),
        actions=np.zeros((3, 1), dtype=np.float32),
        rewards=np.zeros(3, dtype=np.float32),
        terminated=False,
        truncated=True,
        segmentation=np.zeros((4, 8, 8), dtype=np.int16),
        object_names=OBJECTS,
        achievements=tuple(Achievement(text, 0, 2, 0.5) for text in achieved),
    )


def missed(failures: Failures, seed: int = 0) -> set[str]:
    return {each.instruction for each, _ in failures.sample(200, np.random.default_rng(seed))}


def test_what_was_asked_and_not_achieved_is_missed():
    failures = Failures(PLANNER, relabel=False)
    failures.extend([episode(1)])
    assert missed(failures) == {"go to the red ball"}


def test_what_was_asked_and_achieved_is_not():
    failures = Failures(PLANNER, relabel=False)
    failures.extend([episode(1, "the red ball is right in front")])
    assert failures.sample(8, np.random.default_rng(0)) == []


def test_with_relabelling_all_that_could_have_been_asked_counts():
    failures = Failures(PLANNER, relabel=True)
    failures.extend([episode(1, "the blue mug is right in front")])
    assert missed(failures) == {"go to the red ball", "go to the green book"}


def test_of_a_route_the_missed_stage_counts():
    failures = Failures(PLANNER, relabel=False)
    route = "go to the red ball, then go to the blue mug"
    failures.extend([episode(1, "the red ball is right in front", instruction=route)])
    assert missed(failures) == {"go to the blue mug"}


def test_drawn_are_steps_of_the_kept_episodes_with_what_they_missed():
    failures = Failures(PLANNER, relabel=True)
    known = [episode(1), episode(2, "the blue mug is right in front")]
    failures.extend(known)
    drawn = failures.sample(300, np.random.default_rng(0))
    assert {each.id for each, _ in drawn} == {"e/1", "e/2"}
    assert {step for _, step in drawn} == {0, 1, 2}
    for each, _ in drawn:
        original = known[each.seed - 1]
        assert np.array_equal(each.frames, original.frames)
        assert replace(each, instruction=original.instruction).id == original.id
    assert not any(each.seed == 2 and "mug" in each.instruction for each, _ in drawn)


def test_equal_seeds_draw_equal_steps_and_only_the_latest_are_kept():
    failures = Failures(PLANNER, relabel=False, at_most=2)
    failures.extend(map(episode, range(1, 6)))
    first, again = (
        [(each.id, step) for each, step in failures.sample(50, np.random.default_rng(7))] for _ in range(2)
    )
    assert first == again and {id for id, _ in first} == {"e/4", "e/5"}


@pytest.mark.parametrize("count", [0, 5])
def test_where_nothing_was_played_nothing_is_drawn(count):
    assert Failures(PLANNER, relabel=True).sample(count, np.random.default_rng(0)) == []
