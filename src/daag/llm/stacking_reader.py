"""Read the English of the stacking world: pairs of objects, and towers of three, the lower pair first.

A recursive descent over tables of phrases.  Source: our choice.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import final

from daag.errors import LanguageError
from daag.llm.phrases import ARTICLES, COPULAS, LEADS, SEPARATORS
from daag.llm.reader import shorten
from daag.llm.sequence_reader import SequenceReader
from daag.llm.stacking_phrases import (
    ADVERBS,
    BUILD_VERBS,
    CARRY_VERBS,
    COVER_VERBS,
    DIRECTIONS,
    MADE_OF,
    MUTUAL,
    ON_IT,
    PICK_VERBS,
    PLACES,
    RELATION_PHRASES,
    RESULTS,
    TOWER_NOUNS,
    VERBS,
)
from daag.tasks import Fact, Look


@final
class StackingReader(SequenceReader):
    """Pairs, and towers, whose lower pairs come first."""

    def stages(self) -> tuple[Fact, ...]:
        return in_building_order(self.sequence(), self.text)

    def clause(self, imperative: bool) -> tuple[list[Fact], bool]:
        """Pairs; an imperative before them lends its verb."""
        self.skip((*LEADS, "there is", "there's"))
        if self.sees_any(RELATION_PHRASES):
            return [self.fronted()], True
        if self.tower_opening():
            # "a tower of ..., from top to bottom", or "a tower, from top to bottom: ..."
            self.skip(MADE_OF)
            direction = self.take(DIRECTIONS)
            self.skip(MADE_OF)
            return self.tower(self.noun(), direction), False
        if self.take(PICK_VERBS):
            return self.pick_and_place(), True
        cover = self.take(COVER_VERBS)
        if cover is not None:
            lower = self.noun()
            if not self.take(dict.fromkeys(cover, True)):
                raise self.refusal(f"{cover[0]!r} with another object", cover)
            return [Fact("on", self.noun(), lower)], True
        verb = self.take(VERBS)
        subject = self.noun()
        if verb == "stack" and (self.sees(",") or self.sees("and")):
            return self.tower(subject), False
        if self.take({"and": True}):
            return [self.mutual(subject, self.noun(), verb)], True
        if verb is None and self.take(CARRY_VERBS):
            return [Fact("on", self.noun(), subject)], False
        if verb is None and self.take({"has": True, "should have": True}):
            upper = self.noun()
            if not self.skip(ON_IT):
                raise self.refusal("'on top of it'", ON_IT)
            return [Fact("on", upper, subject)], False
        return self.chain(subject, verb, imperative), verb is not None or imperative

    def fronted(self) -> Fact:
        """ "on the white cube, put the purple prism": where before what."""
        meaning = self.take(RELATION_PHRASES)
        assert meaning is not None
        relation, subject_is_below = meaning
        target = self.noun()
        self.skip((",", "is where", "there is"))
        self.skip(LEADS)
        moved = self.take(VERBS) or self.skip(COPULAS)
        subject = self.noun(", or a verb such as 'put' before it" if not moved else "")
        self.skip(COPULAS)
        self.skip(("belongs", "goes"))
        return Fact(relation, target, subject) if subject_is_below else Fact(relation, subject, target)

    def pick_and_place(self) -> list[Fact]:
        """ "pick up the red cube and put it on the blue cube", after its verb."""
        subject = self.noun()
        self.skip(("up",))
        self.skip(SEPARATORS)
        verb = self.take(VERBS)
        if verb is None and any(self.sees(phrase) for phrase in RELATION_PHRASES):
            return self.chain(subject, "put")
        if verb is None or not self.take({"it": True}):
            raise self.refusal("'and put it on' or 'and put it next to' with another object")
        return self.chain(subject, verb)

    def mutual(self, first: Look, second: Look, verb: str | None) -> Fact:
        """ "... are next to each other", after the two objects."""
        self.predicate(verb)
        if not self.take(MUTUAL):
            raise self.refusal("'next to each other' after two objects joined by 'and'")
        return Fact("next to", first, second)

    def chain(self, subject: Look, verb: str | None, borrows: bool = False) -> list[Fact]:
        """ "... on the blue cube", after the subject, or "... on the blue cube on the green cube"."""
        self.predicate(None if borrows else verb)
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
        if self.skip(RESULTS) or verb is None:
            self.skip(COPULAS)
        while not self.sees_any(RELATION_PHRASES) and self.skip_one(ADVERBS):
            pass

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
        if not 2 <= len(looks) <= 4:
            raise LanguageError(
                f"expected a tower of two to four objects, got {len(looks)} in {shorten(self.text)!r}"
            )
        if any(places):
            names = ["top", "bottom"] if len(looks) == 2 else ["top", "middle", "bottom"]
            if direction is not None or set(places) != set(names):
                raise LanguageError(
                    f"expected one object each for {', '.join(names)}, and no direction, in {shorten(self.text)!r}"
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


def in_building_order(facts: Sequence[Fact], sentence: str) -> tuple[Fact, ...]:
    """Order facts so that what carries comes before what it carries; else as they were said.

    Raises:
        LanguageError: they cannot hold together.
    """
    waiting = list(dict.fromkeys(facts))
    stacked = [fact for fact in waiting if fact.relation == "on"]
    for place, what in ((0, "on two objects at once"), (1, "under two objects at once")):
        twice = {
            look
            for look in (f.pair[place] for f in stacked)
            if [f.pair[place] for f in stacked].count(look) > 1
        }
        if twice:
            raise LanguageError(f"the {min(twice)} cannot be {what} (in {shorten(sentence)!r})")
    ordered: list[Fact] = []
    while waiting:
        ready = [fact for fact in waiting if not any(_carries(other, fact) for other in waiting)]
        if not ready:
            pairs = " and ".join(f"'{fact.description}'" for fact in waiting)
            raise LanguageError(
                f"{pairs} cannot hold together (in {shorten(sentence)!r}); a tower has a bottom"
            )
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return tuple(ordered)


def _carries(lower: Fact, upper: Fact) -> bool:
    """Whether one pair must stand before the other is put on it."""
    return lower.relation == upper.relation == "on" and upper.target == lower.subject
