"""The curve says how often what scores so is true, at the prevalence that was stated."""

import json

import numpy as np
import pytest

from daag.errors import ConfigError, RewardDetectorError
from daag.rewards.reliability import measure_reliability, reliability_json


def drawn(prevalence: float, count: int, seed: int = 0):
    """Scores whose true share at each score is known: both labels normal, 0.2 apart, of one width."""
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < prevalence
    scores = np.where(labels, rng.normal(0.5, 0.1, count), rng.normal(0.3, 0.1, count))
    return np.clip(scores, -1, 1), labels


def truth(score: float, prevalence: float) -> float:
    odds = np.exp(((score - 0.3) ** 2 - (score - 0.5) ** 2) / (2 * 0.1**2)) * prevalence / (1 - prevalence)
    return odds / (1 + odds)


@pytest.mark.parametrize("asked", [0.05, 0.5])
def test_bins_hold_the_truth_at_the_stated_prevalence_and_not_at_the_labels_own(asked):
    scores, labels = drawn(0.3, 40_000)
    curve = measure_reliability(scores, labels, 0.45, asked, np.random.default_rng(0), num_bins=40)
    inner = [each for each in curve.bins if each.num_true + each.num_false > 300]
    assert len(inner) > 10
    for each in inner:
        assert each.precision == pytest.approx(truth((each.low + each.high) / 2, asked), abs=0.06)
        assert each.precision_ci95[0] <= each.precision <= each.precision_ci95[1]
    assert sum(each.num_true for each in curve.bins) == labels.sum()
    assert sum(each.num_false for each in curve.bins) == (~labels).sum()


def test_intervals_narrow_with_more_labels_and_stay_open_where_nothing_false_was_seen():
    rng = np.random.default_rng(0)
    few, many = (measure_reliability(*drawn(0.3, count), 0.4, 0.1, rng, 6) for count in (300, 30_000))

    def width(curve):
        middle = min(curve.bins, key=lambda each: abs(each.low - 0.4))
        return middle.precision_ci95[1] - middle.precision_ci95[0]

    assert width(many) < width(few)
    clean = measure_reliability(
        np.r_[np.full(25, 0.9), np.full(25, 0.1)], np.arange(50) < 25, 0.5, 0.05, rng, 2
    )
    assert clean.bins[-1].precision == 1.0 and clean.bins[-1].precision_ci95[0] < 0.95


def test_too_little_and_broken_input_is_refused():
    scores, labels = drawn(0.3, 400)
    rng = np.random.default_rng(0)
    with pytest.raises(RewardDetectorError, match="at least 20 true and 20 false"):
        measure_reliability(scores, np.arange(400) < 5, 0.4, 0.05, rng)
    with pytest.raises(RewardDetectorError, match="not finite"):
        measure_reliability(np.where(labels, np.nan, scores), labels, 0.4, 0.05, rng)
    with pytest.raises(ConfigError):
        measure_reliability(scores, labels, 0.4, 1.0, rng)


def test_the_file_holds_everything():
    curve = measure_reliability(*drawn(0.3, 400), 0.4, 0.05, np.random.default_rng(0))
    raw = json.loads(reliability_json({"on": curve}))
    assert raw["on"]["threshold"] == 0.4 and len(raw["on"]["bins"]) == len(curve.bins)
