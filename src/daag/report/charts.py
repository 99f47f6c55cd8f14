"""Charts as inline SVG. Colours and sizes of letters are the page's style sheet's, so that both follow the reader's
screen and its light or dark theme. Everything written into one is escaped."""

from collections.abc import Sequence
from itertools import count

from markupsafe import Markup

from daag.report.record import Fit
from daag.report.summary import TaskSummary

WIDTH, HEIGHT = 720.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 74.0, 14.0, 16.0, 66.0
"""Margins: room for labels in the large letters of a small screen."""
NUM_COLOURS = 6
"""How many colours of tasks the style sheet has; they repeat."""


def success_chart(tasks: Sequence[TaskSummary]) -> Markup:
    """Success on held-out scenes against real episodes, a line for each task; empty without an evaluation."""
    finals = [task.final for task in tasks if task.final is not None]
    points = [line for task in tasks for line in task.curve] + finals
    if not points:
        return Markup("")
    most = max(1, *(line.episodes for line in points))

    def place(episodes: int, rate: float) -> tuple[float, float]:
        x = LEFT + 12 + episodes / most * (WIDTH - LEFT - RIGHT - 24)
        return round(x, 1), round(TOP + (1 - rate) * (HEIGHT - TOP - BOTTOM), 1)

    parts = [grid([(place(0, rate)[1], f"{rate:.0%}") for rate in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)])]
    for tick in range(0, most + 1, tick_step(most)):
        x = place(tick, 0.0)[0]
        parts.append(text(x, HEIGHT - BOTTOM + 24, str(tick), "middle"))
    parts.append(text((LEFT + WIDTH) / 2, HEIGHT - 8, "real episodes of the task", "middle"))
    for task in tasks:
        colour = (task.number - 1) % NUM_COLOURS + 1
        line = [place(point.episodes, point.success_rate) for point in task.curve]
        if len(line) > 1:
            path = " ".join(f"{x},{y}" for x, y in line)
            parts.append(Markup('<polyline class="line task-{}" points="{}"/>').format(colour, path))
        for point, (x, y) in zip(task.curve, line, strict=True):
            parts.append(
                Markup(
                    '<circle class="dot task-{}" cx="{}" cy="{}" r="4.5"><title>{}</title></circle>'
                ).format(
                    colour,
                    x,
                    y,
                    f"task {task.number}: {_in_words(point.success_rate, point.episodes, point.scenes)}",
                )
            )
        if task.final is not None:
            x, y = place(task.final.episodes, task.final.success_rate)
            words = _in_words(task.final.success_rate, task.final.episodes, task.final.scenes)
            diamond = f"{x},{y - 10} {x + 10},{y} {x},{y + 10} {x - 10},{y}"
            parts.append(
                Markup('<polygon class="final task-{}" points="{}"><title>{}</title></polygon>').format(
                    colour, diamond, f"task {task.number}, final: {words}"
                )
            )
    told = [
        f"task {task.number} ends at {task.final.success_rate:.0%} after {task.final.episodes} episodes"
        for task in tasks
        if task.final is not None
    ]
    return svg(
        parts, f"Line chart of success against real episodes; {'; '.join(told) or 'no task is finished'}."
    )


def buffer_chart(tasks: Sequence[TaskSummary]) -> Markup:
    """What the task buffer was made of at each training, as stacked bars; empty without a training."""
    groups = [(task.number, task.fits) for task in tasks if task.fits]
    if not groups:
        return Markup("")
    fits = [fit for _, group in groups for fit in group]
    most = max(1, *(fit.task_buffer.total for fit in fits))
    gap = 18.0
    pitch = min(56.0, (WIDTH - LEFT - RIGHT - gap * (len(groups) - 1)) / len(fits))
    per_episode = (HEIGHT - TOP - BOTTOM) / most
    ticks = range(0, most + 1, tick_step(most))
    base = HEIGHT - BOTTOM
    parts = [grid([(base - tick * per_episode, f"{tick:,}") for tick in ticks])]
    left = LEFT
    every = max(1, round(30 / pitch))
    for number, group in groups:
        for position, fit in enumerate(group):
            x = left + position * pitch
            parts += _bar(x + 0.12 * pitch, 0.76 * pitch, base, per_episode, fit, number)
            if position % every == 0:
                parts.append(text(x + pitch / 2, base + 24, str(fit.episodes), "middle"))
        width = len(group) * pitch
        name = f"task {number}" if width >= 56 else str(number)
        parts.append(text(left + width / 2, HEIGHT - 8, name, "middle", "strong"))
        left += width + gap
    last = fits[-1].task_buffer
    alt = (
        f"Stacked bars of the task buffer at {len(fits)} trainings; at the last one {last.real} real, "
        f"{last.relabelled} relabelled and {last.edited} edited episodes."
    )
    return svg(parts, alt)


def tick_step(most: int, about: int = 6) -> int:
    """The distance of round ticks, of which at most about so many fit between 0 and `most`."""
    steps = (factor * 10**power for power in count() for factor in (1, 2, 5))
    return next(step for step in steps if most <= about * step)


def _bar(x: float, width: float, base: float, per_episode: float, fit: Fit, number: int) -> list[Markup]:
    parts, y = [], base
    for origin in ("real", "relabelled", "edited"):
        episodes = getattr(fit.task_buffer, origin)
        height = episodes * per_episode
        y -= height
        parts.append(
            Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
            .format(origin, x, y, width, height, f"task {number}, {fit.episodes} episodes: {episodes} {origin}")
        )  # fmt: skip
    return parts


def grid(lines: Sequence[tuple[float, str]]) -> Markup:
    """Horizontal lines at heights y, with labels at their left."""
    parts = [
        Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>{}').format(
            LEFT, WIDTH - RIGHT, y, y, text(LEFT - 8, y + 5, label, "end")
        )
        for y, label in lines
    ]
    return Markup("").join(parts)


def text(x: float, y: float, words: str, anchor: str, style: str = "plain") -> Markup:
    """Words at a place; `anchor` is SVG's: start, middle or end."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, words
    )


def svg(parts: Sequence[Markup], alt: str) -> Markup:
    """A chart of some parts; `alt` says in words what it shows."""
    return Markup('<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, alt, Markup("").join(parts)
    )


def _in_words(rate: float, episodes: int, scenes: int) -> str:
    return f"{rate:.0%} of {scenes} scenes after {episodes} episodes"
