import json
import re

import pytest
from tests.report.making import write_config

from daag.errors import RunError
from daag.report import write_report
from daag.report.reliability import read_reliability, reliability_chart


def write_curve(directory, family="on"):
    bins = [
        {
            "low": 0.1 * step,
            "high": 0.1 * (step + 1),
            "num_true": 10 * step,
            "num_false": 50 - 10 * step,
            "precision": 0.2 * step,
            "precision_ci95": [max(0.0, 0.2 * step - 0.1), min(1.0, 0.2 * step + 0.1)],
        }
        for step in range(6)
    ]
    raw = {family: {"bins": bins, "threshold": 0.35, "prevalence": 0.05}}
    (directory / "reliability.json").write_text(json.dumps(raw))


def test_a_curve_rises_from_left_to_right_and_the_threshold_stands_between(tmp_path):
    write_curve(tmp_path)
    chart = reliability_chart(read_reliability(tmp_path))
    points = [
        tuple(map(float, point.split(","))) for point in re.search(r'points="([^"]+)"', chart)[1].split()
    ]
    assert points == sorted(points) and [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    threshold = float(re.search(r'stroke-dasharray="4 4" x1="([\d.]+)"', chart)[1])
    assert points[2][0] < threshold <= points[3][0] + 0.1
    assert "80% true at a prevalence of 5% (70% to 90%); 40 true and 10 false labels" in chart


def test_the_report_shows_it_where_there_is_one(tmp_path):
    write_config(tmp_path)
    heading = "scores can be trusted"
    assert heading not in write_report(tmp_path).read_text()
    write_curve(tmp_path, "<script>")
    page = write_report(tmp_path).read_text()
    assert heading in page and "<script>" not in page


def test_no_file_is_no_curve_and_a_damaged_one_is_named(tmp_path):
    assert read_reliability(tmp_path) == () and not reliability_chart(())
    (tmp_path / "reliability.json").write_text('{"on": {"bins": [{}]}}')
    with pytest.raises(RunError, match=r"reliability\.json"):
        read_reliability(tmp_path)
