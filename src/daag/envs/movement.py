"""What moved between two pictures of a camera that stands still: rays that cannot have met it need not be cast again.

Source: our choice.
"""

from itertools import product

import mujoco
import numpy as np
from jaxtyping import Float64, Int64

_ENDS = np.array(list(product((-1.0, 1.0), repeat=3)))
_MARGIN = 1e-4  # metres
_NEAREST = 1e-6
"""Metres ahead of the camera up to which something may be seen anywhere."""


class Movement:
    """Compares a model's geoms with where they were when it was asked last.

    Args:
        origin: where the camera stands, world metres.
        axes: its x, y and z as columns, world coordinates.
        focal: pixels per unit of the tangent of the angle off its axis.
        width: of its picture, pixels.
        height: of its picture, pixels.
    """

    def __init__(
        self,
        origin: Float64[np.ndarray, "3"],
        axes: Float64[np.ndarray, "3 3"],
        focal: float,
        width: int,
        height: int,
    ) -> None:
        self._origin, self._axes, self._focal = origin, axes, focal
        self._width, self._height = width, height
        self._model: mujoco.MjModel | None = None
        self._positions = self._turns = np.zeros((0, 3))
        self._frames: Int64[np.ndarray, "G 4"] | None = None

    def since_last(self, model: mujoco.MjModel, data: mujoco.MjData) -> Int64[np.ndarray, "K"] | None:
        """Pixels, row by row, whose middle may show something that moved since the last call, where it was or where it is.

        Returns:
            None at the first call for a model.
        """
        positions, turns = data.geom_xpos.copy(), data.geom_xmat.copy()
        known = self._model is model
        if not known:  # a camera that is never asked again has no use for more
            self._model, self._positions, self._turns, self._frames = model, positions, turns, None
            return None
        if self._frames is None:
            self._boxes = model.geom_aabb[:, None, :3] + (model.geom_aabb[:, None, 3:] + _MARGIN) * _ENDS
            # Rays pass through what is fully transparent.
            self._seen = (model.geom_matid >= 0) | (model.geom_rgba[:, 3] > 0)
            self._frames = self._framed(np.arange(model.ngeom))
        moved = (positions != self._positions).any(axis=1) | (turns != self._turns).any(axis=1)
        geoms = np.flatnonzero(moved & self._seen)
        self._positions, self._turns = positions, turns
        shows = np.zeros((self._height, self._width), dtype=bool)
        before, self._frames[geoms] = self._frames[geoms], self._framed(geoms)
        for left, top, right, bottom in (*before.tolist(), *self._frames[geoms].tolist()):
            shows[top:bottom, left:right] = True
        return np.flatnonzero(shows)

    def _framed(self, geoms: Int64[np.ndarray, "M"]) -> Int64[np.ndarray, "M 4"]:
        """The part of the picture where each of some geoms may be seen: left, top, and right and bottom, which are beyond."""
        turns = self._turns[geoms].reshape(-1, 3, 3)
        corners = self._positions[geoms, None] + self._boxes[geoms] @ turns.transpose(0, 2, 1)
        seen = (corners - self._origin) @ self._axes
        ahead = seen[..., 2].min(axis=1) > _NEAREST
        at = seen[..., :2] / np.maximum(seen[..., 2:], _NEAREST) * self._focal
        size = np.array([self._width, self._height])
        at += size / 2
        frames = np.concatenate([np.floor(at.min(axis=1)), np.ceil(at.max(axis=1))], axis=1)
        # What reaches from beside the camera to behind it may be anywhere.
        frames[~ahead] = 0, 0, self._width, self._height
        return frames.clip(0, [*size, *size]).astype(np.int64)
