"""The gate for the policy: what a repainted frame shows is decided as labels are."""

from collections.abc import Sequence

import numpy as np
import pytest

from daag.episodes import Episode
from daag.hindsight import EditedSegment, GateConfig
from daag.hindsight.acceptance import Verdict, judge_for_policy
from daag.tasks import EditPlan, ObjectEdit

TARGET = "the red cube is on the blue cube"
ACHIEVED = "the green cube is on the blue cube"
RIVAL = "the red cube is on the white cube"
APART = "the white prism is on the black cube"
NAMES = [TARGET, ACHIEVED, RIVAL, APART]


class Told:
    """A detector that is told the scores of the source's end and of the edit's start and end."""

    hash = "told"

    def __init__(self, before: Sequence[float], start: Sequence[float], after: Sequence[float]) -> None:
        self.table = np.array([before, start, after], dtype=np.float32)[:, None, None]

    def embed_frames(self, frames: np.ndarray, num_views: int | None = None) -> np.ndarray:
        assert len(frames) == 3
        return self.table

    def embed_texts(self, descriptions: Sequence[str]) -> np.ndarray:
        return np.eye(len(NAMES), dtype=np.float32)[[NAMES.index(text) for text in descriptions]]

    hysteresis = 0.0
    patience = 1
    num_rows = 1

    def unseen_below(self, description):
        return -1.0

    def success_threshold(self, description: str) -> float:
        return 0.5


def judged(after: Sequence[float], start: Sequence[float] = (0, 0, 0, 0), margin: float = 0.0) -> Verdict:
    normals = np.zeros((2, 8, 8, 3), dtype=np.int8)
    normals[..., 2] = -127
    segmentation = np.zeros((2, 8, 8), dtype=np.int16)
    segmentation[:, 2:6, 2:6] = 1
    frames = np.full((2, 8, 8, 3), 90, dtype=np.uint8)
    episode = Episode(
        id="e",
        env_id="made-up",
        instruction="",
        seed=0,
        frames=frames,
        observation_index=np.array([0, 1], dtype=np.int32),
        actions=np.zeros((1, 4), dtype=np.float32),
        rewards=np.zeros(1, dtype=np.float32),
        terminated=False,
        truncated=True,
        depth=np.ones((2, 8, 8), dtype=np.float16),
        normals=normals,
        segmentation=segmentation,
        object_names={1: "green cube"},
    )
    plan = EditPlan((ObjectEdit("modify", "green cube", "red cube"),))
    segment = EditedSegment(episode, np.arange(2), plan, frames)
    detector = Told((0.0, 0.9, 0.0, 0.0), start, after)
    config = GateConfig(target_margin=margin)
    return judge_for_policy(segment, TARGET, ACHIEVED, [RIVAL, APART], detector, config)


def test_an_edit_that_shows_the_target_and_nothing_else_is_accepted() -> None:
    verdict = judged([0.7, 0.1, 0.1, 0.1])
    assert verdict.accepted and verdict.scores["distractor_margin"] == pytest.approx(-0.4)


def test_a_distractor_that_contradicts_the_target_must_be_better_to_count() -> None:
    beaten = judged([0.7, 0.1, 0.6, 0.1])
    assert beaten.accepted and beaten.scores["distractor_margin"] == pytest.approx(-0.1)
    assert set(judged([0.6, 0.1, 0.7, 0.1]).reasons) == {"target_shown_after", "distractors_not_shown"}


def test_a_distractor_that_could_be_true_as_well_counts_above_its_threshold() -> None:
    assert judged([0.7, 0.1, 0.1, 0.6]).reasons == ("distractors_not_shown",)


def test_the_target_must_appear_and_only_at_the_end() -> None:
    assert judged([0.4, 0.1, 0.1, 0.1]).reasons == ("target_shown_after",)
    assert judged([0.7, 0.1, 0.1, 0.1], start=[0.6, 0, 0, 0]).reasons == ("target_not_shown_at_start",)


def test_what_the_source_achieved_must_be_gone() -> None:
    # Two objects do not rest on one: the better reading counts.
    assert judged([0.7, 0.6, 0.1, 0.1]).accepted
    assert "achieved_gone" in judged([0.6, 0.7, 0.1, 0.1]).reasons


def test_a_margin_asks_for_more_than_the_threshold() -> None:
    assert judged([0.7, 0.1, 0.1, 0.1], margin=0.1).accepted
    assert judged([0.55, 0.1, 0.1, 0.1], margin=0.1).reasons == ("target_shown_after",)


def test_a_margin_below_zero_believes_the_edit_sooner_but_not_what_was_there_before() -> None:
    assert judged([0.45, 0.1, 0.1, 0.1], margin=-0.1).accepted
    # 0.05 above its lowered threshold, where the rival is 0.02 above its own; the other way round without.
    assert judged([0.45, 0.1, 0.52, 0.1], margin=-0.1).accepted
    assert "target_shown_after" in judged([0.45, 0.1, 0.58, 0.1], margin=-0.1).reasons
    assert judged([0.7, 0.1, 0.1, 0.1], start=[0.45, 0, 0, 0], margin=-0.1).accepted
