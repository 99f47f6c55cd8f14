"""A reward detector that was told what every frame shows. For tests and for trying the loop; never for a claim.

It knows frames by their bytes and understands nothing: a frame that it was not told of shows nothing.
"""

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from daag.errors import ConfigError


class KnownFrames:
    """A `RewardDetector` by table look-up.

    Each description has an axis of its own, in the order of first mention; a frame points along the axes of what it shows. Scores are 0
    for what a frame does not show, and 1 / sqrt(1 + number of descriptions shown) for what it does.

    Args:
        vector_size: number of axes; one more than there can be different descriptions.
    """

    def __init__(self, vector_size: int = 2048) -> None:
        self._size = vector_size
        self._shown: dict[bytes, frozenset[str]] = {}
        self._axes: dict[str, int] = {}

    @property
    def hash(self) -> str:
        """Always the same: there are no weights."""
        return hashlib.sha256(b"known-frames").hexdigest()

    def tell(self, frame: UInt8[np.ndarray, "H W 3"], shown: Collection[str]) -> None:
        """Say what a frame shows."""
        self._shown[_key(frame)] = frozenset(shown)

    def embed_frames(
        self,
        frames: UInt8[np.ndarray, "N H W 3"],
        num_views: int | None = None,  # noqa: ARG002 - the protocol's signature
    ) -> Float32[np.ndarray, "N 1 1 D"]:
        """Unit vectors along what each frame shows."""
        vectors = np.zeros((len(frames), self._size), dtype=np.float32)
        for vector, frame in zip(vectors, frames, strict=True):
            shown = self._shown.get(_key(frame), frozenset())
            vector[[0, *(self._axis(description) for description in sorted(shown))]] = 1.0
            vector /= np.linalg.norm(vector)
        return vectors[:, None, None]

    def embed_texts(self, descriptions: Sequence[str]) -> Float32[np.ndarray, "M D"]:
        """One axis each."""
        vectors = np.zeros((len(descriptions), self._size), dtype=np.float32)
        for vector, description in zip(vectors, descriptions, strict=True):
            vector[self._axis(description)] = 1.0
        return vectors

    hysteresis = 0.0
    patience = 1
    num_rows = 1

    def unseen_below(self, description: str) -> float:  # noqa: ARG002 - the protocol's signature
        """What it was told it always knows."""
        return -1.0

    def success_threshold(self, description: str) -> float:  # noqa: ARG002 - the protocol's signature
        """Below any score of what is shown, for up to 20 descriptions a frame; above the others' 0."""
        return 0.2

    def _axis(self, description: str) -> int:
        axis = self._axes.setdefault(description, len(self._axes) + 1)
        if axis >= self._size:
            raise ConfigError(
                f"expected fewer than {self._size} descriptions; raise KnownFrames' vector_size"
            )
        return axis


def _key(frame: UInt8[np.ndarray, "H W 3"]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(frame).tobytes()).digest()
