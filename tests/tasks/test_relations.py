"""Facts, as sentences and as what can hold in a scene."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import LanguageError
from daag.tasks import (
    CARRYING_KINDS,
    LANGUAGES,
    RELATIONS,
    ROOM,
    STACKING,
    Fact,
    Look,
    all_looks,
    possible_facts,
)

RED, BLUE = Look("red", "cube"), Look("blue", "cube")
BALL, BALL_IN_ROOM = Look("green", "sphere"), Look("red", "ball")


def test_every_fact_is_read_back_from_its_description():
    for relation in STACKING.relations:
        for subject, target in permutations(all_looks(STACKING.kinds), 2):
            fact = Fact(relation, subject, target)
            assert Fact.parse(fact.description) == fact


def test_a_fact_says_what_is_visible_and_what_to_do():
    stacked, beside = Fact("on", RED, BLUE), Fact("next to", RED, BLUE)
    assert stacked.description == "the red cube is on the blue cube"
    assert stacked.instruction == "stack the red cube on the blue cube"
    assert beside.description == "the blue cube is next to the red cube"
    assert beside.instruction == "put the blue cube next to the red cube"


def test_what_excludes_another_relation_is_excluded_by_it():
    for relation, form in RELATIONS.items():
        assert relation not in form.excludes
        for other in form.excludes:
            assert relation in RELATIONS[other].excludes


def test_next_to_is_symmetric_and_on_is_not():
    assert Fact("next to", RED, BLUE) == Fact("next to", BLUE, RED)
    assert Fact("on", RED, BLUE) != Fact("on", BLUE, RED)


def test_spheres_neither_stack_nor_carry_but_lie_next_to_anything():
    assert not Fact("on", BALL, RED).feasible
    assert not Fact("on", RED, BALL).feasible
    assert Fact("next to", RED, BALL).feasible
    assert all(Fact("on", RED, Look("blue", kind)).feasible for kind in CARRYING_KINDS)


def test_an_object_is_not_related_to_itself():
    with pytest.raises(LanguageError, match="two different objects, got red cube twice"):
        Fact("on", RED, RED)


@pytest.mark.parametrize(
    "sentence",
    [
        "the red cube is behind the blue cube",
        "red cube is on the blue cube",
        "the red cube is on blue cube",
        "the red cube",
        "the pink cube is on the blue cube",
        "The red cube is on the blue cube.",
        "",
    ],
)
def test_only_descriptions_in_their_exact_form_are_parsed(sentence):
    with pytest.raises(LanguageError, match="expected"):
        Fact.parse(sentence)


def test_possible_facts_are_all_feasible_ones_once_in_an_order_of_their_own():
    looks = [RED, BLUE, BALL, Look("white", "prism")]
    facts = possible_facts(looks, STACKING.relations)
    # Three that carry: 3 x 2 stacked pairs; four objects: 6 pairs beside each other.
    assert len(facts) == len(set(facts)) == 6 + 6
    assert all(fact.feasible for fact in facts)
    assert all(possible_facts(order, STACKING.relations) == facts for order in permutations(looks))
    assert {fact.relation for fact in possible_facts(looks, ("on",))} == {"on"}


def test_a_scene_of_one_object_has_no_facts():
    assert possible_facts([RED], STACKING.relations) == possible_facts([], STACKING.relations) == ()


EVERY_FACT = [
    fact for language in LANGUAGES.values() for fact in possible_facts(language.looks, language.relations)
]


@settings(max_examples=300)
@given(st.sampled_from(EVERY_FACT))
def test_every_description_of_every_world_is_read_as_it_was_said(fact):
    assert Fact.parse(fact.description) == fact


def test_no_two_facts_of_a_world_are_said_alike():
    for language in LANGUAGES.values():
        facts = possible_facts(language.looks, language.relations)
        assert (
            len({fact.description for fact in facts})
            == len({fact.instruction for fact in facts})
            == len(facts)
        )


def test_a_place_may_say_which_object_one_stands_before():
    fact = Fact.parse("the red ball on the sofa is right in front")
    assert (fact.subject, fact.place) == (BALL_IN_ROOM, "on the sofa")
    assert fact.instruction == "go to the red ball on the sofa"
    assert Fact("in front", BALL_IN_ROOM).description == "the red ball is right in front"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in front", RED, BLUE), "said of one object"),
        (("on", RED), "said of two objects"),
        (("in", RED), "takes a place of: top left corner"),
        (("in", RED, None, "on the sofa"), "takes a place of"),
        (("on", RED, BLUE, "on the sofa"), "takes a place of: none"),
    ],
)
def test_a_relation_takes_what_its_form_says(arguments, message):
    with pytest.raises(LanguageError, match=message):
        Fact(*arguments)


def test_a_language_refuses_what_another_world_says():
    STACKING.check(Fact("on", RED, BLUE))
    with pytest.raises(LanguageError, match="cannot be said in the world 'room'"):
        ROOM.check(Fact("on", RED, BLUE))
    with pytest.raises(LanguageError, match="cannot be said in the world 'room'"):
        ROOM.check(Fact("in front", RED))
