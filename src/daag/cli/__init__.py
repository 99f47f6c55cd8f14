"""The command line. `daag --help` names the commands, `daag COMMAND --help` teaches one."""

import signal
import sys
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import tyro
from rich.console import Console
from rich.markup import escape

from daag.assembly import hide_short_progress
from daag.cli.learning import Eval, Lifelong, Llm, Report, Reproduce
from daag.cli.stored import Augment, Calibrate, Edit, Finetune, Label
from daag.cli.worlds import Play, Watch
from daag.errors import DaagError
from daag.memory import Memory

Command = (
    Annotated[Lifelong, tyro.conf.subcommand("lifelong")]
    | Annotated[Eval, tyro.conf.subcommand("eval")]
    | Annotated[Play, tyro.conf.subcommand("play")]
    | Annotated[Watch, tyro.conf.subcommand("watch")]
    | Annotated[Label, tyro.conf.subcommand("label")]
    | Annotated[Edit, tyro.conf.subcommand("edit")]
    | Annotated[Finetune, tyro.conf.subcommand("finetune")]
    | Annotated[Calibrate, tyro.conf.subcommand("calibrate")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Llm, tyro.conf.subcommand("llm")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Augment, tyro.conf.subcommand("augment")]
    | Annotated[Memory, tyro.conf.subcommand("memory")]
)


Job: TypeAlias = (
    Lifelong
    | Eval
    | Play
    | Watch
    | Label
    | Edit
    | Finetune
    | Calibrate
    | Report
    | Llm
    | Reproduce
    | Augment
    | Memory
)
"""A command that was read."""


def parse(arguments: Sequence[str] | None = None) -> Job:
    """Read a command without running it.

    Args:
        arguments: the words after `daag`; those of the process where None.

    Raises:
        SystemExit: help was asked for, or the words are no command; which, is printed.
    """
    command: Job = tyro.cli(
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
    # A command that is terminated is interrupted: else the processes that work for it would go on.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hide_short_progress()
    try:
        command.run(console)
    except DaagError as error:
        Console(stderr=True).print("[bold red]error:[/]", escape(str(error)), highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print(
            "interrupted; to go on: 'daag lifelong --resume RUN', the same 'daag reproduce' with --resume True, "
            "or the same 'daag augment' again",
            soft_wrap=True,
        )
        sys.exit(130)
