"""What is read where one walks about: objects, their places, and the order in which they are to be reached."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import LanguageError
from daag.llm.phrases import SEPARATORS
from daag.llm.room_phrases import FURNITURE, IN_FRONT, RELATIVES, SPOTS, VERBS
from daag.llm.sentences import read_facts
from daag.llm.sequence_reader import AFTER, BEFORE
from daag.tasks import GRID, ROOM, Fact, Look
from daag.tasks.relations import ROOM_PLACES

unhurried = settings(deadline=None)  # cores may be shared with other work
worlds = st.sampled_from([ROOM, GRID])
BALL, MUG = Fact("in front", Look("red", "ball")), Fact("in front", Look("green", "mug"))


def test_every_verb_reaches_an_object():
    assert not [verb for verb in VERBS if read_facts(f"{verb} the red ball", ROOM) != (BALL,)]


@settings(unhurried, max_examples=50)
@given(st.sampled_from(sorted(VERBS)), st.data(), worlds, st.sampled_from(["the ", "a ", ""]))
def test_verbs_reach_every_object(verb, data, world, article):
    look = data.draw(st.sampled_from(world.looks))
    assert read_facts(f"{verb} {article}{look}", world) == (Fact("in front", look),)


@unhurried
@given(worlds, st.sampled_from(sorted(IN_FRONT)), st.sampled_from(["is ", "should be ", "is right ", ""]))
def test_every_wording_of_in_front_is_declared(world, phrase, copula):
    assert read_facts(f"the red ball {copula}{phrase}", world) == (BALL,)


@unhurried
@given(
    st.sampled_from(["", *RELATIVES]),
    st.sampled_from(sorted(SPOTS)),
    st.sampled_from(sorted(FURNITURE)),
    st.sampled_from(["find the red ball {}", "the red ball {} is right in front"]),
)
def test_every_wording_of_a_place_is_read(relative, spot, furniture, sentence):
    place = f"{SPOTS[spot]} the {FURNITURE[furniture]}"
    said = sentence.format(f"{relative} {spot} the {furniture}")
    assert read_facts(said, ROOM) == (Fact("in front", BALL.subject, None, place),)


def test_every_place_of_the_room_has_words():
    said = {f"{spot} the {furniture}" for spot in SPOTS.values() for furniture in FURNITURE.values()}
    assert said == set(ROOM_PLACES)


@unhurried
@given(st.data(), st.sampled_from([" and ", ", ", ". ", " then ", " and then ", ", then ", ". After that, "]))
def test_objects_are_reached_in_the_order_in_which_they_are_named(data, separator):
    looks = data.draw(st.lists(st.sampled_from(ROOM.looks), min_size=2, max_size=4, unique=True))
    places = [data.draw(st.sampled_from(["", *ROOM_PLACES])) for _ in looks]
    facts = tuple(Fact("in front", look, None, place) for look, place in zip(looks, places, strict=True))
    whole = separator.join(fact.instruction for fact in facts)
    assert read_facts(whole, ROOM) == facts
    # The verb, or all of it but "to", need be said once only.
    for short in ("", "to"):
        rest = [fact.instruction.replace("go to", short) for fact in facts[1:]]
        assert read_facts(separator.join([facts[0].instruction, *rest]), ROOM) == facts
    assert read_facts(separator.join(fact.description for fact in facts), ROOM) == facts


@pytest.mark.parametrize("word", [word for word in SEPARATORS if word not in ".,"])
def test_every_separator_separates(word):
    assert read_facts(f"go to the red ball {word} go to the green mug", ROOM) == (BALL, MUG)


@pytest.mark.parametrize("phrase", BEFORE)
def test_before_keeps_the_order(phrase):
    assert read_facts(f"go to the red ball {phrase} the green mug", ROOM) == (BALL, MUG)


@pytest.mark.parametrize("phrase", sorted(AFTER))
def test_after_turns_the_order_round(phrase):
    assert read_facts(f"go to the red ball {phrase} the green mug", ROOM) == (MUG, BALL)


def test_after_that_goes_on_unless_it_is_after_that_object():
    assert read_facts("go to the red ball, after that to the green mug", ROOM) == (BALL, MUG)
    assert read_facts("go to the red ball after that green mug", ROOM) == (MUG, BALL)
    assert read_facts("go to the red ball, and after you find the green mug", ROOM) == (MUG, BALL)


def test_after_speaks_of_all_that_follows_and_precedes():
    lamp, book = Fact("in front", Look("blue", "lamp")), Fact("in front", Look("white", "book"))
    sentence = "find the blue lamp and the white book after you find the red ball, then the green mug"
    assert read_facts(sentence, ROOM) == (BALL, MUG, lamp, book)


def test_an_object_named_twice_in_a_row_is_one_stage_and_one_returned_to_is_two():
    assert read_facts("find the red ball, then the red ball", ROOM) == (BALL,)
    assert read_facts("find the red ball, the green mug and the red ball", ROOM) == (BALL, MUG, BALL)


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("open the drawer", "or 'go to' or 'find' before it .nothing else can be asked for.* found 'open'"),
        ("pick up the red ball", "'go to' or 'find' .* found 'pick'"),
        ("fnd the red ball", "found 'fnd' .did you mean 'find'"),
        ("go to the ball", "a colour .* before the kind, but found 'ball'"),
        ("go to the red bal", "did you mean 'ball'"),
        ("go to the sofa", "found 'sofa'"),
        ("go to the red ball under the table", "the end of the sentence, or 'then' .* found 'under'"),
        ("find the red ball next to the chair", r"a piece of furniture \(table, shelf, .* found 'chair'"),
        ("find the red ball on the sofaa", "did you mean 'sofa'"),
        ("find the red ball that is under the sofa", "'on' or 'next to' with .* found 'under'"),
        ("the red ball", "'is right in front', or 'go to' before the object, but the sentence ends"),
        ("the red ball and the green mug are in front", "'is right in front', .* found 'and'"),
        ("find the red ball, then dance", "found 'dance'"),
        ("find the red ball and", "the sentence ends"),
        ("find the red ball, then the green mug is", "the sentence ends"),
    ],
)
def test_what_cannot_be_read_is_named(sentence, named):
    with pytest.raises(LanguageError, match=named):
        read_facts(sentence, ROOM)


@pytest.mark.parametrize("mission", ["pick up the grey key", "open the red door", "put the red ball next to"])
def test_missions_that_are_not_about_going_to_an_object_are_refused(mission):
    with pytest.raises(
        LanguageError, match=f"'go to' or 'find' .* found '{mission.split()[0]}'.*the green key"
    ):
        read_facts(mission, GRID)


@pytest.mark.parametrize(
    "sentence",
    [
        "on the sofa there is a red ball; go to it",
        "Somewhere there is a red ball sitting on the sofa. Walk over to it.",
        "go to the ball that is red and sits on the sofa",
        "would you mind finding the red ball on the sofa?",
        "find the red ball on the sofa and stop in front of it",
        "to the red ball on the sofa, please",
    ],
)
def test_word_order_is_free(sentence):
    assert read_facts(sentence, ROOM) == (Fact("in front", BALL.subject, None, "on the sofa"),)


def test_what_is_only_there_is_no_task():
    for sentence in ("there is a red ball", "on the sofa there is a red ball", "can you see the red ball?"):
        with pytest.raises(LanguageError, match="'go to it'"):
            read_facts(sentence, ROOM)


def test_before_and_after_may_come_first():
    assert read_facts("before you go to the red ball, go to the green mug", ROOM) == (MUG, BALL)
    assert read_facts("after visiting the red ball go to the green mug", ROOM) == (BALL, MUG)
