"""Facts, as sentences and as what can hold in a scene."""

from itertools import permutations

import pytest

from daag.errors import LanguageError
from daag.tasks import CARRYING_KINDS, STACKING, Fact, Look, all_looks, possible_facts

RED, BLUE = Look("red", "cube"), Look("blue", "cube")
BALL = Look("green", "sphere")


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
