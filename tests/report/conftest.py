"""One run for the whole room: making its pictures is what takes time."""

import shutil
from pathlib import Path

import pytest
from tests.report.making import write_run


@pytest.fixture(scope="session")
def made_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; read only."""
    return write_run(tmp_path_factory.mktemp("runs") / "two-tasks")


@pytest.fixture
def run(made_run: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed at will."""
    return shutil.copytree(made_run, tmp_path / "two-tasks")
