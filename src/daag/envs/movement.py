"""What moved between two pictures, so that rays which cannot have met it need not be cast again.  Source: our choice."""

from itertools import product

import mujoco
import numpy as np
from jaxtyping import Float64

_ENDS = np.array(list(product((-1.0, 1.0), repeat=3)))
_MARGIN = 1e-4  # metres


class Movement:
    """Compares a model's geoms with where they were when it was asked last."""

    def __init__(self) -> None:
        self._model: mujoco.MjModel | None = None
        self._positions = self._turns = self._boxes = np.zeros((0, 3))
        self._seen = np.zeros(0, dtype=bool)

    def since_last(self, model: mujoco.MjModel, data: mujoco.MjData) -> Float64[np.ndarray, "M 8 3"] | None:
        """The corners of boxes around all that moved since the last call, where it was and where it is.

        Returns:
            World coordinates in metres; None at the first call for a model.
        """
        if known := self._model is model:
            moved = (data.geom_xpos != self._positions) | (data.geom_xmat != self._turns).any(axis=1)[:, None]
            geoms = np.flatnonzero(moved.any(axis=1) & self._seen)
            before = self._corners(geoms)
        else:
            self._model = model
            self._boxes = model.geom_aabb[:, None, :3] + (model.geom_aabb[:, None, 3:] + _MARGIN) * _ENDS
            painted = np.where(model.geom_matid >= 0, 1.0, model.geom_rgba[:, 3])
            self._seen = painted > 0  # rays pass through the others
        self._positions, self._turns = data.geom_xpos.copy(), data.geom_xmat.copy()
        return np.concatenate([before, self._corners(geoms)]) if known else None

    def _corners(self, geoms: np.ndarray) -> Float64[np.ndarray, "M 8 3"]:
        turns = self._turns[geoms].reshape(-1, 3, 3)
        return np.asarray(self._positions[geoms, None] + self._boxes[geoms] @ turns.transpose(0, 2, 1))
