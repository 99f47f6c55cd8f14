"""What is read of the board: wordings in the manner of Language Table, and what has no meaning here."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import LanguageError
from daag.llm.board_phrases import (
    MOTION_PHRASES,
    MUTUAL,
    PAIR_LINKS,
    PAIR_VERBS,
    PLACES,
    POINT_VERBS,
    POINTER_PHRASES,
    POINTERS,
    RELATION_PHRASES,
    RESULTS,
    VERBS,
)
from daag.llm.sentences import read_facts
from daag.tasks import BOARD, Fact, Look

unhurried = settings(deadline=None)  # cores may be shared with other work
looks = st.sampled_from(BOARD.looks)
pairs = st.lists(looks, min_size=2, max_size=2, unique=True)
verbs = st.sampled_from(sorted(VERBS))
MOON, CUBE = Look("red", "moon"), Look("blue", "cube")


def read(sentence: str) -> Fact:
    (fact,) = read_facts(sentence, BOARD)
    return fact


@unhurried
@given(pairs, verbs, st.sampled_from(sorted({**RELATION_PHRASES, **MOTION_PHRASES})))
def test_every_verb_goes_with_every_relation(pair, verb, phrase):
    first, second = pair
    relation, swapped = {**RELATION_PHRASES, **MOTION_PHRASES}[phrase]
    expected = Fact(relation, second, first) if swapped else Fact(relation, first, second)
    assert read(f"{verb} the {first} {phrase} the {second}") == expected


@unhurried
@given(
    pairs, st.sampled_from(sorted(RELATION_PHRASES)), st.sampled_from(["is ", "should be ", "must be ", ""])
)
def test_every_relation_can_be_declared(pair, phrase, copula):
    first, second = pair
    relation, swapped = RELATION_PHRASES[phrase]
    expected = Fact(relation, second, first) if swapped else Fact(relation, first, second)
    assert read(f"the {first} {copula}{phrase} the {second}") == expected


@pytest.mark.parametrize("phrase", sorted(MOTION_PHRASES))
def test_how_blocks_lie_is_not_said_by_where_one_is_pushed(phrase):
    with pytest.raises(LanguageError, match=f"expected how or where .* found '{phrase.split()[0]}'"):
        read(f"the red moon is {phrase} the blue cube")


@unhurried
@given(looks, st.sampled_from(sorted(PLACES)), verbs, st.sampled_from(["to the", "into the", "in the"]))
def test_every_wording_of_a_place_is_read(look, wording, verb, preposition):
    expected = Fact("in", look, None, PLACES[wording])
    assert read(f"{verb} the {look} {preposition} {wording}") == expected
    assert read(f"the {look} should be in the {wording}") == expected


@pytest.mark.parametrize("result", RESULTS)
def test_a_movement_may_end_in_how_blocks_lie(result):
    assert read(f"move the red moon {result} touches the blue cube") == Fact("touching", MOON, CUBE)
    assert read(f"push the red moon {result} is left of the blue cube") == Fact("left of", MOON, CUBE)


@pytest.mark.parametrize("phrase", sorted(MUTUAL))
def test_two_blocks_can_be_something_to_each_other(phrase):
    expected = Fact(MUTUAL[phrase], CUBE, MOON)
    assert read(f"move the red moon and the blue cube {phrase}") == expected
    assert read(f"the red moon and the blue cube are {phrase}") == expected


@pytest.mark.parametrize(
    ("verb", "link"), [(verb, link) for verb in PAIR_VERBS for link in PAIR_LINKS[PAIR_VERBS[verb]]]
)
def test_verbs_of_two_blocks_take_both(verb, link):
    assert read(f"{verb} the red moon {link} the blue cube") == Fact(PAIR_VERBS[verb], MOON, CUBE)


@unhurried
@given(
    looks, st.sampled_from(sorted(POINT_VERBS)), st.sampled_from(["", " with the pointer", " with your arm"])
)
def test_every_verb_of_pointing_is_read(look, verb, ending):
    assert read(f"{verb} the {look}{ending}") == Fact("pointed at", look)


@unhurried
@given(looks, st.sampled_from(sorted(POINTERS)), st.sampled_from(sorted(POINTER_PHRASES)))
def test_the_pointer_is_moved_or_is_somewhere(look, pointer, phrase):
    for opening in ("move ", "point ", "bring "):
        assert read(f"{opening}{pointer} {phrase} the {look}") == Fact("pointed at", look)
    assert read(f"{pointer} is {phrase} the {look}") == Fact("pointed at", look)


def test_blocks_are_touched_with_a_block_or_with_the_pointer():
    assert read("touch the red moon with the blue cube") == Fact("touching", CUBE, MOON)
    assert read("touch the red moon with the arm") == Fact("pointed at", MOON)
    assert read("the red moon is pointed at") == Fact("pointed at", MOON)
    with pytest.raises(LanguageError, match="expected the pointer, but found 'the'"):
        read("point at the red moon with the blue cube")


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("open the drawer", "or a verb such as 'push', .* found 'open'"),
        ("pussh the red moon to the blue cube", "found 'pussh' .did you mean 'push'"),
        ("push the red block to the blue cube", r"a kind of object \(moon, star, .* found 'block'"),
        ("push the red moon to the blue bloc", "found 'bloc'"),
        ("push the red moon to the centr", "or a corner or the middle .* 'centr' .did you mean 'cent"),
        ("push the red moon to the top", "found 'top'"),
        ("push the red moon to the left side of the board", "found 'board'"),
        ("push the red moon to the center left", "the end of the sentence.* found 'left'"),
        ("push the red moon to the top left of the blue cube", "the end of the sentence.* found 'of'"),
        ("push the red moon on the blue cube", "expected how or where .* found 'on'"),
        ("push the red moon tochuing the blue cube", "did you mean 'touching'"),
        ("push the red moon", "expected how or where the block should lie.* the sentence ends"),
        ("separate the red moon", "'from' or 'and' with another block, but the sentence ends"),
        ("separate the red moon with the blue cube", "'from' or 'and' .* found 'with'"),
        ("separate the red moon from the blue cube and the green star", "the sentence ends"),
        ("push the red moon and the blue cube", "'together' or 'apart'"),
        ("push the red moon to the blue cube, then dance", "found 'dance'"),
        ("point the red moon to the blue cube", "expected 'at' after 'point', but found 'the'"),
        ("move the arm away from the red moon", "'at' or 'to' with a block, but found 'away'"),
        ("the red moon is not touching the blue cube", "found 'not'"),
        ("push the red moon to the red crescent", "two different objects, got red moon twice"),
    ],
)
def test_what_cannot_be_read_is_named(sentence, named):
    with pytest.raises(LanguageError, match=named):
        read(sentence)


@pytest.mark.parametrize(
    ("sentence", "descriptions"),
    [
        (
            "push the red moon to the blue cube, then point at the green star",
            ["the blue cube is touching the red moon", "the pointer is at the green star"],
        ),
        (
            "point at the red star after pushing it into the bottom right corner",
            ["the red star is in the bottom right corner", "the pointer is at the red star"],
        ),
        (
            "Once the yellow star has been separated from the blue moon, push it to the middle",
            ["the blue moon is apart from the yellow star", "the yellow star is in the middle"],
        ),
        (
            "push the green cube to the left of the red cube and the yellow cube above the blue cube",
            ["the green cube is to the left of the red cube", "the yellow cube is above the blue cube"],
        ),
        ("into the top right corner push the yellow moon", ["the yellow moon is in the top right corner"]),
        ("under the green star, please park the yellow cube", ["the green star is above the yellow cube"]),
        (
            "on the left of the red cube is where the blue cube belongs",
            ["the blue cube is to the left of the red cube"],
        ),
    ],
)
def test_stages_and_free_word_order_are_read(sentence, descriptions):
    assert [fact.description for fact in read_facts(sentence, BOARD)] == descriptions
