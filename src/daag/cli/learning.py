"""Commands that learn, evaluate and report."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from daag import lifelong
from daag.assembly import make_env
from daag.cli.scenes import held_out_seeds
from daag.envs import rerender
from daag.errors import UnknownNameError
from daag.experiments import EXPERIMENTS, ReproduceConfig
from daag.llm import CACHE_FILE, read_cache
from daag.report import write_report
from daag.tasks import Task


@dataclass(frozen=True)
class Lifelong:
    """Learn a sequence of tasks, each with the memory of those before; then write a report.

    Example: daag lifelong --tasks "stack the red cube on the blue cube" "stack the green cube on the yellow cube"
    --episodes 40 --seed 0 --out runs/two-tasks
    """

    resume: Path | None = None
    """Go on with an interrupted run in this directory; all other options come from it."""
    config: tyro.conf.OmitArgPrefixes[lifelong.LifelongConfig] = field(
        default_factory=lifelong.LifelongConfig
    )

    def run(self, console: Console) -> None:
        """Learn, and say where the report is."""
        run = lifelong.start(self.config) if self.resume is None else lifelong.resume(self.resume)
        rates = run.run(console)
        path = write_report(run.directory.path, rerender)
        console.print(f"success on held-out scenes: {', '.join(f'{rate:.0%}' for rate in rates)}")
        console.print(f"report: {path.resolve()}")


@dataclass(frozen=True)
class Eval:
    """Try a run's policy on held-out scenes of a task, learnt or not."""

    run_directory: tyro.conf.Positional[Path]
    """The run."""
    task: str
    """An instruction."""
    scenes: int = 50
    """How many scenes."""

    def run(self, console: Console) -> None:
        """Evaluate, and print the success rate."""
        run = lifelong.resume(self.run_directory)
        seeds = held_out_seeds(self.scenes)
        env = make_env(run.config.env, motion_frames=0, num_objects=run.config.num_objects)
        rate = run.agent.evaluate(Task(self.task), env, seeds)
        console.print(f"{self.task}: {rate:.0%} of {self.scenes} held-out scenes")


@dataclass(frozen=True)
class Report:
    """Write a run's report, one HTML page, anew."""

    run_directory: tyro.conf.Positional[Path]
    """The run."""

    def run(self, console: Console) -> None:
        """Write, and say where."""
        console.print(f"report: {write_report(self.run_directory, rerender).resolve()}")


@dataclass(frozen=True)
class Reproduce:
    """Repeat one of the experiments. `--list` names them."""

    experiment: tyro.conf.Positional[str] = ""
    """Which one."""
    list: bool = False
    """Name the experiments and stop."""
    config: tyro.conf.OmitArgPrefixes[ReproduceConfig] = field(default_factory=ReproduceConfig)

    def run(self, console: Console) -> None:
        """Run the experiment's cells, those that are done already excepted."""
        if self.list or not self.experiment:
            for name, experiment in EXPERIMENTS.items():
                console.print(f"{name}: {experiment.summary}")
            return
        if self.experiment not in EXPERIMENTS:
            raise UnknownNameError("experiment", self.experiment, EXPERIMENTS)
        path = EXPERIMENTS[self.experiment].run(self.config, console)
        console.print(f"results: {path.resolve()}")


@dataclass(frozen=True)
class Llm:
    """Look into what a run's planner was asked, and what it answered; each question was asked once.

    Example: daag llm cache runs/lifelong --find "green cube"
    """

    what: tyro.conf.Positional[Literal["cache"]]
    """The cache of answers."""
    run_directory: tyro.conf.Positional[Path]
    """The run, or a cache file."""
    find: str = ""
    """Show only lines with these words."""
    limit: int = 50
    """Show at most so many."""

    def run(self, console: Console) -> None:
        """Print the answers, then how many there are of each method."""
        path = self.run_directory
        entries = read_cache(path / CACHE_FILE if path.is_dir() else path)
        found = [entry for entry in entries if self.find in entry.sentence]
        for entry in found[: self.limit]:
            console.print(
                f"{entry.planner[:8]} {entry.sentence}", markup=False, highlight=False, soft_wrap=True
            )
        if len(found) > self.limit:
            console.print(f"... and {len(found) - self.limit} more; --limit shows them")
        methods = Counter(str(entry.question.get("method")) for entry in found)
        planners = len({entry.planner for entry in found})
        counts = ", ".join(f"{count} {method}" for method, count in sorted(methods.items()))
        console.print(
            f"{len(found)} of {len(entries)} answers ({counts or 'none'}), of {planners} planner(s)"
        )
