"""Read the English of worlds that one walks about in: which objects to reach, where they are, and in which order.

Source: our choice; of BabyAI's language it covers what speaks of going to objects.
"""

from itertools import pairwise
from typing import final

from daag.llm.phrases import ARTICLES, COPULAS, LEADS, SEPARATORS
from daag.llm.reader import Reader, Vocabulary
from daag.llm.room_phrases import ADVERBS, AFTER, BEFORE, FURNITURE, IN_FRONT, RELATIVES, SPOTS, VERBS
from daag.tasks import Fact

_FIRST_WORDS = sorted({phrase.split()[0] for phrase in VERBS})


@final
class RoomReader(Reader):
    """A fact for each object, in the order in which they must be reached.

    Args:
        sentence: what was said.
        vocabulary: how objects are called.
        has_places: whether an object's place can be told, as in "the red ball on the sofa".
    """

    def __init__(self, sentence: str, vocabulary: Vocabulary, has_places: bool) -> None:
        super().__init__(sentence, vocabulary)
        self.has_places = has_places

    def stages(self) -> tuple[Fact, ...]:
        facts = self.sentence()
        again = [fact for earlier, fact in pairwise(facts) if fact != earlier]
        return (facts[0], *again)  # who stands before an object already need not go there again

    def sentence(self, imperative: bool = False) -> list[Fact]:
        """What is left of the sentence; an imperative before it lends its verb."""
        fact, imperative = self.clause(imperative)
        facts = [fact]
        while not self.at_end():
            if self.turn():
                return self.sentence(imperative) + facts
            if not self.skip((*SEPARATORS, *BEFORE)):
                raise self.refusal("the end of the sentence, or 'then' with a further object")
            fact, imperative = self.clause(imperative)
            facts.append(fact)
        return facts

    def turn(self) -> bool:
        """ "after you"; nothing is taken where the order stays."""
        start = self.position
        self.skip((",", "and"))
        # "after that find ..." keeps the order, "after that green mug" turns it round.
        then = self.sees("after that") and not self.sees_any(
            f"after that {colour}" for colour in self.vocabulary.colours
        )
        if not then and self.take(AFTER):
            return True
        self.position = start
        return False

    def clause(self, imperative: bool) -> tuple[Fact, bool]:
        """One object, and whether it was named by an imperative, its own or the one before."""
        self.skip(LEADS)
        verb = bool(self.take(VERBS))
        if verb:
            subject = self.noun()
        else:
            if imperative:  # "go to the red ball and then to the green mug"
                self.skip(("to",))
            only = ", or 'go to' or 'find' before it (nothing else can be asked for here)"
            subject = self.noun(only, _FIRST_WORDS)
        fact = Fact("in front", subject, None, self.place())
        if verb or (imperative and not self.sees_any((*COPULAS, *ADVERBS, *IN_FRONT))):
            return fact, True
        self.skip(COPULAS)
        self.skip(ADVERBS)
        if not self.take(IN_FRONT):
            raise self.refusal("'is right in front', or 'go to' before the object", IN_FRONT)
        return fact, False

    def place(self) -> str:
        """ "that is on the sofa"; nothing where no place is named."""
        if not self.has_places:
            return ""
        relative = self.skip(RELATIVES)
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
