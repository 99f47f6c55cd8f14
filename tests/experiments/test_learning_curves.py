import numpy as np
import pytest

from daag.experiments.learning_curves import MINUTES, LearningCurve, draw_curves, summary

STOPPED = LearningCurve([1, 3, 8], [0.0, 0.5, 0.9], [6.0, 70.0, 130.0])


@pytest.mark.parametrize(
    ("count", "rate"), [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.5), (7, 0.5), (8, 0.9), (200, 0.9)]
)
def test_a_curve_is_its_latest_evaluation_by_then(count, rate):
    assert STOPPED.after_episodes(count) == rate


@pytest.mark.parametrize(
    ("minutes", "rate"), [(0.05, 0.0), (1.0, 0.0), (1.2, 0.5), (2.0, 0.5), (2.2, 0.9), (60.0, 0.9)]
)
def test_likewise_by_minutes_of_work(minutes, rate):
    assert STOPPED.after_minutes(minutes) == rate


def test_a_summary_has_every_run_and_the_middle_half():
    rates = [0.1, 0.2, 0.6, 1.0]
    runs = [LearningCurve([2], [rate], [90.0]) for rate in rates]
    found = summary(runs, [1, 2, 3])
    assert found["success_rate"] == [[0.0, rate, rate] for rate in rates]
    assert found["interquartile_mean"] == pytest.approx([0.0, 0.4, 0.4])
    assert found["minutes"] == list(MINUTES)
    by_minutes = np.array(found["success_rate_by_minutes"])
    done = np.array(MINUTES) >= 1.5
    assert by_minutes.tolist() == [[rate if late else 0.0 for late in done] for rate in rates]
    assert found["interquartile_mean_by_minutes"] == pytest.approx(np.where(done, 0.4, 0.0))


def test_a_cell_becomes_a_curve():
    cell = {"episodes": [1, 2], "success_rate": [0.0, 0.5], "learning_seconds": [1.0, 2.0], "env_steps": 50}
    assert LearningCurve.of(cell) == LearningCurve([1, 2], [0.0, 0.5], [1.0, 2.0])


def test_the_picture_is_drawn_for_runs_that_never_began_too(tmp_path):
    runs = {"hea": [STOPPED, LearningCurve([], [], [])], "none": [LearningCurve([], [], [])]}
    path = draw_curves(runs, [1, 3, 8], 0.7, tmp_path / "pictures" / "curves.png")
    assert path.read_bytes().startswith(b"\x89PNG")
