"""The video editor, as the rest of daag sees it.  Source: docs/paper.md (geometry- and time-consistent edits)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float16, Int8, Int16, UInt8

from daag.episodes.episode import Episode
from daag.tasks import EditPlan


@dataclass(frozen=True)
class Conditions:
    """What is known of the geometry of N frames."""

    segmentation: Int16[np.ndarray, "N H W"]
    """Ids; 0 is everything that is not an object."""
    object_ids: dict[str, int]
    """Object name to id in `segmentation`."""
    depth: Float16[np.ndarray, "N H W"]
    """Metres along the camera's axis; 0 where nothing was hit."""
    normals: Int8[np.ndarray, "N H W 3"]
    """Unit normals in camera coordinates times 127."""

    def without(self, names: Collection[str]) -> "Conditions":
        """As if some of the objects were background."""
        gone = [key for name, key in self.object_ids.items() if name in names]
        if not gone:
            return self
        left = np.where(np.isin(self.segmentation, gone), np.int16(0), self.segmentation)
        ids = {name: key for name, key in self.object_ids.items() if name not in names}
        return Conditions(left, ids, self.depth, self.normals)

    @property
    def kinds(self) -> dict[int, str]:
        """What each object is, by id: "cube"."""
        return {object_id: name.split()[-1] for name, object_id in self.object_ids.items()}


@runtime_checkable
class VideoEditor(Protocol):
    """Repaints objects in the frames of an episode."""

    @property
    def hash(self) -> str:
        """SHA-256 of weights and settings."""

    def edit(
        self, episode: Episode, frame_index: np.ndarray, plan: EditPlan, seed: int
    ) -> UInt8[np.ndarray, "N H W 3"]:
        """Repaint some frames of an episode.

        Args:
            episode: read only.
            frame_index: which of its frames, int, shape (N,), increasing.
            plan: which objects become what.
            seed: of everything random in the edit; equal seeds give equal bytes on one machine.

        Returns:
            The repainted frames. Pixels outside the dilated masks of the edited objects are those of the source.

        Raises:
            EditError: the plan does not fit the scene, or the episode lacks what the editor conditions on.
        """
