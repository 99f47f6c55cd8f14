"""Read the English of the board: how two blocks lie, where one lies, and which the pointer points at.

Source: our choice; the tasks are those of google-research/language-table.
"""

from itertools import pairwise
from typing import final

from daag.llm.board_phrases import (
    ADVERBS,
    AGAIN,
    IN_A_PLACE,
    MOTION_PHRASES,
    MOVED,
    MUTUAL,
    PAIR_ADVERBS,
    PAIR_ENDINGS,
    PAIR_LINKS,
    PAIR_VERBS,
    PLACES,
    POINT_VERBS,
    POINTER_PHRASES,
    POINTERS,
    RELATION_PHRASES,
    RESULTS,
    SEPARATED,
    TO_A_PLACE,
    VERBS,
)
from daag.llm.phrases import ARTICLES, COPULAS, LEADS
from daag.llm.reader import Vocabulary
from daag.llm.sequence_reader import SequenceReader
from daag.tasks import Fact, Look, Relation

_FRONTED = {phrase: meaning for phrase, meaning in RELATION_PHRASES.items() if "touch" not in phrase}
"""What may stand before the block that it places; "touch the red moon with ..." is an imperative."""
_ANY_VERB = sorted({phrase.split()[0] for phrase in (*VERBS, *PAIR_VERBS, *POINT_VERBS)})


@final
class BoardReader(SequenceReader):
    """A fact for each stage, in the order in which they must come true."""

    def __init__(self, sentence: str, vocabulary: Vocabulary) -> None:
        super().__init__(sentence, vocabulary)
        self.last: Look | None = None

    def stages(self) -> tuple[Fact, ...]:
        facts = self.sequence()
        again = [fact for earlier, fact in pairwise(facts) if fact != earlier]
        return (facts[0], *again)

    def clause(self, imperative: bool) -> tuple[list[Fact], bool]:
        """One fact; an imperative before it lends its verb."""
        self.skip(LEADS)
        fronted = self.fronted()
        if fronted is not None:
            return [fronted], False
        relation = self.take(PAIR_VERBS)
        if relation is not None:
            return [self.pair(relation)], False
        pointing = self.take(POINT_VERBS)
        if pointing is not None:
            return [self.pointing(pointing)], False
        verb = bool(self.take(VERBS) or self.take({"point": True}))
        if self.take(POINTERS):
            return [self.pointer(verb)], False
        if verb and self.tokens[self.position - 1] == "point":
            raise self.refusal("'at' after 'point'")
        if verb and self.last is not None and self.take({"it": True}):
            return [self.lying(self.last, verb)], True
        subject = (
            self.noun()
            if verb
            else self.noun(", or a verb such as 'push', 'separate' or 'point at'", _ANY_VERB)
        )
        self.last = subject
        if self.take({"and": True}):
            return [self.mutual(subject, self.noun(), verb)], verb
        borrows = imperative and not verb and not self.sees_any(COPULAS)
        return [self.lying(subject, verb or borrows)], verb or borrows

    def fronted(self) -> Fact | None:
        """ "into the top right corner push the yellow moon": where before what; nothing is taken where it is not."""
        start = self.position
        place = self.place(True)
        self.skip(ARTICLES)
        place = place or self.take(PLACES)
        meaning = None if place else self.take(_FRONTED)
        if place is None and (meaning is None or self.at_end()):
            self.position = start
            return None
        target = None if place else self.noun()
        self.skip((",", "is where"))
        self.skip(LEADS)
        verb = self.take(VERBS) or self.skip(COPULAS)
        subject = self.noun("" if verb else ", or a verb such as 'push' before it")
        self.skip((*COPULAS, "belongs", "goes", "ought to be", "should go"))
        if place or meaning is None:
            return Fact("in", subject, None, place or "")
        relation, swapped = meaning
        return Fact(relation, target, subject) if swapped and target else Fact(relation, subject, target)

    def pair(self, relation: Relation) -> Fact:
        """ "separate the red moon from the blue cube", after its verb."""
        first = self.last = self.noun()
        self.skip(PAIR_ADVERBS)
        links = PAIR_LINKS[relation]
        if not self.take(dict.fromkeys(links, True)):
            raise self.refusal(f"{' or '.join(map(repr, links[:2]))} with another block", links)
        second = self.noun()
        if relation == "apart from":
            self.skip(PAIR_ENDINGS)
        return Fact(relation, first, second)

    def pointing(self, verb: str) -> Fact:
        """ "point at the red moon" or "touch the red moon with the blue cube", after the verb."""
        subject = self.last = self.noun()
        if not self.take({"with": True}) or self.take(POINTERS):
            return Fact("pointed at", subject)
        if verb == "touch":
            return Fact("touching", subject, self.noun(", or the pointer"))
        raise self.refusal("the pointer", POINTERS)

    def pointer(self, verb: bool) -> Fact:
        """ "the pointer is at the red moon" or "move the arm to the red moon", after the pointer."""
        self.predicate(verb)
        if not self.take(POINTER_PHRASES):
            raise self.refusal("'at' or 'to' with a block", POINTER_PHRASES)
        return Fact("pointed at", self.noun())

    def mutual(self, first: Look, second: Look, verb: bool) -> Fact:
        """ "... are touching each other", after the two blocks."""
        self.predicate(verb)
        relation = self.take(MUTUAL)
        if relation is None:
            raise self.refusal("'together' or 'apart' after two blocks joined by 'and'", MUTUAL)
        return Fact(relation, first, second)

    def separated(self, subject: Look) -> Fact | None:
        """ "... has been separated from the blue moon"; nothing is taken where it is not."""
        if not self.take(SEPARATED):
            return None
        return Fact("apart from", subject, self.noun())

    def lying(self, subject: Look, verb: bool) -> Fact:
        """ "... to the left of the blue cube" or "... in the middle", after the block."""
        separated = None if verb else self.separated(subject)
        if separated is not None:
            return separated
        moves = self.predicate(verb)
        if not verb and self.take({"pointed at": True, "pointed to": True}):
            return Fact("pointed at", subject)
        place = self.place(moves)
        if place is not None:
            return Fact("in", subject, None, place)
        phrases = {**RELATION_PHRASES, **MOTION_PHRASES} if moves else RELATION_PHRASES
        meaning = self.take(phrases)
        if meaning is None:
            where = "'to', 'away from'" if moves else "'touching', 'apart from'"
            raise self.refusal(
                f"how or where the block should lie ({where}, 'to the left of', 'above', 'in the middle')",
                [*phrases, *PLACES],
            )
        relation, swapped = meaning
        target = self.noun(", or a corner or the middle of the board", PLACES)
        return Fact(relation, target, subject) if swapped else Fact(relation, subject, target)

    def place(self, moves: bool) -> str | None:
        """ "in the top left corner"; nothing is taken where no place is meant."""
        start = self.position
        if self.take(TO_A_PLACE if moves else IN_A_PLACE):
            self.skip(ARTICLES)
            place = self.take(PLACES)
            if place is not None:
                self.skip_one(AGAIN[:4] if place.endswith("corner") else AGAIN[4:])
                return place
        self.position = start
        return None

    def predicate(self, verb: bool) -> bool:
        """ "should be placed", "until it is", and the like; say whether a movement is still to be described."""
        self.skip(ADVERBS)
        moves = verb and not self.skip(RESULTS)
        if not moves:
            self.skip(COPULAS)
            self.skip(ADVERBS)
            if self.skip_one(MOVED):
                return self.predicate(True)
        self.skip(ADVERBS)
        return moves
