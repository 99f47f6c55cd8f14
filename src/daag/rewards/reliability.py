"""How often what scores like this is true: the reliability curve of a calibrated detector.

A threshold says where scores are cut; the curve says what lies on either side of it. Scores are put into bins, and in each
the share of true descriptions is corrected from the labels' own mixture to the prevalence at which the detector will be
asked.  Source: our choice.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float

from daag.errors import ConfigError, RewardDetectorError
from daag.rewards.calibration import MIN_POSITIVES, precision_at

NUM_DRAWS = 1000
"""Behind each interval."""


@dataclass(frozen=True)
class Bin:
    """Descriptions whose scores are alike."""

    low: float
    high: float
    """Cosine similarities in [-1, 1]; from `low`, below `high`."""
    num_true: int
    num_false: int
    precision: float
    """Share of true ones at the stated prevalence, in [0, 1]."""
    precision_ci95: tuple[float, float]
    """From Jeffreys' posteriors of the shares of true and of false ones that fall into the bin."""


@dataclass(frozen=True)
class Reliability:
    """The curve of one family of descriptions."""

    bins: tuple[Bin, ...]
    """By rising scores; those that nothing fell into are left out."""
    threshold: float
    prevalence: float


def measure_reliability(
    scores: Float[np.ndarray, "N"],
    labels: Bool[np.ndarray, "N"],
    threshold: float,
    prevalence: float,
    rng: np.random.Generator,
    num_bins: int = 12,
) -> Reliability:
    """Put scores of one family into bins of equal width and say what is true in each.

    Args:
        scores: cosine similarities in [-1, 1] of labelled frames and descriptions.
        labels: whether the description is true of the frame. Best those that the threshold was not chosen on.
        threshold: from which on a frame counts as showing the description.
        prevalence: share of true ones among the pairs that will be asked, in (0, 1).
        rng: of the intervals.
        num_bins: between the lowest score and the highest.

    Raises:
        ConfigError: a prevalence outside (0, 1), or no bins.
        RewardDetectorError: scores that are not finite, or too few true or false examples to fill a curve.
    """
    if not 0 < prevalence < 1 or num_bins < 1:
        raise ConfigError(f"expected a prevalence in (0, 1) and bins, got {prevalence} and {num_bins}")
    if not np.isfinite(scores).all():
        raise RewardDetectorError(
            f"{np.count_nonzero(~np.isfinite(scores))} of {scores.size} scores are not finite"
        )
    totals = int(np.count_nonzero(labels)), int(np.count_nonzero(~labels))
    if min(totals) < MIN_POSITIVES:
        raise RewardDetectorError(
            f"a reliability curve needs at least {MIN_POSITIVES} true and {MIN_POSITIVES} false examples, got "
            f"{totals[0]} and {totals[1]}; label more frames"
        )
    edges = np.linspace(scores.min(), scores.max(), num_bins + 1)
    which = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, num_bins - 1)
    bins = []
    for index in np.unique(which):
        mine = labels[which == index]
        counts = int(np.count_nonzero(mine)), int(np.count_nonzero(~mine))
        rates = [count / total for count, total in zip(counts, totals, strict=True)]
        drawn = [
            rng.beta(count + 0.5, total - count + 0.5, NUM_DRAWS)
            for count, total in zip(counts, totals, strict=True)
        ]
        low, high = np.quantile(
            [precision_at(true, false, prevalence) for true, false in zip(*drawn, strict=True)],
            [0.025, 0.975],
        )
        precision = precision_at(rates[0], rates[1], prevalence)
        bins.append(
            Bin(
                float(edges[index]),
                float(edges[index + 1]),
                *counts,
                precision,
                (min(float(low), precision), max(float(high), precision)),
            )
        )
    return Reliability(tuple(bins), threshold, prevalence)


def reliability_json(curves: Mapping[str, Reliability]) -> str:
    """Curves by family, as `reliability.json` beside calibration.json holds them, which the report draws."""
    return json.dumps({family: asdict(curve) for family, curve in curves.items()}, indent=1, sort_keys=True)
