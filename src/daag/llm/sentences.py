"""Read the English of a world: a sentence in, facts out, in the order in which they must come true.

The grammar of the world reads it; of a sentence that it cannot follow, the gist is taken where it is sure. What cannot be
read is refused and named; nothing is guessed.  Source: our choice.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

from daag.errors import LanguageError, UnknownNameError
from daag.llm.board_phrases import BOARD_VOCABULARY
from daag.llm.board_reader import BoardReader
from daag.llm.gist import read_gist
from daag.llm.gist_worlds import WORLDS
from daag.llm.reader import Reader, Vocabulary
from daag.llm.room_phrases import GRID_VOCABULARY, ROOM_VOCABULARY
from daag.llm.room_reader import RoomReader
from daag.llm.stacking_phrases import STACKING_VOCABULARY
from daag.llm.stacking_reader import StackingReader, in_building_order
from daag.tasks import LANGUAGES, STACKING, Fact, Language

MAX_CHARACTERS = 1000
"""Longer sentences are refused unread."""

VOCABULARIES: dict[str, Vocabulary] = {
    vocabulary.language.name: vocabulary
    for vocabulary in (STACKING_VOCABULARY, BOARD_VOCABULARY, ROOM_VOCABULARY, GRID_VOCABULARY)
}
"""By the language's name."""

_READERS: dict[str, Callable[[str, Vocabulary], Reader]] = {
    "rgb-stacking": StackingReader,
    "language-table": BoardReader,
    "room": lambda sentence, vocabulary: RoomReader(sentence, vocabulary, has_places=True),
    "grid": lambda sentence, vocabulary: RoomReader(sentence, vocabulary, has_places=False),
}


def read_facts(sentence: str, language: Language = STACKING) -> tuple[Fact, ...]:
    """Read an instruction or a description: its facts, in the order in which they must come true.

    Stacking: pairs, what carries before what it carries. The board: facts in the order said. Rooms and grids: one fact for
    each object to be reached.

    Raises:
        LanguageError: the sentence is empty, too long or outside the language, relates an object to itself, or
            speaks of pairs that cannot hold together.
        UnknownNameError: nothing reads that language.
    """
    if language.name not in VOCABULARIES:
        raise UnknownNameError("language", language.name, VOCABULARIES)
    vocabulary = VOCABULARIES[language.name]
    example = vocabulary.examples[0]
    if len(sentence) > MAX_CHARACTERS:
        raise LanguageError(
            f"expected at most {MAX_CHARACTERS} characters, got {len(sentence)}; "
            f"say what is wanted in one sentence, such as {example!r}"
        )
    if not sentence.strip():
        raise LanguageError(f"expected a sentence such as {example!r}, got none")
    try:
        return _READERS[language.name](sentence, vocabulary).stages()
    except LanguageError:
        gist = _gist(sentence, vocabulary)
        if not gist:
            raise
        return gist


def worlds_of(sentence: str) -> tuple[str, ...]:
    """The names of the languages in which a sentence says something, in a fixed order."""
    found = []
    for name, language in LANGUAGES.items():
        with suppress(LanguageError):
            read_facts(sentence, language)
            found.append(name)
    return tuple(found)


def _gist(sentence: str, vocabulary: Vocabulary) -> tuple[Fact, ...]:
    """What a sentence says whose wording the grammar cannot follow; nothing where that is not sure."""
    world = WORLDS.get(vocabulary.language.name)
    if world is None:
        return ()
    try:
        facts = read_gist(sentence, vocabulary, world)
    except LanguageError:
        return ()
    if vocabulary.language == STACKING:
        return in_building_order(facts, sentence)
    return (facts[0], *(fact for earlier, fact in pairwise(facts) if fact != earlier))


def read_fact(description: str, language: Language = STACKING) -> Fact:
    """Read a sentence about one thing: a pair of objects, or one object.

    Raises:
        LanguageError: as `read_facts`, or the sentence describes several things in a row, such as a tower.
        UnknownNameError: nothing reads that language.
    """
    facts = read_facts(description, language)
    if len(facts) > 1:
        what = "two objects, got a tower" if language == STACKING else "one stage, got several"
        raise LanguageError(f"expected a description of {what}: {description!r}")
    return facts[0]
