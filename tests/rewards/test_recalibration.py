"""After finetuning thresholds are chosen again: of what was taught, from what training left out, and never from too little."""

import numpy as np
import pytest

from daag.errors import RewardDetectorError
from daag.rewards.calibration import Calibration, Threshold, choose_threshold
from daag.rewards.clip import ClipDetector, pretrained
from daag.rewards.labelled_pairs import LabelledPairs, joined, pair_scores, swap_scores
from daag.rewards.recalibration import Evidence, balanced_error, balanced_threshold, recalibrated

ON, OFF = "the red cube is on the blue cube", "the blue cube is on the red cube"
OBJECT = "a red cube"


def evidence(true: list[float], false: list[float], swaps: list[float]) -> Evidence:
    return Evidence(np.array(true), np.array(false), np.array(swaps))


def test_the_threshold_lies_in_the_middle_of_what_it_separates():
    assert balanced_threshold([evidence([0.6, 0.8], [0.1, 0.2], [0.0])]) == pytest.approx(0.4)


def test_of_cuts_that_are_equally_good_the_one_in_the_middle_is_taken():
    assert balanced_threshold([evidence([0.3, 0.6, 0.9], [0.1, 0.4, 0.7], [])]) == pytest.approx(0.5)


def test_what_is_missed_weighs_as_much_as_all_that_is_wrongly_believed():
    # The lower cut believes half of the frames and half of the swaps, the upper one misses two of three.
    assert balanced_threshold([evidence([0.3, 0.4, 0.9], [0.1, 0.5], [0.1, 0.5])]) == pytest.approx(0.2)


def test_few_false_frames_weigh_as_much_as_many_swaps():
    # Cutting above the one false frame misses one true frame in four; the many swaps lie far below either cut.
    part = evidence([0.3, 0.6, 0.6, 0.6], [0.4], [0.0] * 1000)
    assert balanced_threshold([part]) > 0.4
    assert balanced_threshold([evidence([0.3, 0.6, 0.6, 0.6], [0.0] * 1000 + [0.4], [0.0])]) < 0.3


def test_each_part_weighs_the_same_however_large():
    few, many = evidence([0.2], [0.1], []), evidence([0.8] * 50, [0.5] * 50, [])
    assert balanced_threshold([many]) > 0.5
    cut = balanced_threshold([few, few, many])
    assert 0.1 < cut < 0.2  # two of three parts gain there what the third loses


def test_a_threshold_needs_both_labels():
    for part in (evidence([], [0.1], [0.1]), evidence([0.5], [], [])):
        with pytest.raises(RewardDetectorError, match="one class only"):
            balanced_threshold([part])
    with pytest.raises(RewardDetectorError, match="got none"):
        balanced_threshold([])


def test_balanced_error_counts_both_labels_the_same():
    labels = np.array([True, False, False, False])
    assert balanced_error(np.array([True, True, False, False]), labels) == pytest.approx(1 / 6)
    assert balanced_error(np.array([False, False, False, False]), labels) == 0.5


@pytest.fixture(scope="module")
def detector() -> ClipDetector:
    """`base`, whose thresholds are replaced: a target that few labels can show."""
    cut = Threshold(0.9, 0.9, (0.8, 1.0), 0.1, 20, 20, True)
    return pretrained("base").with_calibration(Calibration({"on": cut, "object": cut}, 0.8, 0.5))


def frames(count: int, description: str, seed: int) -> LabelledPairs:
    noise = np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    return LabelledPairs(noise, (description,) * count, np.arange(count) % 2 == 0)


def expected(detector: ClipDetector, pairs: LabelledPairs) -> float:
    swaps = swap_scores(detector, pairs)
    scores = np.concatenate([pair_scores(detector, pairs), swaps])
    labels = np.concatenate([pairs.labels, np.zeros(len(swaps), bool)])
    return choose_threshold(scores, labels, np.random.default_rng(0), 0.8, 0.5).value


def test_a_taught_sentence_has_a_threshold_of_its_own_and_its_family_one_from_old_pairs(detector):
    new, old = frames(60, ON, 0), frames(60, OFF, 1)
    found = recalibrated(detector, new, old, [ON], np.random.default_rng(0))
    assert found.success_threshold(ON) == pytest.approx(expected(detector, new), abs=1e-6)
    assert found.success_threshold(OFF) == pytest.approx(expected(detector, old), abs=1e-6)
    assert found.calibration.thresholds[ON].num_positives == 30
    assert found.success_threshold(OBJECT) == 0.9
    assert detector.success_threshold(ON) == 0.9  # nothing is changed in place
    assert Calibration.from_json(found.calibration.to_json()) == found.calibration


def test_pairs_of_other_sentences_choose_no_sentences_threshold(detector):
    new = joined(frames(60, ON, 0), frames(60, OFF, 1))  # a rival that was repainted beside
    found = recalibrated(detector, new, frames(0, OFF, 2), [ON], np.random.default_rng(0))
    assert found.success_threshold(ON) == pytest.approx(expected(detector, frames(60, ON, 0)), abs=1e-6)
    assert found.success_threshold(OFF) == 0.9


def test_too_few_pairs_leave_the_thresholds(detector):
    few = recalibrated(detector, frames(10, ON, 0), frames(10, OFF, 1), [ON], np.random.default_rng(0))
    assert few.calibration == detector.calibration
