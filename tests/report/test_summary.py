import pytest

from daag.report.record import Made
from daag.report.summary import add_up, count, wilson


def test_the_interval_is_honest_at_the_ends():
    low, high = wilson(1.0, 50)
    assert high == 1.0
    assert low == pytest.approx(0.929, abs=1e-3)
    assert wilson(0.0, 50)[1] == pytest.approx(0.071, abs=1e-3)
    assert wilson(0.5, 0) == (0.0, 1.0)


def test_reasons_add_up_commonest_first():
    total = add_up([Made(edited=1, reasons={"a": 1}), Made(edited=2, reasons={"b": 3, "a": 1})])
    assert total.edited == 3
    assert list(total.reasons.items()) == [("b", 3), ("a", 2)]


def test_one_is_singular():
    assert [count(1, "episode"), count(1200, "episode")] == ["1 episode", "1,200 episodes"]
