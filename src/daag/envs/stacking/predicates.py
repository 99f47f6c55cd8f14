"""What is true in a stacking scene. For measuring, and for the environment's own reward; no agent reads it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64

from daag.tasks import CARRYING_KINDS, OBJECT_HEIGHT, Fact, Look, Relation

ON_HORIZONTAL = 0.032
"""Metres between centres up to which one object rests on another (beyond that it would fall)."""

ON_VERTICAL = 0.008
"""Metres by which the height difference may differ from an object's height."""

NEXT_TO = 0.085
"""Metres between centres up to which two objects at one height are next to each other."""


def true_facts(looks: Sequence[Look], centers: Float64[np.ndarray, "N 3"]) -> frozenset[Fact]:
    """Every "on" and "next to" that holds.

    Args:
        looks: the objects.
        centers: where each is, metres.
    """
    x, y, rise = (centers[:, None] - centers).transpose(2, 0, 1)
    apart = np.hypot(x, y)
    carries = np.array([look.kind in CARRYING_KINDS for look in looks])
    on = (apart <= ON_HORIZONTAL) & (np.abs(rise - OBJECT_HEIGHT) <= ON_VERTICAL) & carries & carries[:, None]
    next_to = np.triu((apart <= NEXT_TO) & (np.abs(rise) <= OBJECT_HEIGHT / 4), 1)
    relations: tuple[tuple[Relation, Bool[np.ndarray, "N N"]], ...] = (("on", on), ("next to", next_to))
    return frozenset(
        Fact(relation, looks[first], looks[second])
        for relation, holds in relations
        for first, second in np.argwhere(holds).tolist()
    )
