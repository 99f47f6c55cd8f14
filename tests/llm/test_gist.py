"""What a sentence says whose wording the grammar cannot follow: read where it is sure, and refused in all other cases."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import LanguageError
from daag.llm.empty_words import EMPTY
from daag.llm.gist import read_gist
from daag.llm.gist_worlds import WORLDS
from daag.llm.sentences import VOCABULARIES, read_facts
from daag.tasks import BOARD, ROOM, STACKING, Fact, Language, possible_facts

LANGUAGES = (STACKING, BOARD, ROOM)
FACTS = [
    (language, fact)
    for language in LANGUAGES
    for fact in possible_facts(language.looks[::3], language.relations)
]

READ = {
    STACKING: {
        "if you don't mind, the red cube is supposed to end up perched neatly on the blue cube": "the red cube is on the blue cube",
        "the blue cube, with the red cube on top of it": "the red cube is on the blue cube",
        "see the blue cube? toss the red cube onto it": "the red cube is on the blue cube",
        "the blue cube is what the red cube should rest on": "the red cube is on the blue cube",
        "I was hoping for the red cube to be supported by the blue cube": "the red cube is on the blue cube",
        "fetch the red cube, then chuck it over to the side of the blue cube": "the blue cube is next to the red cube",
        "have the red cube covered by the blue cube": "the blue cube is on the red cube",
        "it would be great to see the red cube nestled right beside the blue cube": "the blue cube is next to the red cube",
        "the red cube on the blue cube, but first the white cube on the red cube": "the red cube is on the blue cube; the white cube is on the red cube",
        "as soon as the red cube is next to the blue cube, whisk the white cube onto the black cube": "the blue cube is next to the red cube; the white cube is on the black cube",
    },
    BOARD: {
        "flick the red moon all the way into the top left corner": "the red moon is in the top left corner",
        "see that the red moon sits snugly against the blue cube": "the blue cube is touching the red moon",
        "to the right of the blue cube is where the red moon should be": "the blue cube is to the left of the red moon",
        "take the blue cube and kindly usher it beneath the red moon, then on to the middle": "",
        "usher the blue cube beneath the red moon, subsequently into the middle it goes": "the red moon is above the blue cube; the blue cube is in the middle",
        "aim the gripper at the red moon": "the pointer is at the red moon",
        "the red moon and the blue cube ought to be kept apart": "the blue cube is apart from the red moon",
    },
    ROOM: {
        "would you be so kind as to amble over to the red ball": "the red ball is right in front",
        "seek the red ball, it's on the sofa": "the red ball on the sofa is right in front",
        "the red ball on the couch is what I'd like you to approach": "",
        "on the bed there should be a red ball, find it": "the red ball on the bed is right in front",
        "prior to visiting the red ball, head for the blue lamp": "the blue lamp is right in front; the red ball is right in front",
        "strut to the red ball and later on to the blue lamp": "the red ball is right in front; the blue lamp is right in front",
    },
}  # fmt: skip

REFUSED = {
    STACKING: """put the red cube between the blue cube and the green cube
grab the red cube on the blue cube
take the red cube off the blue cube
take the red cube that is on the blue cube
lift the red cube from the blue cube
put the red cube or the green cube on the blue cube
never put the red cube on the blue cube
put the red cube on the blue cube, not the green one
was the red cube on the blue cube?
should the red cube be on the blue cube?
will the red cube be on the blue cube?
can the red cube stand on the blue cube?
what is on the blue cube
swap the red cube with the blue cube
make the red cube look like the blue cube
put the red cube on the blue cube next to the green cube
put the red cube and the green cube on the blue cube
put the red cube next to the blue cube and on the green cube
put the red cube on top
put the red cube on the blue cube without touching the green cube
stop putting the red cube on the blue cube
put everything but the red cube on the blue cube
put the red cube on the blue cube if the green cube is on the white cube
the red cube should be far from the blue cube
put the red cube to the left of the blue cube
remove the red cube with the blue cube on it
tell me when the red cube is on the blue cube
put the red cube on the cube next to the blue cube
wait until the red cube is on the blue cube
i don't want the red cube on the blue cube
the red cube used to be on the blue cube
take the red cube, then the blue cube, and put it on the green cube
put the red cube on the blue cube, then it on the green cube
the red cube supports nothing, the blue cube is on it
cover the red cube
put the red cube where the blue cube is
keep the red cube away from the blue cube
put the red cube close to, but not on, the blue cube
instead of the red cube put the green cube on the blue cube
only put the red cube on the blue cube
nearly put the red cube on the blue cube""",
    BOARD: """push the red moon past the blue cube
push the red moon up and left of the blue cube
push the red moon to the left
push the red moon near the top left corner
point the red moon at the blue cube
point at the red moon with the blue cube
move the pointer away from the red moon
push the red moon away from the middle
push the red moon to the middle or the top left corner
push the red moon from the top left corner into the bottom right corner
push the red moon towards the blue cube until it touches the green star
the red moon is not touching the blue cube
push the red moon and the blue cube to the green star
push the red moon and the blue cube into the middle
push the red moon halfway to the blue cube
avoid touching the red moon
separate the red moon
push the red moon around the blue cube
move the red moon closer to the blue cube than the green star""",
    ROOM: """go past the red ball
go from the red ball to the blue ball
leave the red ball and go to the blue ball
go to the red ball and pick it up
get the red mug
find the red ball and get it
find the red ball and bring it to me
roll the red ball to the blue box
roll the red ball
go away from the red ball
go to the red ball unless it is on the sofa
go to the red ball on the sofa or the table
go to the red ball next to the blue ball
where is the red ball?
look at the red ball
stand between the red ball and the blue ball
you are at the red ball. go to the blue ball
put the red ball in front of the sofa
push the red ball so that it is in front of you
move the red ball in front of the blue ball
take the red ball to the blue box""",
}


def gist(sentence: str, language: Language) -> str:
    facts = read_gist(sentence, VOCABULARIES[language.name], WORLDS[language.name])
    return "; ".join(fact.description for fact in facts)


@pytest.mark.parametrize(
    ("language", "sentence", "expected"),
    [
        (language, *case)
        for language, cases in READ.items()
        for case in cases.items()
    ],
    ids=lambda each: each.name if isinstance(each, Language) else None,
)  # fmt: skip
def test_the_gist_of_free_wording_is_read_or_nothing(language, sentence, expected):
    """Where nothing is expected, the sentence says something, and is as much as this cannot read."""
    if expected:
        assert "; ".join(fact.description for fact in read_facts(sentence, language)) == expected
    else:
        with pytest.raises(LanguageError):
            gist(sentence, language)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [(language, line) for language, lines in REFUSED.items() for line in lines.splitlines()],
    ids=lambda each: each.name if isinstance(each, Language) else None,
)
def test_what_says_something_else_is_refused_by_the_gist_and_by_the_planner(language, sentence):
    with pytest.raises(LanguageError):
        gist(sentence, language)


@given(st.sampled_from(FACTS))
def test_what_the_planner_writes_is_read_alike(case):
    language, fact = case
    for sentence in (fact.description, fact.instruction):
        assert gist(sentence, language) == fact.description


@settings(max_examples=200)
@given(
    st.sampled_from(FACTS),
    st.sampled_from(["not", "never", "or", "unless", "without", "banana", "except", "red", "instead", "from", "x"]),
    st.integers(0, 12),
)  # fmt: skip
def test_a_word_that_is_not_known_anywhere_makes_it_a_refusal(case, word, place):
    language, fact = case
    words = fact.instruction.split()
    words.insert(min(place, len(words)), word)
    if (language, word) == (BOARD, "from") or words.count("red") > 1:
        return  # "from" is a cue there, and "red red cube" is one look
    try:
        found = gist(" ".join(words), language)
    except LanguageError:
        return
    assert word == "red" and found != fact.description  # another object has become red


@given(st.sampled_from(FACTS), st.sampled_from(sorted(word for word in EMPTY if " " not in word)))
def test_a_word_that_says_nothing_changes_nothing(case, word):
    language, fact = case
    try:
        found = gist(f"{fact.description} {word}", language)
    except LanguageError:
        return  # it says something in that world
    assert found == fact.description


def test_every_pair_of_roles_is_kept_apart():
    red, blue = "the red cube", "the blue cube"
    told = {gist(f"{first} {verb} {second}", STACKING) for first, verb, second in (
        (red, "goes onto", blue), (blue, "is underneath", red), (red, "is supported by", blue), (blue, "supports", red),
        (red, "should top", blue), (blue, "is topped by", red))}  # fmt: skip
    assert told == {"the red cube is on the blue cube"}
    assert gist(f"{blue} goes onto {red}", STACKING) == "the blue cube is on the red cube"


def test_a_sentence_with_two_readings_is_refused():
    vocabulary, world = VOCABULARIES["language-table"], WORLDS["language-table"]
    assert len(read_gist("push the red moon to the blue cube", vocabulary, world)) == 1
    with pytest.raises(LanguageError, match="no ways"):
        read_gist("the red moon the blue cube", vocabulary, world)


def test_long_sentences_are_not_read_in_every_way():
    with pytest.raises(LanguageError, match="too long"):
        gist(", ".join(["the red cube is on the blue cube"] * 20), STACKING)


def test_facts_that_cannot_be_are_refused_by_name():
    with pytest.raises(LanguageError, match="two different objects"):
        gist("the red cube should be supported by the red cube", STACKING)
    assert Fact.parse("the red cube is on the blue sphere").feasible is False
