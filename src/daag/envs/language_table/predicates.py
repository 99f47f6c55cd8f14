"""What is true on the board. For measuring, and for the environment's own reward; no agent reads it.

Every relation is one of centres, so that it stays true when a block takes another shape.  Source: our choice.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from daag.envs.language_table.scene import PLACES
from daag.tasks import Fact, Look, Relation

TOUCHING = 0.067
"""Metres between the centres up to which two blocks are together: they touch, or the gap is that of a turned corner."""

APART = 0.10
"""Metres between the centres from which on two blocks are apart: between them a third one would nearly fit."""

BESIDE = 0.10
"""Metres between the centres up to which a block is left of or above another."""

CONE_RADIANS = np.radians(30)
"""How far the direction from one block to another may be off the axis for "left of" and "above"."""

IN_PLACE = 0.05
"""Metres between a block's centre and a place's."""

POINTED = 0.052
"""Metres between the effector's axis and a block's centre: it touches the block, or by 1 cm does not."""


def true_facts(
    looks: Sequence[Look], centers: Float64[np.ndarray, "N 2"], effector: Float64[np.ndarray, "2"]
) -> frozenset[Fact]:
    """Everything that holds.

    Args:
        looks: the blocks.
        centers: where each is, metres; x to the right and y away from the camera.
        effector: where the effector's axis is, metres.
    """
    facts = set()
    for i, (subject, center) in enumerate(zip(looks, centers, strict=True)):
        for place, middle in PLACES.items():
            if np.hypot(*(center - middle)) <= IN_PLACE:
                facts.add(_fact("in", subject, None, place))
        for j, target in enumerate(looks):
            if j == i:
                continue
            x, y = (float(offset) for offset in centers[j] - center)
            distance = float(np.hypot(x, y))
            if j > i and distance <= TOUCHING:
                facts.add(_fact("touching", subject, target))
            if j > i and distance >= APART:
                facts.add(_fact("apart from", subject, target))
            if distance <= BESIDE:
                along = distance * np.cos(CONE_RADIANS)
                if x >= along:
                    facts.add(_fact("left of", subject, target))
                if -y >= along:
                    facts.add(_fact("above", subject, target))
    distances = np.hypot(*(centers - effector).T)
    nearest = int(distances.argmin())
    if distances[nearest] <= POINTED:
        facts.add(_fact("pointed at", looks[nearest]))
    return frozenset(facts)


@lru_cache(maxsize=4096)
def _fact(relation: Relation, subject: Look, target: Look | None = None, place: str = "") -> Fact:
    """Checking a fact's words takes longer than finding that it holds."""
    return Fact(relation, subject, target, place)
