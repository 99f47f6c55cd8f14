import json
from pathlib import Path

import pytest
from rich.console import Console

from daag.errors import RunError
from daag.experiments.cells import Cell, Values, run_cells

CELLS = [Cell(arm, "a task", seed) for arm in ("none", "hea") for seed in (0, 1)]


def work(cell: Cell) -> Values:
    return {"value": f"{cell.arm}-{cell.seed}"}


def broken(cell: Cell) -> Values:
    raise RuntimeError(f"{cell.name} must not run again")


def run(
    directory: Path, function: object = work, resume: bool = False, settings: object = 1
) -> dict[Cell, Values]:
    return run_cells(CELLS, function, directory, {"models": settings}, resume, 1, Console(quiet=True))


def test_every_cell_is_run_and_written(tmp_path: Path) -> None:
    assert run(tmp_path)[CELLS[2]] == {"value": "hea-0"}
    written = json.loads((tmp_path / "cells" / f"{CELLS[2].name}.json").read_text())
    assert written == {"value": "hea-0"}


def test_finished_cells_are_read_and_not_run_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert run(tmp_path, broken, resume=True) == first


def test_only_what_is_missing_is_run(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "cells" / f"{CELLS[1].name}.json").unlink()
    with pytest.raises(RuntimeError, match=CELLS[1].name):
        run(tmp_path, broken, resume=True)


def test_cells_that_are_there_are_not_taken_without_being_asked(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(RunError, match="--resume"):
        run(tmp_path)


def test_cells_of_other_models_are_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(RunError, match="other settings"):
        run(tmp_path, resume=True, settings=2)


def test_cells_run_in_several_processes_give_the_same(tmp_path: Path) -> None:
    one = run(tmp_path / "one")
    two = run_cells(CELLS, work, tmp_path / "two", {}, False, 2, Console(quiet=True))
    assert one == two
