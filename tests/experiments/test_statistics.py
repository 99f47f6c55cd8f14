import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daag.experiments.statistics import episodes_to_target, interquartile_mean, mean_interval, paired_ratio

VALUES = st.lists(st.floats(0.1, 100.0), min_size=2, max_size=20)


@given(VALUES)
def test_the_interval_holds_the_mean_and_lies_within_the_values(values: list[float]) -> None:
    interval = mean_interval(values)
    assert interval.value == pytest.approx(np.mean(values))
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


def test_ratios_are_paired_run_by_run() -> None:
    ratio = paired_ratio([1.0, 10.0, 100.0], [2.0, 20.0, 200.0])
    assert (ratio.value, ratio.low, ratio.high) == (0.5, 0.5, 0.5)


def test_more_runs_give_a_narrower_interval() -> None:
    few, many = (mean_interval([float(i % 10) for i in range(count)]) for count in (10, 200))
    assert many.high - many.low < few.high - few.low


def test_the_interquartile_mean_ignores_a_quarter_at_each_end() -> None:
    assert interquartile_mean([0.0, 1.0, 1.0, 100.0]) == 1.0
    assert interquartile_mean([1.0, 4.0]) == 2.5


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([0.0, 0.9, 0.9], 2),
        ([0.9, 0.0, 0.8, 0.8], 3),
        ([0.9, 0.7, 0.9], None),
        ([0.7, 0.7, 0.9], None),
        ([], None),
    ],
)
def test_the_target_counts_as_reached_at_the_first_of_two_successive_hits(
    rates: list[float], expected: int | None
) -> None:
    assert episodes_to_target([1, 2, 3, 5][: len(rates)], rates, 0.8) == expected
