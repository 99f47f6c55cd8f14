"""The planner as a whole: stages, comparisons, descriptions and its name."""

import os
import subprocess
import sys

import pytest

from daag.errors import LanguageError, SceneError
from daag.llm import GrammarPlanner, Planner
from daag.tasks import BOARD, GRID, LANGUAGES, ROOM, Fact, Look, Subgoal, possible_facts, word_swaps

PLANNER: Planner = GrammarPlanner()
RED_ON_BLUE = Subgoal("the red cube is on the blue cube", "stack the red cube on the blue cube")


def test_an_instruction_becomes_a_stage_in_the_words_of_the_facts():
    assert PLANNER.decompose("Put the red box onto the blue block, please!") == (RED_ON_BLUE,)


def test_a_tower_becomes_two_stages_with_the_bottom_pair_first():
    stages = PLANNER.decompose("stack the green cube on the red cube and the red cube on the blue cube")
    assert stages == (
        RED_ON_BLUE,
        Subgoal("the green cube is on the red cube", "stack the green cube on the red cube"),
    )


@pytest.mark.parametrize(
    ("instruction", "round_one"),
    [
        ("stack the red cube on the blue ball", "blue sphere"),
        ("stack the red ball on the blue cube", "red sphere"),
        ("build a tower of red cube, blue cube and green ball from top to bottom", "green sphere"),
    ],
)
def test_stacking_with_a_sphere_is_refused_by_name(instruction, round_one):
    with pytest.raises(LanguageError, match=f"the {round_one} is round"):
        PLANNER.decompose(instruction)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("the red cube is on the blue cube", "Stack the red block on top of the blue box!", True),
        ("the red cube is on the blue cube", "the blue cube is on the red cube", False),
        ("the red cube is next to the blue ball", "put the blue sphere beside the red cube", True),
        ("the red cube is next to the blue cube", "the red cube is on the blue cube", False),
        ("the red cube is on the blue cube", "the red cube is on the blue cylinder", False),
        ("stack a red cube on a blue cube on a white cube", "put the red cube on the blue cube", False),
    ],
)
def test_sentences_are_compared_by_what_they_say(first, second, same):
    assert PLANNER.compare(first, second) is same
    assert PLANNER.compare(second, first) is same


def test_comparing_what_is_outside_the_language_is_an_error():
    with pytest.raises(LanguageError, match="found 'open'"):
        PLANNER.compare("the red cube is on the blue cube", "open the drawer")


def test_a_scene_is_described_alike_in_whatever_order_its_objects_come():
    described = PLANNER.describe(["red cube", "green sphere", "blue prism"])
    assert described == (
        "the blue prism is next to the green sphere",
        "the blue prism is next to the red cube",
        "the green sphere is next to the red cube",
        "the blue prism is on the red cube",
        "the red cube is on the blue prism",
    )
    assert PLANNER.describe(["blue prism", "red cube", "green sphere"]) == described


def test_a_scene_with_two_objects_of_one_name_cannot_be_described():
    with pytest.raises(SceneError, match="red cube, red cube"):
        PLANNER.describe(["red cube", "red cube"])


def test_distractors_are_the_word_swaps_whatever_the_wording():
    expected = word_swaps(Fact("on", Look("red", "cube"), Look("blue", "cube")).description)
    assert PLANNER.distractors("put the red box on top of the blue box") == expected
    with pytest.raises(LanguageError, match="tower"):
        PLANNER.distractors("stack a red cube on a blue cube on a white cube")


def test_a_subgoal_in_other_words_gets_the_same_proposal():
    objects = ["green cube", "blue cube"]
    plain = PLANNER.propose_edit("the green cube is on the blue cube", RED_ON_BLUE, objects)
    worded = PLANNER.propose_edit(
        "the green block sits on the blue block",
        Subgoal("the red box should be on the blue box", "stack the red box on the blue box"),
        objects,
    )
    assert plain.plan == worded.plan is not None


def test_objects_to_be_found_become_stages_in_the_order_asked_for():
    stages = GrammarPlanner(ROOM).decompose("find the red ball on the couch, then the green cup")
    assert stages == (
        Subgoal("the red ball on the sofa is right in front", "go to the red ball on the sofa"),
        Subgoal("the green mug is right in front", "go to the green mug"),
    )


def test_a_room_is_described_without_places():
    assert GrammarPlanner(ROOM).describe(["red ball", "green mug"]) == (
        "the green mug is right in front",
        "the red ball is right in front",
    )


def test_a_board_is_described_by_all_its_relations():
    names = ["red moon", "blue cube"]
    described = GrammarPlanner(BOARD).describe(names)
    assert described == GrammarPlanner(BOARD).describe(names[::-1])
    assert described == tuple(
        fact.description for fact in possible_facts(map(Look.parse, names), BOARD.relations)
    )
    assert len(described) == 2 + 2 + 1 + 1 + 2 * 5 + 2  # above, left of, touching, apart from, in, pointed at


@pytest.mark.parametrize(
    ("language", "name"), [(ROOM, "red cube"), (BOARD, "purple moon"), (GRID, "black key")]
)
def test_objects_of_another_world_are_not_described(language, name):
    with pytest.raises(LanguageError, match=f"the world '{language.name}' has no {name}; its colours are"):
        GrammarPlanner(language).describe([name])


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda language: language.name)
def test_distractors_are_of_the_planners_own_language(language):
    planner = GrammarPlanner(language)
    for fact in possible_facts(language.looks[:7:2], language.relations):
        distractors = planner.distractors(fact.instruction)
        assert distractors == word_swaps(fact.description, language)
        for text in distractors:
            language.check(Fact.parse(text))
    # Said in the room and in a grid alike, and only the one has mugs.
    red_ball = "the red ball is right in front"
    assert "the red mug is right in front" in GrammarPlanner(ROOM).distractors(red_ball)
    assert "the red key is right in front" in GrammarPlanner(GRID).distractors(red_ball)


@pytest.mark.parametrize(
    ("language", "first", "second", "same"),
    [
        (BOARD, "push the red moon to the blue cube", "the blue square touches the red crescent", True),
        (BOARD, "push the red moon right of the blue cube", "the blue cube is left of the red moon", True),
        (BOARD, "push the red moon above the blue cube", "push the blue cube above the red moon", False),
        (ROOM, "find the red ball", "the red ball is in front", True),
        (ROOM, "find the red ball", "find the red ball on the sofa", False),
        (ROOM, "find the red ball, then the green mug", "find the green mug, then the red ball", False),
        (ROOM, "find the red ball after the green mug", "find the green mug, then the red ball", True),
        (GRID, "go to a gray key", "find the grey key", True),
    ],
)
def test_sentences_of_other_worlds_are_compared_by_what_they_say(language, first, second, same):
    assert GrammarPlanner(language).compare(first, second) is same


def test_several_stages_have_no_distractors():
    with pytest.raises(LanguageError, match="one stage, got several"):
        GrammarPlanner(ROOM).distractors("find the red ball, then the green mug")


def test_the_hash_names_the_language_and_the_options():
    assert GrammarPlanner().hash == GrammarPlanner(exchange=True).hash
    assert GrammarPlanner().hash != GrammarPlanner(exchange=False).hash
    assert len({GrammarPlanner(language).hash for language in LANGUAGES.values()}) == len(LANGUAGES)
    assert len(GrammarPlanner().hash) == 64


def test_the_hash_is_the_same_in_another_process():
    command = "from daag.llm import GrammarPlanner; print(GrammarPlanner().hash)"
    # Another seed of Python's own string hashing, which must play no part.
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, env=environment
    )
    assert other.stdout.strip() == GrammarPlanner().hash
