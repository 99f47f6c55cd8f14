"""The reliability curve of a detector, drawn from the file beside its calibration: how often what scores so is true."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from daag.errors import RunError
from daag.report import charts

RELIABILITY_FILE = "reliability.json"


@dataclass(frozen=True)
class CurvePoint:
    """One bin of scores."""

    low: float
    high: float
    num_true: int
    num_false: int
    precision: float
    """Share of true ones at the stated prevalence, in [0, 1]."""
    interval: tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """The bins of one family of descriptions."""

    family: str
    points: tuple[CurvePoint, ...]
    threshold: float
    prevalence: float


def read_reliability(directory: Path) -> tuple[Curve, ...]:
    """The curves of a detector's directory; none where it has no `reliability.json`.

    Raises:
        RunError: the file is damaged, or of another version of daag.
    """
    file = directory / RELIABILITY_FILE
    if not file.is_file():
        return ()
    try:
        raw = json.loads(file.read_text())
        return tuple(
            Curve(
                family,
                tuple(
                    CurvePoint(
                        float(each["low"]),
                        float(each["high"]),
                        int(each["num_true"]),
                        int(each["num_false"]),
                        float(each["precision"]),
                        (float(each["precision_ci95"][0]), float(each["precision_ci95"][1])),
                    )
                    for each in curve["bins"]
                ),
                float(curve["threshold"]),
                float(curve["prevalence"]),
            )
            for family, curve in sorted(raw.items())
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RunError(f"{file} is damaged or of another version of daag: {error!r}") from error


def reliability_chart(curves: Sequence[Curve]) -> Markup:
    """Precision against score, with 95 % intervals, a line and a threshold for each family; empty without curves."""
    points = [point for curve in curves for point in curve.points]
    if not points:
        return Markup("")
    marks = [curve.threshold for curve in curves]
    low = min([point.low for point in points] + marks)
    high = max([point.high for point in points] + marks)

    def across(score: float) -> float:
        return charts.LEFT + (score - low) / ((high - low) or 1.0) * (
            charts.WIDTH - charts.LEFT - charts.RIGHT
        )

    def up(share: float) -> float:
        return charts.TOP + (1 - share) * (charts.HEIGHT - charts.TOP - charts.BOTTOM)

    parts = [charts.grid([(up(share), f"{share:.0%}") for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)])]
    base = charts.HEIGHT - charts.BOTTOM
    for step in range(5):
        score = low + step / 4 * (high - low)
        anchor = ("start", "middle", "middle", "middle", "end")[step]
        parts.append(charts.text(across(score), base + 24, f"{score:.2f}", anchor))
    parts.append(
        charts.text(
            (charts.LEFT + charts.WIDTH) / 2, charts.HEIGHT - 8, "score (cosine similarity)", "middle"
        )
    )
    for number, curve in enumerate(curves):
        colour = number % charts.NUM_COLOURS + 1
        parts += _curve(curve, colour, across, up)
    told = "; ".join(f"{curve.family}: threshold {curve.threshold:.2f}" for curve in curves)
    return charts.svg(parts, f"Line chart of the share of true descriptions against the score; {told}.")


def _curve(
    curve: Curve, colour: int, across: Callable[[float], float], up: Callable[[float], float]
) -> list[Markup]:
    places = [(across((point.low + point.high) / 2), up(point.precision)) for point in curve.points]
    parts = [
        Markup('<line class="line task-{}" stroke-dasharray="4 4" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"><title>{}</title></line>')
        .format(colour, across(curve.threshold), across(curve.threshold), up(0.0), up(1.0),
                f"{curve.family}: threshold {curve.threshold:.3f}")
    ]  # fmt: skip
    if len(places) > 1:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(Markup('<polyline class="line task-{}" points="{}"/>').format(colour, line))
    for point, (x, y) in zip(curve.points, places, strict=True):
        low, high = point.interval
        words = (
            f"{curve.family}, scores {point.low:.2f} to {point.high:.2f}: {point.precision:.0%} true at a prevalence "
            f"of {curve.prevalence:.0%} ({low:.0%} to {high:.0%}); {point.num_true} true and {point.num_false} false labels"
        )
        parts.append(
            Markup('<line class="line task-{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
                colour, x, x, up(low), up(high)
            )
        )
        parts.append(
            Markup(
                '<circle class="dot task-{}" cx="{:.1f}" cy="{:.1f}" r="4.5"><title>{}</title></circle>'
            ).format(colour, x, y, words)
        )
    return parts
