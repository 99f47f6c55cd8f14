"""What is true in a stacking scene. For measuring, and for the environment's own reward; no agent reads it."""

from collections.abc import Sequence

import numpy as np

from daag.tasks import CARRYING_KINDS, OBJECT_HEIGHT, Fact, Look

ON_HORIZONTAL = 0.032
"""Metres between centres up to which one object rests on another (beyond that it would fall)."""

ON_VERTICAL = 0.008
"""Metres by which the height difference may differ from an object's height."""

NEXT_TO = 0.085
"""Metres between centres up to which two objects at one height are next to each other."""


def true_facts(looks: Sequence[Look], centers: Sequence[np.ndarray]) -> frozenset[Fact]:
    """Every "on" and "next to" that holds.

    Args:
        looks: the objects.
        centers: where each is, metres, (3,).
    """
    facts = set()
    for i, first in enumerate(looks):
        for j, second in enumerate(looks):
            if i == j:
                continue
            apart = float(np.linalg.norm(centers[i][:2] - centers[j][:2]))
            rise = float(centers[i][2] - centers[j][2])
            carried = {first.kind, second.kind} <= set(CARRYING_KINDS)
            if carried and apart <= ON_HORIZONTAL and abs(rise - OBJECT_HEIGHT) <= ON_VERTICAL:
                facts.add(Fact("on", first, second))
            if i < j and apart <= NEXT_TO and abs(rise) <= OBJECT_HEIGHT / 4:
                facts.add(Fact("next to", first, second))
    return frozenset(facts)
