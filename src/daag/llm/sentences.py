"""Read the English of the stacking world: a sentence in, facts out, in the order in which they must come true.

A tokeniser and a recursive-descent reader over tables of phrases. What it cannot read it refuses and names;
it never guesses.  Source: our choice.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import TypeVar

from daag.errors import LanguageError
from daag.llm.phrases import (
    ADVERBS,
    ARTICLES,
    BUILD_VERBS,
    CLOSINGS,
    COLOUR_WORDS,
    COPULAS,
    COURTESIES,
    DIRECTIONS,
    KIND_WORDS,
    LEADS,
    MADE_OF,
    MUTUAL,
    PICK_VERBS,
    PLACES,
    RELATION_PHRASES,
    SEPARATORS,
    TOWER_NOUNS,
    VERBS,
)
from daag.tasks import COLOURS, STACKING, Fact, Look

MAX_CHARACTERS = 1000
"""Longer sentences are refused unread."""

EXAMPLES = (
    "stack the red cube on the blue cube",
    "the red cube should be next to the green sphere",
)

Meaning = TypeVar("Meaning")


def read_facts(sentence: str) -> tuple[Fact, ...]:
    """Read an instruction or a description: one fact, or the two of a tower of three, the lower one first.

    Raises:
        LanguageError: the sentence is empty, too long or outside the language, relates an object to itself, or
            speaks of two pairs that do not make one tower.
    """
    if len(sentence) > MAX_CHARACTERS:
        raise LanguageError(
            f"expected at most {MAX_CHARACTERS} characters, got {len(sentence)}; "
            f"say what is wanted in one sentence, such as {EXAMPLES[0]!r}"
        )
    if not sentence.strip():
        raise LanguageError(f"expected a sentence such as {EXAMPLES[0]!r}, got none")
    return _stages(_Reader(sentence).sentence(), sentence)


def read_fact(description: str) -> Fact:
    """Read a sentence about one pair of objects.

    Raises:
        LanguageError: as `read_facts`, or the sentence describes a tower of three.
    """
    facts = read_facts(description)
    if len(facts) > 1:
        raise LanguageError(f"expected a description of two objects, got a tower: {description!r}")
    return facts[0]


def tokenise(sentence: str) -> list[str]:
    """Words in lower case, and the commas and full stops between them. Politeness and other marks go."""
    text = sentence.casefold().replace("’", "'").replace("_", " ")
    tokens: list[str] = []
    for word in re.findall(r"\w+(?:'\w+)?|[^\w\s]", text):
        token = "." if word in "!?;" else word
        if token in COURTESIES:
            # "stack it, please, on ...": the commas belong to the courtesy and go with it.
            if tokens[-1:] == [","]:
                tokens.pop()
            tokens.append("")
        elif token in ".," and (not tokens or tokens[-1] in {"", ".", ","}):
            continue
        elif token not in "-–—:\"'“”«»‘":
            tokens.append(token)
    tokens = [token for token in tokens if token]
    return _without_closings(tokens)


def _without_closings(tokens: list[str]) -> list[str]:
    """Cut "for me", "thank you" and final marks from the end, in whatever order they come."""
    for closing in CLOSINGS:
        words = closing.split()
        if tokens[-len(words) :] == words:
            return _without_closings(tokens[: -len(words)])
    return tokens


def _stages(facts: list[Fact], sentence: str) -> tuple[Fact, ...]:
    """Order facts so that a tower grows from its bottom pair."""
    distinct = tuple(dict.fromkeys(facts))
    if len(distinct) == 1:
        return distinct
    if len(distinct) == 2 and all(fact.relation == "on" for fact in distinct):
        first, second = distinct
        for lower, upper in ((first, second), (second, first)):
            if upper.target == lower.subject and upper.subject != lower.target:
                return lower, upper
    pairs = " and ".join(f"'{fact.description}'" for fact in distinct)
    raise LanguageError(
        f"several pairs are understood where they make one tower of three objects, but {pairs} do not "
        f"(in {_shorten(sentence)!r}); say one pair, or a tower such as "
        "'stack the red cube on the blue cube and the green cube on the red cube'"
    )


def _shorten(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


class _Reader:
    """Reads one sentence from left to right; each method takes what it is named after."""

    def __init__(self, sentence: str) -> None:
        self.text = sentence
        self.tokens = tokenise(sentence)
        self.position = 0

    # The tools: look, take, refuse.

    def at_end(self) -> bool:
        return self.position == len(self.tokens)

    def sees(self, phrase: str) -> bool:
        words = phrase.split()
        return self.tokens[self.position : self.position + len(words)] == words

    def take(self, table: Mapping[str, Meaning]) -> Meaning | None:
        """Take the longest phrase of a table that comes next, and return what it means."""
        seen = [phrase for phrase in table if self.sees(phrase)]
        if not seen:
            return None
        phrase = max(seen, key=len)
        self.position += len(phrase.split())
        return table[phrase]

    def skip(self, phrases: tuple[str, ...]) -> bool:
        """Take phrases for as long as they come; say whether there was one."""
        start = self.position
        table = dict.fromkeys(phrases, True)
        while self.take(table):
            pass
        return self.position > start

    def refusal(self, expected: str, known: Iterable[str] = ()) -> LanguageError:
        """The error that names the next word as the one that does not fit, and a known word like it."""
        word = "" if self.at_end() else self.tokens[self.position]
        close = get_close_matches(word, known, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        found = f"found {_shorten(word, 40)!r}{hint}" if word else "the sentence ends"
        before = " ".join(self.tokens[max(0, self.position - 5) : self.position])
        where = f"after '{before}'" if before else "at the beginning"
        return LanguageError(
            f"cannot read {_shorten(self.text)!r}: {where} expected {expected}, but {found}. "
            f"Understood are sentences like {EXAMPLES[0]!r} or {EXAMPLES[1]!r}; "
            "free language needs a planner backed by a language model."
        )

    # The grammar, from the whole to the parts.

    def sentence(self) -> list[Fact]:
        facts = self.clause()
        while not self.at_end():
            if not self.skip(SEPARATORS):
                raise self.refusal("the end of the sentence, or 'and' with a further pair")
            facts += self.clause()
        return facts

    def clause(self) -> list[Fact]:
        self.skip(LEADS)
        if self.tower_opening():
            # "a tower of ..., from top to bottom", or "a tower, from top to bottom: ..."
            self.skip(MADE_OF)
            direction = self.take(DIRECTIONS)
            self.skip(MADE_OF)
            return self.tower(self.noun(), direction)
        if self.take(PICK_VERBS):
            return self.pick_and_place()
        verb = self.take(VERBS)
        subject = self.noun()
        if verb == "stack" and (self.sees(",") or self.sees("and")):
            return self.tower(subject)
        if self.take({"and": True}):
            return [self.mutual(subject, self.noun(), verb)]
        return self.chain(subject, verb)

    def pick_and_place(self) -> list[Fact]:
        """ "pick up the red cube and put it on the blue cube", after its verb."""
        subject = self.noun()
        self.skip(("up",))
        self.skip(SEPARATORS)
        verb = self.take(VERBS)
        if verb is None or not self.take({"it": True}):
            raise self.refusal("'and put it on' or 'and put it next to' with another object")
        return self.chain(subject, verb)

    def mutual(self, first: Look, second: Look, verb: str | None) -> Fact:
        """ "... are next to each other", after the two objects."""
        self.predicate(verb)
        if not self.take(MUTUAL):
            raise self.refusal("'next to each other' after two objects joined by 'and'")
        return Fact("next to", first, second)

    def chain(self, subject: Look, verb: str | None) -> list[Fact]:
        """ "... on the blue cube", after the subject, or "... on the blue cube on the green cube"."""
        self.predicate(verb)
        facts: list[Fact] = []
        while not facts or self.sees("on") or self.sees("onto"):
            start = self.position
            meaning = self.take(RELATION_PHRASES)
            if meaning is None:
                raise self.refusal("'on' or 'next to'")
            relation, subject_is_below = meaning
            if verb == "stack" and relation != "on":
                self.position = start
                raise self.refusal("'on' after 'stack' (say 'put' for 'next to')")
            target = (
                subject if self.take({"itself": True}) else self.noun()
            )  # Fact refuses the former by name
            facts.append(
                Fact(relation, target, subject) if subject_is_below else Fact(relation, subject, target)
            )
            subject = target
            if relation != "on" or subject_is_below:
                break
        return facts

    def predicate(self, verb: str | None) -> None:
        """ "should be standing right", and the like; an imperative has its verb in front already."""
        if verb is None:
            self.skip(COPULAS)
        self.skip(ADVERBS)

    def tower_opening(self) -> bool:
        """ "build a tower", "a stack"; nothing is taken where no tower is meant."""
        start = self.position
        self.take(BUILD_VERBS)
        self.skip(ARTICLES)
        if not self.take(TOWER_NOUNS):
            self.position = start
            return False
        return True

    def tower(self, first: Look, direction: str | None = None) -> list[Fact]:
        """A list of objects with a direction or with places, after its first object."""
        # "on top" is a place, "on top of" a relation.
        place = None if self.sees("on top of") or self.sees("on the top of") else self.take(PLACES)
        if place is None and any(self.sees(phrase) for phrase in RELATION_PHRASES):
            return self.chain(first, "stack")
        looks, places = [first], [place]
        while self.goes_on():
            looks.append(self.noun())
            places.append(self.take(PLACES))
        direction = direction or self.take(DIRECTIONS)
        if not 2 <= len(looks) <= 3:
            raise LanguageError(
                f"expected a tower of two or three objects, got {len(looks)} in {_shorten(self.text)!r}"
            )
        if any(places):
            names = ["top", "bottom"] if len(looks) == 2 else ["top", "middle", "bottom"]
            if direction is not None or set(places) != set(names):
                raise LanguageError(
                    f"expected one object each for {', '.join(names)}, and no direction, in {_shorten(self.text)!r}"
                )
            looks = [looks[places.index(name)] for name in names]
        elif direction is None:
            raise self.refusal("'from top to bottom' or 'from bottom to top'")
        elif direction == "up":
            looks = looks[::-1]
        return [Fact("on", upper, lower) for upper, lower in pairwise(looks)]

    def goes_on(self) -> bool:
        """Whether a list has a further object; if so, or if its direction follows, what separates them is taken."""
        separated = self.skip(SEPARATORS)
        return separated and not any(self.sees(phrase) for phrase in DIRECTIONS)

    def noun(self) -> Look:
        """ "the red cube"."""
        self.skip(ARTICLES)
        colour = self.take(COLOUR_WORDS)
        if colour is None:
            colours = ", ".join(COLOURS)
            if any(self.sees(phrase) for phrase in KIND_WORDS):
                raise self.refusal(f"a colour ({colours}) before the kind")
            raise self.refusal(f"an object with a colour ({colours}) and a kind", COLOUR_WORDS)
        self.skip(("coloured", "colored"))
        kind = self.take(KIND_WORDS)
        if kind is None:
            raise self.refusal(f"a kind of object ({', '.join(STACKING.kinds)})", KIND_WORDS)
        return Look(colour, kind)
