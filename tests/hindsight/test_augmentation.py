"""Hindsight on real episodes, with the world's truth as labels and the oracle as editor."""

from dataclasses import replace

import numpy as np
import pytest
from tests.knowing import oracle

from daag.episodes import Episode
from daag.errors import EditError
from daag.hindsight import GateConfig, Hindsight, HindsightConfig, plan_of
from daag.llm import GrammarPlanner
from daag.rewards.detector import similarity
from daag.rewards.known_frames import KnownFrames
from daag.tasks import Fact

PLANNER = GrammarPlanner()
GOAL = PLANNER.decompose("stack the red cube on the blue cube")[0]


def hindsight(detector: KnownFrames, **settings: object) -> Hindsight:
    return Hindsight(PLANNER, detector, oracle(detector), HindsightConfig(**settings))


def test_an_episode_that_achieved_something_else_is_relabelled_and_edited(
    stacked: Episode, detector: KnownFrames
) -> None:
    result = hindsight(detector).augment(stacked, [GOAL], seed=0)
    relabelled, edited = result.episodes
    assert result.num_proposed == 1 and not result.rejections
    assert relabelled.instruction == Fact.parse(stacked.achievements[0].description).instruction
    assert edited.instruction == GOAL.instruction
    assert relabelled.rewards.tolist() == edited.rewards.tolist() == [1.0]
    assert np.array_equal(relabelled.actions, edited.actions)


def test_an_edited_episode_shows_the_subgoal_at_its_end_and_not_before(
    stacked: Episode, detector: KnownFrames
) -> None:
    edited = hindsight(detector).augment(stacked, [GOAL], seed=0).episodes[-1]
    texts = detector.embed_texts([GOAL.description])
    scores = similarity(detector.embed_frames(edited.observations), texts)[:, 0]
    assert (scores >= detector.success_threshold(GOAL.description)).tolist() == [False, True]


def test_an_edited_episode_can_be_made_again_from_its_provenance(
    stacked: Episode, detector: KnownFrames
) -> None:
    edited = hindsight(detector).augment(stacked, [GOAL], seed=0).episodes[-1]
    provenance = edited.provenance
    start, end = provenance.segment
    frames = np.arange(stacked.observation_index[start], stacked.observation_index[end] + 1)
    again = oracle(detector).edit(stacked, frames, plan_of(edited), provenance.seed)
    assert provenance.source_id == stacked.id and provenance.origin == "edited"
    assert np.array_equal(again, edited.frames)
    assert set(provenance.models) == {"detector", "editor", "planner"}
    assert all(provenance.verdicts.values())


def test_names_of_edited_objects_are_those_after_the_edit(stacked: Episode, detector: KnownFrames) -> None:
    edited = hindsight(detector).augment(stacked, [GOAL], seed=0).episodes[-1]
    assert {"red cube", "blue cube"} <= set(edited.objects)
    assert len(set(edited.objects)) == len(stacked.objects)


def test_a_match_is_kept_and_neither_relabelled_nor_edited(stacked: Episode, detector: KnownFrames) -> None:
    goal = PLANNER.decompose(stacked.achievements[0].description)[0]
    (match,) = hindsight(detector).augment(stacked, [goal], seed=0).episodes
    assert match.provenance.origin == "relabelled"
    own = replace(stacked, instruction=goal.instruction)
    (real,) = hindsight(detector).augment(own, [goal], seed=0).episodes
    assert real.provenance.origin == "real"


def test_equal_arguments_give_equal_ids_and_frames(stacked: Episode, detector: KnownFrames) -> None:
    first, second = (hindsight(detector).augment(stacked, [GOAL], seed=3).episodes for _ in range(2))
    assert [episode.id for episode in first] == [episode.id for episode in second]
    assert all(np.array_equal(a.frames, b.frames) for a, b in zip(first, second, strict=True))
    assert len({episode.id for episode in first}) == len(first)


def test_two_things_that_came_true_at_once_give_two_edits(stacked: Episode, detector: KnownFrames) -> None:
    first = stacked.achievements[0]
    other = next(
        text
        for text in PLANNER.describe(stacked.objects)
        if " on " in text and text != first.description
        and PLANNER.propose_edit(text, GOAL, stacked.objects).plan is not None
    )  # fmt: skip
    both = replace(stacked, achievements=(first, replace(first, description=other)))
    ungated = hindsight(detector, gate=GateConfig(enabled=False))
    made = ungated.augment(both, [GOAL], seed=0).episodes
    edited = [episode for episode in made if episode.provenance.origin == "edited"]
    assert len(edited) == 2
    assert len({episode.id for episode in made}) == len(made)


def test_an_edit_that_changes_nothing_is_rejected(stacked: Episode, detector: KnownFrames) -> None:
    class Lazy:
        hash = "lazy"

        def edit(self, episode: Episode, frame_index: np.ndarray, plan: object, seed: int) -> np.ndarray:
            del plan, seed
            return episode.frames[frame_index]

    result = Hindsight(PLANNER, detector, Lazy(), HindsightConfig(relabel=False)).augment(stacked, [GOAL], 0)
    assert not result.episodes
    assert {"target_shown_after", "achieved_gone"} <= set(result.rejections[0].verdict.reasons)


def test_arms_without_an_editor_never_change_pixels(stacked: Episode, detector: KnownFrames) -> None:
    plain = Hindsight(PLANNER, detector, None, HindsightConfig())
    origins = {episode.provenance.origin for episode in plain.augment(stacked, [GOAL], 0).episodes}
    assert origins == {"relabelled"}
    plan = PLANNER.propose_edit(stacked.achievements[0].description, GOAL, stacked.objects).plan
    assert plan is not None
    with pytest.raises(EditError, match="never changes pixels"):
        plain.attempt(stacked, stacked.achievements[0], GOAL, plan, 0)


def test_without_match_and_relabelling_only_the_own_task_counts(
    stacked: Episode, detector: KnownFrames
) -> None:
    none = Hindsight(PLANNER, detector, None, HindsightConfig(match=False, relabel=False))
    assert not none.augment(stacked, [GOAL], 0).episodes


def test_what_the_planner_declines_is_counted_by_reason(stacked: Episode, detector: KnownFrames) -> None:
    beside = PLANNER.decompose("put the red cube next to the blue cube")[0]
    result = hindsight(detector, relabel=False).augment(stacked, [beside], 0)
    assert not result.episodes and sum(result.declined.values()) == 1
