"""Means, intervals and ratios as the result files report them.  Source: our choice; percentile bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A central value and its 95 % interval."""

    value: float
    low: float
    high: float


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean of some runs, with a percentile bootstrap over runs."""
    array = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(len(array), size=(RESAMPLES, len(array)))
    low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    return Interval(float(array.mean()), float(low), float(high))


def paired_ratio(ours: Sequence[float], rival: Sequence[float], seed: int = 0) -> Interval:
    """The median of ours / rival over paired runs, with a paired percentile bootstrap.

    Args:
        ours: one number per run, positive.
        rival: the rival's, for the same tasks and seeds in the same order.
        seed: of the bootstrap.
    """
    ratios = np.asarray(ours, dtype=np.float64) / np.asarray(rival, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[draws], axis=1), [2.5, 97.5])
    return Interval(float(np.median(ratios)), float(low), float(high))


def ratio_of_means(ours: Sequence[float], rival: Sequence[float], seed: int = 0) -> Interval:
    """The mean of ours over the mean of the rival's, with a paired percentile bootstrap; for numbers that may be 0.

    Args:
        ours: one number per run.
        rival: the rival's, for the same tasks and seeds in the same order.
        seed: of the bootstrap.
    """
    pairs = np.stack([np.asarray(ours, dtype=np.float64), np.asarray(rival, dtype=np.float64)])
    draws = np.random.default_rng(seed).integers(pairs.shape[1], size=(RESAMPLES, pairs.shape[1]))
    above, below = pairs[:, draws].mean(axis=2)
    low, high = np.percentile(above / np.maximum(below, 1e-9), [2.5, 97.5])
    return Interval(float(pairs[0].mean() / max(pairs[1].mean(), 1e-9)), float(low), float(high))


def interquartile_mean(values: Sequence[float]) -> float:
    """The mean of the middle half of the values; of all of them where there are fewer than four."""
    array = np.sort(np.asarray(values, dtype=np.float64))
    cut = len(array) // 4
    return float(array[cut : len(array) - cut].mean())


def episodes_to_target(episodes: Sequence[int], rates: Sequence[float], target: float) -> int | None:
    """The first of two successive evaluations at or above the target; None if that never happened.

    Args:
        episodes: after how many episodes each evaluation was.
        rates: success rates in [0, 1].
        target: in [0, 1].
    """
    for index in range(len(rates) - 1):
        if rates[index] >= target and rates[index + 1] >= target:
            return int(episodes[index])
    return None
