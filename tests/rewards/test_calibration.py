"""Thresholds are chosen for precision at a stated prevalence, and never from too little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import ConfigError, RewardDetectorError
from daag.rewards.calibration import (
    Calibration,
    calibrate,
    choose_threshold,
    family_of,
    needed_negatives,
    precision_at,
)


def labelled_scores(separation: float, seed: int = 0, positives: int = 200, negatives: int = 4000):
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(0.3 + separation, 0.05, positives), rng.normal(0.3, 0.05, negatives)])
    labels = np.arange(positives + negatives) < positives
    order = rng.permutation(len(scores))
    return np.clip(scores, -1, 1)[order].astype(np.float32), labels[order]


@settings(max_examples=30, deadline=None)
@given(
    separation=st.floats(0.2, 0.5),
    seed=st.integers(0, 1000),
    target=st.floats(0.6, 0.98),
    prevalence=st.floats(0.02, 0.5),
)
def test_a_met_target_holds_on_the_labels_themselves(separation, seed, target, prevalence):
    scores, labels = labelled_scores(separation, seed)
    cut = choose_threshold(scores, labels, np.random.default_rng(0), target, prevalence, num_bootstrap=20)
    hits = scores >= cut.value
    seen = precision_at(hits[labels].mean(), hits[~labels].mean(), prevalence)
    assert cut.target_met
    assert seen >= target - 1e-9
    assert cut.recall == pytest.approx(hits[labels].mean())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), targets=st.tuples(st.floats(0.5, 0.97), st.floats(0.5, 0.97)))
def test_a_higher_target_never_lowers_the_threshold(seed, targets):
    scores, labels = labelled_scores(0.15, seed)
    low, high = (
        choose_threshold(scores, labels, np.random.default_rng(0), target, num_bootstrap=5)
        for target in sorted(targets)
    )
    if high.target_met:
        assert high.value >= low.value and high.recall <= low.recall


def test_the_same_labels_ask_for_a_higher_threshold_where_true_things_are_rarer():
    scores, labels = labelled_scores(0.15)
    common, rare = (
        choose_threshold(scores, labels, np.random.default_rng(0), 0.9, prevalence).value
        for prevalence in (0.5, 0.02)
    )
    assert rare > common


def test_the_bootstrap_interval_holds_the_precision_and_narrows_with_more_labels():
    few, many = (
        choose_threshold(*labelled_scores(0.15, 0, count, 20 * count), np.random.default_rng(0), 0.8, 0.05)
        for count in (50, 2000)
    )
    widths = [cut.precision_ci95[1] - cut.precision_ci95[0] for cut in (few, many)]
    assert widths[1] < widths[0]
    assert many.precision_ci95[0] <= many.precision <= many.precision_ci95[1] + 0.01


def test_an_unreachable_target_is_said_to_be_unreachable():
    rng = np.random.default_rng(0)
    labels = rng.random(4000) < 0.5
    cut = choose_threshold(rng.random(4000).astype(np.float32), labels, rng)
    assert not cut.target_met and cut.precision < 0.5


def test_too_few_labels_are_refused_with_the_number_it_takes():
    scores, labels = labelled_scores(0.3, positives=30, negatives=100)
    with pytest.raises(RewardDetectorError, match=f"20 true and {needed_negatives(0.97, 0.05)} false"):
        choose_threshold(scores, labels, np.random.default_rng(0))


@pytest.mark.parametrize("label", [True, False])
def test_labels_of_one_class_are_refused(label):
    with pytest.raises(RewardDetectorError, match="needs at least"):
        choose_threshold(np.linspace(0, 1, 5000), np.full(5000, label), np.random.default_rng(0))


def test_as_many_negatives_as_asked_for_suffice_when_the_scores_part():
    needed = needed_negatives(0.97, 0.05)
    scores = np.concatenate([np.full(20, 0.9), np.full(needed, 0.1)])
    cut = choose_threshold(scores, scores > 0.5, np.random.default_rng(0))
    assert cut.target_met and 0.1 < cut.value < 0.9


def test_nan_scores_are_an_error():
    scores, labels = labelled_scores(0.3)
    scores[7] = np.nan
    with pytest.raises(RewardDetectorError, match="1 of 4200 scores are not finite"):
        choose_threshold(scores, labels, np.random.default_rng(0))


def test_a_prevalence_of_nothing_is_a_config_error():
    with pytest.raises(ConfigError, match="prevalence"):
        choose_threshold(*labelled_scores(0.3), np.random.default_rng(0), prevalence=0.0)


def test_families_get_their_own_thresholds_and_unknown_labels_do_not_count():
    rng = np.random.default_rng(0)
    texts = ["the red cube is on the blue cube", "a red cube"]
    labels = rng.random((3000, 2)) < 0.3
    scores = (labels * 0.4 + np.array([0.1, 0.3]) + rng.normal(0, 0.02, labels.shape)).astype(np.float32)
    known = np.ones_like(labels)
    scores[:500, 0], known[:500, 0] = np.nan, False
    calibration = calibrate(scores, labels, known, texts, rng)
    assert set(calibration.thresholds) == {"on", "object"}
    assert calibration.threshold("a green prism") > calibration.threshold("the green cube is on the red cube")
    with pytest.raises(RewardDetectorError, match="'next to' is not calibrated"):
        calibration.threshold("the red cube is next to the blue cube")


def test_a_calibration_survives_json_and_foreign_json_is_refused():
    scores, labels = labelled_scores(0.3)
    cut = choose_threshold(scores, labels, np.random.default_rng(0))
    calibration = Calibration({"on": cut}, 0.97, 0.05)
    assert Calibration.from_json(calibration.to_json()) == calibration
    with pytest.raises(RewardDetectorError, match="expected a calibration"):
        Calibration.from_json('{"thresholds": {"on": {"value": 2}}}')


def test_descriptions_fall_into_families():
    assert family_of("the red cube is next to the blue cube") == "next to"
    assert family_of("an orange sphere") == "object"
    for strange in ("", "the drawer is open"):
        with pytest.raises(RewardDetectorError):
            family_of(strange)
