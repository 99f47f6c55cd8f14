"""Experiments are cut into cells of a few minutes, each written when done, so that a stopped one goes on."""

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from daag.assembly import hide_short_progress
from daag.errors import RunError

Values = dict[str, object]


@dataclass(frozen=True, order=True)
class Cell:
    """One run of one arm on one task with one seed."""

    arm: str
    task: str
    seed: int

    @property
    def name(self) -> str:
        """A file name."""
        return f"{self.arm}--{self.task.replace(' ', '-')}--{self.seed}"


def run_cells(
    cells: Sequence[Cell],
    work: Callable[[Cell], Values],
    directory: Path,
    settings: Mapping[str, object],
    resume: bool,
    jobs: int,
    console: Console,
) -> dict[Cell, Values]:
    """Run the cells that are not done yet, and read those that are.

    Args:
        cells: all of the experiment.
        work: a picklable function; runs one cell.
        directory: cells are written under `directory/cells`.
        settings: all that results depend on; cells made with other settings are refused.
        resume: whether finished cells may be there.
        jobs: how many processes work at once.
        console: where progress is shown.

    Raises:
        RunError: cells are there and `resume` is off, or they were made with other settings.
    """
    folder = directory / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    _check_settings(folder, settings, resume)
    missing = [cell for cell in cells if not (folder / f"{cell.name}.json").exists()]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("cells", total=len(cells), completed=len(cells) - len(missing))
        if jobs > 1 and len(missing) > 1:
            # Spawned, not forked: torch's and Lance's threads do not survive a fork.
            context = multiprocessing.get_context("spawn")
            with context.Pool(min(jobs, len(missing)), initializer=_prepare) as pool:
                for cell, values in pool.imap_unordered(_Work(work), missing):
                    _write(folder, cell, values)
                    bars.advance(bar)
        else:
            for cell in missing:
                _write(folder, cell, work(cell))
                bars.advance(bar)
    return {cell: json.loads((folder / f"{cell.name}.json").read_text()) for cell in cells}


@dataclass(frozen=True)
class _Work:
    """Runs a cell and says which; a class, so that it can be sent to another process."""

    work: Callable[[Cell], Values]

    def __call__(self, cell: Cell) -> tuple[Cell, Values]:
        return cell, self.work(cell)


def _prepare() -> None:
    """A working process: as many of them as asked share the cores, and none draws bars."""
    torch.set_num_threads(1)
    hide_short_progress()


def _write(folder: Path, cell: Cell, values: Values) -> None:
    unfinished = folder / f"{cell.name}.unfinished"
    unfinished.write_text(json.dumps(values))
    unfinished.replace(folder / f"{cell.name}.json")


def _check_settings(folder: Path, settings: Mapping[str, object], resume: bool) -> None:
    file = folder / "settings.json"
    wanted = json.loads(json.dumps(settings))
    if file.exists():
        if not resume:
            raise RunError(f"{folder} holds cells already; pass --resume to go on, or choose another --out")
        if json.loads(file.read_text()) != wanted:
            raise RunError(
                f"the cells in {folder} were made with other settings or models than these; choose another --out"
            )
    file.write_text(json.dumps(wanted, indent=1))
