"""The house plan of docs/architecture.md, kept: imports point one way, files are short and named after an idea."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "daag"

WORLDS = {"tasks", "episodes"}
MODELS = {"llm", "perception", "rewards", "diffusion"}
LEARNING = {"hindsight", "policies"}
BELOW_AGENT = WORLDS | MODELS | LEARNING
BELOW_COMMANDS = BELOW_AGENT | {"agent", "assembly", "envs", "lifelong", "play", "report", "run"}
SHOWING = {"driving", "filming"}
STORED = {"augmenting", "calibrating", "editing", "label_store", "finetune_store", "memory"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "tasks": set(),
    "episodes": {"tasks"},
    "envs": WORLDS,
    "report": WORLDS,
    "llm": WORLDS,
    "perception": WORLDS,
    "rewards": WORLDS,
    "diffusion": WORLDS,
    "hindsight": WORLDS | MODELS,
    "policies": WORLDS | MODELS,
    "play": {*WORLDS, "envs", "policies"},
    "driving": set(),
    "memory": {*WORLDS, "report"},
    "filming": {*WORLDS, "envs", "play", "policies"},
    "agent": BELOW_AGENT | {"play"},
    "run": {*WORLDS, "agent", "hindsight", "llm"},
    "assembly": BELOW_AGENT | {"agent", "envs", "play"},
    "lifelong": BELOW_COMMANDS,
    "label_store": BELOW_COMMANDS,
    "finetune_store": BELOW_COMMANDS | {"label_store"},
    "calibrating": BELOW_COMMANDS | {"experiments", "label_store"},
    "augmenting": BELOW_AGENT | {"agent", "assembly", "report", "run"},
    "experiments": BELOW_COMMANDS,
    "editing": BELOW_COMMANDS | {"experiments", "filming", "label_store"},
    "pretraining": BELOW_COMMANDS | {"experiments"},
    "cli": BELOW_COMMANDS | SHOWING | STORED | {"experiments", "pretraining"},
}
"""Room to the rooms that it may import, besides itself and `errors`. The arrows of docs/architecture.md."""

MODULES = sorted(PACKAGE.rglob("*.py"))
WRITTEN = [
    *MODULES,
    *(file for room in ("tests", "examples", "benchmarks") for file in sorted((ROOT / room).rglob("*.py"))),
]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    """ "tasks" for src/daag/tasks/edits.py, "agent" for src/daag/agent.py, "" for src/daag/__init__.py."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py") if first != "__init__.py" else ""


def imported_rooms(source: str) -> set[str]:
    """The rooms named by every import of a module, those inside functions and `if TYPE_CHECKING` included."""
    modules = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [module.split(".") for module in modules]
    return {part[1] for part in parts if part[0] == "daag" and len(part) > 1} - {"__version__"}


def test_imports_are_found_wherever_they_stand():
    source = (
        "import daag.llm.planner\nfrom daag import tasks\ndef f():\n    from daag.envs.camera import Camera\n"
    )
    assert imported_rooms(source) == {"llm", "tasks", "envs"}


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path)], ids=name_of)
def test_nothing_imports_upward(path):
    room = room_of(path)
    assert room in MAY_IMPORT, (
        f"{room} has no place in the house plan: draw it in docs/architecture.md and here"
    )
    upward = imported_rooms(path.read_text()) - MAY_IMPORT[room] - {room, "errors"}
    assert not upward, f"{room} must not import {', '.join(sorted(upward))}: see docs/architecture.md"


def test_the_arrows_allow_no_circle():
    order: list[str] = []
    while len(order) < len(MAY_IMPORT):
        ready = [
            room for room, below in MAY_IMPORT.items() if room not in order and below - {room} <= set(order)
        ]
        assert ready, f"circle among {sorted(set(MAY_IMPORT) - set(order))}"
        order += ready


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_every_file_is_named_after_an_idea_and_short(path):
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}
    assert len(path.read_text().splitlines()) <= 400, "more than 400 lines: is this still one idea?"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_protocol_can_be_checked_at_run_time(path):
    # Else a test that passes a real part where the protocol is annotated ends in an obscure error of beartype's.
    classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    protocols = [node for node in classes if "Protocol" in map(ast.unparse, node.bases)]
    unchecked = [
        node.name for node in protocols if "runtime_checkable" not in map(ast.unparse, node.decorator_list)
    ]
    assert not unchecked, f"decorate with @runtime_checkable: {', '.join(unchecked)}"


def test_importing_daag_loads_no_learning_library():
    heavy = ("torch", "transformers", "diffusers", "mujoco", "matplotlib")
    code = f"import daag, sys; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
