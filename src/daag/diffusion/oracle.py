"""The upper limit: a simulator draws the frames again, with the objects as the plan wants them."""

import hashlib
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8

from daag.episodes.episode import Episode
from daag.errors import EditError
from daag.tasks import EditPlan

Rerender = Callable[[Episode, np.ndarray, EditPlan], UInt8[np.ndarray, "N H W 3"]]
"""(episode, frame_index, plan) -> the frames as they would have looked. Worlds supply it."""


class OracleEditor:
    """A `VideoEditor` that does not edit: all pixels are right, shadows and reflections included.

    It ignores the contract that pixels outside the masks stay those of the source: what is true, is true everywhere.

    Args:
        rerender: the world's renderer.
    """

    def __init__(self, rerender: Rerender) -> None:
        self._rerender = rerender

    @property
    def hash(self) -> str:
        """The oracle has no weights; its name is hashed."""
        return hashlib.sha256(b"oracle").hexdigest()

    def edit(
        self, episode: Episode, frame_index: np.ndarray, plan: EditPlan, seed: int
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Draw the frames again; `seed` is not used.

        Raises:
            EditError: the plan does not fit the scene, or the renderer returned frames of another shape.
        """
        del seed
        plan.check_against(episode.objects)
        frames = self._rerender(episode, frame_index, plan)
        expected = (len(frame_index), *episode.frames.shape[1:])
        if frames.shape != expected:
            raise EditError(f"expected the renderer to return frames of shape {expected}, got {frames.shape}")
        return frames
