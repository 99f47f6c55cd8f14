"""Where the light comes from, read from the pictures of an episode.  Source: our choice; Lambert's law, Blinn and Phong.

A surface is as bright as its colour, times the light from everywhere (a little more from above), plus that of a lamp, as
far as the surface faces it; and a glossy one mirrors the lamp. All objects stand in the same light, so all of them in all
frames say together where the lamp is; a new body in an object's place, or the table it no longer hides, can then be lit
as the rest of the picture is.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int16, Shaped, UInt8

from daag.diffusion.intrinsics import inner

LAMP_METRES = 1.3
"""From the objects to the lamp. Pictures hardly tell; half as far or twice turns the light by a few degrees only."""

_SKY = 0.25
"""How much more of the light from everywhere falls on what faces up than on what faces sideways."""

_SHARPNESS = 24
"""Of highlights: the exponent of Blinn and Phong."""

_SHADE = 0.15
"""Share of an object's pixels that are darkest for what they face, and are taken for pixels in the shade."""

_TRIMMED = 0.2
"""Share of all pixels that fit worst, and do not count."""

_RATIOS = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6, 2.0)
"""Of the lamp's light to that from everywhere, which are tried at first."""

_COARSE_DEGREES = 8.0
_REFINED = (4.0, 2.0, 1.0)
"""Degrees between directions that are tried at first, and then around the best."""

_MAX_PIXELS = 400
"""About so many pixels are looked at, of all frames together; twice as many at most."""


@dataclass(frozen=True, eq=False)
class Light:
    """What falls on a surface, relative to the light that comes from everywhere on one that faces sideways."""

    position: Float64[np.ndarray, "3"]
    """Of the lamp, metres in table coordinates: two along the table, one up, the camera at 0."""
    ratio: float
    """How much brighter than the light from everywhere a lamp straight above a surface makes it."""

    def towards(self, points: Float64[np.ndarray, "*N 3"]) -> Float64[np.ndarray, "*N 3"]:
        """Unit vectors from points, in table coordinates, to the lamp."""
        return _unit(self.position - points)

    def on(
        self,
        points: Float64[np.ndarray, "*N 3"],
        normals: Float64[np.ndarray, "*N 3"],
        lit: Shaped[np.ndarray, "*N"] | float = 1.0,
    ) -> Float64[np.ndarray, "*N"]:
        """How bright a white surface is.

        Args:
            points: on the surface, table coordinates.
            normals: unit vectors in table coordinates.
            lit: whether the lamp reaches the surface, or how much of it.
        """
        facing = np.maximum((normals * self.towards(points)).sum(axis=-1), 0.0)
        return np.asarray(1.0 + _SKY * normals[..., 2] + self.ratio * lit * facing)

    def shine(
        self, points: Float64[np.ndarray, "*N 3"], normals: Float64[np.ndarray, "*N 3"]
    ) -> Float64[np.ndarray, "*N"]:
        """How much of the lamp a mirror-like surface shows to the camera, in [0, 1]."""
        towards = self.towards(points)
        halfway = _unit(towards + _unit(-points))
        faces = ((normals * towards).sum(axis=-1) > 0) & (self.ratio > 0)
        return np.asarray(faces * np.maximum((normals * halfway).sum(axis=-1), 0.0) ** _SHARPNESS)


@dataclass(frozen=True, eq=False)
class _Samples:
    """Pixels of objects."""

    points: Float64[np.ndarray, "K 3"]
    normals: Float64[np.ndarray, "K 3"]
    colours: Float64[np.ndarray, "K 3"]
    """In [0, 1]."""
    owner: Shaped[np.ndarray, "K"]

    def at(self, index: np.ndarray) -> "_Samples":
        """Some of them."""
        return _Samples(self.points[index], self.normals[index], self.colours[index], self.owner[index])


def fit_light(
    frames: UInt8[np.ndarray, "N H W 3"],
    segmentation: Int16[np.ndarray, "N H W"],
    normals: Int8[np.ndarray, "N H W 3"],
    points: Float64[np.ndarray, "N H W 3"],
    to_table: Float64[np.ndarray, "3 3"],
) -> tuple[Light, dict[int, float]]:
    """Find the lamp that explains the colours of all objects best, and how glossy each object is in its light.

    Args:
        frames: of one episode; camera and light stand still.
        segmentation: ids; 0 is everything that is not an object.
        normals: unit normals in camera coordinates times 127.
        points: what each pixel shows, metres in table coordinates, the camera at 0.
        to_table: rows are the table's axes in camera coordinates, the last one up.

    Returns:
        The light, without a lamp where too little is seen; and of each object the grey level in 0..255 that its
        highlight would have on black.
    """
    seen = [
        _Samples(
            points[index][inside],
            normals[index][inside] / 127.0 @ to_table.T,
            frames[index][inside] / 255.0,
            np.full(int(inside.sum()), object_id),
        )
        for index in range(len(frames))
        for object_id in np.unique(segmentation[index])
        if object_id > 0 and (inside := inner(segmentation[index] == object_id)).any()
    ]
    if sum(len(part.owner) for part in seen) < 20:
        return Light(np.array([0.0, 0.0, LAMP_METRES]), 0.0), {}
    samples = _Samples(
        *(
            np.concatenate([getattr(part, name) for part in seen])
            for name in ("points", "normals", "colours", "owner")
        )
    )
    light = _search(samples.at(np.arange(0, len(samples.owner), max(1, len(samples.owner) // _MAX_PIXELS))))
    gloss = {}
    for object_id in np.unique(samples.owner):
        mine = samples.at(samples.owner == object_id)
        gloss[int(object_id)] = 255.0 * _gloss(light, mine)
    return light, gloss


def _search(samples: _Samples) -> Light:
    """The best of many lamps, then of those around it."""
    middle = samples.points.mean(axis=0)
    groups = [np.flatnonzero(samples.owner == name) for name in np.unique(samples.owner)]

    def best_of(directions: Float64[np.ndarray, "D 3"], ratios: tuple[float, ...]) -> tuple[float, Light]:
        lights = [Light(middle + LAMP_METRES * direction, 1.0) for direction in directions]
        facing = np.stack([light.on(samples.points, samples.normals) for light in lights])
        shine = np.stack([light.shine(samples.points, samples.normals) for light in lights])
        around = 1.0 + _SKY * samples.normals[:, 2]
        found = []
        for ratio in ratios:
            errors = _misfits(around + ratio * (facing - around), shine * (ratio > 0), samples, groups)
            found.append((float(errors.min()), Light(lights[int(errors.argmin())].position, ratio)))
        return min(found, key=lambda pair: pair[0])

    error, light = best_of(_directions(), _RATIOS)
    step = 0.15
    for degrees in _REFINED:
        ratios = tuple({max(0.0, light.ratio + change) for change in (-step, 0.0, step)})
        refined = best_of(_around(_unit(light.position - middle), np.radians(degrees)), ratios)
        if refined[0] < error:
            error, light = refined
        step /= 2
    return light


def _misfits(
    expected: Float64[np.ndarray, "D K"],
    shine: Float64[np.ndarray, "D K"],
    samples: _Samples,
    groups: list[np.ndarray],
) -> Float64[np.ndarray, "D"]:
    """How badly each of D lights explains the brightness of the pixels, relative to the objects' own."""
    bright = samples.colours.max(axis=1)
    residual = np.empty(expected.shape)
    for group in groups:
        e, h, b = expected[:, group], shine[:, group], bright[group][None]
        ratio = b / e
        kept = ratio >= np.quantile(ratio, _SHADE, axis=1, keepdims=True)
        for _ in range(2):
            strength, gloss = _two_weights(e, h, b, kept)
            signed = b - strength * e - gloss * h
            kept = signed >= np.quantile(signed, _SHADE, axis=1, keepdims=True)
        residual[:, group] = np.abs(signed) / np.maximum(strength, 0.05)
    count = int(len(bright) * (1 - _TRIMMED))
    return np.asarray(np.partition(residual, count - 1, axis=1)[:, :count].mean(axis=1))


def _two_weights(
    e: Float64[np.ndarray, "D K"],
    h: Float64[np.ndarray, "D K"],
    b: Float64[np.ndarray, "1 K"],
    kept: Bool[np.ndarray, "D K"],
) -> tuple[Float64[np.ndarray, "D 1"], Float64[np.ndarray, "D 1"]]:
    """Weights of e and of h, by least squares over what is kept, the second not negative."""
    ee, eh, eb, hb = ((kept * one * other).sum(axis=1) for one, other in ((e, e), (e, h), (e, b), (h, b)))
    hh = (kept * h * h).sum(axis=1) + 1e-3  # without a highlight in sight there is no gloss
    gloss = np.maximum((ee * hb - eh * eb) / np.maximum(ee * hh - eh**2, 1e-9), 0.0)
    strength = (eb - gloss * eh) / np.maximum(ee, 1e-9)
    return strength[:, None], gloss[:, None]


def _gloss(light: Light, samples: _Samples) -> float:
    """How strong an object's highlight is, in [0, 1]: the part of its colours that is white and where the lamp mirrors."""
    expected, shine = (part(samples.points, samples.normals) for part in (light.on, light.shine))
    kept = np.ones(len(shine), dtype=bool)
    gloss = 0.0
    for _ in range(3):
        e, h = expected[kept], shine[kept]
        # Without what the colour explains, in each channel.
        rest = h - e * (e @ h) / max(float(e @ e), 1e-9)
        gloss = max(0.0, float((samples.colours[kept].T @ rest).mean() / (rest @ rest + 1e-3)))
        colour = (samples.colours[kept] - gloss * h[:, None]).T @ e / max(float(e @ e), 1e-9)
        signed = (samples.colours - gloss * shine[:, None] - expected[:, None] * colour).mean(axis=1)
        kept = signed >= np.quantile(signed, _SHADE)
    return min(gloss, 1.0)


def _directions() -> Float64[np.ndarray, "D 3"]:
    """Above the table, about 8 degrees apart."""
    step = np.radians(_COARSE_DEGREES)
    made = [(0.0, 0.0, 1.0)]
    for tilt in np.arange(step, np.radians(72.0), step):
        count = max(6, round(2 * np.pi * np.sin(tilt) / step))
        for turn in np.arange(count) * 2 * np.pi / count:
            made.append((np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)))
    return np.array(made)


def _around(direction: Float64[np.ndarray, "3"], step: float) -> Float64[np.ndarray, "9 3"]:
    """A direction and eight others, a step of so many radians away along and across."""
    sideways = _unit(np.cross(direction, [0.3, 1.0, 0.2]))
    across = np.cross(direction, sideways)
    offsets = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return _unit(np.stack([direction + step * (i * sideways + j * across) for i, j in offsets]))


def _unit(vectors: Float64[np.ndarray, "*N 3"]) -> Float64[np.ndarray, "*N 3"]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
