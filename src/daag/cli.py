"""The command line. `daag --help` names the commands, `daag COMMAND --help` teaches one."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from daag import lifelong
from daag.assembly import hide_short_progress, make_env
from daag.envs import rerender
from daag.errors import DaagError, UnknownNameError
from daag.experiments import EXPERIMENTS, ReproduceConfig
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
        seeds = [lifelong.EVALUATION_SEED + 900_000 + scene for scene in range(self.scenes)]
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


Command = (
    Annotated[Lifelong, tyro.conf.subcommand("lifelong")]
    | Annotated[Eval, tyro.conf.subcommand("eval")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
)


def parse(arguments: Sequence[str] | None = None) -> Lifelong | Eval | Report | Reproduce:
    """Read a command without running it.

    Args:
        arguments: the words after `daag`; those of the process where None.

    Raises:
        SystemExit: help was asked for, or the words are no command; which, is printed.
    """
    command: Lifelong | Eval | Report | Reproduce = tyro.cli(
        Command,
        prog="daag",
        description="Diffusion Augmented Agents: hindsight experience augmentation for embodied agents.",
        args=arguments,
        config=(tyro.conf.FlagConversionOff,),
    )
    return command


def main() -> None:
    """Entry point: a named error is one line and exit code 2, never a traceback."""
    console = Console()
    command = parse()
    hide_short_progress()
    try:
        command.run(console)
    except DaagError as error:
        Console(stderr=True).print("[bold red]error:[/]", escape(str(error)), highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted; 'daag lifelong --resume RUN' goes on with a run")
        sys.exit(130)


if __name__ == "__main__":
    main()
