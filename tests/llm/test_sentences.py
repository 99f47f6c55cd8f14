"""What is read in the stacking world, and how what cannot be read is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import DaagError, LanguageError
from daag.llm.reader import tokenise
from daag.llm.sentences import read_fact, read_facts
from daag.llm.stacking_phrases import KIND_WORDS, MUTUAL, RELATION_PHRASES, STACKING_VOCABULARY, VERBS
from daag.tasks import STACKING, Fact, Look, all_looks

unhurried = settings(deadline=None)  # cores may be shared with other work
COLOUR_WORDS = STACKING_VOCABULARY.colours
looks = st.sampled_from(all_looks(STACKING.kinds))
pairs = st.lists(looks, min_size=2, max_size=2, unique=True)
RED, BLUE, GREEN = (Look(colour, "cube") for colour in ("red", "blue", "green"))
TOWER = (Fact("on", RED, BLUE), Fact("on", GREEN, RED))


def words_for(look: Look, draw) -> str:
    """A look in some wording of the language."""
    colour = draw(st.sampled_from([word for word, meaning in COLOUR_WORDS.items() if meaning == look.colour]))
    kind = draw(st.sampled_from([word for word, meaning in KIND_WORDS.items() if meaning == look.kind]))
    return f"{draw(st.sampled_from(['', 'the ', 'a ', 'that ']))}{colour} {kind}"


@unhurried
@given(st.data())
def test_every_wording_of_words_verbs_and_relations_is_read(data):
    first, second = data.draw(pairs)
    phrase = data.draw(st.sampled_from(sorted(RELATION_PHRASES)))
    relation, first_is_lower = RELATION_PHRASES[phrase]
    verbs = [f"{verb} " for verb in VERBS if VERBS[verb] != "stack" or relation == "on"]
    opening = data.draw(
        st.sampled_from(["", "please ", "could you ", *verbs, *(f"I'd like you to {v}" for v in verbs)])
    )
    sentence = f"{opening}{words_for(first, data.draw)} {phrase} {words_for(second, data.draw)}"
    case = data.draw(st.sampled_from([str.lower, str.upper, str.capitalize]))
    end = data.draw(st.sampled_from(["", ".", "!", ", please.", " for me, thank you!"]))
    upper, lower = (second, first) if first_is_lower else (first, second)
    assert read_facts(case(sentence) + end) == (Fact(relation, upper, lower),)


PAIRS = {
    "stack the red cube on the blue cube and the green cube on the white cube": (
        "on red blue",
        "on green white",
    ),
    "put the red cube on the blue cube, then the green cube next to the red cube": (
        "on red blue",
        "next green red",
    ),
    "put the green cube next to the white cube after you stack the red cube on the blue cube": (
        "on red blue",
        "next green white",
    ),
    "before you put the green cube next to the white cube, stack the red cube on the blue cube": (
        "on red blue",
        "next green white",
    ),
    "Start by stacking the red cube on the blue cube; once that's done, put the white cube on the red cube": (
        "on red blue",
        "on white red",
    ),
    "stack the black cube on the white cube and the white cube on the red cube, and the red cube on the blue cube": (
        "on red blue",
        "on white red",
        "on black white",
    ),
    "make a stack of three: from the bottom up blue cube, red cube, white cube": (
        "on red blue",
        "on white red",
    ),
}


@pytest.mark.parametrize(("sentence", "pairs"), PAIRS.items())
def test_several_pairs_come_in_the_order_said_and_what_carries_comes_first(sentence, pairs):
    facts = []
    for pair in pairs:
        relation, first, second = pair.split()
        facts.append(Fact("on" if relation == "on" else "next to", Look(first, "cube"), Look(second, "cube")))
    assert read_facts(sentence) == tuple(facts)


@pytest.mark.parametrize(
    "sentence",
    [
        "the cube that is red should be on the cube that is blue",
        "On the blue cube, put the red cube.",
        "under the red cube there should be the blue cube",
        "cover the blue cube with the red cube",
        "use the blue cube as a base for the red cube",
        "the blue cube supports the red cube",
        "the blue cube has the red cube on top of it",
        "onto the blue cube goes the red cube",
        "move the red cube so that it is on the blue cube",
        "the red cube needs to be lifted onto the blue cube",
        "would you mind putting the red cube down on the blue cube?",
    ],
)
def test_word_order_is_free(sentence):
    assert read_facts(sentence) == (Fact("on", RED, BLUE),)


def test_a_kind_in_the_plural_is_that_of_both():
    assert read_facts("put the red and the blue cubes next to each other") == (Fact("next to", BLUE, RED),)
    assert read_facts("the red and blue cubes are side by side") == (Fact("next to", BLUE, RED),)


@pytest.mark.parametrize("phrase", sorted(MUTUAL))
def test_two_objects_can_be_next_to_each_other(phrase):
    for sentence in (
        f"put the red cube and the blue cube {phrase}",
        f"the blue cube and the red cube are {phrase}",
    ):
        assert read_facts(sentence) == (Fact("next to", BLUE, RED),)


@pytest.mark.parametrize(
    "sentence",
    [
        "stack the red cube on the blue cube and the green cube on the red cube",
        "stack the green cube on the red cube, and the red cube on the blue cube",
        "First put the red cube on the blue cube; then put the green cube on top of the red cube.",
        "the red cube should be on the blue cube and the green cube should be on the red cube",
        "put the green cube on the red cube on the blue cube",
        "build a tower of green cube, red cube and blue cube from top to bottom",
        "Build a tower: from bottom to top, blue cube, red cube, green cube.",
        "make a stack of three objects with the blue cube, the red cube, and the green cube, from bottom to top",
        "create a tower with the blue cube at the bottom, the green cube on top and the red cube in the middle",
        "stack the green cube, the red cube and the blue cube from top to bottom",
        "build a tower of the green cube on the red cube on the blue cube",
        "there should be a tower of blue cube then red cube then green cube bottom to top",
        "build a tower of red cube and blue cube from top to bottom, then put the green cube on the red cube",
        "stack the red cube on the blue cube and the red cube on the blue cube and the green cube on the red cube",
    ],
)
def test_a_tower_is_read_bottom_pair_first(sentence):
    assert read_facts(sentence) == TOWER


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("open the drawer", "at the beginning expected .* found 'open'"),
        ("stack the pink cube on the blue cube", "after 'stack the' expected .*colour.* found 'pink'"),
        ("stack the rde cube on the blue cube", "did you mean 'red'"),
        ("stack the red cubee on the blue cube", "did you mean 'cube'"),
        ("stack the cube on the blue cube", "before the kind, but found 'cube'"),
        ("stack the red on the blue cube", r"expected a kind of object \(cube, .*found 'on'"),
        ("put the red cube behind the blue cube", "expected 'on' or 'next to', but found 'behind'"),
        ("stack the red cube beside the blue cube", "expected 'on' after 'stack'.*found 'beside'"),
        ("the red cube is not on the blue cube", "after 'the red cube is' .*found 'not'"),
        ("stack the red cube on the blue cube and", "the sentence ends"),
        ("stack the red cube on the blue cube and dance", "found 'dance'"),
        (
            "stack the red cube on the blue cube the green cube",
            "expected the end of the sentence.*found 'the'",
        ),
        ("pick up the red cube", "'and put it on'"),
        ("put the red cube and the blue cube on the table", "'next to each other'"),
        ("build a tower of red cube and blue cube", "'from top to bottom' or 'from bottom to top'"),
        ("stack the red cube on the blue cube 🎲", "found '🎲'"),
        ("please", "the sentence ends"),
    ],
)
def test_what_cannot_be_read_is_named_with_examples_and_the_alternative(sentence, named):
    with pytest.raises(LanguageError, match=named) as refusal:
        read_facts(sentence)
    for part in ("'stack the red cube on the blue cube'", "should be next to", "backed by a language model"):
        assert part in str(refusal.value)


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("stack the red cube on the red block", "two different objects, got red cube twice"),
        ("stack the red cube on itself", "two different objects, got red cube twice"),
        ("stack the red cube on the blue cube and the green cube on the blue cube", "under two objects"),
        ("stack the red cube on the blue cube and the red cube on the green cube", "on two objects at once"),
        ("stack the red cube on the blue cube and the blue cube on the red cube", "cannot hold together"),
        ("build a tower of a red cube from top to bottom", "two to four objects, got 1"),
        (
            "build a tower of red cube, blue cube, green cube, white cube, red can from top to bottom",
            "two to four objects, got 5",
        ),
        (
            "build a tower with the red cube on top and the blue cube on top",
            "one object each for top, bottom",
        ),
        ("build a tower with the red cube on top and the blue cube", "one object each for top, bottom"),
        ("", "got none"),
        (" \n\t", "got none"),
    ],
)
def test_what_makes_no_sense_is_named(sentence, named):
    with pytest.raises(LanguageError, match=named):
        read_facts(sentence)


def test_an_endless_sentence_is_refused_without_being_repeated():
    with pytest.raises(LanguageError, match="at most 1000 characters, got 100000") as refusal:
        read_facts("stack " + "x" * 99_994)
    assert len(str(refusal.value)) < 300


def test_a_description_of_two_objects_is_no_tower():
    assert read_fact("the red cube is on the blue cube") == TOWER[0]
    with pytest.raises(LanguageError, match="got a tower"):
        read_fact("the green cube is on the red cube on the blue cube")


def test_tokens_are_words_commas_and_stops_without_courtesies():
    assert tokenise('Please, put the "red-coloured_cube", please, on;  that!') == [
        *("put", "the", "red", "coloured", "cube", "on", "."),
        "that",
    ]
    assert tokenise("Thank you!") == tokenise("?!...") == []


@unhurried
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "stack",
                "build",
                "a",
                "tower",
                "of",
                "the",
                "red",
                "blue",
                "cube",
                "ball",
                "on",
                "top",
                "next",
                "to",
                "and",
                ",",
                ".",
                "then",
                "from",
                "bottom",
                "is",
                "pick",
                "up",
                "it",
                "itself",
                "each",
                "other",
                "please",
                "thank",
                "you",
            ]
        ),
        max_size=14,
    ).map(" ".join)
)
def test_any_text_is_read_or_refused_by_a_named_error(text):
    try:
        assert 1 <= len(read_facts(text)) <= 2
    except DaagError as error:
        assert isinstance(error, LanguageError)
