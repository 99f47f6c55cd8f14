"""Read the English of the stacking world: pairs of objects, and towers of three, the lower pair first.

A recursive descent over tables of phrases.  Source: our choice.
"""

from itertools import pairwise
from typing import final

from daag.errors import LanguageError
from daag.llm.phrases import ARTICLES, COPULAS, LEADS, SEPARATORS
from daag.llm.reader import Reader, shorten
from daag.llm.stacking_phrases import (
    ADVERBS,
    BUILD_VERBS,
    DIRECTIONS,
    MADE_OF,
    MUTUAL,
    PICK_VERBS,
    PLACES,
    RELATION_PHRASES,
    TOWER_NOUNS,
    VERBS,
)
from daag.tasks import Fact, Look


@final
class StackingReader(Reader):
    """One fact, or the two of a tower of three."""

    def stages(self) -> tuple[Fact, ...]:
        return _stages(self.sentence(), self.text)

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
                f"expected a tower of two or three objects, got {len(looks)} in {shorten(self.text)!r}"
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
        f"(in {shorten(sentence)!r}); say one pair, or a tower such as "
        "'stack the red cube on the blue cube and the green cube on the red cube'"
    )
