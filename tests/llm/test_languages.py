"""What holds for the readers of all languages: facts are read back, and what is not understood is refused by name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import DaagError, LanguageError, UnknownNameError
from daag.llm.phrases import CLOSINGS, LEADS
from daag.llm.reader import tokenise
from daag.llm.sentences import MAX_CHARACTERS, VOCABULARIES, read_fact, read_facts
from daag.tasks import BOARD, GRID, LANGUAGES, RELATIONS, ROOM, Fact, Language

unhurried = settings(deadline=None)  # cores may be shared with other work
languages = st.sampled_from(list(LANGUAGES.values()))
every_language = pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda language: language.name)

WORDS = tokenise(
    "push stack separate go to find after before then and, next left right of above apart together touching "
    "the a is it so with pointer at in middle top corner board red blue cube ball moon mug key on sofa front. "
    "touch point pull from each other you should be that"
)


def draw_fact(data: st.DataObject, language: Language) -> Fact:
    """Any fact of a language; in the room, as often as not with a place."""
    relation = data.draw(st.sampled_from(language.relations))
    form = RELATIONS[relation]
    number = 2 if form.takes_target else 1
    looks = st.lists(st.sampled_from(language.looks), min_size=number, max_size=number, unique=True)
    optional = ("", *form.places) if language == ROOM else ("",)
    place = data.draw(st.sampled_from(form.places if form.needs_place else optional))
    return Fact(relation, *data.draw(looks), place=place)


@unhurried
@given(st.data(), languages)
def test_every_fact_is_read_back_from_its_description_and_its_instruction(data, language):
    fact = draw_fact(data, language)
    assert read_fact(fact.description, language) == fact
    assert read_facts(fact.instruction, language) == (fact,)


@unhurried
@given(st.data(), languages)
def test_wrappings_change_nothing(data, language):
    fact = draw_fact(data, language)
    sentence = data.draw(st.sampled_from([fact.description, fact.instruction]))
    lead = data.draw(st.sampled_from(LEADS))
    end = data.draw(
        st.sampled_from(["", "!", ", please. Thank you!", *(f" {closing}" for closing in CLOSINGS)])
    )
    case = data.draw(st.sampled_from([str.lower, str.upper, str.capitalize]))
    space = data.draw(st.sampled_from([" ", "  ", " please ", ", just, "]))
    assert read_facts(case(f"{lead}{space}{sentence}{end}"), language) == (fact,)


@unhurried
@given(st.data(), languages)
def test_each_synonym_means_its_word(data, language):
    vocabulary = VOCABULARIES[language.name]
    fact = draw_fact(data, language)
    sentence = fact.instruction
    for look in fact.looks:
        colours = [word for word, meaning in vocabulary.colours.items() if meaning == look.colour]
        kinds = [word for word, meaning in vocabulary.kinds.items() if meaning == look.kind]
        suffix = data.draw(st.sampled_from(["", *(f" {word}" for word in vocabulary.suffixes)]))
        name = f"{data.draw(st.sampled_from(colours))} {data.draw(st.sampled_from(kinds))}{suffix}"
        sentence = sentence.replace(str(look), name, 1)
    assert read_facts(sentence, language) == (fact,)


@every_language
def test_words_mean_what_the_language_has(language):
    vocabulary = VOCABULARIES[language.name]
    assert vocabulary.language == language
    assert set(vocabulary.colours.values()) == set(language.colours)
    assert set(vocabulary.kinds.values()) == set(language.kinds)


@every_language
def test_the_examples_of_a_refusal_are_understood(language):
    for example in VOCABULARIES[language.name].examples:
        assert read_facts(example, language)


@every_language
def test_an_unknown_word_is_named_with_a_known_one_and_examples(language):
    look = language.looks[0]
    for misspelt, known in ((f"{look.colour}x", look.colour), (f"{look.kind}q", look.kind)):
        sentence = f"the {misspelt} {look.kind}" if known == look.colour else f"the {look.colour} {misspelt}"
        with pytest.raises(LanguageError, match=f"found '{misspelt}' .did you mean '{known}'") as refusal:
            read_facts(sentence, language)
        for part in (*VOCABULARIES[language.name].examples, "backed by a language model"):
            assert part in str(refusal.value)


@every_language
def test_empty_and_endless_sentences_are_refused_with_an_example(language):
    example = VOCABULARIES[language.name].examples[0]
    for empty in ("", " \n\t"):
        with pytest.raises(LanguageError, match=f"such as '{example}', got none"):
            read_facts(empty, language)
    with pytest.raises(LanguageError, match=f"at most {MAX_CHARACTERS} characters, got 100000") as refusal:
        read_facts("x" * 100_000, language)
    assert example in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (BOARD, "stack the red cube on the blue cube"),
        (BOARD, "go to the red ball"),
        (ROOM, "push the red ball to the blue mug"),
        (ROOM, "go to the red key"),
        (GRID, "go to the red mug"),
        (GRID, "go to the red ball on the sofa"),
        (GRID, "go to the orange ball"),
    ],
)
def test_sentences_of_another_world_are_refused(language, sentence):
    with pytest.raises(LanguageError, match="cannot read"):
        read_facts(sentence, language)


def test_a_language_that_nothing_reads_is_named():
    with pytest.raises(UnknownNameError, match="unknown language 'klingon'"):
        read_facts("go to the red ball", Language("klingon", ("ball",), ("red",), ("in front",)))


@unhurried
@given(languages, st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_any_text_is_read_as_facts_of_the_language_or_refused_by_a_named_error(language, text):
    try:
        facts = read_facts(text, language)
    except DaagError as error:
        assert isinstance(error, LanguageError)
    else:
        assert facts
        for fact in facts:
            language.check(fact)
