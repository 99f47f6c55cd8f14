"""The flat parts of a room that pictures show: floor, walls, and the sides of furniture.  Source: our choice."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

_ALONG = 0.95
"""Of a normal, along the axis that it is taken for."""

APART_METRES = 0.08
"""Between parallel planes that count as two."""

_FEW = 8
"""Pixels that a plane must show."""


@dataclass(frozen=True, eq=False)
class Flat:
    """Pixels that show one plane, which faces one of six ways."""

    axis: int
    """Of the room."""
    sign: float
    """1 where it faces along the axis, -1 against it."""
    offset: float
    """How far along what it faces it is, metres."""
    pixels: Int64[np.ndarray, "K"]
    """Which of those that were looked at."""

    @property
    def normal(self) -> Float64[np.ndarray, "3"]:
        """What it faces, in the room's axes."""
        return np.asarray(self.sign * np.eye(3)[self.axis])

    def is_of(self, other: "Flat") -> bool:
        """Whether both are of one plane, if they were seen from the same place."""
        near = abs(self.offset - other.offset) < APART_METRES
        return (self.axis, self.sign) == (other.axis, other.sign) and near


def flats_of(points: Float64[np.ndarray, "K 3"], facing: Float64[np.ndarray, "K 3"]) -> Iterator[Flat]:
    """The planes that K pixels show, by points, metres, and unit normals in the room's axes."""
    for axis in range(3):
        for sign in (-1.0, 1.0):
            pixels = np.flatnonzero(sign * facing[:, axis] > _ALONG)
            offsets = sign * points[pixels, axis]
            order = np.argsort(offsets)
            for cluster in np.split(order, np.flatnonzero(np.diff(offsets[order]) > APART_METRES / 2) + 1):
                if len(cluster) >= _FEW:
                    yield Flat(axis, sign, float(np.median(offsets[cluster])), pixels[cluster])
