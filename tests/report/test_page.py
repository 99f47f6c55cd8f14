import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.report.making import TASKS, log, log_task, write_config

from daag.envs import rerender
from daag.episodes import EpisodeStore
from daag.errors import EditError, RunError
from daag.report import write_report

SCRIPT = "stack the <script>alert('red')</script> cube on the blue cube"


class Page(HTMLParser):
    """A page's tags with their attributes, and its text without style sheets."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.unclosed: list[str] = []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.unclosed.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.unclosed and self.unclosed[-1] != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def report(run: Path, oracle=None) -> Page:
    path = write_report(run, oracle)
    assert path == run / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert not page.unclosed
    return page


@pytest.fixture(scope="session")
def page(made_run: Path) -> Page:
    return report(made_run, rerender)


def test_a_reader_in_a_hurry_sees_the_outcome_first(page):
    assert "The first task took 12 real episodes; the next one took 3 (25% of the first one’s)." in page.text
    assert "on 50 held-out scenes the policy succeeds in 94% (95% interval 84% to 98%)" in page.text
    assert "not finished" not in page.text


def test_it_says_what_was_asked(page):
    for words in (
        *TASKS,
        "rgb-stacking",
        "hea",
        "40 real episodes for each task",
        "d" * 16,
        "e" * 16,
        "f" * 16,
    ):
        assert words in page.text


def test_it_needs_no_other_file_and_runs_nothing(page):
    allowed = {"data:"}
    names = ("src", "href", "srcset", "poster", "data", "xlink:href", "action")
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base"}
        assert not [name for name in attributes if name.startswith("on")]
        linked = [attributes[name] for name in names if name in attributes]
        assert all(link[:5] in allowed for link in linked)
    assert page.all("img")


def test_every_picture_has_words_for_those_who_cannot_see_it(page):
    assert all(image["alt"] for image in page.all("img"))
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in page.all("svg"))


def test_every_figure_says_how_to_read_it(page):
    assert len(page.all("figcaption")) == len(page.all("figure")) > 5


def test_no_reward_label_is_counted_where_the_detector_decides(page):
    assert "together 15 60 0" in page.text


def test_every_step_is_a_reward_label_where_the_environment_is_asked(run):
    write_config(run, reward="both")
    assert "together 15 60 60" in report(run).text


def test_the_rows_of_a_film_are_source_mask_edited_and_oracle(page):
    labels = re.findall(
        r"\b(source|mask|edited|oracle), \d frames", " ".join(i["alt"] for i in page.all("img"))
    )
    assert labels[:4] == ["source", "mask", "edited", "oracle"]
    assert labels.count("oracle") == 6


def test_films_come_with_plan_checks_and_scores(page):
    assert "(exchange)" in page.text
    assert "(modify)" in page.text
    assert "the edited end shows the target (0.62)" in page.text


def test_without_a_simulator_the_oracle_is_missing_and_the_page_says_so(run):
    without = report(run)
    assert not [image for image in without.all("img") if image["alt"].startswith("oracle")]
    assert "written without a simulator" in without.text


def test_an_oracle_that_cannot_draw_costs_only_its_row(run):
    def failing(episode, frame_index, plan):
        raise EditError("the scene is of another version")

    found = report(run, failing)
    assert "No oracle row: the scene is of another version" in found.text
    assert [image for image in found.all("img") if image["alt"].startswith("edited")]


def test_rejected_edits_come_with_counts_reasons_and_samples(page):
    assert "turned down 15 of 31 proposed edits (48%)" in page.text
    assert "the colour does not flicker from frame to frame 15" in page.text
    assert "not so: the colour does not flicker from frame to frame (17.50 degrees of hue)" in page.text


def test_what_the_planner_declined_is_listed_by_reason(page):
    assert "too unlike to be repainted into one another 15" in page.text


def test_the_time_is_listed_by_stage_longest_first(page):
    assert page.text.index("training the policy 2 min 10 s") < page.text.index("1 min 12 s")
    assert "3 min 59 s together" in page.text


def test_instructions_are_text_and_never_markup(run):
    write_config(run, tasks=[SCRIPT, TASKS[1]], env="<b>world</b>")
    found = report(run)
    assert not found.all("script")
    assert SCRIPT in found.text
    assert "<b>world</b>" in found.text


def test_reasons_and_plans_are_text_and_never_markup(run):
    made = {"proposed": 1, "rejected": 1, "reasons": {"<script>1": 1}, "declined": {"<script>2": 1}}
    log(run, "extract", task=0, augmentation=made)
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    np.savez_compressed(
        run / "rejections" / "001.npz",
        source=frames, edited=frames, plan='"><script>3', target="<script>4", reasons=np.array(["<script>5"]), scores="{}",
    )  # fmt: skip
    found = report(run)
    assert not found.all("script")
    assert all(f"<script>{number}" in found.text for number in (1, 2, 3, 4, 5))


def test_a_run_that_has_only_begun_gets_a_page_that_says_so(tmp_path):
    write_config(tmp_path / "run")
    found = report(tmp_path / "run")
    for words in (
        "This run is not finished", "No task is finished yet", "Not begun yet", "No evaluation yet",
        "has not been trained yet", "No edit has been accepted yet", "No times have been recorded yet",
    ):  # fmt: skip
        assert words in found.text


def test_a_run_that_was_killed_shows_what_it_had(run):
    (run / "metrics.jsonl").unlink()
    log_task(run, 0, 5, {1: 0.1, 2: 0.2}, None)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"event": "episode", "ta')
    with (run / "timing.jsonl").open("a") as file:
        file.write('{"stage"')
    (run / "rejections" / "001.npz").write_bytes(b"PK\x03\x04 cut off")
    found = report(run)
    assert "This run is not finished" in found.text
    assert "Under way: 5 real episodes so far." in found.text
    assert "1 sample could not be read" in found.text


def test_a_task_that_was_not_learnt_makes_the_comparison_a_bound(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    lines[lines.index(next(line for line in lines if '"learnt"' in line))] = json.dumps(
        {"event": "learnt", "task": 0, "episodes": 12, "learnt": False}
    )
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    found = report(run)
    assert "Not learnt by the agent’s own judgement in 12 real episodes" in found.text
    assert "upper bounds" in found.text


def test_a_run_without_edits_says_why(run):
    write_config(run, arm="relabel")
    EpisodeStore.open(run / "task_buffer.lance")
    for path in sorted((run / "task_buffer.lance").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (run / "task_buffer.lance").rmdir()
    assert "never repaints, so there are no edits" in report(run).text


def test_a_damaged_buffer_costs_its_films_and_not_the_page(run):
    for path in (run / "task_buffer.lance").rglob("*.lance"):
        path.write_bytes(b"not lance")
    found = report(run)
    assert "The edits could not be read" in found.text
    assert "Where the time went" in found.text


def test_an_older_page_is_replaced(run):
    (run / "report.html").write_text("old")
    report(run)
    assert not list(run.glob("*.unfinished"))


@pytest.mark.parametrize("content", [None, "{", '{"tasks": 3}', "[]"])
def test_what_is_no_run_is_refused_with_a_remedy(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(
        RunError, match="daag lifelong --out" if content is None else "another version of daag"
    ):
        write_report(tmp_path)


def test_lines_of_another_version_are_refused_by_name(run):
    log(run, "fit", task=0, episodes="many")
    with pytest.raises(RunError, match="'fit' line of another version"):
        write_report(run)
