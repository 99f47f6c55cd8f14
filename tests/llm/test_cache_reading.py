"""A cache of answers can be looked into, in Python and from the command line."""

import pytest
from rich.console import Console

from daag.cli import parse
from daag.errors import PlannerError
from daag.llm import CachedPlanner, GrammarPlanner, read_cache
from daag.tasks import Subgoal

GREEN, RED = "the green cube is on the blue cube", "the red cube is on the blue cube"


@pytest.fixture
def run(tmp_path):
    cached = CachedPlanner(GrammarPlanner(), tmp_path / "planner-cache.jsonl")
    cached.decompose(RED)
    cached.compare(GREEN, RED)
    cached.propose_edit(GREEN, Subgoal(RED, "x"), ["green cube", "blue cube"])
    return tmp_path


def test_entries_name_planner_question_and_answer(run):
    entries = read_cache(run / "planner-cache.jsonl")
    assert [entry.question["method"] for entry in entries] == ["decompose", "compare", "propose_edit"]
    assert {entry.planner for entry in entries} == {GrammarPlanner().hash}
    assert entries[1].answer is False
    assert entries[1].sentence == f'compare(first="{GREEN}", second="{RED}") -> false'


def printed(words, capsys):
    parse(words).run(Console(width=1000))
    return capsys.readouterr().out


def test_the_command_shows_answers_and_counts_them(run, capsys):
    text = printed(["llm", "cache", str(run)], capsys)
    assert "3 of 3 answers (1 compare, 1 decompose, 1 propose_edit), of 1 planner(s)" in text
    assert '"source": "green cube", "target": "red cube"' in text
    text = printed(["llm", "cache", str(run / "planner-cache.jsonl"), "--find", "propose_edit"], capsys)
    assert "1 of 3 answers" in text and "decompose(" not in text
    assert "and 2 more" in printed(["llm", "cache", str(run), "--limit", "1"], capsys)


def test_a_missing_cache_or_something_else_is_named(tmp_path):
    with pytest.raises(PlannerError, match="no planner cache at"):
        read_cache(tmp_path / "nothing")
    (tmp_path / "other").write_text('{"a": 1}\n')
    with pytest.raises(PlannerError, match="is not a planner cache"):
        read_cache(tmp_path / "other")
