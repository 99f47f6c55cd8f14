"""Where the agent stands in a random room: often before an object or nearly so, else anywhere."""

from collections.abc import Callable
from functools import partial
from math import atan2, cos, pi, sin

import numpy as np

from daag.envs.room.furnish import PITCH, furnish
from daag.envs.room.model import RoomModel
from daag.envs.room.predicates import HALF_ANGLE, REACH
from daag.envs.room.scene import MAX_OBJECTS, MIN_OBJECTS
from daag.envs.room.space import is_free
from daag.envs.scene import sample_looks
from daag.tasks import ROOM, Fact, Look, is_held_out

BEFORE_AN_OBJECT = 0.65
"""Share of viewpoints that are near an object."""


def draw(
    rng: np.random.Generator, held_out: bool
) -> tuple[RoomModel, Callable[[np.random.Generator, np.ndarray], None]]:
    """Draw a room, and how the agent is placed anew.

    Args:
        rng: where the randomness comes from.
        held_out: whether one of its objects must be held out, to be stood before.
    """
    looks = _looks(rng)
    while held_out and not any(map(_withheld, looks)):
        looks = _looks(rng)
    scene_model = RoomModel.build(furnish(rng, looks, {}))
    return scene_model, partial(_stand, scene_model, held_out)


def _looks(rng: np.random.Generator) -> tuple[Look, ...]:
    return sample_looks(rng, int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)), (), ROOM.looks)


def _withheld(look: Look) -> bool:
    return is_held_out(Fact("in front", look))


def _stand(scene_model: RoomModel, held_out: bool, rng: np.random.Generator, qpos: np.ndarray) -> None:
    scene = scene_model.scene
    near = held_out or rng.random() < BEFORE_AN_OBJECT
    while True:
        if near:
            index = int(rng.integers(len(scene.spots)))
            if held_out and not _withheld(scene.objects[index].look):
                continue
            spot, side = scene.spots[index], float(rng.uniform(-pi, pi))
            apart = float(rng.uniform(0.45, REACH + 0.5))
            x, y = spot.x + apart * cos(side), spot.y + apart * sin(side)
            yaw = atan2(spot.y - y, spot.x - x) + float(rng.uniform(-1.6, 1.6)) * HALF_ANGLE
        else:
            yaw = float(rng.uniform(-pi, pi))
            x, y = (float(rng.uniform(-half, half)) for half in scene.half_size)
        if is_free(x, y, scene.half_size, scene.obstacles):
            qpos[:] = x, y, (yaw + pi) % (2 * pi) - pi, PITCH + float(rng.normal(0.0, 0.02))
            return
        near = near and (held_out or rng.random() < 0.98)  # nobody gets near some objects
