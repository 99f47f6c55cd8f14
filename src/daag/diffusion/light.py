"""What falls on a surface.  Source: our choice; Lambert's law, Blinn and Phong.

A surface is as bright as its colour, times the light from everywhere (a little more from above), plus that of a lamp, as
far as the surface faces it; and a glossy one mirrors the lamp.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

LAMP_METRES = 1.3
"""From the objects to the lamp, if pictures do not tell; half as far or twice turns the light by a few degrees only."""

SKY = 0.25
"""How much more of the light from everywhere falls on what faces up than on what faces sideways."""

SHARPNESS = 24
"""Of highlights: the exponent of Blinn and Phong."""


@dataclass(frozen=True, eq=False)
class Light:
    """What falls on a surface, relative to the light that comes from everywhere on one that faces sideways."""

    position: Float64[np.ndarray, "3"]
    """Of the lamp, metres; whose coordinates they are says who has it: on a table a `TableCamera`'s."""
    ratio: float
    """How much brighter than the light from everywhere a lamp straight above a surface makes it."""

    def towards(self, points: Float64[np.ndarray, "*N 3"]) -> Float64[np.ndarray, "*N 3"]:
        """Unit vectors from points to the lamp."""
        return unit(self.position - points)

    def on(
        self,
        points: Float64[np.ndarray, "*N 3"],
        normals: Float64[np.ndarray, "*N 3"],
        lit: Shaped[np.ndarray, "*N"] | float = 1.0,
    ) -> Float64[np.ndarray, "*N"]:
        """How bright a white surface is.

        Args:
            points: on the surface, in the lamp's coordinates.
            normals: unit vectors in them.
            lit: whether the lamp reaches the surface, or how much of it.
        """
        facing = np.maximum(dot(normals, self.towards(points)), 0.0)
        return np.asarray(1.0 + SKY * normals[..., 2] + self.ratio * lit * facing)

    def shine(
        self,
        points: Float64[np.ndarray, "*N 3"],
        normals: Float64[np.ndarray, "*N 3"],
        to_eye: Float64[np.ndarray, "*N 3"] | None = None,
    ) -> Float64[np.ndarray, "*N"]:
        """How much of the lamp a mirror-like surface shows, in [0, 1].

        Args:
            points: on the surface, in the lamp's coordinates.
            normals: unit vectors in them.
            to_eye: unit vectors from the points to who looks; by default to the coordinates' origin.
        """
        towards = self.towards(points)
        halfway = unit(towards + (unit(-points) if to_eye is None else to_eye))
        faces = (dot(normals, towards) > 0) & (self.ratio > 0)
        return np.asarray(faces * np.maximum(dot(normals, halfway), 0.0) ** SHARPNESS)


class Towards(NamedTuple):
    """About where a lamp is, seen from what it shines on."""

    direction: Float64[np.ndarray, "3"]
    """Unit vector in table coordinates."""
    spread: Float64[np.ndarray, "2"]
    """Standard deviations of its two level parts."""


def unit(vectors: Float64[np.ndarray, "*N 3"]) -> Float64[np.ndarray, "*N 3"]:
    """Vectors brought to length 1; 0 stays 0."""
    return np.asarray(vectors / np.maximum(np.sqrt(dot(vectors, vectors)), 1e-9)[..., None])


def dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Products of vectors (*N, 3) with those in the same place; several times as fast as multiplying and adding up."""
    return np.asarray(np.einsum("...k,...k->...", first, second))
