"""Every caption that the detector is ever trained on, and which of them are true of which scene.

The captions form a closed list, so that the labels of a batch are one boolean matrix, scenes x captions, without
false negatives: two scenes of a batch often show the same fact, and an in-batch contrast would call that a mistake.
Held-out combinations are left out of the list. Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from jaxtyping import Bool

from daag.tasks import COLOURS, STACKING, Fact, Look, is_held_out, possible_facts

LOOKS: tuple[Look, ...] = STACKING.looks
"""The looks in the order of their indices; index = kind * 8 + colour."""

NUM_OBJECT_CAPTIONS = len(LOOKS) + len(STACKING.kinds) + len(COLOURS)
"""The captions without a relation come first: "a red cube" (32), "a cube" (4), "red" (8)."""


@dataclass(frozen=True, eq=False)
class Captions:
    """The list of training captions. Objects first, relations after them."""

    texts: tuple[str, ...]
    facts: tuple[Fact, ...]
    """The facts behind `texts[NUM_OBJECT_CAPTIONS:]`."""
    index: dict[Fact, int]
    """A fact's position in `texts`."""
    objects: Bool[np.ndarray, "C 32"]
    """The looks that show each caption: one, all of a kind or colour, the upper one of "on", both of "next to"."""
    upper: Bool[np.ndarray, "C 32"]
    """The upper look of "on"."""
    lower: Bool[np.ndarray, "C 32"]
    """The lower look of "on"."""
    beside: Bool[np.ndarray, "C 32"]
    """Both looks of "next to"."""

    def __len__(self) -> int:
        return len(self.texts)


@cache
def object_captions() -> tuple[str, ...]:
    """Captions that name objects, kinds or colours and relate nothing."""
    return (*(f"a {look}" for look in LOOKS), *(f"a {kind}" for kind in STACKING.kinds), *COLOURS)


@cache
def all_captions() -> Captions:
    """Object captions and every feasible relation between two looks that is not held out."""
    facts = tuple(fact for fact in possible_facts(LOOKS, STACKING.relations) if not is_held_out(fact))
    index = {fact: NUM_OBJECT_CAPTIONS + i for i, fact in enumerate(facts)}
    texts = (*object_captions(), *(fact.description for fact in facts))
    objects = np.array([[look in _shown_by(text) for look in LOOKS] for text in texts])
    upper, lower, beside = np.zeros((3, *objects.shape), dtype=bool)
    for fact, position in index.items():
        subject, target = (LOOKS.index(look) for look in fact.pair)
        if fact.relation == "on":
            upper[position, subject] = lower[position, target] = True
        else:
            beside[position, [subject, target]] = True
    return Captions(texts, facts, index, objects, upper, lower, beside)


def _shown_by(text: str) -> tuple[Look, ...]:
    words = set(text.split())
    if " is " in text:
        fact = Fact.parse(text)
        return fact.looks[:1] if fact.relation == "on" else fact.looks
    return tuple(
        look
        for look in LOOKS
        if words & {look.colour, look.kind} and not words - {"a", look.colour, look.kind}
    )


@cache
def _captions_of_pairs() -> dict[tuple[int, int], tuple[int, ...]]:
    """Positions of the captions that relate two looks in any order and relation, by look indices."""
    found: dict[tuple[int, int], list[int]] = {}
    for fact, position in all_captions().index.items():
        first, second = sorted((LOOKS.index(fact.subject), LOOKS.index(fact.target)))
        found.setdefault((first, second), []).append(position)
    return {pair: tuple(positions) for pair, positions in found.items()}


def captions_about(looks: Sequence[int]) -> list[int]:
    """Positions of all captions that relate two objects of a scene: what one may ask of it.

    Args:
        looks: the scene's objects, as indices of `LOOKS`.
    """
    pairs = combinations(sorted(looks), 2)
    return [position for pair in pairs for position in _captions_of_pairs().get(pair, ())]


def relation_labels(facts: Sequence[Sequence[Fact]]) -> Bool[np.ndarray, "N C"]:
    """Which captions of relations are true of which scenes.

    Args:
        facts: for each of N scenes, all facts that hold in it. Held-out facts have no caption and are passed over.

    Returns:
        True where the caption holds; the columns of object captions are False.
    """
    captions = all_captions()
    labels = np.zeros((len(facts), len(captions)), dtype=bool)
    for row, held in zip(labels, facts, strict=True):
        row[[captions.index[fact] for fact in held if fact in captions.index]] = True
    return labels
