"""How a ray's hit becomes a colour: light from everywhere, a point light's diffuse and glossy terms, and no gamma.

Without gamma, pixels are linear in albedo, which is what lets a shade be fitted to a picture.
Source: our choice; the textbook's Blinn-Phong form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int32

from daag.errors import ConfigError

GLOSS_EXPONENT = 24
"""How narrow highlights are."""


@dataclass(frozen=True)
class Light:
    """A point light and the light that comes from everywhere. Strengths add up to at most 1, so nothing clips.

    Raises:
        ConfigError: a strength is negative, or they add up to more than 1.
    """

    position: tuple[float, float, float]
    ambient: float = 0.45
    diffuse: float = 0.55

    def __post_init__(self) -> None:
        if min(self.ambient, self.diffuse) < 0 or self.ambient + self.diffuse > 1.0 + 1e-6:
            raise ConfigError(
                f"ambient and diffuse must be >= 0 and add up to at most 1, got {self.ambient} and {self.diffuse}"
            )


@dataclass(frozen=True, eq=False)
class Texture:
    """Brightness factors that tile a plane."""

    brightness: Float32[np.ndarray, "K K"]
    """Factors on the albedo, mean about 1."""
    metres: float = 0.5
    """Side length of one tile."""
    axes: tuple[int, int] = (0, 1)
    """Which two world coordinates run along a tile's columns and rows: (0, 1) for a floor, (0, 2) or (1, 2) for a wall."""

    def at(self, x: Float32[np.ndarray, "*N"], y: Float32[np.ndarray, "*N"]) -> Float32[np.ndarray, "*N"]:
        """The factors at points of the plane, world metres along `axes`."""
        size, per_metre = len(self.brightness), np.float32(len(self.brightness) / self.metres)
        row, column = (x * per_metre).astype(np.int32), (y * per_metre).astype(np.int32)
        # NumPy's integer division by a scalar is several times faster than its remainder.
        row -= size * (row // size)
        column -= size * (column // size)
        return self.brightness.ravel().take(row * size + column)


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What each geom of a model looks like; one row per geom."""

    albedo: Float32[np.ndarray, "G 3"]
    """RGB in [0, 1]."""
    gloss: Float32[np.ndarray, "G"]
    """Strength of the highlight, 0 (matte) to 1."""
    object_id: Int16[np.ndarray, "G"]
    """What segmentation shows; 0 for everything that is not an object."""
    textures: Mapping[int, Texture] = field(default_factory=dict)
    """Geom to what tiles it; the others are plain."""
    background: tuple[float, float, float] = (0.55, 0.6, 0.65)
    """RGB where a ray hits nothing."""

    def ids_of(self, geom: Int32[np.ndarray, "*N"]) -> Int16[np.ndarray, "*N"]:
        """The object ids of geoms; 0 for geom -1, which is nothing."""
        return self._ids[geom]

    @cached_property
    def _ids(self) -> Int16[np.ndarray, "N"]:
        return np.append(self.object_id, np.int16(0))  # the last is that of -1


def shade(
    surfaces: Surfaces,
    light: Light,
    geom: Int32[np.ndarray, "R"],
    points: Float32[np.ndarray, "3 R"],
    normals: Float32[np.ndarray, "3 R"],
    rays: Float32[np.ndarray, "3 R"],
    brightness: Float32[np.ndarray, "R"],
    lit: Bool[np.ndarray, "R"],
) -> Float32[np.ndarray, "3 R"]:
    """The colours of points on surfaces. Coordinates come first, since NumPy is several times faster on long rows.

    Args:
        surfaces: what the geoms look like.
        light: what they are lit by.
        geom: which geom each point lies on; -1 for a ray that hit nothing.
        points: world coordinates in metres.
        normals: unit vectors in world coordinates.
        rays: directions from the camera to the points, of any length.
        brightness: factors on the albedo, for textures.
        lit: whether the point light reaches the point.

    Returns:
        RGB, 0 to about 1 (highlights may exceed it).
    """
    to_light = unit(np.asarray(light.position, dtype=np.float32)[:, None] - points)
    diffuse = light.diffuse * np.maximum(dot(normals, to_light), 0.0) * lit
    strength = light.ambient * (0.8 + 0.2 * normals[2]) + diffuse
    rgb = surfaces.albedo.T.take(geom, axis=1) * (strength * brightness)
    glossy = np.flatnonzero((diffuse > 0) & (surfaces.gloss[geom] > 0) & (geom >= 0))
    if len(glossy):
        halfway = unit(to_light[:, glossy] - unit(rays[:, glossy]))
        shine = np.maximum(dot(normals[:, glossy], halfway), 0.0) ** GLOSS_EXPONENT
        rgb[:, glossy] += surfaces.gloss[geom[glossy]] * shine
    missed = np.flatnonzero(geom < 0)
    rgb[:, missed] = np.array(surfaces.background, dtype=np.float32)[:, None]
    return rgb


def dot(a: Float32[np.ndarray, "3 R"], b: Float32[np.ndarray, "3 R"]) -> Float32[np.ndarray, "R"]:
    """Products of R pairs of vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(vectors: Float32[np.ndarray, "3 R"]) -> Float32[np.ndarray, "3 R"]:
    """The same directions, of length 1."""
    return vectors / np.sqrt(dot(vectors, vectors))
