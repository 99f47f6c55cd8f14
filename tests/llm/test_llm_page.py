"""The tables of docs/llm.md are true."""

import re
from pathlib import Path

import pytest

from daag.errors import LanguageError
from daag.llm import GrammarPlanner
from daag.llm.room_phrases import FURNITURE
from daag.llm.sentences import VOCABULARIES
from daag.tasks import Subgoal, language_of

PAGE = (Path(__file__).parents[2] / "docs" / "llm.md").read_text()


SECTIONS = {
    "rgb-stacking": "## Stacking",
    "language-table": "## The board",
    "room": "## The room",
    "grid": "## Grids",
}


def section(name: str) -> str:
    """What the page says of a language."""
    start = PAGE.index(f"\n{SECTIONS[name]}\n") + 1
    return PAGE[start : PAGE.index("\n## ", start)]


def rows(text: str, header: str) -> list[tuple[str, ...]]:
    """The cells of the table under a header row."""
    lines = text[text.index(header) :].splitlines()[2:]
    table = lines[: next((index for index, line in enumerate(lines) if not line.startswith("|")), None)]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table]


def rows_of_all(header: str) -> list[tuple[str, ...]]:
    """A language's name and the cells, of every language's table under a header row."""
    return [(name, *cells) for name in SECTIONS for cells in rows(section(name), header)]


def test_every_language_has_its_section():
    assert SECTIONS.keys() == VOCABULARIES.keys()


@pytest.mark.parametrize(("name", "said", "stages"), rows_of_all("| Said | Stages"))
def test_the_page_says_how_sentences_are_understood(name, said, stages):
    planner = GrammarPlanner(language_of(name))
    assert "; ".join(subgoal.instruction for subgoal in planner.decompose(said)) == stages


@pytest.mark.parametrize(("name", "said", "why"), rows_of_all("| Said | Why not"))
def test_the_page_says_which_sentences_are_refused(name, said, why):
    with pytest.raises(LanguageError):
        GrammarPlanner(language_of(name)).decompose(said)
    assert why


@pytest.mark.parametrize(("achieved", "wanted", "sentence"), rows(PAGE, "| Achieved | Wanted | Plan"))
def test_the_page_says_which_repaints_are_proposed(achieved, wanted, sentence):
    scene = ["red cube", "green cube", "blue cube", "white cylinder", "red sphere", "black sphere"]
    plan = GrammarPlanner().propose_edit(achieved, Subgoal(wanted, wanted), scene).plan
    assert (plan.sentence if plan else "none") == sentence


@pytest.mark.parametrize(("name", "achieved", "wanted", "sentence"), rows(PAGE, "| Language | Achieved"))
def test_the_page_says_which_repaints_are_proposed_in_other_worlds(name, achieved, wanted, sentence):
    scenes = {
        "room": ["green ball", "red mug", "blue ball"],
        "language-table": ["green moon", "red moon", "blue moon", "red star"],
    }
    planner = GrammarPlanner(language_of(name))
    plan = planner.propose_edit(achieved, Subgoal(wanted, wanted), scenes[name]).plan
    assert (plan.sentence if plan else "none") == sentence


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_lists_every_synonym(name):
    listed = re.search(r"Synonyms of kinds.*", section(name))
    assert listed is not None
    furniture = FURNITURE if name == "room" else {}
    for word, meaning in (VOCABULARIES[name].kinds | furniture).items():
        assert word == meaning or word.endswith(f" {meaning}") or word in listed[0]


def test_the_page_lists_every_synonym_of_colours():
    for vocabulary in VOCABULARIES.values():
        assert all(word in PAGE for word in vocabulary.colours)
