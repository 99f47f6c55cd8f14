"""Read the English of worlds that one walks about in: which objects to reach, where they are, and in which order.

Source: our choice; of BabyAI's language it covers what speaks of going to objects.
"""

from itertools import pairwise
from typing import final

from daag.llm.phrases import ARTICLES, COPULAS, LEADS
from daag.llm.reader import Vocabulary
from daag.llm.room_phrases import (
    ADVERBS,
    CLEFTS,
    FURNITURE,
    IN_FRONT,
    INTRODUCTIONS,
    ORDINALS,
    RELATIVES,
    SPOTS,
    TO_WHERE,
    TOURS,
    VERBS,
)
from daag.llm.sequence_reader import SequenceReader
from daag.tasks import Fact

_FIRST_WORDS = sorted({phrase.split()[0] for phrase in VERBS})


@final
class RoomReader(SequenceReader):
    """A fact for each object, in the order in which they must be reached.

    Args:
        sentence: what was said.
        vocabulary: how objects are called.
        has_places: whether an object's place can be told, as in "the red ball on the sofa".
    """

    def __init__(self, sentence: str, vocabulary: Vocabulary, has_places: bool) -> None:
        super().__init__(sentence, vocabulary)
        self.has_places = has_places
        self.last: Fact | None = None
        self.ordinals: list[tuple[int, Fact]] = []

    def stages(self) -> tuple[Fact, ...]:
        facts = self.in_order(self.sequence())
        again = [fact for earlier, fact in pairwise(facts) if fact != earlier]
        return (facts[0], *again)  # who stands before an object already need not go there again

    def clause(self, imperative: bool) -> tuple[list[Fact], bool]:
        """One object, and whether it was named by an imperative, its own or the one before."""
        if self.take(INTRODUCTIONS):
            return self.introduced()
        if self.has_places and self.sees_any(SPOTS) and not imperative:
            return self.introduced(self.place())
        self.skip(LEADS)
        if self.skip_one(TOURS):
            self.skip((",", ".", "and", "go to", "visit"))
            imperative = True
        cleft = self.skip_one(("it's", "it is"))
        verb = bool(self.take(VERBS))
        if verb and self.last is not None and self.take({"it": True}):
            return [self.last], True
        if not verb and self.take(TO_WHERE) and not imperative:  # "to the red ball, please"
            verb = True
        only = "" if verb else ", or 'go to' or 'find' before it (nothing else can be asked for here)"
        subject = self.noun(only, () if verb else _FIRST_WORDS)
        fact = self.last = Fact("in front", subject, None, self.place())
        if cleft and not self.skip_one(CLEFTS):
            raise self.refusal("'that I want you to go to'", CLEFTS)
        verb |= cleft
        self.skip(("you should go", "i'd like you to go"))
        ordinal = self.take(ORDINALS) if verb or imperative else None
        if ordinal is not None:
            self.ordinals.append((ordinal, fact))
        if verb or (imperative and not self.sees_any((*COPULAS, *ADVERBS, *IN_FRONT))):
            return [fact], True
        self.skip(COPULAS)
        self.skip(ADVERBS)
        if not self.take(IN_FRONT):
            raise self.refusal("'is right in front', or 'go to' before the object", IN_FRONT)
        return [fact], False

    def in_order(self, facts: list[Fact]) -> list[Fact]:
        """Facts in the order that "first", "second" and "last" give them, if any do."""
        told = {place % len(facts): fact for place, fact in self.ordinals if place < len(facts)}
        if all(facts[place] == fact for place, fact in told.items()) and len(told) == len(self.ordinals):
            return facts
        if len(told) < len(facts):
            raise self.refusal("'first', 'second' or 'last' after each object, or after none")
        return [told[place] for place in sorted(told)]

    def introduced(self, place: str = "") -> tuple[list[Fact], bool]:
        """ "there is a red mug on the table; go to it", after "there is", or after the place where that comes first."""
        if place and not self.take(INTRODUCTIONS):
            raise self.refusal("'there is' with an object", INTRODUCTIONS)
        subject = self.noun()
        self.last = Fact("in front", subject, None, place or self.place())
        self.skip((",", ".", "and", "so"))
        self.skip(LEADS)
        if not (self.take(VERBS) and self.take({"it": True})):
            raise self.refusal("'go to it'")
        return [self.last], True

    def place(self) -> str:
        """ "that is on the sofa"; nothing where no place is named."""
        if not self.has_places:
            return ""
        relative = self.skip(RELATIVES)
        self.skip(("right", "just"))
        spot = self.take(SPOTS)
        if spot is None:
            if relative:
                raise self.refusal("'on' or 'next to' with a piece of furniture", SPOTS)
            return ""
        self.skip(ARTICLES)
        furniture = self.take(FURNITURE)
        if furniture is None:
            raise self.refusal(f"a piece of furniture ({', '.join(FURNITURE)})", FURNITURE)
        return f"{spot} the {furniture}"
