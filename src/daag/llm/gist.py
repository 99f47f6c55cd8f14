"""What a sentence says, where the grammar cannot follow its wording: objects, cues between them, and words that say nothing.

Every word must be known to be an object, a cue, or empty. Then the cues are read in every way that the forms of the world
allow, and the gist is what all ways agree on; where there is none, or are two, nothing is guessed.  Source: our choice; it
is keyword spotting as in spoken dialogue systems, with no word left over.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from daag.errors import LanguageError
from daag.llm.empty_words import (
    DANGLING,
    EMPTY,
    MEANINGFUL_ADVERBS,
    QUESTION_WORDS,
    REQUESTS,
)
from daag.llm.reader import MAX_WORDS, Vocabulary, tokenise
from daag.llm.rewording import reword
from daag.tasks import Fact, Look, Relation

SEPARATORS = ",&>"
"""Symbols of what may stand between two clauses: a comma or full stop, "and", "then"."""
MAX_CUES, MAX_SEPARATORS = 40, 10
"""Longer sentences are not read: the ways to cut them grow without bound."""


@dataclass(frozen=True)
class Cue:
    """A phrase that says something."""

    symbol: str
    """One character, by which forms name it; "" is a phrase that says nothing."""
    meaning: str = ""
    """A place, or a part of one."""
    before_object: bool = False
    """Whether it says this only right before an object: "over", "by", "to"."""


@dataclass(frozen=True)
class Form:
    """A way to say a fact."""

    pattern: str
    """A regular expression of symbols; "N" is an object."""
    relation: Relation
    swapped: bool = False
    """Whether the first object named is the second of the fact."""


@dataclass(frozen=True)
class World:
    """How a world's facts are said."""

    cues: Mapping[str, Cue]
    forms: tuple[Form, ...]
    needed: str = ""
    """Symbols of which the first clause must have one: what to do, where an object alone is a form for those that follow."""
    verbs: Mapping[str, Relation] = field(default_factory=dict)
    """Symbols of verbs that fit one relation alone, wherever in a clause they stand."""
    opening: str = ""
    """A regular expression of what says nothing at the beginning of a clause: "there should be", "have"."""
    refers: bool = False
    """Whether "it", the symbol "t", may stand for the object that the clause before was about."""


@dataclass(frozen=True)
class _Item:
    symbol: str
    look: Look | None = None
    meaning: str = ""


_Told = tuple[Fact, Look]
"""What a clause says, and the object that it names first."""


def read_gist(sentence: str, vocabulary: Vocabulary, world: World) -> tuple[Fact, ...]:
    """The facts of a sentence in the order in which they must come true.

    Raises:
        LanguageError: a word is unknown, nothing is said, it can be read in several ways, or a fact cannot be.
    """
    words = reword(tokenise(sentence), vocabulary.colours, vocabulary.kinds)
    if _asks(words, "?" in sentence):
        raise LanguageError("it is a question")
    items = list(_items(words, vocabulary, world))
    symbols = "".join(item.symbol for item in items)
    if len(items) > MAX_CUES or sum(symbols.count(mark) for mark in SEPARATORS) > MAX_SEPARATORS:
        raise LanguageError("it is too long to be read in every way")
    if symbols[-1:] in ("&", ">") or (words[-1:] and words[-1] in DANGLING):
        raise LanguageError("it breaks off")
    readings = set(_ordered(items, world))
    if len(readings) != 1:
        raise LanguageError(f"it can be read in {len(readings) or 'no'} ways")
    return readings.pop()


def _asks(words: Sequence[str], marked: bool) -> bool:
    """Whether a sentence asks rather than requests; a request may look like a question: "could you"."""
    text = " ".join(words)
    if any(text.startswith(request) for request in REQUESTS):
        return False
    first = words[0] if words else ""
    return first in QUESTION_WORDS or (
        marked and first in ("what", "where", "should", "must", "shall", "may")
    )


def _items(words: Sequence[str], vocabulary: Vocabulary, world: World) -> Iterator[_Item]:
    """Objects and cues; what is empty goes.

    Raises:
        LanguageError: a word is none of them.
    """
    position, started = 0, False
    while position < len(words):
        found, length = _object(words[position:], vocabulary)
        if found is not None:
            yield _Item("N", found)
            position, started = position + length, True
            continue
        cue, length = _cue(words[position:], vocabulary, world)
        if cue is None:
            raise LanguageError(f"{words[position]!r} is no word that is known")
        position += length
        if cue.symbol == "1":  # "first" orders clauses, unless it opens the first of them
            if started:
                raise LanguageError("'first' comes late")
        elif cue.symbol:
            yield _Item(cue.symbol, None, cue.meaning)


def _names(words: Sequence[str], vocabulary: Vocabulary) -> bool:
    return words[:1] == ["it"] or _object(words, vocabulary)[0] is not None


def _bare(words: Sequence[str]) -> Sequence[str]:
    """Without articles, as objects are compared."""
    start = 0
    while start < len(words) and words[start] in ("the", "a", "an", "that", "this", "your"):
        start += 1
    return words[start:]


def _object(words: Sequence[str], vocabulary: Vocabulary) -> tuple[Look | None, int]:
    """The object named first, and in how many words."""
    if not words or words[0] not in vocabulary.colours:
        return None, 0
    start = 2 if words[1:2] in (["coloured"], ["colored"]) else 1
    for length in (3, 2, 1):
        kind = vocabulary.kinds.get(" ".join(words[start : start + length]))
        if kind is not None:
            end = start + length
            while any(words[end : end + len(end_of)] == end_of for end_of in _suffixes(vocabulary)):
                end += 1
            return Look(vocabulary.colours[words[0]], kind), end
    return None, 0


def _suffixes(vocabulary: Vocabulary) -> list[list[str]]:
    return [suffix.split() for suffix in vocabulary.suffixes if " " not in suffix]


def _cue(words: Sequence[str], vocabulary: Vocabulary, world: World) -> tuple[Cue | None, int]:
    """The longest phrase that comes first, and in how many words."""
    for length in range(min(MAX_WORDS, len(words)), 0, -1):
        phrase = " ".join(words[:length])
        cue = world.cues.get(phrase)
        if cue is not None and (not cue.before_object or _names(_bare(words[length:]), vocabulary)):
            return cue, length
        if phrase in EMPTY:
            return Cue(""), length
    if words[0].endswith("ly") and words[0] not in MEANINGFUL_ADVERBS:
        return Cue(""), 1  # how, not what
    return None, 0


def _ordered(items: list[_Item], world: World) -> Iterator[tuple[Fact, ...]]:
    """All readings of a sentence that may have one "before", the symbol "^", or "after", "<"."""
    places = [index for index, item in enumerate(items) if item.symbol in "<^"]
    if not places:
        for reading in _sequences(items, world, None):
            yield tuple(fact for fact, _ in reading)
    if len(places) != 1:
        return
    (place,) = places
    after = items[place].symbol == "<"
    if any(item.symbol not in SEPARATORS for item in items[:place]):
        pairs = [(items[:place], items[place + 1 :])]
    else:
        pairs = [
            (items[index + 1 :], items[place + 1 : index])
            for index in range(place + 1, len(items))
            if items[index].symbol in SEPARATORS
        ]
    for main, other in pairs:
        early, late = (other, main) if after else (main, other)
        for first in _sequences(early, world, None):
            for second in _sequences(late, world, first[-1][1]):
                yield tuple(fact for fact, _ in (*first, *second))


def _sequences(items: list[_Item], world: World, last: Look | None) -> Iterator[tuple[_Told, ...]]:
    """All readings of clauses that follow one another."""
    items = _stripped(items)
    if not items:
        return
    for end in range(1, len(items) + 1):
        if end < len(items) and items[end].symbol not in SEPARATORS:
            continue
        for told in _facts(items[:end], world, last):
            if end == len(items):
                yield (told,)
            for rest in _sequences(items[end:], world, told[1]):
                yield (told, *rest)


def _stripped(items: list[_Item]) -> list[_Item]:
    start, end = 0, len(items)
    while start < end and items[start].symbol in SEPARATORS:
        start += 1
    while end > start and items[end - 1].symbol in SEPARATORS:
        end -= 1
    return items[start:end]


def _facts(items: list[_Item], world: World, last: Look | None) -> set[_Told]:
    """What one clause may say."""
    items = _stripped(items)
    ways = [items]
    if world.refers and last is not None:
        ways += [
            [*items[:index], _Item("N", last), *items[index + 1 :]]
            for index, item in enumerate(items)
            if item.symbol == "t"
        ]
    found: set[_Told] = set()
    for way in ways:
        symbols = "".join(item.symbol for item in way)
        if last is None and world.needed and not set(world.needed) & set(symbols):
            continue
        fitting = {relation for verb, relation in world.verbs.items() if verb in symbols}
        symbols = "".join(symbol for symbol in symbols if symbol not in world.verbs)
        found |= {
            _fact(form, way)
            for form in world.forms
            if fitting <= {form.relation} and re.fullmatch(f"{world.opening}({form.pattern})", symbols)
        }
    return found


def _fact(form: Form, items: Sequence[_Item]) -> _Told:
    named = [item.look for item in items if item.look is not None]
    looks = named[::-1] if form.swapped else named
    place = " the ".join(item.meaning for item in items if item.meaning)
    return Fact(form.relation, looks[0], looks[1] if len(looks) > 1 else None, place), named[0]
