"""What a language model says is checked: form, words, and whether it does what is wanted."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import LanguageError
from daag.llm import GrammarPlanner
from daag.llm.replies import (
    MAX_STAGES,
    EditInstructionReply,
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
GOOD = {"answer": {"stages": [STAGE]}}
SCENE = ("blue cube", "green cube", "red cube")
GREEN, RED = "the green cube is on the blue cube", "the red cube is on the blue cube"


def naming(*stages):
    return {"answer": {"stages": list(stages)}}


def decomposed(reply, language=STACKING):
    return stages_of(read_reply(json.dumps(reply), decompose_reply(language)), language)


def proposed(edits, achieved=GREEN, wanted=RED, exchange=True, scene=SCENE):
    answer = {"edits": [{"object": a, "becomes": b} for a, b in edits]}
    return answered(answer, achieved, wanted, exchange, scene)


def answered(answer, achieved=GREEN, wanted=RED, exchange=True, scene=SCENE):
    reply = read_reply(json.dumps({"answer": answer}), edit_reply(STACKING, scene))
    return proposal_of(reply, achieved, wanted, scene, exchange)


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda language: language.name)
def test_every_fact_of_a_world_can_be_said(language):
    for fact in possible_facts(language.looks[::5], language.relations):
        stage = {
            "relation": fact.relation,
            "subject": str(fact.subject),
            "target": str(fact.target or ""),
            "place": fact.place,
        }
        (subgoal,) = decomposed(naming(stage), language)
        assert (subgoal.description, subgoal.instruction) == (fact.description, fact.instruction)


@pytest.mark.parametrize(
    "around", ["{}", "```json\n{}\n```", "Sure! Here it is:\n{}\nAnything else?", "<think>a {{b}}</think>{}"]
)
def test_the_object_is_found_among_courtesies_and_thoughts(around):
    text = around.replace("{}", "@").format().replace("@", json.dumps(GOOD))
    assert stages_of(read_reply(text, decompose_reply(STACKING)), STACKING)


IMPOSSIBLE = {"answer": {"impossible": "no drawers here"}}
WRONG = {
    "a smuggled field": {**GOOD, "command": "rm -rf /"},
    "a smuggled field in the answer": {"answer": {"stages": [STAGE], "command": "rm -rf /"}},
    "a smuggled field in a stage": naming({**STAGE, "force": 100}),
    "a relation of another world": naming({**STAGE, "relation": "touching"}),
    "an unknown object": naming({**STAGE, "subject": "golden gun"}),
    "an object with a tail": naming({**STAGE, "subject": "red cube; obey"}),
    "an object on itself": naming({**STAGE, "target": "red cube"}),
    "no target": naming({**STAGE, "target": ""}),
    "a place where none is": naming({**STAGE, "place": "on the sofa"}),
    "a round base": naming({**STAGE, "target": "blue sphere"}),
    "no stages": naming(),
    "too many stages": naming(*[STAGE] * (MAX_STAGES + 1)),
    "stages that are impossible": {"answer": {"stages": [STAGE], "impossible": "no drawers here"}},
    "an answer without its name": GOOD["answer"],
    "a missing field": naming({"relation": "on", "subject": "red cube", "target": "blue cube"}),
    "a truth for a reason": {"answer": {"impossible": True}},
    "an endless reason": {"answer": {"impossible": "x" * 10_000}},
    "an empty answer": {"answer": {}},
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
    assert decomposed(naming(stage), ROOM)
    with pytest.raises(InvalidReplyError):
        decomposed(naming(stage), GRID)
    with pytest.raises(InvalidReplyError):
        decomposed(naming({**STAGE, "relation": "in", "place": "middle"}), BOARD)


def test_what_the_model_does_not_understand_is_a_language_error_with_its_reason():
    with pytest.raises(LanguageError, match="no drawers here"):
        decomposed(IMPOSSIBLE)


def test_a_plan_gets_the_operations_that_fit():
    plan = proposed([("green cube", "red cube"), ("red cube", "green cube")]).plan
    assert plan is not None
    assert plan.sentence == "green cube -> red cube (exchange), red cube -> green cube (exchange)"
    for look, operation in (
        ("yellow prism", "replace"),
        ("green prism", "replace"),
        ("white cube", "modify"),
    ):
        plan = proposed([("green cube", look)], wanted=f"the {look} is on the blue cube").plan
        assert plan is not None and plan.sentence == f"green cube -> {look} ({operation})"


def test_a_place_is_kept_where_one_is_wanted_and_else_is_no_matter():
    scene, there, anywhere = ("green ball", "blue box"), "on the sofa is right in front", "is right in front"

    def repainted(achieved, wanted):
        reply = {"answer": {"edits": [{"object": "green ball", "becomes": "red ball"}]}}
        return proposal_of(
            read_reply(json.dumps(reply), edit_reply(ROOM, scene)),
            f"the green ball {achieved}", f"the red ball {wanted}", scene, True,
        ).plan  # fmt: skip

    assert repainted(there, there) == repainted(there, anywhere) == repainted(anywhere, anywhere)
    with pytest.raises(InvalidReplyError, match="would show"):
        repainted(anywhere, there)


def test_no_look_is_taken_that_an_object_out_of_sight_may_have():
    with pytest.raises(InvalidReplyError, match="wanted or have become free, not white cube"):
        proposed([("green cube", "red cube"), ("red cube", "white cube")])


def test_no_reply_names_more_than_there_is_nor_an_empty_list_of_edits():
    assert read_reply('{"same": [1, 0]}', compare_reply(2)).same == [1, 0]
    with pytest.raises(InvalidReplyError):
        read_reply('{"same": [0, 0]}', compare_reply(1))
    edits = edit_reply(STACKING, SCENE).model_json_schema()["$defs"]["Edits"]["properties"]["edits"]
    assert (edits["minItems"], edits["maxItems"]) == (1, 3)


def test_what_is_wrong_with_a_reply_is_said_briefly():
    with pytest.raises(InvalidReplyError) as refused:
        proposed([("green cube", "invisible")] * 3)
    assert "edits.0.becomes" in str(refused.value) and len(str(refused.value)) < 5 * 300


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


def test_no_plan_is_an_answer_with_its_reason_and_edits_with_it_are_not():
    nothing = answered({"impossible": "nothing moved"})
    assert (nothing.plan, nothing.reason) == (None, "nothing moved")
    assert answered({"impossible": ""}).reason
    with pytest.raises(InvalidReplyError):
        answered(
            {"edits": [{"object": "green cube", "becomes": "white cube"}], "impossible": "nothing moved"}
        )


def keys_of(schema):
    """Every keyword of a schema and of the schemas in it; names of fields and of definitions are none."""
    found = set(schema)
    for name in ("properties", "$defs"):
        for inner in schema.get(name, {}).values():
            found |= keys_of(inner)
    for inner in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])):
        found |= keys_of(inner)
    return found


STRICT = {"type", "title", "description", "properties", "required", "additionalProperties", "items", "enum", "const",
          "anyOf", "$ref", "$defs"}  # fmt: skip
BOUNDS = {"minItems", "maxItems", "minLength", "maxLength"}


@pytest.mark.parametrize(
    "form",
    [
        *map(decompose_reply, LANGUAGES.values()),
        edit_reply(BOARD, SCENE),
        compare_reply(40),
        EditInstructionReply,
    ],
)
def test_schemas_are_of_the_subset_that_openai_follows_strictly(form):
    """Its rules: an object at the top, every field required and none beyond, and alternatives that begin differently."""
    schema = form.model_json_schema()
    assert keys_of(schema) <= STRICT | BOUNDS  # those are taken off before it is sent
    for each in (schema, *schema.get("$defs", {}).values()):
        assert each["type"] == "object" and each["additionalProperties"] is False
        assert list(each["properties"]) == each["required"]
    for field in schema["properties"].values():
        firsts = [
            schema["$defs"][way["$ref"].split("/")[-1]]["required"][0] for way in field.get("anyOf", ())
        ]
        assert len(set(firsts)) == len(firsts)


@settings(deadline=None, max_examples=200)
@given(
    st.text(max_size=80)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["answer", "stages", "impossible", "x"]), inner, max_size=4)
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
