"""Edit plans: what they say, and what they refuse."""

import pytest

from daag.errors import EditError
from daag.tasks import REGIONS, EditPlan, ObjectEdit, parse_changes

SCENE = ["red cube", "green cube", "blue cube"]
SWAP = EditPlan(
    (
        ObjectEdit("exchange", "green cube", "red cube"),
        ObjectEdit("exchange", "red cube", "green cube"),
    )
)


def modify(source: str, target: str) -> ObjectEdit:
    return ObjectEdit("modify", source, target)


def test_a_plan_says_itself_in_words_and_as_a_renaming():
    assert SWAP.sentence == "green cube -> red cube (exchange), red cube -> green cube (exchange)"
    assert SWAP.renaming == {"green cube": "red cube", "red cube": "green cube"}


@pytest.mark.parametrize(
    ("edits", "named"),
    [
        ((), "at least one edit, got none"),
        ((modify("red cube", "red cube"),), "must change the look, got: red cube -> red cube"),
        ((modify("red cube", "white cube"), modify("red cube", "black cube")), "edited once"),
        ((modify("red cube", "white cube"), modify("blue cube", "white cube")), "each look given once"),
    ],
)
def test_a_plan_that_contradicts_itself_is_an_error(edits, named):
    with pytest.raises(EditError, match=named):
        EditPlan(edits)


@pytest.mark.parametrize(
    "plan",
    [
        SWAP,
        EditPlan((modify("green cube", "white cube"),)),
        EditPlan((modify("green cube", "red cube"), modify("red cube", "black cube"))),
    ],
    ids=lambda plan: plan.sentence,
)
def test_plans_that_leave_every_name_once_fit_the_scene(plan):
    plan.check_against(SCENE)


def test_a_plan_for_an_object_that_is_not_there_names_it_and_the_scene():
    plan = EditPlan((modify("white cube", "black cube"), modify("yellow prism", "white cube")))
    with pytest.raises(
        EditError, match="no white cube and no yellow prism; it has: red cube, green cube, blue cube"
    ):
        plan.check_against(SCENE)


def test_a_plan_that_would_make_two_red_cubes_is_refused_in_that_scene_only():
    plan = EditPlan((modify("green cube", "red cube"),))
    with pytest.raises(EditError, match="two objects of one name: red cube, red cube, blue cube"):
        plan.check_against(SCENE)
    plan.check_against(["green cube", "blue cube"])


def test_a_plan_is_read_as_one_writes_it_down():
    plan = parse_changes(["red cube  ->  green cube", "blue prism -> yellow cylinder"])
    assert [(edit.operation, edit.source, edit.target) for edit in plan.edits] == [
        ("modify", "red cube", "green cube"),
        ("replace", "blue prism", "yellow cylinder"),
    ]
    traded = parse_changes(["red cube <-> blue cube"])
    assert traded == parse_changes(["red cube -> blue cube", "blue cube -> red cube"])
    assert {edit.operation for edit in traded.edits} == {"exchange"}


@pytest.mark.parametrize("change", ["red cube", "-> red cube", "red cube <->", "a -> b -> c", ""])
def test_a_change_that_names_nothing_is_answered_with_how_to_write_one(change):
    with pytest.raises(EditError, match="expected a change such as 'red cube -> green cube'"):
        parse_changes([change])


def test_a_region_and_a_finish_are_read_as_one_writes_them_down():
    plan = parse_changes(
        ["table -> green table", "red cube -> shiny blue cube", "green cube -> matte green cube"]
    )
    table, cube, same = plan.edits
    assert table.of_region and not cube.of_region and not table.changes_kind
    assert [edit.finish for edit in plan.edits] == [None, "shiny", "matte"]
    # In a store objects are called by their looks alone.
    assert plan.renaming == {"table": "green table", "red cube": "blue cube", "green cube": "green cube"}
    assert "shiny blue cube" in plan.sentence and same.operation == "modify"
    plan.check_against(["red cube", "green cube"])
    with pytest.raises(EditError, match="two objects of one name"):
        plan.check_against(["red cube", "green cube", "blue cube"])


@pytest.mark.parametrize("change", ["table -> green cube", "walls -> shiny red walls", "table -> floor"])
def test_a_region_stays_what_it_is(change):
    with pytest.raises(EditError, match="the colour can change, as in"):
        parse_changes([change])


def test_a_regions_colour_is_one_of_the_palettes():
    for region in REGIONS:
        (edit,) = parse_changes([f"{region} -> grey {region}"]).edits
        assert edit.region_colour == "grey"


@pytest.mark.parametrize(
    "change", ["floor -> zebra floor", "floor -> dark green floor", "floor -> green-ish floor"]
)
def test_another_word_for_a_regions_colour_is_told_from_the_palette(change):
    (edit,) = parse_changes([change]).edits
    with pytest.raises(
        EditError, match=r"one colour of red, .*, grey for the floor, as in 'floor -> green floor', got: "
    ):
        _ = edit.region_colour
