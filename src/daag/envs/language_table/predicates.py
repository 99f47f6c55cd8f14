"""What is true on the board. For measuring, and for the environment's own reward; no agent reads it.

Every relation is one of centres, so that it stays true when a block takes another shape.  Source: our choice.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import cos, hypot, radians

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

CONE_RADIANS = radians(30)
"""How far the direction from one block to another may be off the axis for "left of" and "above"."""
_COSINE = cos(CONE_RADIANS)

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
    spots = centers.tolist()  # of a few numbers, plain arithmetic is several times faster than NumPy's
    for i, (subject, (x, y)) in enumerate(zip(looks, spots, strict=True)):
        for place, (place_x, place_y) in PLACES.items():
            if hypot(x - place_x, y - place_y) <= IN_PLACE:
                facts.add(_fact("in", subject, None, place))
        for target, (target_x, target_y) in zip(looks[i + 1 :], spots[i + 1 :], strict=True):
            right, away = target_x - x, target_y - y
            distance = hypot(right, away)
            if distance <= TOUCHING:
                facts.add(_fact("touching", subject, target))
            if distance >= APART:
                facts.add(_fact("apart from", subject, target))
            if distance <= BESIDE:
                along = distance * _COSINE
                if abs(right) >= along:
                    facts.add(_fact("left of", *((subject, target) if right > 0 else (target, subject))))
                if abs(away) >= along:
                    facts.add(_fact("above", *((subject, target) if away < 0 else (target, subject))))
    effector_x, effector_y = effector.tolist()
    distances = [hypot(x - effector_x, y - effector_y) for x, y in spots]
    nearest = min(distances)
    if nearest <= POINTED:
        facts.add(_fact("pointed at", looks[distances.index(nearest)]))
    return frozenset(facts)


@lru_cache(maxsize=4096)
def _fact(relation: Relation, subject: Look, target: Look | None = None, place: str = "") -> Fact:
    """Checking a fact's words takes longer than finding that it holds."""
    return Fact(relation, subject, target, place)
