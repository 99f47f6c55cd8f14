"""What is shipped is whole, and says one version everywhere."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import daag

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(directory),
        str(ROOT),
    ]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(directory.glob("*.whl"))


def test_the_changelog_names_the_version_first():
    versions = re.findall(r"^## \[(\d\S*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == daag.__version__


def test_the_citation_names_the_version():
    assert f'\nversion: "{daag.__version__}"\n' in (ROOT / "CITATION.cff").read_text()


def test_the_wheel_ships_every_file_of_the_package(wheel):
    written = {
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / "daag").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("daag/")}
    assert shipped == written  # weights, prompts and templates are easily lost to .gitignore
    assert "daag/py.typed" in shipped


def test_the_wheel_ships_the_licence_and_the_command(wheel):
    archive = zipfile.ZipFile(wheel)
    info = f"daag-{daag.__version__}.dist-info"
    assert f"{info}/licenses/LICENSE" in archive.namelist()
    entry_points = archive.read(f"{info}/entry_points.txt").decode()
    assert "daag = daag.cli:main" in entry_points


def test_the_wheel_stays_below_forty_five_megabytes(wheel):
    assert wheel.stat().st_size < 45e6  # at most 40 MB of them weights
