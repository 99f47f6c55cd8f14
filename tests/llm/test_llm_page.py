"""The tables of docs/llm.md are true."""

import re
from pathlib import Path

import pytest

from daag.errors import LanguageError
from daag.llm import GrammarPlanner
from daag.llm.phrases import COLOUR_WORDS, KIND_WORDS
from daag.tasks import Subgoal

PAGE = (Path(__file__).parents[2] / "docs" / "llm.md").read_text()


def rows(header: str) -> list[tuple[str, ...]]:
    """The cells of the table under a header row."""
    lines = PAGE[PAGE.index(header) :].splitlines()[2:]
    table = lines[: next(index for index, line in enumerate(lines) if not line.startswith("|"))]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table]


@pytest.mark.parametrize(("said", "stages"), rows("| Said | Stages"))
def test_the_page_says_how_sentences_are_understood(said, stages):
    assert "; ".join(subgoal.instruction for subgoal in GrammarPlanner().decompose(said)) == stages


@pytest.mark.parametrize(("said", "why"), rows("| Said | Why not"))
def test_the_page_says_which_sentences_are_refused(said, why):
    with pytest.raises(LanguageError):
        GrammarPlanner().decompose(said)
    assert why


@pytest.mark.parametrize(("achieved", "wanted", "sentence"), rows("| Achieved | Wanted | Plan"))
def test_the_page_says_which_repaints_are_proposed(achieved, wanted, sentence):
    scene = ["red cube", "green cube", "blue cube", "white cylinder", "red sphere", "black sphere"]
    plan = GrammarPlanner().propose_edit(achieved, Subgoal(wanted, wanted), scene).plan
    assert (plan.sentence if plan else "none") == sentence


def test_the_page_lists_every_synonym():
    sentence = re.search(r"Synonyms of kinds: .*", PAGE)
    assert sentence is not None
    for word, meaning in (COLOUR_WORDS | KIND_WORDS).items():
        if word != meaning and not word.endswith(f" {meaning}"):
            assert word in sentence[0]
