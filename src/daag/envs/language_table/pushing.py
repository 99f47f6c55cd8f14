"""How to push one block to a point: go round to the far side, push, and steer by where the block is touched.

Reads true positions, so it is for making data and for measuring, never for an agent.  Source: our choice.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from daag.envs.language_table.model import block_centers, effector_of
from daag.envs.language_table.routes import Point, next_point
from daag.envs.language_table.scene import BOARD_HALF_EXTENT, EFFECTOR_REACH

STAND_OFF = 0.057
"""Metres between the effector's axis and the centre of the block that it is about to push."""

CONTACT = 0.06
"""Metres between these two up to which the effector may push at once."""

KEEP_CLEAR = 0.05
"""Metres that the effector keeps from the centres of blocks on its way."""

BLOCK_CLEARANCE = 0.066
"""Metres that a pushed block's centre keeps from those of other blocks."""

PUSH = 0.03
"""Metres per step while pushing."""

TRAVEL = 0.08
"""Metres per step while not."""

STEERABLE_RADIANS = 0.6
"""How far the effector may be off the line through block and goal before it goes round again."""

STEERING = 1.6
"""Radians by which the effector turns aside for every radian that it is off the line."""

WALL = 0.032
"""Metres from the board's edge to the nearest centre of a block."""

BLOCK_EXTENT = (BOARD_HALF_EXTENT[0] - WALL, BOARD_HALF_EXTENT[1] - WALL)
"""Metres: where centres of blocks can be."""


@dataclass(frozen=True, eq=False)
class Board:
    """Where everything is, metres."""

    effector: Float64[np.ndarray, "2"]
    centers: Float64[np.ndarray, "N 2"]

    @classmethod
    def at(cls, qpos: np.ndarray) -> "Board":
        """Read a simulation's state, a row of `info["qpos"]`."""
        return cls(effector_of(qpos), block_centers(qpos))

    def without(self, index: int) -> Float64[np.ndarray, "M 2"]:
        """The centres of all blocks but one."""
        return np.delete(self.centers, index, axis=0)


def go(board: Board, goal: Point) -> Point:
    """The next move of an effector on its way to a point, metres, at most `TRAVEL`."""
    point = next_point(board.effector, goal, board.centers, KEEP_CLEAR, EFFECTOR_REACH)
    return _at_most(point - board.effector, TRAVEL)


def push(board: Board, index: int, goal: Point) -> Point:
    """The next move of an effector that is to bring block `index` to a point, round other blocks, metres."""
    block = board.centers[index]
    others = board.without(index)
    towards = next_point(block, goal, others, BLOCK_CLEARANCE, BLOCK_EXTENT) - block
    left = float(np.linalg.norm(towards))
    direction = towards / max(left, 1e-9)
    touch = block - board.effector
    distance = float(np.linalg.norm(touch))
    touch = touch / max(distance, 1e-9)
    off = float(np.arctan2(direction[0] * touch[1] - direction[1] * touch[0], direction @ touch))
    reach = np.array(EFFECTOR_REACH)
    stand = np.clip(block - STAND_OFF * direction, -reach, reach)
    arrived = bool(np.linalg.norm(board.effector - stand) < 0.012)
    if arrived or (distance < CONTACT and abs(off) < STEERABLE_RADIANS):
        turn = float(np.clip(STEERING * off, -1.0, 1.0))
        ahead = np.array(
            [
                np.cos(turn) * touch[0] - np.sin(turn) * touch[1],
                np.sin(turn) * touch[0] + np.cos(turn) * touch[1],
            ]
        )
        return ahead * min(PUSH, left + 0.006)
    return go(board, stand)


def _at_most(move: Point, longest: float) -> Point:
    return move * min(1.0, longest / max(float(np.linalg.norm(move)), 1e-9))
