"""What is true in a stacking scene. For measuring, and for the environment's own reward; no agent reads it."""

import numpy as np

from daag.envs.stacking.model import SceneModel
from daag.tasks import CARRYING_KINDS, OBJECT_HEIGHT, Fact

ON_HORIZONTAL = 0.032
"""Metres between centres up to which one object rests on another (beyond that it would fall)."""

ON_VERTICAL = 0.008
"""Metres by which the height difference may differ from an object's height."""

NEXT_TO = 0.085
"""Metres between centres up to which two objects at one height are next to each other."""


def true_facts(scene_model: SceneModel, qpos: np.ndarray) -> frozenset[Fact]:
    """Every "on" and "next to" that holds.

    Args:
        scene_model: the scene.
        qpos: positions of all joints, float64 (Q,).
    """
    objects = scene_model.scene.objects
    centers = [qpos[scene_model.object_qpos(index)][:3] for index in range(len(objects))]
    facts = set()
    for i, first in enumerate(objects):
        for j, second in enumerate(objects):
            if i == j:
                continue
            apart = float(np.linalg.norm(centers[i][:2] - centers[j][:2]))
            rise = float(centers[i][2] - centers[j][2])
            carried = {first.look.kind, second.look.kind} <= set(CARRYING_KINDS)
            if carried and apart <= ON_HORIZONTAL and abs(rise - OBJECT_HEIGHT) <= ON_VERTICAL:
                facts.add(Fact("on", first.look, second.look))
            if i < j and apart <= NEXT_TO and abs(rise) <= OBJECT_HEIGHT / 4:
                facts.add(Fact("next to", first.look, second.look))
    return frozenset(facts)
