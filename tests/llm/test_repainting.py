"""Edit proposals: they fit the scene, they do what they say, and without one there is a reason."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daag.errors import LanguageError, SceneError
from daag.llm import EditProposal, GrammarPlanner
from daag.tasks import (
    BOARD,
    GRID,
    RELATIONS,
    ROOM,
    STACKING,
    Fact,
    Language,
    Look,
    Subgoal,
    all_looks,
    possible_facts,
)

unhurried = settings(deadline=None)  # cores may be shared with other work
LOOKS = all_looks(STACKING.kinds)
SCENE = ["red cube", "green cube", "blue cube", "white cylinder", "red sphere"]


def propose(
    achieved: str,
    wanted: str,
    objects: list[str] = SCENE,
    exchange: bool = True,
    language: Language = STACKING,
) -> EditProposal:
    planner = GrammarPlanner(language, exchange=exchange)
    return planner.propose_edit(achieved, Subgoal(wanted, "whatever the instruction"), objects)


def spheres(fact: Fact) -> int:
    return sum(look.kind == "sphere" for look in (fact.subject, fact.target))


def draw_situation(data: st.DataObject) -> tuple[list[str], Fact, Fact]:
    """A scene of 2 to 6 objects, a fact that holds in it, and a wanted fact of the same relation.

    Wanted looks are drawn from the scene as often as not, since that is where exchanges are needed.
    """
    relation = data.draw(st.sampled_from(STACKING.relations))
    scene = data.draw(st.lists(st.sampled_from(LOOKS), min_size=2, max_size=6, unique=True))
    if len(possible_facts(scene, (relation,))) == 0:  # spheres only, or one that carries
        scene = [Look("red", "cube"), Look("blue", "prism"), Look("red", "sphere")]
    achieved = data.draw(st.sampled_from(possible_facts(scene, (relation,))))
    looks = [look for look in LOOKS if relation == "next to" or look.kind != "sphere"]
    here = [look for look in scene if look in looks]
    wanted = data.draw(
        st.lists(st.sampled_from(here) | st.sampled_from(looks), min_size=2, max_size=2, unique=True)
    )
    return [str(look) for look in scene], achieved, Fact(relation, *wanted)


@unhurried
@given(st.data())
def test_a_plan_turns_the_achieved_fact_into_the_wanted_one_and_keeps_names_unique(data):
    objects, achieved, wanted = draw_situation(data)
    proposal = propose(achieved.description, wanted.description, objects)
    assert proposal.reason
    if proposal.plan is None:
        return
    proposal.plan.check_against(objects)
    renaming = proposal.plan.renaming
    after = [renaming.get(name, name) for name in objects]
    assert len(set(after)) == len(objects)
    subject, target = (
        Look.parse(renaming.get(str(look), str(look))) for look in (achieved.subject, achieved.target)
    )
    assert Fact(achieved.relation, subject, target) == wanted


@unhurried
@given(st.data())
def test_a_plan_renames_only_the_pair_and_those_that_it_displaces(data):
    objects, achieved, wanted = draw_situation(data)
    plan = propose(achieved.description, wanted.description, objects).plan
    involved = {str(look) for fact in (achieved, wanted) for look in (fact.subject, fact.target)}
    if plan is not None:
        assert set(plan.renaming) <= involved & set(objects)
        # A displaced object takes a freed look: no look appears from nowhere.
        assert set(plan.renaming.values()) <= involved


@unhurried
@given(st.data())
def test_a_plan_is_missing_only_where_it_must_be(data):
    objects, achieved, wanted = draw_situation(data)
    proposal = propose(achieved.description, wanted.description, objects)
    possible = achieved != wanted and spheres(achieved) == spheres(wanted)
    assert (proposal.plan is not None) == possible


@unhurried
@given(st.data())
def test_operations_say_what_happens(data):
    objects, achieved, wanted = draw_situation(data)
    plan = propose(achieved.description, wanted.description, objects).plan
    for edit in plan.edits if plan else ():
        before, after = Look.parse(edit.source), Look.parse(edit.target)
        assert (before.kind == "sphere") == (after.kind == "sphere")
        if edit.target in objects:
            assert edit.operation == "exchange"
        else:
            assert edit.operation == ("replace" if before.kind != after.kind else "modify")


@unhurried
@given(st.data(), st.randoms(use_true_random=False))
def test_the_order_of_the_objects_does_not_matter(data, random):
    objects, achieved, wanted = draw_situation(data)
    shuffled = random.sample(objects, len(objects))
    assert propose(achieved.description, wanted.description, objects) == propose(
        achieved.description, wanted.description, shuffled
    )


@unhurried
@given(st.data())
def test_without_exchange_exactly_the_plans_that_need_one_are_refused(data):
    objects, achieved, wanted = draw_situation(data)
    usual = propose(achieved.description, wanted.description, objects)
    without = propose(achieved.description, wanted.description, objects, exchange=False)
    if usual.plan is not None and any(edit.operation == "exchange" for edit in usual.plan.edits):
        assert without.plan is None
        assert "exchange" in without.reason
    else:
        assert without == usual


def test_a_cycle_runs_through_every_object_that_must_give_up_its_look():
    proposal = propose("the green cube is on the red cube", "the red cube is on the blue cube")
    assert proposal.plan is not None
    assert proposal.plan.renaming == {
        "green cube": "red cube",
        "red cube": "blue cube",
        "blue cube": "green cube",
    }
    assert {edit.operation for edit in proposal.plan.edits} == {"exchange"}


def test_next_to_takes_the_assignment_with_fewer_edits():
    # Straight, in sorted order, it would be blue -> green and green -> red.
    proposal = propose(
        "the blue cube is next to the green cube",
        "the green cube is next to the red cube",
        ["blue cube", "green cube"],
    )
    assert proposal.plan is not None
    assert proposal.plan.sentence == "blue cube -> red cube (modify)"


def test_next_to_keeps_spheres_spheres():
    # Sorted, the sphere is first in the one fact and second in the other.
    proposal = propose(
        "the black sphere is next to the green cube",
        "the red cube is next to the white sphere",
        ["black sphere", "green cube"],
    )
    assert proposal.plan is not None
    assert proposal.plan.renaming == {"black sphere": "white sphere", "green cube": "red cube"}


def test_displaced_objects_keep_their_kind_where_a_freed_look_allows_it():
    objects = ["green cylinder", "yellow cube", "red cube", "white prism"]
    proposal = propose(
        "the green cylinder is on the yellow cube", "the red cube is on the blue cube", objects
    )
    assert proposal.plan is not None
    assert proposal.plan.renaming["red cube"] == "yellow cube"


def test_displaced_objects_swap_with_whom_displaced_them_where_kinds_leave_the_choice():
    objects = ["green cube", "yellow cube", "red cube", "blue cube"]
    for achieved in ("the green cube is on the yellow cube", "the yellow cube is on the green cube"):
        plan = propose(achieved, "the red cube is on the blue cube", objects).plan
        assert plan is not None
        assert all(plan.renaming[after] == before for before, after in plan.renaming.items())


@pytest.mark.parametrize(
    ("achieved", "wanted", "reason"),
    [
        (
            "the green cube is on the red cube",
            "the green cube is next to the red cube",
            "no repaint changes a relation",
        ),
        ("the green cube is on the red cube", "the green cube is on the red cube", "already shows it"),
        (
            "the green cube is on the black cube",
            "the green cube is on the red cube",
            "the scene has no black cube",
        ),
        (
            "the green cube is on the red cube",
            "the green cube is on the red sphere",
            "only kinds with a flat top",
        ),
        ("the green cube is next to the red cube", "the green cube is next to the red sphere", "too unlike"),
        ("the red sphere is next to the red cube", "the green cube is next to the red cube", "too unlike"),
    ],
)
def test_without_a_plan_there_is_the_reason(achieved, wanted, reason):
    proposal = propose(achieved, wanted)
    assert proposal.plan is None
    assert reason in proposal.reason


def test_a_scene_with_two_objects_of_one_name_is_an_error():
    with pytest.raises(SceneError, match="different names"):
        propose(
            "the green cube is on the red cube",
            "the green cube is on the blue cube",
            ["red cube", "red cube"],
        )


def test_descriptions_outside_the_language_are_errors():
    with pytest.raises(LanguageError, match="found 'open'"):
        propose("open the drawer", "the green cube is on the blue cube")
    with pytest.raises(LanguageError, match="tower"):
        propose("the green cube is on the blue cube", "the red cube is on the blue cube on the white cube")


@unhurried
@given(st.data(), st.sampled_from([BOARD, ROOM, GRID]))
def test_in_other_worlds_a_plan_exists_where_kinds_and_places_allow_and_does_what_it_says(data, language):
    scene = data.draw(st.lists(st.sampled_from(language.looks), min_size=2, max_size=6, unique=True))
    objects = [str(look) for look in scene]
    achieved = data.draw(st.sampled_from(possible_facts(scene, language.relations)))
    form = RELATIONS[achieved.relation]
    colours = st.sampled_from(language.colours)
    looks = [
        replace(look, colour=data.draw(colours)) if data.draw(st.booleans()) else look
        for look in achieved.looks
    ]
    if data.draw(st.booleans()):
        looks[0] = data.draw(st.sampled_from(language.looks))
    assume(len(set(looks)) == len(looks))
    place = data.draw(st.sampled_from(form.places)) if form.needs_place else achieved.place
    wanted = Fact(achieved.relation, *looks, place=place)

    plan = propose(achieved.description, wanted.description, objects, language=language).plan

    assigned = [wanted.looks, wanted.looks[::-1]] if form.symmetric else [wanted.looks]
    kept = [
        all(
            language.alike(before.kind, after.kind)
            for before, after in zip(achieved.looks, looks, strict=True)
        )
        for looks in assigned
    ]
    possible = achieved != wanted and place == achieved.place
    assert (plan is not None) == (possible and any(kept))
    if plan is not None:
        plan.check_against(objects)
        after = [Look.parse(plan.renaming.get(str(look), str(look))) for look in achieved.looks]
        assert Fact(achieved.relation, *after, place=achieved.place) == wanted


@pytest.mark.parametrize(
    ("achieved", "wanted", "reason"),
    [
        ("the green ball", "the red ball on the sofa", "does not say 'on the sofa', and no repaint moves"),
        ("the green ball on the bed", "the red ball on the sofa", "does not say 'on the sofa'"),
        ("the green ball on the bed", "the green ball", "already shows it"),
        ("the green ball", "the green mug", "too unlike"),
    ],
)
def test_in_a_room_places_and_kinds_must_be_right_already(achieved, wanted, reason):
    proposal = propose(
        f"{achieved} is right in front",
        f"{wanted} is right in front",
        ["green ball", "red mug"],
        language=ROOM,
    )
    assert proposal.plan is None
    assert reason in proposal.reason
