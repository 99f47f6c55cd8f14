"""Held-out combinations: which facts and captions count, and that they can be told from the rest."""

import pytest

from daag.tasks import COLOURS, STACKING, caption_is_held_out, is_held_out, possible_facts
from daag.tasks.held_out import HELD_OUT_NEXT_TO_COLOURS, HELD_OUT_ON_COLOURS, HELD_OUT_ON_KINDS

FACTS = possible_facts(STACKING.looks, STACKING.relations)


@pytest.mark.parametrize(
    ("caption", "held_out"),
    [
        ("the red cube is on the blue cube", True),
        ("the red prism is on the blue cylinder", True),
        ("the blue cube is on the red cube", False),
        ("the white prism is on the white cylinder", True),
        ("the white cylinder is on the white prism", False),
        ("the green cube is next to the red sphere", True),
        ("the red cube is next to the green sphere", True),
        ("the red cube is next to the blue cube", False),
        ("a red cube", False),
        ("a red cube and a blue cube", False),
        ("", False),
    ],
)
def test_captions_of_held_out_combinations_are_known(caption, held_out):
    assert caption_is_held_out(caption) is held_out


def test_every_word_and_relation_occurs_in_facts_that_are_not_held_out():
    # Otherwise a target task would speak of what no model has ever met.
    kept = [fact for fact in FACTS if not is_held_out(fact)]
    for relation in ("on", "next to"):
        uppers = {fact.subject.colour for fact in kept if fact.relation == relation}
        lowers = {fact.target.colour for fact in kept if fact.relation == relation}
        assert uppers == lowers == set(COLOURS)
    assert {look.kind for fact in kept for look in (fact.subject, fact.target)} == set(STACKING.kinds)


def test_the_share_held_out_is_a_minority_of_both_relations():
    for relation in ("on", "next to"):
        facts = [fact for fact in FACTS if fact.relation == relation]
        share = sum(map(is_held_out, facts)) / len(facts)
        assert 0.05 < share < 0.25


def test_every_held_out_combination_names_known_words_and_can_be_asked():
    held_out = [fact for fact in FACTS if is_held_out(fact)]
    on = [fact for fact in held_out if fact.relation == "on"]
    colours = {(fact.subject.colour, fact.target.colour) for fact in on}
    kinds = {(fact.subject.kind, fact.target.kind) for fact in on}
    beside = {
        frozenset({fact.subject.colour, fact.target.colour})
        for fact in held_out
        if fact.relation == "next to"
    }
    assert colours >= HELD_OUT_ON_COLOURS
    assert kinds >= HELD_OUT_ON_KINDS
    assert beside == HELD_OUT_NEXT_TO_COLOURS


def test_held_out_does_not_depend_on_the_order_next_to():
    for fact in FACTS:
        if fact.relation == "next to":
            turned = f"the {fact.target} is next to the {fact.subject}"
            assert caption_is_held_out(turned) is is_held_out(fact)
