"""The documentation is true: its snippets run, its commands parse, its links and its file tree lead somewhere."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"<!-- (no-run|file: (\S+)) -->\s*\Z")
"""Before a fence. `no-run`: do not execute. `file: PATH`: the fence shows that file, which has a test of its own."""


@dataclass(frozen=True)
class Fence:
    language: str
    text: str
    line: int
    run: bool
    file: str | None


def fences(page: str) -> list[Fence]:
    found = []
    for match in FENCE.finditer(page):
        marker = MARKER.search(page, 0, match.start())
        file = marker[2] if marker else None
        found.append(Fence(match[1], match[2], page.count("\n", 0, match.start()) + 2, marker is None, file))
    return found


def commands(page: str) -> list[list[str]]:
    """Every command of the page's shell fences, as words; lines ending in a backslash are joined."""
    shell = [fence for fence in fences(page) if fence.language in ("bash", "console", "sh") and fence.run]
    lines = [line for fence in shell for line in fence.text.replace("\\\n", " ").splitlines()]
    return [
        words for words in (shlex.split(line.removeprefix("$ "), comments=True) for line in lines) if words
    ]


def anchors(page: str) -> set[str]:
    """What the headings of a page can be linked as, the way GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tree_paths(page: str) -> list[str]:
    """The paths of the page's first `text` fence: two spaces of indentation a level, then a name, then its purpose."""
    tree = next(fence.text for fence in fences(page) if fence.language == "text")
    paths: list[str] = []
    parents: list[str] = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        parents[depth:] = [name]
        paths.append("/".join(part.rstrip("/") for part in parents))
    return paths


def title(page: Path) -> str:
    return str(page.relative_to(ROOT))


PAGE = "text\n```python\nx = 1\n```\n<!-- no-run -->\n```bash\ndaag a \\\n  --b 'c d'\n```\n```bash\n$ daag e  # why\n```\n"


def test_fences_are_found_with_their_lines_and_markers():
    assert [(fence.language, fence.line, fence.run) for fence in fences(PAGE)] == [
        ("python", 3, True),
        ("bash", 7, False),
        ("bash", 11, True),
    ]


def test_commands_are_read_as_a_shell_would():
    assert commands(PAGE) == [["daag", "e"]]
    assert commands(PAGE.replace("<!-- no-run -->\n", ""))[0] == ["daag", "a", "--b", "c d"]


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_python_snippets_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for fence in fences(page.read_text()):
        if fence.language == "python" and fence.run:
            # The padding makes a traceback name the line of the page.
            exec(compile("\n" * (fence.line - 1) + fence.text, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_a_snippet_that_shows_a_file_shows_it_as_it_is(page):
    for fence in fences(page.read_text()):
        if fence.file is not None:
            assert fence.text == (ROOT / fence.file).read_text(), f"{title(page)}:{fence.line}"


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_daag_commands_are_understood_by_the_command_line(page):
    words_of_commands = [words[1:] for words in commands(page.read_text()) if words[0] == "daag"]
    if not words_of_commands:
        return
    from daag.cli import parse

    for words in words_of_commands:
        parse(words)


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_make_targets_and_settings_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    settings = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    for words in commands(page.read_text()):
        if words[0] == "make":
            named = {word.partition("=")[0] for word in words[1:] if "=" in word}
            assert named <= settings
            assert {word for word in words[1:] if "=" not in word} <= targets


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), f"{title(page)} links to {target}"
        if anchor:
            assert anchor in anchors(linked.read_text()), f"{title(page)} links to {target}"


def test_the_file_tree_of_the_readme_names_what_exists_and_every_room():
    listed = set(tree_paths((ROOT / "README.md").read_text()))
    missing = [path for path in listed if not (ROOT / path).exists()]
    assert not missing, f"the README's tree names what does not exist: {missing}"
    rooms = [path for path in (ROOT / "src" / "daag").iterdir() if path.suffix == ".py" or path.is_dir()]
    rooms = [path for path in rooms if not path.name.startswith("__")]
    unlisted = [name for name in map(title, rooms) if name not in listed]
    assert not unlisted, f"the README's tree lacks: {unlisted}"


def test_every_page_can_be_reached_from_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} - {
        "README.md"
    }
    assert {page for page in pages if f"({page})" not in index} == set()
