"""How far learning has come after so many episodes, and after so much work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from daag.experiments.cells import Values
from daag.experiments.statistics import interquartile_mean

MINUTES = (0.5, 1.0, 2.0, 5.0, 20.0)
"""Processor time of learning one task at which success is reported; three tasks take 15 minutes at 5 each, 60 at 20."""


@dataclass(frozen=True)
class LearningCurve:
    """Evaluations of one run that learnt a task, in order."""

    episodes: Sequence[int]
    """After how many real episodes."""
    success_rates: Sequence[float]
    """In [0, 1], of held-out scenes."""
    seconds: Sequence[float]
    """Of processor time, without that of evaluating."""

    @classmethod
    def of(cls, run: Values) -> "LearningCurve":
        """What a cell of `explore` found."""
        columns = [run["episodes"], run["success_rate"], run["learning_seconds"]]
        episodes, rates, seconds = (list(column) for column in columns if isinstance(column, list))
        return cls(episodes, rates, seconds)

    def after_episodes(self, count: int) -> float:
        """The latest success rate by then. A run that was stopped keeps its last, one that has not begun has 0."""
        return self._latest(self.episodes, float(count))

    def after_minutes(self, minutes: float) -> float:
        """Likewise, by processor time."""
        return self._latest(self.seconds, 60.0 * minutes)

    def _latest(self, positions: Sequence[int] | Sequence[float], limit: float) -> float:
        known = [rate for at, rate in zip(positions, self.success_rates, strict=True) if at <= limit]
        return known[-1] if known else 0.0


def summary(runs: Sequence[LearningCurve], grid: Sequence[int]) -> dict[str, object]:
    """Success of several runs on the grid of episodes and of minutes, as result files have it."""
    by_episodes = [[run.after_episodes(count) for count in grid] for run in runs]
    by_minutes = [[run.after_minutes(minutes) for minutes in MINUTES] for run in runs]
    return {
        "episodes": list(grid),
        "success_rate": by_episodes,
        "interquartile_mean": _middle(by_episodes),
        "minutes": list(MINUTES),
        "success_rate_by_minutes": by_minutes,
        "interquartile_mean_by_minutes": _middle(by_minutes),
        "learning_seconds": [list(run.seconds) for run in runs],
    }


def draw_curves(
    arms: Mapping[str, Sequence[LearningCurve]], grid: Sequence[int], target: float, path: Path
) -> Path:
    """Success over episodes, and over processor minutes; a thin line for each run, a thick one for the middle half's mean."""
    matplotlib.use("agg")
    from matplotlib import pyplot

    longest = max((run.seconds[-1] for runs in arms.values() for run in runs if run.seconds), default=60.0)
    minutes = np.linspace(0.0, longest / 60.0, 200)
    figure, axes = pyplot.subplots(1, 2, figsize=(9.0, 3.4), sharey=True)
    for arm, runs in arms.items():
        episodes = [[run.after_episodes(count) for count in grid] for run in runs]
        worked = [[run.after_minutes(at) for at in minutes] for run in runs]
        for axis, positions, curves in ((axes[0], grid, episodes), (axes[1], minutes, worked)):
            (line,) = axis.plot(positions, _middle(curves), linewidth=2.0, label=arm, drawstyle="steps-post")
            for curve in curves:
                axis.plot(
                    positions,
                    curve,
                    linewidth=0.6,
                    alpha=0.35,
                    color=line.get_color(),
                    drawstyle="steps-post",
                )
    axes[0].set_xscale("log")
    axes[0].set_xticks(grid, [str(count) for count in grid])
    axes[0].minorticks_off()
    axes[0].set_xlabel("real episodes of the task")
    axes[1].set_xlabel("processor minutes of learning it")
    axes[0].set_ylabel("success in held-out scenes")
    for axis in axes:
        axis.axhline(target, color="grey", linewidth=0.8, linestyle="--")
        axis.set_ylim(0.0, 1.0)
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path


def _middle(curves: Sequence[Sequence[float]]) -> list[float]:
    return [interquartile_mean([curve[at] for curve in curves]) for at in range(len(curves[0]))]
