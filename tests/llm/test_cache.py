"""The cache: asked once, ever; what a kill leaves behind; what is not a cache."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import LanguageError, PlannerError, SceneError
from daag.llm import CachedPlanner, GrammarPlanner, Planner
from daag.tasks import STACKING, EditPlan, Fact, ObjectEdit, Subgoal

TOWER = "stack the red cube on the blue cube and the green cube on the red cube"
ACHIEVED = "the green cube is on the blue cube"
WANTED = Subgoal("the red cube is on the blue cube", "stack the red cube on the blue cube")
REWORDED = [
    "the blue cube is under the red cube",
    ACHIEVED,
    "put the crimson brick on the blue block",
    "?!",
    ACHIEVED,
]
PLAN = EditPlan((ObjectEdit("modify", "green cube", "white cube"),))
SCENE = ["green cube", "blue cube", "red cube"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "answers.jsonl"


def ask_everything(planner: Planner) -> list[object]:
    return [
        planner.decompose(TOWER),
        planner.compare(ACHIEVED, WANTED.description),
        planner.propose_edit(ACHIEVED, WANTED, SCENE),
        planner.propose_edit(WANTED.description, WANTED, SCENE),
        planner.describe(SCENE),
        planner.distractors(ACHIEVED),
        planner.resembling(WANTED.description, REWORDED),
        planner.edit_instruction(PLAN),
    ]


def test_answers_are_the_planners_own_first_and_later_and_after_reopening(path):
    expected = ask_everything(GrammarPlanner())
    cached = CachedPlanner(GrammarPlanner(), path)
    assert ask_everything(cached) == expected
    assert cached.num_asked == 6
    assert ask_everything(cached) == expected
    assert cached.num_asked == 6 and cached.num_cached >= 9
    reopened = CachedPlanner(GrammarPlanner(), path)
    assert ask_everything(reopened) == expected
    assert reopened.num_asked == 0
    assert cached.hash == GrammarPlanner().hash


def test_one_question_has_one_form(path):
    cached = CachedPlanner(GrammarPlanner(), path)
    cached.propose_edit(ACHIEVED, WANTED, SCENE)
    cached.propose_edit(ACHIEVED, WANTED, SCENE[::-1])
    cached.compare(ACHIEVED, WANTED.description)
    cached.compare(WANTED.description, ACHIEVED)
    assert (cached.num_asked, cached.num_cached) == (2, 2)


def test_of_many_sentences_only_new_ones_are_put_to_the_planner(path):
    asked = []

    class Listening(GrammarPlanner):
        def resembling(self, wanted, stored):
            asked.append(tuple(stored))
            return super().resembling(wanted, stored)

    cached = CachedPlanner(Listening(), path)
    assert cached.resembling(WANTED.description, REWORDED[:2]) == (REWORDED[0],)
    assert cached.resembling(WANTED.description, REWORDED) == (REWORDED[0], REWORDED[2])
    assert asked == [tuple(REWORDED[:2]), tuple(REWORDED[2:4])]
    assert cached.compare(REWORDED[0], WANTED.description) and cached.num_asked == 2


FACTS = [
    "the green cube is on the blue cube", "the blue cube is next to the red sphere", "the red cube is on the white cube",
    "the red cube is on the blue cube", "the red cube is next to the green sphere",
]  # fmt: skip


@given(st.permutations(STACKING.looks), st.sampled_from(FACTS), st.sampled_from(FACTS), st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_a_question_does_not_concern_changes_no_answer_and_makes_no_new_question(
    looks, achieved, wanted, exchange
):
    plain = GrammarPlanner(exchange=exchange)
    with TemporaryDirectory() as directory:
        cached = CachedPlanner(plain, Path(directory) / "answers.jsonl")
        played = {str(look) for look in Fact.parse(achieved).looks}
        concerned = sorted(played | {str(look) for look in Fact.parse(wanted).looks[:1]})
        others = [str(look) for look in looks if str(look) not in f"{achieved} {wanted}"]
        goal = Subgoal(wanted, "x")
        for size in (0, 2, 5):
            scene = [*concerned, *others[:size]]
            assert cached.propose_edit(achieved, goal, scene) == plain.propose_edit(achieved, goal, scene)
        assert cached.num_asked == 1


def test_a_planner_with_other_options_is_asked_anew(path):
    assert CachedPlanner(GrammarPlanner(), path).propose_edit(ACHIEVED, WANTED, SCENE).plan is not None
    other = CachedPlanner(GrammarPlanner(exchange=False), path)
    assert other.propose_edit(ACHIEVED, WANTED, SCENE).plan is None
    assert other.num_asked == 1
    assert CachedPlanner(GrammarPlanner(), path).propose_edit(ACHIEVED, WANTED, SCENE).plan is not None


def test_errors_are_not_kept(path):
    cached = CachedPlanner(GrammarPlanner(), path)
    for _ in range(2):
        with pytest.raises(LanguageError):
            cached.decompose("open the drawer")
    assert (cached.num_asked, cached.num_cached) == (2, 0)
    assert not path.exists()


def test_the_file_is_a_line_of_json_for_each_question(path):
    ask_everything(CachedPlanner(GrammarPlanner(), path))
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["question"]["method"] for record in records] == [
        *("decompose", "compare", "propose_edit", "propose_edit", *("compare",) * 3, "edit_instruction"),
    ]
    assert records[0]["answer"][0]["description"] == WANTED.description


def test_a_line_cut_anywhere_by_a_kill_costs_one_question_and_nothing_else(path):
    first = CachedPlanner(GrammarPlanner(), path)
    first.decompose(TOWER)
    kept = path.read_bytes()
    expected = first.propose_edit(ACHIEVED, WANTED, SCENE)
    whole = path.read_bytes()
    # Through the first words, then now and then, then up to the last brace but one.
    cuts = [*range(len(kept) + 1, len(kept) + 12), *range(len(kept) + 20, len(whole) - 12, 37)]
    for cut in [*cuts, *range(len(whole) - 8, len(whole) - 1)]:
        path.write_bytes(whole[:cut])
        after_kill = CachedPlanner(GrammarPlanner(), path)
        assert after_kill.propose_edit(ACHIEVED, WANTED, SCENE) == expected
        after_kill.decompose(TOWER)
        assert (after_kill.num_asked, after_kill.num_cached) == (1, 1)
        reopened = CachedPlanner(GrammarPlanner(), path)
        assert reopened.propose_edit(ACHIEVED, WANTED, SCENE) == expected
        assert reopened.num_cached == 1


def test_a_line_that_lacks_only_its_end_still_counts(path):
    CachedPlanner(GrammarPlanner(), path).decompose(TOWER)
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    cached = CachedPlanner(GrammarPlanner(), path)
    cached.compare(ACHIEVED, ACHIEVED)
    reopened = CachedPlanner(GrammarPlanner(), path)
    reopened.decompose(TOWER)
    reopened.compare(ACHIEVED, ACHIEVED)
    assert reopened.num_cached == 2


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b'{"format": "something-else"}\n',
        b"[1, 2]\n",
        b"3\n",
        b"\x89PNG\r\n\x1a\n\x00",
        b'{"a": 1}\n',
    ],
)
def test_a_foreign_file_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(PlannerError, match=r"not a planner cache.*line 1"):
        CachedPlanner(GrammarPlanner(), path)
    assert path.read_bytes() == content


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(PlannerError, match="cannot read"):
        CachedPlanner(GrammarPlanner(), tmp_path)


def test_a_damaged_answer_is_named(path):
    CachedPlanner(GrammarPlanner(), path).propose_edit(ACHIEVED, WANTED, SCENE)
    record = json.loads(path.read_text())
    record["answer"]["plan"]["edits"] = []
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(PlannerError, match="is damaged"):
        CachedPlanner(GrammarPlanner(), path).propose_edit(ACHIEVED, WANTED, SCENE)


def test_what_cannot_be_written_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "file").write_text("in the way of a directory")
    cached = CachedPlanner(GrammarPlanner(), tmp_path / "file" / "answers.jsonl")
    with pytest.raises(PlannerError, match=r"cannot write to the planner cache .*answers\.jsonl"):
        cached.decompose(TOWER)


def test_a_scene_with_two_objects_of_one_name_is_refused_even_where_the_question_is_about_others(path):
    cached = CachedPlanner(GrammarPlanner(), path)
    with pytest.raises(SceneError):
        cached.propose_edit(ACHIEVED, WANTED, [*SCENE, "white prism", "white prism"])


def test_answers_of_another_format_are_refused_and_left_as_they_are(path):
    CachedPlanner(GrammarPlanner(), path).decompose(TOWER)
    path.write_text(path.read_text().replace("daag-planner-cache-1", "daag-planner-cache-9"))
    before = path.read_bytes()
    with pytest.raises(PlannerError, match="is not a planner cache"):
        CachedPlanner(GrammarPlanner(), path)
    assert path.read_bytes() == before
