"""When an episode achieves what, on embeddings made up for the purpose."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from daag.episodes import Episode
from daag.errors import RewardDetectorError
from daag.rewards.labelling import Absence, came_to_show, contradictions, label, label_embeddings

ON = "the red cube is on the blue cube"
OFF = "the blue cube is on the red cube"
BESIDE = "the red cube is next to the blue cube"
ELSEWHERE = "the red cube is on the green cylinder"
SHARING = "the green cube is on the blue cube"
OTHER = "the white prism is on the black cube"


class Scores:
    """A detector whose scores are written down: description -> score at each observation."""

    hash = "made up"

    def __init__(
        self, scores: dict[str, Sequence[float]], thresholds: dict[str, float] | None = None
    ) -> None:
        self.names = list(scores)
        self.table = np.array([scores[name] for name in self.names], dtype=np.float32).T
        self.thresholds = thresholds or {}

    def embed_frames(self, frames: np.ndarray, num_views: int | None = None) -> np.ndarray:
        # The observation's number is painted into its first pixel.
        return self.table[frames[:, 0, 0, 0]][:, None, None]

    def embed_texts(self, descriptions: Sequence[str]) -> np.ndarray:
        return np.eye(len(self.names), dtype=np.float32)[[self.names.index(text) for text in descriptions]]

    hysteresis = 0.0
    patience = 1
    num_rows = 1

    def unseen_below(self, description):
        return -1.0

    def success_threshold(self, description: str) -> float:
        return self.thresholds.get(description, 0.5)


def episode(num_steps: int, motion_frames: int = 2) -> Episode:
    """Observations carry their number in the first pixel; the motion in between carries numbers of no observation."""
    stride = motion_frames + 1
    frames = np.full((num_steps * stride + 1, 8, 8, 3), num_steps + 1, dtype=np.uint8)
    index = np.arange(num_steps + 1, dtype=np.int32) * stride
    frames[index] = np.arange(num_steps + 1, dtype=np.uint8)[:, None, None, None]
    return Episode(
        id="e",
        env_id="made-up",
        instruction="",
        seed=0,
        frames=frames,
        observation_index=index,
        actions=np.zeros((num_steps, 4), dtype=np.float32),
        rewards=np.zeros(num_steps, dtype=np.float32),
        terminated=False,
        truncated=True,
    )


def spans(scores: dict[str, Sequence[float]], descriptions: Sequence[str] | None = None) -> list[tuple]:
    detector = Scores(scores)
    steps = len(next(iter(scores.values()))) - 1
    found = label(episode(steps), descriptions or list(scores), detector)
    return [(each.description, each.start, each.end) for each in found]


def test_the_first_observation_above_the_threshold_achieves_the_description():
    found = label(episode(4), [ON], Scores({ON: [0.1, 0.2, 0.7, 0.9, 0.8]}))
    assert [(each.start, each.end) for each in found] == [(0, 2)]
    assert found[0].score == pytest.approx(0.7)


def test_what_is_true_from_the_start_is_not_achieved():
    assert spans({ON: [0.9, 0.9, 0.9]}) == []


def test_a_score_equal_to_the_threshold_counts():
    assert spans({ON: [0.0, 0.5]}) == [(ON, 0, 1)]


def test_what_is_lost_and_found_again_is_achieved_again():
    assert spans({ON: [0.0, 0.9, 0.0, 0.9]}) == [(ON, 0, 1), (ON, 2, 3)]


def test_no_step_before_it_was_last_shown_led_to_it():
    assert spans({ON: [0.9, 0.9, 0.0, 0.0, 0.9]}) == [(ON, 2, 4)]
    assert spans({ON: [0.9, 0.0, 0.0, 0.9], OTHER: [0.0, 0.9, 0.0, 0.0]}) == [(OTHER, 0, 1), (ON, 1, 3)]


def test_the_steps_count_from_the_end_of_the_achievement_before_whatever_it_was():
    assert spans({ON: [0, 0, 0, 0.9, 0.9], OTHER: [0, 0.9, 0.9, 0.9, 0.9]}) == [(OTHER, 0, 1), (ON, 1, 3)]


def test_simultaneous_achievements_share_their_start():
    found = spans({ON: [0, 0, 0.9, 0], OTHER: [0, 0, 0.9, 0.9], "a red cube": [0, 0, 0, 0.9]})
    assert found == [(ON, 0, 2), (OTHER, 0, 2), ("a red cube", 2, 3)]


def test_the_frames_of_the_motion_are_not_judged():
    # A frame of the motion would ask for a row that the table of scores does not have.
    assert spans({ON: [0.0, 0.9, 0.9]}) == [(ON, 0, 1)]


def test_of_two_readings_that_contradict_each_other_the_better_is_kept():
    for rival in (OFF, BESIDE, ELSEWHERE, SHARING):
        assert spans({ON: [0, 0.8], rival: [0, 0.7]}) == [(ON, 0, 1)]
        assert spans({ON: [0, 0.6], rival: [0, 0.7]}) == [(rival, 0, 1)]


def test_margins_over_the_thresholds_are_compared_not_scores():
    detector = Scores({ON: [0, 0.6], BESIDE: [0, 0.7]}, {ON: 0.3, BESIDE: 0.65})
    assert [each.description for each in label(episode(1), [ON, BESIDE], detector)] == [ON]


def test_readings_that_can_both_be_true_are_both_kept():
    assert spans({ON: [0, 0.8], OTHER: [0, 0.7]}) == [(ON, 0, 1), (OTHER, 0, 1)]


def test_contradictions_are_symmetric_and_nothing_contradicts_itself():
    pairs = contradictions([ON, OFF, BESIDE, SHARING, OTHER, "a red cube", "the drawer is open"])
    assert (pairs == pairs.T).all() and not pairs.diagonal().any()
    assert pairs[0].tolist() == [False, True, True, True, False, False, False]


def test_two_objects_may_be_beside_one():
    beside_both = ["the red cube is next to the blue cube", "the red cube is next to the green cube"]
    assert not contradictions(beside_both).any()


LEFT, ABOVE = "the red cube is to the left of the blue cube", "the red cube is above the blue cube"
TOUCHING, APART = "the blue cube is touching the red cube", "the blue cube is apart from the red cube"


def test_two_blocks_lie_side_by_side_or_one_above_the_other_or_apart():
    turned = ["the blue cube is to the left of the red cube", "the blue cube is above the red cube"]
    asked = [LEFT, ABOVE, *turned, APART]
    assert (contradictions(asked) == ~np.eye(5, dtype=bool)).all()
    assert contradictions([TOUCHING, *asked])[0].tolist() == [False, False, False, False, False, True]
    others = ["the red cube is above the green cube", "the green cube is apart from the blue cube"]
    assert not contradictions([LEFT, *others]).any()


def test_of_left_and_above_the_surer_one_counts():
    assert spans({LEFT: [0, 0.8], ABOVE: [0, 0.7]}) == [(LEFT, 0, 1)]
    assert spans({LEFT: [0, 0.6], ABOVE: [0, 0.7]}) == [(ABOVE, 0, 1)]
    assert spans({LEFT: [0, 0.8], TOUCHING: [0, 0.7]}) == [(LEFT, 0, 1), (TOUCHING, 0, 1)]


def test_no_descriptions_give_no_achievements():
    assert label(episode(2), [], Scores({ON: [0, 0, 0]})) == ()


def test_scores_that_are_not_finite_are_an_error():
    with pytest.raises(RewardDetectorError, match="episode 'e'"):
        label(episode(1), [ON], Scores({ON: [0, np.nan]}))


def test_labels_from_cached_embeddings_are_those_from_frames():
    scores = {ON: [0.0, 0.2, 0.9], OTHER: [0.0, 0.8, 0.1]}
    detector = Scores(scores)
    one = label(episode(2), list(scores), detector)
    other = label_embeddings(detector.table[:, None, None], list(scores), detector)
    assert one == other and len(one) == 2


def test_with_hysteresis_only_what_was_clearly_gone_comes_again():
    thresholds = np.array([0.5], dtype=np.float32)

    def begins(scores, hysteresis):
        column = np.array(scores, dtype=np.float32)[:, None]
        return (
            np.flatnonzero(came_to_show(column, thresholds, ["a red cube"], Absence(hysteresis))[:, 0]) + 1
        ).tolist()

    flickering = [0.1, 0.6, 0.45, 0.6, 0.48, 0.55, 0.1, 0.7]
    assert begins(flickering, 0.0) == [1, 3, 5, 7]
    assert begins(flickering, 0.2) == [1, 7]
    assert begins([0.4, 0.6, 0.1, 0.4, 0.6], 0.2) == [4]  # at first it may have been there already
    assert begins([0.4, 0.6], 0.2) == []


def test_labels_wait_until_a_description_was_clearly_gone():
    detector = Scores({ON: [0.1, 0.6, 0.45, 0.6, 0.1, 0.7]})
    assert [each.end for each in label(episode(5), [ON], detector)] == [1, 3, 5]
    detector.hysteresis = 0.2
    assert [each.end for each in label(episode(5), [ON], detector)] == [1, 5]


def test_what_is_hidden_for_a_look_does_not_come_again():
    detector = Scores({ON: [0.6, 0.1, 0.6, 0.1, 0.1, 0.7]})
    assert [each.end for each in label(episode(5), [ON], detector)] == [2, 5]
    detector.patience = 2
    assert [each.end for each in label(episode(5), [ON], detector)] == [5]


def test_what_is_out_of_sight_is_not_gone():
    detector = Scores({ON: [0.6, 0.1, 0.6, 0.3, 0.1, 0.7]})
    detector.unseen_below = {ON: 0.2}.__getitem__
    assert [each.end for each in label(episode(5), [ON], detector)] == [5]
    unseen_first = Scores({ON: [0.1, 0.6, 0.6, 0.6, 0.6, 0.6]})
    unseen_first.unseen_below = {ON: 0.2}.__getitem__
    assert label(episode(5), [ON], unseen_first) == ()  # it may have been so all along


def test_what_is_absent_from_the_start_need_not_be_so_for_long():
    detector = Scores({ON: [0.1, 0.6, 0.6, 0.6, 0.6, 0.6]})
    detector.patience = 3
    assert [each.end for each in label(episode(5), [ON], detector)] == [1]


@given(
    arrays.arrays(np.float32, (9, 3), elements=st.sampled_from([0.1, 0.35, 0.45, 0.6])),
    st.sampled_from([0.0, 0.1, 0.2]),
    st.integers(1, 3),
    st.sampled_from([-1.0, 0.2]),
)
@settings(max_examples=200, deadline=None)
def test_what_comes_to_be_shown_was_not_shown_at_the_look_before_or_is_clearly_gone_since(
    scores, hysteresis, patience, unseen
):
    """Against a plain version that looks back from every moment anew."""
    thresholds = np.array([0.5, 0.4, 0.3], dtype=np.float32)
    descriptions = ["a red cube", "a blue cube", "a green cube"]  # none of which contradicts another
    begins = came_to_show(scores, thresholds, descriptions, Absence(hysteresis, patience, unseen))
    for which in range(3):
        holds = scores[:, which] >= thresholds[which]
        gone = scores[:, which] < thresholds[which] - hysteresis
        for now in range(1, len(scores)):
            since = max([earlier for earlier in range(now) if holds[earlier]], default=-1) + 1
            if hysteresis == 0:
                gone = ~holds
            gone = gone & (scores[:, which] >= unseen)
            long = [gone[start : start + patience].all() for start in range(since, now - patience + 1)]
            expected = holds[now] and (any(long) or (since == 0 and gone[0]))
            assert begins[now - 1, which] == expected


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float32, (9, 2), elements=st.floats(0, 1, width=32)), st.sampled_from([0.0, 0.1, 0.4])
)
def test_what_comes_to_be_shown_was_absent_since_it_last_was(scores, hysteresis):
    descriptions = [ON, OTHER]  # which do not contradict each other
    thresholds = np.array([0.5, 0.7], dtype=np.float32)
    found = came_to_show(scores, thresholds, descriptions, Absence(hysteresis))
    for which in range(2):
        absent = False
        for step, score in enumerate(scores[:, which]):
            holds = score >= thresholds[which]
            if step:
                assert found[step - 1, which] == (holds and absent)
            gone = score < thresholds[which] - hysteresis
            absent = gone or (absent and not holds)
