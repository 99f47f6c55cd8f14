"""Where the light comes from, read from the pictures of an episode.  Source: our choice; Lambert's law.

A surface is as bright as its colour, times the light from everywhere (a little more from above), plus that of a lamp far
away, as far as the surface faces it. All objects stand in the same light, so all of them in all frames say together where the lamp is; a new body in
an object's place, or the table it no longer hides, can then be lit as the rest of the picture is.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8, Int16, Shaped, UInt8

from daag.diffusion.intrinsics import inner

_TRIMMED = 0.2
"""Share of pixels that fit worst, and are taken for shadows and highlights."""

_RATIOS = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6, 2.0)
"""Of the lamp's light to that from everywhere, which are tried."""

_SKY = 0.25
"""How much more of the light from everywhere falls on what faces up than on what faces sideways."""

_MAX_PIXELS = 400
"""About so many pixels are looked at, of all frames together; twice as many at most."""

_MAX_FRAMES = 4
"""Frames that are looked at, spread over the episode."""


@dataclass(frozen=True, eq=False)
class Light:
    """What falls on a surface, relative to the light that comes from everywhere on one that faces sideways."""

    direction: Float64[np.ndarray, "3"]
    """Towards the lamp, a unit vector in table coordinates: two along the table, one up."""
    ratio: float
    """How much brighter than the light from everywhere a lamp straight above a surface makes it."""

    def on(
        self, normals: Float64[np.ndarray, "*N 3"], lit: Shaped[np.ndarray, "*N"] | float = 1.0
    ) -> Float64[np.ndarray, "*N"]:
        """How bright a white surface is.

        Args:
            normals: unit vectors in table coordinates.
            lit: whether the lamp reaches the surface, or how much of it.
        """
        return np.asarray(
            1.0 + _SKY * normals[..., 2] + self.ratio * lit * np.maximum(normals @ self.direction, 0.0)
        )


def fit_light(
    frames: UInt8[np.ndarray, "N H W 3"],
    segmentation: Int16[np.ndarray, "N H W"],
    normals: Int8[np.ndarray, "N H W 3"],
    to_table: Float64[np.ndarray, "3 3"],
) -> Light:
    """Find the lamp that explains the brightness of all objects best.

    Args:
        frames: of one episode; camera and light stand still.
        segmentation: ids; 0 is everything that is not an object.
        normals: unit normals in camera coordinates times 127.
        to_table: rows are the table's axes in camera coordinates, the last one up.

    Returns:
        The light; without a lamp where too little is seen.
    """
    facing, bright, owner = [], [], []
    for index in np.unique(np.linspace(0, len(frames) - 1, _MAX_FRAMES).round().astype(int)):
        frame, ids, normal = frames[index], segmentation[index], normals[index]
        for object_id in np.unique(ids[ids > 0]):
            inside = inner(ids == object_id)
            facing.append(normal[inside] / 127.0 @ to_table.T)
            bright.append(frame[inside].max(axis=-1) / 255.0)
            owner.append(np.full(int(inside.sum()), object_id))
    if not facing or len(values := np.concatenate(bright)) < 20:
        return Light(np.array([0.0, 0.0, 1.0]), 0.0)
    return _search(np.concatenate(facing), values, np.concatenate(owner))


def _search(facing: Float64[np.ndarray, "K 3"], bright: Float64[np.ndarray, "K"], owner: np.ndarray) -> Light:
    few = np.arange(0, len(bright), max(1, len(bright) // _MAX_PIXELS))
    facing, bright, owner = facing[few], bright[few], owner[few]
    groups = [np.flatnonzero(owner == name) for name in np.unique(owner)]
    best, light = np.inf, Light(np.array([0.0, 0.0, 1.0]), 0.0)
    directions = _directions()
    for ratio in _RATIOS:
        expected = np.stack([Light(direction, ratio).on(facing) for direction in directions])
        residual = np.empty(expected.shape)
        for group in groups:
            strength = np.median(bright[group] / expected[:, group], axis=1, keepdims=True)
            misfit = np.abs(bright[group] - strength * expected[:, group])
            residual[:, group] = misfit / np.maximum(strength, 0.05)
        kept = int(len(bright) * (1 - _TRIMMED))
        errors = np.partition(residual, kept - 1, axis=1)[:, :kept].mean(axis=1)
        if errors.min() < best:
            best, light = float(errors.min()), Light(directions[int(errors.argmin())], ratio)
    return light


def _directions() -> Float64[np.ndarray, "D 3"]:
    """Above the table, about 8 degrees apart."""
    made = [(0.0, 0.0, 1.0)]
    for tilt in np.radians(np.arange(8.0, 72.0, 8.0)):
        count = max(6, round(2 * np.pi * np.sin(tilt) / np.radians(8.0)))
        for turn in np.arange(count) * 2 * np.pi / count:
            made.append((np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)))
    return np.array(made)
