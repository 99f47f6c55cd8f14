"""What old episodes teach about a new task: which frames are called true, which false, and which are left out."""

from dataclasses import replace

import numpy as np
from tests.knowing import oracle

from daag.diffusion import OracleEditor
from daag.episodes import Achievement, Episode
from daag.hindsight import GateConfig, Hindsight, HindsightConfig, prepare_lesson
from daag.llm import GrammarPlanner
from daag.rewards.known_frames import KnownFrames

PLANNER = GrammarPlanner()
GOAL = PLANNER.decompose("stack the red cube on the blue cube")[0]


def hindsight(detector: KnownFrames, editor: OracleEditor | None, gate: bool) -> Hindsight:
    return Hindsight(PLANNER, detector, editor, HindsightConfig(gate=GateConfig(enabled=gate)))


def test_a_repainted_frame_is_true_and_its_source_and_the_moment_before_are_false(
    stacked: Episode, detector: KnownFrames
) -> None:
    lesson = prepare_lesson(hindsight(detector, oracle(detector), gate=False), [stacked], [GOAL], seed=0)
    new, old = lesson.pairs
    end, before = (stacked.observations[stacked.achievements[0].end - back] for back in (0, 1))
    assert new.descriptions[:3] == (GOAL.description,) * 3
    assert new.labels[:3].tolist() == [True, False, False]
    assert np.array_equal(new.frames[2], end) and new.objects[2] == stacked.objects
    assert not np.array_equal(new.frames[0], end) and not np.array_equal(new.frames[1], before)
    assert not np.array_equal(new.frames[0], new.frames[1])
    assert {"red cube", "blue cube"} <= set(new.objects[0]) and new.objects[0] == new.objects[1]
    assert old.descriptions == (stacked.achievements[0].description,) * 2
    assert np.array_equal(old.frames[0], end) and np.array_equal(old.frames[1], before)
    assert lesson.num_repainted == 1 and lesson.num_rejected == 0


def test_a_rival_is_repainted_too_and_the_goal_is_false_of_it(
    stacked: Episode, detector: KnownFrames
) -> None:
    teacher, rivals = hindsight(detector, oracle(detector), gate=False), set()
    for seed in range(6):
        new, _ = prepare_lesson(teacher, [stacked], [GOAL], seed).pairs
        if len(new) == 3:  # the one that was drawn cannot be repainted
            continue
        assert new.labels[3:].tolist() == [False, True] and new.descriptions[3] == GOAL.description
        assert np.array_equal(new.frames[3], new.frames[4]) and not np.array_equal(
            new.frames[3], new.frames[0]
        )
        assert new.descriptions[4] in PLANNER.distractors(GOAL.description)
        rivals.add(new.descriptions[4])
    assert len(rivals) > 1


def test_what_is_a_subgoal_already_is_new_and_not_old(stacked: Episode, detector: KnownFrames) -> None:
    goal = PLANNER.decompose(stacked.achievements[0].description)[0]
    new, old = prepare_lesson(hindsight(detector, None, gate=True), [stacked], [goal], seed=0).pairs
    assert new.labels.tolist() == [True, False] and not len(old)
    assert np.array_equal(new.frames[0], stacked.observations[stacked.achievements[0].end])


def test_a_repaint_that_the_gate_doubts_teaches_nothing(stacked: Episode, detector: KnownFrames) -> None:
    # This detector was told nothing about crops: to it no object looks new.
    lesson = prepare_lesson(hindsight(detector, oracle(detector), gate=True), [stacked], [GOAL], seed=0)
    assert lesson.num_rejected == 1 and lesson.num_repainted == 0
    assert not len(lesson.pairs[0]) and len(lesson.pairs[1]) == 2


def test_what_no_repaint_can_change_is_left_out(stacked: Episode, detector: KnownFrames) -> None:
    beside = PLANNER.decompose("put the red cube next to the blue cube")[0]
    lesson = prepare_lesson(hindsight(detector, oracle(detector), gate=False), [stacked], [beside], seed=0)
    assert not len(lesson.pairs[0]) and lesson.num_rejected == 0


def test_an_object_that_nothing_shows_is_counted_not_fatal(stacked: Episode, detector: KnownFrames) -> None:
    assert stacked.segmentation is not None
    from daag.diffusion import Compositor

    blind = replace(stacked, segmentation=np.zeros_like(stacked.segmentation), achievements=(
        Achievement(stacked.achievements[0].description, 0, 1, 1.0),
    ))  # fmt: skip
    teacher = Hindsight(PLANNER, detector, Compositor(), HindsightConfig())
    lesson = prepare_lesson(teacher, [blind], [GOAL], seed=0)
    assert lesson.num_repainted == 0 and lesson.num_rejected == 1
