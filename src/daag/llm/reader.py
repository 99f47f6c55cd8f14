"""What the readers of all languages share: a tokeniser, a position in the sentence, nouns, and how to refuse.

Source: our choice.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from daag.errors import LanguageError
from daag.llm.phrases import ARTICLES, CLOSINGS, COLOUR_SYNONYMS, COURTESIES
from daag.llm.rewording import reword
from daag.tasks import Fact, Language, Look

Meaning = TypeVar("Meaning")

MAX_WORDS = 10
"""No phrase of any table has more."""


@dataclass(frozen=True)
class Vocabulary:
    """How objects are called in a language, and what its sentences look like."""

    language: Language
    kinds: Mapping[str, str]
    """Each word for a kind, and the kind that it stands for."""
    examples: tuple[str, str]
    """Sentences to show to whom was not understood."""
    suffixes: tuple[str, ...] = ()
    """What may follow a kind without changing it."""

    @property
    def colours(self) -> dict[str, str]:
        """Each colour word, and the word of the palette that it stands for."""
        known = self.language.colours
        synonyms = {word: colour for word, colour in COLOUR_SYNONYMS.items() if colour in known}
        return {**{colour: colour for colour in known}, **synonyms}


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


def shorten(text: str, limit: int = 120) -> str:
    """The beginning of a text that may be long."""
    return text if len(text) <= limit else f"{text[:limit]}..."


class Reader(ABC):
    """Reads one sentence from left to right; each method takes what it is named after.

    Args:
        sentence: what was said.
        vocabulary: how objects are called.
    """

    def __init__(self, sentence: str, vocabulary: Vocabulary) -> None:
        self.text = sentence
        self.vocabulary = vocabulary
        self.tokens = reword(tokenise(sentence), vocabulary.colours, vocabulary.kinds)
        self.position = 0

    @abstractmethod
    def stages(self) -> tuple[Fact, ...]:
        """What the sentence says, in the order in which it must come true.

        Raises:
            LanguageError: it is outside the language.
        """

    def at_end(self) -> bool:
        """Whether everything was taken."""
        return self.position == len(self.tokens)

    def sees(self, phrase: str) -> bool:
        """Whether a phrase comes next."""
        words = phrase.split()
        return self.tokens[self.position : self.position + len(words)] == words

    def sees_any(self, phrases: Iterable[str]) -> bool:
        """Whether one of several phrases comes next."""
        known = phrases if isinstance(phrases, Mapping) else frozenset(phrases)
        return any(phrase in known for phrase in self.ahead())

    def ahead(self) -> Iterator[str]:
        """What comes next, the longest phrase first."""
        for end in range(min(self.position + MAX_WORDS, len(self.tokens)), self.position, -1):
            yield " ".join(self.tokens[self.position : end])

    def take(self, table: Mapping[str, Meaning]) -> Meaning | None:
        """Take the longest phrase of a table that comes next, and return what it means."""
        for phrase in self.ahead():
            if phrase in table:
                self.position += len(phrase.split())
                return table[phrase]
        return None

    def skip(self, phrases: tuple[str, ...]) -> bool:
        """Take phrases for as long as they come; say whether there was one."""
        start = self.position
        table = dict.fromkeys(phrases, True)
        while self.take(table):
            pass
        return self.position > start

    def skip_one(self, phrases: tuple[str, ...]) -> bool:
        """Take a phrase if one comes next; say whether there was one."""
        return bool(self.take(dict.fromkeys(phrases, True)))

    def refusal(self, expected: str, known: Iterable[str] = ()) -> LanguageError:
        """The error that names the next word as the one that does not fit, and a known word like it."""
        word = "" if self.at_end() else self.tokens[self.position]
        close = get_close_matches(word, known, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        found = f"found {shorten(word, 40)!r}{hint}" if word else "the sentence ends"
        before = " ".join(self.tokens[max(0, self.position - 5) : self.position])
        where = f"after '{before}'" if before else "at the beginning"
        first, second = self.vocabulary.examples
        return LanguageError(
            f"cannot read {shorten(self.text)!r}: {where} expected {expected}, but {found}. "
            f"Understood are sentences like {first!r} or {second!r}; "
            "free language needs a planner backed by a language model."
        )

    def noun(self, alternative: str = "", known: Iterable[str] = ()) -> Look:
        """ "the red cube".

        Args:
            alternative: what else would have been understood here, for the refusal.
            known: words of that.
        """
        self.skip(ARTICLES)
        words = self.vocabulary.colours
        colour = self.take(words)
        if colour is None:
            colours = ", ".join(self.vocabulary.language.colours)
            if self.sees_any(self.vocabulary.kinds):
                raise self.refusal(f"a colour ({colours}) before the kind{alternative}")
            raise self.refusal(
                f"an object with a colour ({colours}) and a kind{alternative}", [*words, *known]
            )
        self.skip(("coloured", "colored"))
        kind = self.take(self.vocabulary.kinds)
        if kind is None:
            kinds = ", ".join(self.vocabulary.language.kinds)
            raise self.refusal(f"a kind of object ({kinds})", self.vocabulary.kinds)
        self.skip(self.vocabulary.suffixes)
        return Look(colour, kind)
