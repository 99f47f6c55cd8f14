"""Every caption that a detector is ever trained on, and which of them are true of which scene.

The captions of a world form a closed list, so that the labels of a batch are one boolean matrix, scenes x captions,
without false negatives: two scenes of a batch often show the same fact, and an in-batch contrast would call that a
mistake. Held-out combinations are left out of the list. Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Bool

from daag.tasks import RELATIONS, Fact, Language, Look, Relation, is_held_out, possible_facts

MAX_OBJECTS = {"rgb-stacking": 6, "room": 7, "language-table": 8}
"""Of the scenes that are drawn, by world."""

NUM_IDS = max(MAX_OBJECTS.values()) + 1
"""Length of the axis of ids in labels, the same for every world; 0 is everything that is no object."""


UNTOLD: tuple[Relation, ...] = ("apart from",)
"""Relations without a caption: of nearly any two objects of a board it is true that they are apart, wherever they are, so
that no place of a picture shows it, and hardly a picture shows no two that are held out. A detector that finds points
is told it of pairs (`board_lessons`)."""


def is_withheld(fact: Fact) -> bool:
    """Whether a picture that shows a fact is kept from training: what is held out, but for what no caption speaks of."""
    return fact.relation not in UNTOLD and is_held_out(fact)


@dataclass(frozen=True)
class Captions:
    """The training captions of one world. Objects first, relations after them."""

    language: Language

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """The looks in the order of their indices; index = kind * number of colours + colour."""
        return self.language.looks

    @property
    def num_objects(self) -> int:
        """The captions without a relation come first: all of "a red cube", then of "a cube", then of "red"."""
        return len(self.looks) + len(self.language.kinds) + len(self.language.colours)

    @property
    def supports(self) -> bool:
        """Whether objects of this world rest on each other."""
        return "on" in self.language.relations

    @property
    def has_partners(self) -> bool:
        """Whether objects of this world are related to each other: one rests on another, or lies beside it."""
        return any(RELATIONS[relation].takes_target for relation in self.language.relations)

    @property
    def may_be_mirrored(self) -> bool:
        """Whether what is said of a picture is true of its mirror image too."""
        return "left of" not in self.language.relations

    @property
    def num_ids(self) -> int:
        """Ids of a segmentation of this world: its most objects, and 0 for everything else."""
        return MAX_OBJECTS[self.language.name] + 1

    @property
    def attribute_sizes(self) -> tuple[int, ...]:
        """Classes of an object's colour and kind; where objects are related, also of two partners': of what it rests on and
        what it carries, or of two objects beside it. The last class of each is "none"."""
        own = len(self.language.colours) + 1, len(self.language.kinds) + 1
        return own * (3 if self.has_partners else 1)

    @cached_property
    def object_texts(self) -> tuple[str, ...]:
        """Captions that name objects, kinds or colours and relate nothing."""
        language = self.language
        return (
            *(f"a {look}" for look in self.looks),
            *(f"a {kind}" for kind in language.kinds),
            *language.colours,
        )

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """The facts behind the captions of relations: every feasible one that is not held out."""
        told = [relation for relation in self.language.relations if relation not in UNTOLD]
        return tuple(fact for fact in possible_facts(self.looks, told) if not is_held_out(fact))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """All captions."""
        return (*self.object_texts, *(fact.description for fact in self.facts))

    @property
    def vocabulary_texts(self) -> tuple[str, ...]:
        """Sentences with every word of the language: a detector can be asked what it was never told."""
        first, second = self.looks[:2]
        untold = [relation for relation in self.language.relations if relation in UNTOLD]
        return (*self.texts, *(Fact(relation, first, second).description for relation in untold))

    @cached_property
    def index(self) -> dict[Fact, int]:
        """A fact's position in `texts`."""
        return {fact: self.num_objects + i for i, fact in enumerate(self.facts)}

    @cached_property
    def objects(self) -> Bool[np.ndarray, "C L"]:
        """The looks that show each caption: one, all of a kind or colour, the subject, both of a symmetric relation."""
        shown = [self._shown_by(text) for text in self.object_texts]
        shown += [fact.looks if RELATIONS[fact.relation].symmetric else fact.looks[:1] for fact in self.facts]
        return np.array([[look in looks for look in self.looks] for looks in shown])

    @cached_property
    def upper(self) -> Bool[np.ndarray, "C L"]:
        """The subject of "on", "left of", "above": of relations with a direction."""
        return self._spoken_of(False, 0)

    @cached_property
    def lower(self) -> Bool[np.ndarray, "C L"]:
        """The target of relations with a direction."""
        return self._spoken_of(False, 1)

    @cached_property
    def beside(self) -> Bool[np.ndarray, "C L"]:
        """Both looks of "next to" and "touching"."""
        return self._spoken_of(True, 0) | self._spoken_of(True, 1)

    def __len__(self) -> int:
        return len(self.texts)

    def about(self, looks: Sequence[int]) -> list[int]:
        """Positions of all captions of relations between a scene's objects: what one may ask of it.

        Args:
            looks: the scene's objects, as indices of `looks`.
        """
        groups = [(look,) for look in sorted(looks)] + list(combinations(sorted(looks), 2))
        return [position for group in groups for position in self._by_looks.get(group, ())]

    def labels(self, facts: Sequence[Sequence[Fact]]) -> Bool[np.ndarray, "N C"]:
        """Which captions of relations are true of which scenes.

        Args:
            facts: for each of N scenes, all facts that hold in it. Those that have no caption, such as held-out ones, are
                passed over.

        Returns:
            True where the caption holds; the columns of object captions are False.
        """
        labels = np.zeros((len(facts), len(self)), dtype=bool)
        for row, held in zip(labels, facts, strict=True):
            row[[self.index[fact] for fact in held if fact in self.index]] = True
        return labels

    @cached_property
    def _by_looks(self) -> dict[tuple[int, ...], tuple[int, ...]]:
        """Positions of the captions that speak of the same looks, in any order, by the looks' indices."""
        found: dict[tuple[int, ...], list[int]] = {}
        for fact, position in self.index.items():
            found.setdefault(tuple(sorted(map(self.looks.index, fact.looks))), []).append(position)
        return {looks: tuple(positions) for looks, positions in found.items()}

    def _spoken_of(self, symmetric: bool, which: int) -> Bool[np.ndarray, "C L"]:
        table = np.zeros((len(self), len(self.looks)), dtype=bool)
        for fact, position in self.index.items():
            if fact.target is not None and RELATIONS[fact.relation].symmetric == symmetric:
                table[position, self.looks.index(fact.looks[which])] = True
        return table

    def _shown_by(self, text: str) -> tuple[Look, ...]:
        words = set(text.split())
        return tuple(
            look
            for look in self.looks
            if words & {look.colour, look.kind} and not words - {"a", look.colour, look.kind}
        )


@cache
def captions_of(language: Language) -> Captions:
    """The training captions of a world, made once."""
    return Captions(language)
