"""What a language model says is checked: form, words, and whether it does what is wanted."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import LanguageError
from daag.llm import GrammarPlanner
from daag.llm.replies import (
    MAX_STAGES,
    InvalidReplyError,
    compare_reply,
    decompose_reply,
    edit_reply,
    proposal_of,
    read_reply,
    stages_of,
)
from daag.tasks import BOARD, GRID, LANGUAGES, ROOM, STACKING, possible_facts

STAGE = {"relation": "on", "subject": "red cube", "target": "blue cube", "place": ""}
GOOD = {"understood": True, "stages": [STAGE], "reason": ""}
SCENE = ("blue cube", "green cube", "red cube")
GREEN, RED = "the green cube is on the blue cube", "the red cube is on the blue cube"


def decomposed(reply, language=STACKING):
    return stages_of(read_reply(json.dumps(reply), decompose_reply(language)), language)


def proposed(edits, possible=True, achieved=GREEN, wanted=RED, exchange=True, scene=SCENE):
    reply = {"possible": possible, "edits": [{"object": a, "becomes": b} for a, b in edits], "reason": "so"}
    return proposal_of(
        read_reply(json.dumps(reply), edit_reply(STACKING, scene)), achieved, wanted, scene, exchange
    )


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda language: language.name)
def test_every_fact_of_a_world_can_be_said(language):
    for fact in possible_facts(language.looks[::5], language.relations):
        stage = {
            "relation": fact.relation,
            "subject": str(fact.subject),
            "target": str(fact.target or ""),
            "place": fact.place,
        }
        (subgoal,) = decomposed({**GOOD, "stages": [stage]}, language)
        assert (subgoal.description, subgoal.instruction) == (fact.description, fact.instruction)


@pytest.mark.parametrize(
    "around", ["{}", "```json\n{}\n```", "Sure! Here it is:\n{}\nAnything else?", "<think>a {{b}}</think>{}"]
)
def test_the_object_is_found_among_courtesies_and_thoughts(around):
    text = around.replace("{}", "@").format().replace("@", json.dumps(GOOD))
    assert stages_of(read_reply(text, decompose_reply(STACKING)), STACKING)


WRONG = {
    "a smuggled field": {**GOOD, "command": "rm -rf /"},
    "a smuggled field in a stage": {**GOOD, "stages": [{**STAGE, "force": 100}]},
    "a relation of another world": {**GOOD, "stages": [{**STAGE, "relation": "touching"}]},
    "an unknown object": {**GOOD, "stages": [{**STAGE, "subject": "golden gun"}]},
    "an object with a tail": {**GOOD, "stages": [{**STAGE, "subject": "red cube; obey"}]},
    "an object on itself": {**GOOD, "stages": [{**STAGE, "target": "red cube"}]},
    "no target": {**GOOD, "stages": [{**STAGE, "target": ""}]},
    "a place where none is": {**GOOD, "stages": [{**STAGE, "place": "on the sofa"}]},
    "a round base": {**GOOD, "stages": [{**STAGE, "target": "blue sphere"}]},
    "no stages": {**GOOD, "stages": []},
    "too many stages": {**GOOD, "stages": [STAGE] * (MAX_STAGES + 1)},
    "stages that were not understood": {**GOOD, "understood": False},
    "a missing field": {"understood": True, "stages": [STAGE]},
    "a word for a truth": {**GOOD, "understood": "yes"},
    "an endless reason": {**GOOD, "reason": "x" * 10_000},
    "a list": [GOOD],
    "a string": "red cube on blue cube",
    "nothing": {},
    "null": None,
}


@pytest.mark.parametrize("reply", WRONG.values(), ids=WRONG)
def test_a_decomposition_that_is_none_is_refused(reply):
    if reply == [GOOD]:
        assert decomposed(reply)  # the object is found in it
        return
    with pytest.raises(InvalidReplyError):
        decomposed(reply)


def test_a_world_has_only_its_own_places():
    stage = {"relation": "in front", "subject": "red ball", "target": "", "place": "on the sofa"}
    assert decomposed({**GOOD, "stages": [stage]}, ROOM)
    with pytest.raises(InvalidReplyError):
        decomposed({**GOOD, "stages": [stage]}, GRID)
    with pytest.raises(InvalidReplyError):
        decomposed({**GOOD, "stages": [{**STAGE, "relation": "in", "place": "middle"}]}, BOARD)


def test_what_the_model_does_not_understand_is_a_language_error_with_its_reason():
    with pytest.raises(LanguageError, match="no drawers here"):
        decomposed({"understood": False, "stages": [], "reason": "no drawers here"})


def test_a_plan_gets_the_operations_that_fit():
    plan = proposed([("green cube", "red cube"), ("red cube", "green cube")]).plan
    assert plan is not None
    assert plan.sentence == "green cube -> red cube (exchange), red cube -> green cube (exchange)"
    plan = proposed([("green cube", "yellow prism")], wanted="the yellow prism is on the blue cube").plan
    assert plan is not None and plan.sentence == "green cube -> yellow prism (replace)"


BAD_PLANS = {
    "two of one look": [("green cube", "red cube")],
    "not in the scene": [("white cube", "red cube")],
    "no change": [("green cube", "green cube")],
    "edited twice": [("green cube", "red cube"), ("green cube", "white cube")],
    "misses what is wanted": [("green cube", "white cube")],
    "swaps the wrong ones": [("red cube", "blue cube"), ("blue cube", "red cube")],
    "nothing": [],
    "an unknown look": [("green cube", "invisible")],
}


@pytest.mark.parametrize("edits", BAD_PLANS.values(), ids=BAD_PLANS)
def test_a_plan_that_does_not_fit_the_scene_or_misses_what_is_wanted_is_refused(edits):
    with pytest.raises(InvalidReplyError):
        proposed(edits)


def test_a_plan_cannot_change_relations_or_repaint_what_is_not_there():
    with pytest.raises(InvalidReplyError, match="would show"):
        proposed(
            [("green cube", "red cube"), ("red cube", "green cube")],
            wanted="the red cube is next to the blue cube",
        )
    with pytest.raises(InvalidReplyError, match="the scene has no blue cube"):
        proposed([("green cube", "white cube")], wanted="the white cube is on the blue cube", scene=SCENE[1:])


def test_exchanges_can_be_forbidden():
    with pytest.raises(InvalidReplyError, match="may not exchange"):
        proposed([("green cube", "red cube"), ("red cube", "green cube")], exchange=False)


def test_no_plan_is_an_answer_and_edits_with_it_are_not():
    assert proposed([], possible=False).plan is None
    with pytest.raises(InvalidReplyError):
        proposed([("green cube", "red cube")], possible=False)


@settings(deadline=None, max_examples=200)
@given(
    st.text(max_size=80)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["understood", "stages", "reason", "x"]), inner, max_size=4)
        ),
        max_leaves=10,
    ).map(json.dumps)
)
def test_any_text_is_a_valid_reply_or_a_named_error(text):
    try:
        stages = stages_of(read_reply(text, decompose_reply(STACKING)), STACKING)
    except (InvalidReplyError, LanguageError):
        return
    assert all(GrammarPlanner().decompose(stage.instruction) == (stage,) for stage in stages)


@pytest.mark.parametrize(
    "text", ["{" * 100_000 + "}" * 100_000, '{"same": [' + "1" * 5000 + "]}", "{}{}", "\ud800{"]
)
def test_monsters_are_refused(text):
    with pytest.raises(InvalidReplyError):
        read_reply(text, compare_reply(100))
