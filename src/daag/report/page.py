"""One page for one run: everything in it, nothing outside it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from daag.report import charts, wording
from daag.report.filmstrips import Rerender, accepted_edits
from daag.report.record import Record, read_run
from daag.report.rejections import rejected_edits
from daag.report.reliability import read_reliability, reliability_chart
from daag.report.summary import add_up, count, headline, summarise

MAX_REASONS = 10
"""So many of the planner's reasons are listed, the commonest first; the rest is counted."""


def write_report(run_directory: Path, rerender: Rerender | None = None) -> Path:
    """Write `report.html` into a run directory, finished or not; an older one is replaced.

    Args:
        run_directory: as `daag lifelong --out` makes it; only read otherwise.
        rerender: draws frames of a source episode as the simulator would show them after an edit, for the films'
            last row; None leaves it out.

    Returns:
        The page's path.

    Raises:
        RunError: there is no run, or its files are damaged or of another version of daag.
    """
    record = read_run(run_directory)
    page = run_directory / "report.html"
    unfinished = run_directory / "report.html.unfinished"
    unfinished.write_text(_render(record, rerender), encoding="utf-8")
    unfinished.replace(page)
    return page


def _render(record: Record, rerender: Rerender | None) -> str:
    tasks = summarise(record)
    accepted = accepted_edits(record.path, rerender)
    rejected, unreadable = rejected_edits(record.path)
    curves = read_reliability(record.path)
    made = add_up([task.made for task in tasks])
    return (
        _environment()
        .get_template("page.html")
        .render(
            name=record.path.resolve().name,
            config=record.config,
            finished=record.finished,
            arm=wording.ARMS.get(record.config.arm, ""),
            repaints=record.config.arm not in wording.WITHOUT_EDITS,
            signal=wording.SIGNALS.get(record.config.reward, record.config.reward),
            tasks=tasks,
            headline=headline(tasks),
            num_colours=charts.NUM_COLOURS,
            success_chart=charts.success_chart(tasks),
            buffer_chart=charts.buffer_chart(tasks),
            reliability=curves,
            reliability_chart=reliability_chart(curves),
            accepted=accepted,
            rejected=rejected,
            unreadable=unreadable,
            made=made,
            declined=list(made.declined.items())[:MAX_REASONS],
            declined_otherwise=sum(list(made.declined.values())[MAX_REASONS:]),
            stages=_stages(record.seconds),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("daag.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "duration": wording.duration, "check_words": wording.check_words}
    return environment


def _stages(seconds: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """(what was done, seconds, share of the longest in [0, 1]) of every stage that took time, longest first."""
    spent = sorted(((value, name) for name, value in seconds.items() if value >= 0.05), reverse=True)
    return [(wording.STAGES.get(name, name), value, value / spent[0][0]) for value, name in spent]
