"""What "right in front" means in a room.  Source: our choice."""

from math import atan2, pi

import mujoco
import numpy as np

from daag.envs.room.scene import EYE_HEIGHT, Spot

REACH = 0.9
"""Metres between the agent's middle and an object's up to which the agent stands before it; plus the object's radius."""

HALF_ANGLE = 0.35
"""Radians to either side of straight ahead (20 degrees) within which an object is in front."""


def off_ahead(qpos: np.ndarray, spot: Spot) -> float:
    """Radians between straight ahead and the way to a spot, in [0, pi].

    Args:
        qpos: of the eye: x, y, yaw, pitch; float64 (4,).
        spot: where.
    """
    towards = atan2(spot.y - float(qpos[1]), spot.x - float(qpos[0]))
    return abs((towards - float(qpos[2]) + pi) % (2 * pi) - pi)


def in_sight(model: mujoco.MjModel, data: mujoco.MjData, x: float, y: float, body: int) -> bool:
    """Whether a ray from the eye to the middle of one of a body's parts meets that body first.

    Args:
        model: of the room.
        data: of the model, kinematics done.
        x: where the eye is, metres.
        y: where the eye is, metres.
        body: the body's id.
    """
    origin = np.array([x, y, EYE_HEIGHT])
    geom, normal = np.zeros(1, dtype=np.int32), np.zeros(3)
    for part in range(model.body_geomadr[body], model.body_geomadr[body] + model.body_geomnum[body]):
        mujoco.mj_ray(model, data, origin, data.geom_xpos[part] - origin, None, 1, -1, geom, normal)
        if geom[0] >= 0 and model.geom_bodyid[geom[0]] == body:
            return True
    return False
