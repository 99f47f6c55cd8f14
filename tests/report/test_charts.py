import re

import pytest
from tests.report.making import log, log_task, write_config

from daag.report.charts import buffer_chart, success_chart, tick_step
from daag.report.record import read_run
from daag.report.summary import summarise


def tasks_of(run):
    return summarise(read_run(run))


def test_success_has_a_line_for_each_task_and_a_diamond_for_each_end(made_run):
    chart = success_chart(tasks_of(made_run))
    assert len(re.findall("<polyline", chart)) == len(re.findall("<polygon", chart)) == 2
    assert len(re.findall("<circle", chart)) == 7
    assert "task 1, final: 94% of 50 scenes after 12 episodes" in chart


def test_higher_success_stands_higher_and_more_episodes_further_to_the_right(made_run):
    chart = success_chart(tasks_of(made_run))
    points = re.findall(r'points="([^"]+)"/>', chart)[0].split()
    places = [tuple(map(float, point.split(","))) for point in points]
    assert places == sorted(places, key=lambda place: place[0])
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


def test_memory_alone_is_drawn_at_zero_episodes(tmp_path):
    write_config(tmp_path)
    log(tmp_path, "evaluation", task=0, episodes=0, scenes=20, success_rate=0.5, final=False)
    assert "50% of 20 scenes after 0 episodes" in success_chart(tasks_of(tmp_path))


def test_without_numbers_there_is_no_chart(tmp_path):
    write_config(tmp_path)
    assert not success_chart(tasks_of(tmp_path))
    assert not buffer_chart(tasks_of(tmp_path))


def test_the_bars_of_the_buffer_are_as_high_as_its_counts(tmp_path):
    write_config(tmp_path)
    log_task(tmp_path, 0, 8, {8: 0.5}, None)
    heights = dict(
        re.findall(r'<rect class="(\w+)"[^>]* height="([\d.]+)"', buffer_chart(tasks_of(tmp_path)))
    )
    real, relabelled, edited = (float(heights[origin]) for origin in ("real", "relabelled", "edited"))
    assert relabelled == pytest.approx(8 * real, rel=0.01)
    assert edited == pytest.approx(4 * real, rel=0.01)


@pytest.mark.parametrize(("most", "step"), [(1, 1), (6, 1), (7, 2), (13, 5), (40, 10), (61, 20), (1000, 200)])
def test_ticks_are_round_and_few(most, step):
    assert tick_step(most) == step
