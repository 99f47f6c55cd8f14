"""Read the English of the board: how two blocks lie, where one lies, and which the pointer points at.

One fact is read per sentence.  Source: our choice; the tasks are those of google-research/language-table.
"""

from typing import final

from daag.llm.board_phrases import (
    ADVERBS,
    IN_A_PLACE,
    MOTION_PHRASES,
    MUTUAL,
    PAIR_ENDINGS,
    PAIR_LINKS,
    PAIR_VERBS,
    PLACES,
    POINT_VERBS,
    POINTER_PHRASES,
    POINTERS,
    RELATION_PHRASES,
    RESULTS,
    TO_A_PLACE,
    VERBS,
)
from daag.llm.phrases import ARTICLES, COPULAS, LEADS
from daag.llm.reader import Reader
from daag.tasks import Fact, Look, Relation

_ANY_VERB = sorted({phrase.split()[0] for phrase in (*VERBS, *PAIR_VERBS, *POINT_VERBS)})


@final
class BoardReader(Reader):
    """One fact."""

    def stages(self) -> tuple[Fact, ...]:
        fact = self.clause()
        if not self.at_end():
            raise self.refusal("the end of the sentence, since the board's tasks have one stage")
        return (fact,)

    def clause(self) -> Fact:
        self.skip(LEADS)
        relation = self.take(PAIR_VERBS)
        if relation is not None:
            return self.pair(relation)
        pointing = self.take(POINT_VERBS)
        if pointing is not None:
            return self.pointing(pointing)
        verb = bool(self.take(VERBS) or self.take({"point": True}))
        if self.take(POINTERS):
            return self.pointer(verb)
        if verb and self.tokens[self.position - 1] == "point":
            raise self.refusal("'at' after 'point'")
        subject = (
            self.noun()
            if verb
            else self.noun(", or a verb such as 'push', 'separate' or 'point at'", _ANY_VERB)
        )
        if self.take({"and": True}):
            return self.mutual(subject, self.noun(), verb)
        return self.lying(subject, verb)

    def pair(self, relation: Relation) -> Fact:
        """ "separate the red moon from the blue cube", after its verb."""
        first = self.noun()
        links = PAIR_LINKS[relation]
        if not self.take(dict.fromkeys(links, True)):
            raise self.refusal(f"{' or '.join(map(repr, links[:2]))} with another block", links)
        second = self.noun()
        if relation == "apart from":
            self.skip(PAIR_ENDINGS)
        return Fact(relation, first, second)

    def pointing(self, verb: str) -> Fact:
        """ "point at the red moon" or "touch the red moon with the blue cube", after the verb."""
        subject = self.noun()
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

    def lying(self, subject: Look, verb: bool) -> Fact:
        """ "... to the left of the blue cube" or "... in the middle", after the block."""
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
        return moves
