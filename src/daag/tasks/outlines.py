"""The outlines of a board's blocks, and how they fall into convex pieces: physics needs those, a picture needs the outline.

One table for who builds blocks (the simulator) and for who draws one where another was (the video editor). Source: our choice; the kinds are those of google-research/language-table.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

BLOCK_HEIGHT = 0.028
"""Metres; all blocks are equally high."""


@dataclass(frozen=True, eq=False)
class Outline:
    """A polygon that may have notches, as seen from above."""

    points: Float64[np.ndarray, "K 2"]
    """Metres from the centre of its area. The corners come first, anticlockwise, then points inside of it."""
    num_corners: int
    pieces: tuple[tuple[int, ...], ...]
    """Convex polygons that fill it without overlap: indices into `points`, anticlockwise."""
    sides: int = 1
    """So many turns about the middle look alike."""
    height: float = BLOCK_HEIGHT
    """Metres."""

    @property
    def corners(self) -> Float64[np.ndarray, "C 2"]:
        """The outline itself, anticlockwise."""
        return self.points[: self.num_corners]

    @property
    def outradius(self) -> float:
        """From the axis to what is farthest from it, metres."""
        return float(np.linalg.norm(self.corners, axis=1).max())

    @property
    def half_planes(self) -> tuple[tuple[tuple[float, float], ...], ...]:
        """The sides of each piece: the direction of a side's normal, radians, and how far along it the side lies, metres."""
        return tuple(self._sides_of(self.points[list(piece)]) for piece in self.pieces)

    @staticmethod
    def _sides_of(corners: Float64[np.ndarray, "C 2"]) -> tuple[tuple[float, float], ...]:
        along = np.roll(corners, -1, axis=0) - corners
        angles = np.arctan2(-along[:, 0], along[:, 1])
        offsets = corners[:, 0] * np.cos(angles) + corners[:, 1] * np.sin(angles)
        return tuple(zip(angles.tolist(), offsets.tolist(), strict=True))

    @property
    def faces(self) -> list[tuple[int, int, int]]:
        """Triangles around the upright solid, seen anticlockwise from outside; point i lies below, point i + K above."""
        above = len(self.points)
        fans = [(piece[0], second, third) for piece in self.pieces for second, third in pairwise(piece[1:])]
        triangles = [(i + above, j + above, k + above) for i, j, k in fans] + [(i, k, j) for i, j, k in fans]
        for i in range(self.num_corners):
            j = (i + 1) % self.num_corners
            triangles += [(i, j, j + above), (i, j + above, i + above)]
        return triangles


def area_and_centroid(corners: Float64[np.ndarray, "C 2"]) -> tuple[float, Float64[np.ndarray, "2"]]:
    """The area of an anticlockwise polygon, square metres, and the centre of that area."""
    following = np.roll(corners, -1, axis=0)
    cross = corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]
    area = float(cross.sum()) / 2
    return area, ((corners + following) * cross[:, None]).sum(axis=0) / (6 * area)


def _outline(
    points: np.ndarray, num_corners: int, pieces: tuple[tuple[int, ...], ...], sides: int = 1
) -> Outline:
    _, center = area_and_centroid(points[:num_corners])
    return Outline(points - center, num_corners, pieces, sides)


def _regular(sides: int, radius: float) -> Outline:
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    corners = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _outline(corners, sides, (tuple(range(sides)),), sides)


def _star(outer: float, inner: float) -> Outline:
    """Five points, each a kite from the middle."""
    angle = np.pi / 2 + np.pi * np.arange(10) / 5
    radius = np.where(np.arange(10) % 2 == 0, outer, inner)
    corners = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    kites = tuple((10, (tip - 1) % 10, tip, tip + 1) for tip in range(0, 10, 2))
    return _outline(np.concatenate([corners, np.zeros((1, 2))]), 10, kites, sides=5)


def _moon(radius: float, thickness: float, tip: float, opening: float, segments: int) -> Outline:
    """A crescent, open by `opening` radians to the right, in pieces around its outer arc."""
    angle = np.linspace(opening / 2, 2 * np.pi - opening / 2, segments + 1)
    phase = np.sin(np.pi * np.arange(segments + 1) / segments)
    inner = radius - tip - (thickness - tip) * phase
    ray = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    # Outer arc there, inner arc back: anticlockwise as a whole.
    corners = np.concatenate([radius * ray, (inner[:, None] * ray)[::-1]])
    last = 2 * segments + 1
    pieces = tuple((last - i, i, i + 1, last - i - 1) for i in range(segments))
    return _outline(corners, len(corners), pieces)


OUTLINES: dict[str, Outline] = {
    "moon": _moon(radius=0.0335, thickness=0.025, tip=0.005, opening=np.radians(110), segments=6),
    "star": _star(outer=0.035, inner=0.0165),
    "cube": _regular(4, 0.0325),
    "pentagon": _regular(5, 0.0305),
}
"""By kind, at scale 1. All are 5 to 6 cm wide."""
