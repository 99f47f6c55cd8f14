"""Where one can stand and walk in a room, seen from above."""

from collections.abc import Iterable
from math import cos, hypot, sin

import numpy as np

from daag.envs.room.scene import AGENT_RADIUS, RoomScene, Spot
from daag.tasks import Built

STRIDE = 0.05
"""Metres between the points of a way that are tried."""

_DEFLECTIONS: tuple[float, ...] = tuple(np.radians([0, 20, -20, 40, -40, 60, -60, 80, -80]).tolist())
"""Ways on from where something is in the way, the straightest first."""


def clearance(x: float, y: float, spot: Spot, built: Built) -> float:
    """Metres from a point to the edge of something's footprint; 0 inside."""
    dx, dy = x - spot.x, y - spot.y
    along, across = dx * cos(spot.yaw) + dy * sin(spot.yaw), dy * cos(spot.yaw) - dx * sin(spot.yaw)
    half_x, half_y = built.footprint
    return hypot(max(abs(along) - half_x, 0.0), max(abs(across) - half_y, 0.0))


def is_free(
    x: float,
    y: float,
    half_size: tuple[float, float],
    obstacles: Iterable[tuple[Spot, Built]],
    radius: float = AGENT_RADIUS,
) -> bool:
    """Whether a disc fits at a point of the floor."""
    if abs(x) > half_size[0] - radius or abs(y) > half_size[1] - radius:
        return False
    return all(clearance(x, y, spot, built) >= radius for spot, built in obstacles)


def walk(scene: RoomScene, x: float, y: float, yaw: float, metres: float) -> tuple[float, float]:
    """Go straight ahead (or back, for negative metres), sliding along what is in the way, as who grazes a corner does.

    Sliding, as in Habitat's worlds; without it the tip of a sofa that nobody sees stops whoever goes where they look.

    Args:
        scene: the room.
        x: where from, metres.
        y: where from, metres.
        yaw: direction, radians.
        metres: how far.
    """
    # What is farther away than the way is long cannot be met.
    near = abs(metres) + AGENT_RADIUS + 1e-6
    obstacles = [each for each in scene.obstacles if clearance(x, y, *each) < near]
    count = max(1, round(abs(metres) / STRIDE))
    step = metres / count
    for _ in range(count):
        ways = (
            (x + step * cos(off) * cos(yaw + off), y + step * cos(off) * sin(yaw + off))
            for off in _DEFLECTIONS
        )
        free = next((way for way in ways if is_free(*way, scene.half_size, obstacles)), None)
        if free is None:
            break
        x, y = free
    return x, y


def free_grid(scene: RoomScene, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """The floor as a grid.

    Returns:
        Whether the agent fits at each point, bool (N, M), and the points, float64 (N, M, 2), metres.
    """
    half_x, half_y = scene.half_size
    xs, ys = np.arange(-half_x, half_x + 1e-9, cell), np.arange(-half_y, half_y + 1e-9, cell)
    points = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1)
    obstacles = scene.obstacles
    free = np.array([[is_free(x, y, scene.half_size, obstacles) for x, y in row] for row in points.tolist()])
    return free, points
