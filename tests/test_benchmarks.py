"""The benchmarks start: nothing else runs them, and what they import moves."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parent.parent / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_says_how_it_is_used(script: Path) -> None:
    told = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "usage" in told.stdout and "--out" in told.stdout
