"""Word swaps: near the description, different from it, and feasible."""

import pytest

from daag.errors import LanguageError
from daag.tasks import STACKING, Fact, Look, possible_facts, word_swaps

FACTS = possible_facts(STACKING.looks, STACKING.relations)
SAMPLE = FACTS[:: len(FACTS) // 60]

Slots = tuple[str, str, str, str, str]


def slots(relation: str, subject: Look, target: Look) -> Slots:
    return (relation, subject.colour, subject.kind, target.colour, target.kind)


def readings(fact: Fact) -> list[Slots]:
    """The words of a fact in order; "next to" can be read from either side."""
    read = [slots(fact.relation, fact.subject, fact.target)]
    return read if fact.relation == "on" else [*read, slots(fact.relation, fact.target, fact.subject)]


@pytest.mark.parametrize("fact", SAMPLE, ids=lambda fact: fact.description)
def test_a_swap_changes_one_slot_or_exchanges_the_objects(fact):
    exchanged = slots(fact.relation, fact.target, fact.subject)
    for description in word_swaps(fact.description):
        swap = Fact.parse(description)
        changed = min(
            sum(mine != theirs for mine, theirs in zip(first, second, strict=True))
            for first in readings(fact)
            for second in readings(swap)
        )
        # A "next to" fact becomes two "on" facts, either way up; both are one slot away from one of its readings.
        assert changed == 1 or exchanged in readings(swap)


@pytest.mark.parametrize("fact", SAMPLE, ids=lambda fact: fact.description)
def test_swaps_are_feasible_different_sorted_and_written_as_facts_are(fact):
    swaps = word_swaps(fact.description)
    assert fact.description not in swaps
    assert list(swaps) == sorted(set(swaps))
    assert all(Fact.parse(swap).description == swap and Fact.parse(swap).feasible for swap in swaps)


@pytest.mark.parametrize("fact", SAMPLE, ids=lambda fact: fact.description)
def test_what_is_one_swap_away_is_one_swap_away_back(fact):
    assert all(fact.description in word_swaps(swap) for swap in word_swaps(fact.description))


def test_the_swaps_of_a_stacked_pair_are_these():
    swaps = set(word_swaps("the red cube is on the blue cube"))
    # 7 other colours and 2 other carrying kinds for each object (red cube on red cube is no fact), the other
    # relation, the exchange; "on" is never asked of a sphere.
    assert len(swaps) == 2 * (7 - 1) + 2 * 2 + 1 + 1
    assert {
        "the blue cube is next to the red cube",
        "the blue cube is on the red cube",
        "the green cube is on the blue cube",
        "the red cube is on the blue prism",
    } <= swaps


def test_another_kind_of_sentence_has_no_swaps_but_an_error():
    with pytest.raises(LanguageError, match="expected a description"):
        word_swaps("stack the red cube on the blue cube")
