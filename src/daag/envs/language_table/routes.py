"""The shortest way round the blocks, for an effector or for a block that is pushed.

Getting near a block costs rather than being forbidden, so there is always a way, however crowded the board is.
Source: our choice; Dijkstra's algorithm on a grid.
"""

from functools import lru_cache
from heapq import heappop, heappush

import numpy as np
from jaxtyping import Float64

CELL = 0.02
"""Metres between the grid's points."""

NEARNESS_COST = 15.0
"""Metres of detour worth one metre through the middle of a block."""

Point = Float64[np.ndarray, "2"]
Extent = tuple[float, float]


def next_point(
    start: Point, goal: Point, obstacles: Float64[np.ndarray, "N 2"], clearance: float, extent: Extent
) -> Point:
    """Where to go first, in a straight line, on the way to a goal.

    Args:
        start: metres.
        goal: metres.
        obstacles: centres of what to keep away from, metres.
        clearance: from these centres, metres.
        extent: how far from the middle the way may lead along x and y, metres.

    Returns:
        The goal if the straight line is free, else the farthest point of the shortest way to which it is; metres.
    """
    if is_free(start, goal, obstacles, clearance):
        return goal
    way = [*_way(start, goal, obstacles, clearance, extent), goal]
    for point in reversed(way[1:]):
        if is_free(start, point, obstacles, clearance):
            return point
    return way[0]


def is_free(start: Point, goal: Point, obstacles: Float64[np.ndarray, "N 2"], clearance: float) -> bool:
    """Whether a straight line keeps clear of all obstacles.

    Of one that is too near at its start it must lead away; one that is too near the goal it may approach as far as that.
    """
    count = max(2, int(np.linalg.norm(goal - start) / 0.008))
    points = start + (goal - start) * np.linspace(0.0, 1.0, count)[:, None]
    distances = np.linalg.norm(points[:, None] - obstacles[None], axis=-1)
    away = (np.diff(distances, axis=0) > -1e-4).all(axis=0)
    return bool(((distances >= np.minimum(clearance, distances[-1] - 1e-6)).all(axis=0) | away).all())


def _way(
    start: Point, goal: Point, obstacles: Float64[np.ndarray, "N 2"], clearance: float, extent: Extent
) -> list[Point]:
    """Grid points from near the start, excluded, to near the goal."""
    points, neighbours = _grid(extent)
    gaps = np.linalg.norm(points[:, None] - obstacles[None], axis=-1)
    cost = 1.0 + NEARNESS_COST * np.maximum(0.0, 1.0 - gaps / clearance).sum(axis=1)
    first = int(np.linalg.norm(points - start, axis=1).argmin())
    last = int(np.linalg.norm(points - goal, axis=1).argmin())
    best = {last: 0.0}
    onward: dict[int, int] = {}
    queue = [(0.0, last)]
    while queue:
        length, index = heappop(queue)
        if index == first:
            break
        if length > best[index]:
            continue
        for other, step in neighbours[index]:
            longer = length + step * float(cost[other])
            if longer < best.get(other, np.inf):
                best[other], onward[other] = longer, index
                heappush(queue, (longer, other))
    way, index = [], first
    while index != last:
        index = onward[index]
        way.append(points[index])
    return way or [points[last]]


@lru_cache(maxsize=4)
def _grid(extent: Extent) -> tuple[Float64[np.ndarray, "G 2"], list[list[tuple[int, float]]]]:
    """Points over an area, and of each point its neighbours and how far they are."""
    columns, rows = (2 * int(half / CELL) + 1 for half in extent)
    x, y = ((np.arange(count) - count // 2) * CELL for count in (columns, rows))
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    moves = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    neighbours = [
        [
            ((column + i) * rows + row + j, CELL * float(np.hypot(i, j)))
            for i, j in moves
            if 0 <= column + i < columns and 0 <= row + j < rows
        ]
        for column in range(columns)
        for row in range(rows)
    ]
    return points, neighbours
