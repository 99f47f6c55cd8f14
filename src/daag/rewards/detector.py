"""The reward detector, as the rest of daag sees it.  Source: docs/paper.md (a CLIP-like VLM and a threshold)."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8


@runtime_checkable
class RewardDetector(Protocol):
    """Says how well a frame shows what a description says.

    A frame is looked at in V views, and in each has L vectors: one, or one for each place in it, after which others may come
    that belong to no place; see `similarity`.
    """

    @property
    def hash(self) -> str:
        """SHA-256 of the weights and the calibration."""

    def embed_frames(
        self, frames: UInt8[np.ndarray, "N H W 3"], num_views: int | None = None
    ) -> Float32[np.ndarray, "N V L D"]:
        """Unit vectors of RGB frames: of places row by row (`num_rows`), then of what has no place of its own; L = 1 where a
        model has one vector for the whole frame.

        Args:
            frames: any size.
            num_views: only the first so many views, of which the very first shows the frame as it is; all by default.
        """

    def embed_texts(self, descriptions: Sequence[str]) -> Float32[np.ndarray, "M D"]:
        """Unit vectors of descriptions."""

    @property
    def hysteresis(self) -> float:
        """How far below its threshold a description's score must have been before it can come to be shown again; 0: any."""

    @property
    def patience(self) -> int:
        """For how many looks in a row that must have been so, unless it was so from the start; at least 1."""

    def unseen_below(self, description: str) -> float:
        """The score below which a frame does not show what a description speaks of, so that it may be so or not; -1: none."""

    @property
    def num_rows(self) -> int:
        """Rows of places that come first among a frame's vectors, and columns, over the whole frame; 1 where a frame has one
        vector."""

    def success_threshold(self, description: str) -> float:
        """The cosine similarity in [-1, 1] at or above which a frame counts as showing `description`.

        Raises:
            RewardDetectorError: the detector is not calibrated for this family of descriptions.
        """


def similarity(
    frames: Float32[np.ndarray, "N V L D"], descriptions: Float32[np.ndarray, "M D"]
) -> Float32[np.ndarray, "N M"]:
    """Scores of frames and descriptions: the cosine similarity in [-1, 1] of the vector that fits best, averaged over views.

    Args:
        frames: from `embed_frames`.
        descriptions: from `embed_texts`.
    """
    if frames.shape[1:3] == (1, 1):  # one product, instead of one for each frame
        return np.asarray(np.ascontiguousarray(frames[:, 0, 0]) @ descriptions.T)
    return np.asarray((frames @ descriptions.T).max(axis=2).mean(axis=1))


def vector_size(detector: RewardDetector) -> int:
    """Length of a detector's vectors."""
    return int(detector.embed_texts([]).shape[1])
