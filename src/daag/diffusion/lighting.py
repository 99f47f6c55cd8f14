"""Where the light comes from, read from the pictures of an episode.  Source: our choice.

All objects stand in the same light, so all of them in all frames say together where the lamp is; a new body in an object's
place, or the table it no longer hides, can then be lit as the rest of the picture is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int16, Shaped, UInt8
from scipy.optimize import least_squares

from daag.diffusion.intrinsics import inner
from daag.diffusion.light import LAMP_METRES, SHARPNESS, SKY, Light, Towards, dot, unit
from daag.tasks import SHADES

_SHADE = 0.15
"""Share of an object's pixels that are darkest for what they face, and are taken for pixels in the shade at first."""

_TRIMMED = 0.2
"""Share of all pixels that fit worst, and do not count at first."""

_RATIOS = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6, 2.0)
"""Of the lamp's light to that from everywhere, which are tried at first."""

_COARSE_DEGREES = 12.0
"""Between directions that are tried at first."""

_FEW_PIXELS, _MANY_PIXELS = 200, 600
"""About so many pixels are looked at, of all frames together, at first and in the end; twice as many at most."""

_TOLERANCES = (0.05, 0.01)
"""Of brightness in [0, 1]: how far a pixel may be from what the light explains before it counts less and less, at first and
in the end. Most are nearer; those in the shade or at a bend are far off, and so is a whole highlight at first."""

_NEAR_LAMP, _NEAR_ABOVE, _NEAR_RATIO, _NEAR_GLOSS = 0.15, 0.4, 0.2, 0.06
"""Standard deviations of what is expected beforehand: of the lamp's distance and of how far to a side it is, metres, of its
light, and of gloss, which is none."""

_NEAR_SHADOWS = 0.08
"""Standard deviation of how far to a side the lamp is, metres, where shadows tell surely: about three and a half degrees."""

_BESIDE_SHADOWS = 0.5
"""Weight of each colour where shadows tell, too. What the light does not explain of blocks' colours is wrong in all of their
pixels together, and so many must not overrule them."""

_USUAL_RATIO = 1.3

_COLOURFUL = 0.3
"""Saturation of a colour word from which on it says how pale an object may be."""

_NEAR_PALENESS = 0.03
"""Standard deviation of how much paler than its word a colour is, relative to its brightness."""


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


@dataclass(frozen=True, eq=False)
class _Glow:
    """What a lamp at some place does to K pixels, and how that changes as it is moved."""

    facing: Float64[np.ndarray, "K"]
    """How far each surface faces it, in [0, 1]."""
    shine: Float64[np.ndarray, "K"]
    """How much of it a mirror-like surface shows, in [0, 1]."""
    facing_slopes: Float64[np.ndarray, "K 3"]
    """Per metre."""
    shine_slopes: Float64[np.ndarray, "K 3"]

    @classmethod
    def of(cls, place: Float64[np.ndarray, "3"], samples: _Samples, to_eye: np.ndarray) -> "_Glow":
        """See `Light.on` and `Light.shine`; `to_eye` are unit vectors to the camera."""
        away = place - samples.points
        distance = np.sqrt(dot(away, away))[:, None]
        towards = away / distance
        halfway = towards + to_eye
        length = np.sqrt(dot(halfway, halfway))[:, None]
        halfway = halfway / length
        normals = samples.normals
        facing, mirrored = dot(normals, towards), np.maximum(dot(normals, halfway), 0.0)
        faces = facing > 0
        # A unit vector changes by what of a step is across it, over the distance.
        turning = (normals - mirrored[:, None] * halfway) / length
        turning = (turning - dot(turning, towards)[:, None] * towards) / distance
        return cls(
            np.maximum(facing, 0.0),
            faces * mirrored**SHARPNESS,
            faces[:, None] * (normals - facing[:, None] * towards) / distance,
            (faces * SHARPNESS * mirrored ** (SHARPNESS - 1))[:, None] * turning,
        )


def fit_light(
    frames: UInt8[np.ndarray, "N H W 3"],
    segmentation: Int16[np.ndarray, "N H W"],
    normals: Int8[np.ndarray, "N H W 3"],
    points: Float64[np.ndarray, "N H W 3"],
    to_table: Float64[np.ndarray, "3 3"],
    words: Mapping[int, str] | None = None,
    towards: Towards | None = None,
) -> tuple[Light, dict[int, float]]:
    """Find the lamp that explains the colours of all objects best, and how glossy each object is in its light.

    Args:
        frames: of one episode; camera and light stand still.
        segmentation: ids; 0 is everything that is not an object.
        normals: unit normals in camera coordinates times 127.
        points: what each pixel shows, metres in table coordinates, the camera at 0.
        to_table: rows are the table's axes in camera coordinates, the last one up.
        words: of each object the palette's word for its colour, where there is one. A surface that faces one way only, such
            as the top of a flat block, mirrors the lamp evenly: that it does is told by a colour paler than its word.
        towards: from the objects to about where the lamp is, as shadows tell it; by default it may be anywhere above.

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
    few, many = (
        samples.at(np.arange(0, len(samples.owner), max(1, len(samples.owner) // count)))
        for count in (_FEW_PIXELS, _MANY_PIXELS)
    )
    if towards is None:
        light = _search(few, _directions())
    else:
        light = Light(samples.points.mean(axis=0) + LAMP_METRES * towards.direction, _USUAL_RATIO)
    return _fitted(light, many, words or {}, towards) if light.ratio > 0 else (light, {})


def _search(samples: _Samples, directions: Float64[np.ndarray, "D 3"]) -> Light:
    """The best of many lamps."""
    middle = samples.points.mean(axis=0)
    groups = [np.flatnonzero(samples.owner == name) for name in np.unique(samples.owner)]
    lights = [Light(middle + LAMP_METRES * direction, 1.0) for direction in directions]
    facing = np.stack([light.on(samples.points, samples.normals) for light in lights])
    shine = np.stack([light.shine(samples.points, samples.normals) for light in lights])
    around = 1.0 + SKY * samples.normals[:, 2]
    found = []
    for ratio in _RATIOS:
        errors = _misfits(around + ratio * (facing - around), shine * (ratio > 0), samples, groups)
        found.append((float(errors.min()), Light(lights[int(errors.argmin())].position, ratio)))
    return min(found, key=lambda pair: pair[0])[1]


def _fitted(
    light: Light, samples: _Samples, words: Mapping[int, str], towards: Towards | None
) -> tuple[Light, dict[int, float]]:
    """Lamp, colours and gloss that together explain the pixels best, and the gloss of each object as a grey level.

    A pixel counts less the farther it is from what is explained (Cauchy), so that those in the shade hardly matter.
    """
    names, owner = np.unique(samples.owner, return_inverse=True)
    middle, count = samples.points.mean(axis=0), len(names)
    plain = samples.colours / light.on(samples.points, samples.normals)[:, None]
    colours = np.stack([np.median(plain[owner == which], axis=0) for which in range(count)])

    aside, sure, weight = np.zeros(2), np.full(2, _NEAR_ABOVE), 1.0
    if towards is not None:
        aside, weight = LAMP_METRES * towards.direction[:2], _BESIDE_SHADOWS
        sure = np.hypot(_NEAR_SHADOWS, LAMP_METRES * towards.spread)
    palest = [_palest(words.get(int(name), "")) for name in names]

    around, to_eye = 1.0 + SKY * samples.normals[:, 2], unit(-samples.points)

    @lru_cache(maxsize=1)
    def lamp_at(*place: float) -> _Glow:
        """What a lamp there, seen from the middle, does to each pixel."""
        return _Glow.of(middle + place, samples, to_eye)

    def light_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How bright the lamp at `values[:3]` of ratio `values[3]` makes a white surface, and what it mirrors there."""
        glow = lamp_at(*values[:3])
        return around + values[3] * glow.facing, glow.shine * (values[3] > 0)

    def misfits(values: np.ndarray, bright: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        """By how much each pixel's colour is brighter than it is."""
        gloss, colour = values[4 : 4 + count], values[4 + count :].reshape(count, 3)
        explained = colour[owner] * bright[:, None] + (gloss[owner] * mirrored)[:, None]
        return np.asarray(np.minimum(explained, 1.0) - samples.colours)  # no picture shows more than 1

    def unexpected(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far the lamp, the gloss and the paleness of colours are from what is expected, and the slopes of that."""
        far, matrix = np.zeros(4 + 2 * count), np.zeros((4 + 2 * count, len(values)))
        distance = float(np.linalg.norm(values[:3]))
        far[:2] = (distance - LAMP_METRES) / _NEAR_LAMP, (values[3] - _USUAL_RATIO) / _NEAR_RATIO
        matrix[0, :3], matrix[1, 3] = values[:3] / distance / _NEAR_LAMP, 1 / _NEAR_RATIO
        gloss = values[4 : 4 + count]
        usual = np.where(gloss < 0, _NEAR_GLOSS / 10, _NEAR_GLOSS)  # there is no negative one
        far[2 : 2 + count], slope = _cauchy(gloss / usual)
        matrix[np.arange(2, 2 + count), np.arange(4, 4 + count)] = slope / usual
        far[-2:] = (values[:2] - aside) / sure
        matrix[-2, 0], matrix[-1, 1] = 1 / sure
        for which, bound in enumerate(palest):
            if bound is None:
                continue
            low, high, ratio = bound
            column, scale = 4 + count + 3 * which, _NEAR_PALENESS * max(float(colours[which].max()), 0.05)
            excess = values[column + low] - ratio * values[column + high]
            if excess > 0:
                far[2 + count + which] = excess / scale
                matrix[2 + count + which, [column + low, column + high]] = 1 / scale, -ratio / scale
        return far, matrix

    def residuals(values: np.ndarray, tolerance: float) -> np.ndarray:
        far = misfits(values, *light_of(values)).ravel() / tolerance
        return np.concatenate([weight * _cauchy(far)[0], unexpected(values)[0]])

    def slopes(values: np.ndarray, tolerance: float) -> np.ndarray:
        bright, mirrored = light_of(values)
        far = misfits(values, bright, mirrored)
        matrix = np.zeros((*far.shape, len(values)))
        glow, colour = lamp_at(*values[:3]), values[4 + count :].reshape(count, 3)[owner]
        moved = (values[4 : 4 + count][owner] * (values[3] > 0))[:, None] * glow.shine_slopes
        matrix[..., :3] = values[3] * colour[..., None] * glow.facing_slopes[:, None] + moved[:, None]
        matrix[..., 3] = colour * glow.facing[:, None]
        rows = np.arange(len(owner))
        matrix[rows, :, 4 + owner] = mirrored[:, None]
        for channel in range(3):
            matrix[rows, channel, 4 + count + 3 * owner + channel] = bright
        matrix *= (far < 1.0 - samples.colours)[..., None]  # an overexposed channel no longer changes
        matrix *= weight * (_cauchy(far / tolerance)[1] / tolerance)[..., None]
        return np.concatenate([matrix.reshape(-1, len(values)), unexpected(values)[1]])

    found = np.concatenate([light.position - middle, [light.ratio], np.zeros(count), colours.ravel()])
    for tolerance in _TOLERANCES:
        found = least_squares(residuals, found, slopes, args=(tolerance,), x_scale="jac", max_nfev=30).x
    gloss = np.clip(found[4 : 4 + count], 0.0, 1.0) * 255.0
    lamp = Light(middle + found[:3], max(float(found[3]), 0.0))
    return lamp, dict(zip(map(int, names), map(float, gloss), strict=True))


def _cauchy(far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is far off hardly counts more the farther it is: sign(f) sqrt(log(1 + f^2)), and its slope, which is 1 at 0."""
    size = np.maximum(np.abs(far), 1e-6)
    value = np.sqrt(np.log1p(size**2))
    return np.sign(far) * value, size / ((1 + size**2) * value)


def _palest(word: str) -> tuple[int, int, float] | None:
    """The channels in which a colour word is darkest and brightest, and most that the first may be of the second; None for
    what is no colour, or a grey."""
    if word not in SHADES or SHADES[word].saturation[0] < _COLOURFUL:
        return None
    middle = SHADES[word].middle
    return int(middle.argmin()), int(middle.argmax()), 1.0 - SHADES[word].saturation[0]


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
        kept = _but_the_lowest(b / e)
        for _ in range(2):
            strength, gloss = _two_weights(e, h, b, kept)
            signed = b - strength * e - gloss * h
            kept = _but_the_lowest(signed)
        residual[:, group] = np.abs(signed) / np.maximum(strength, 0.05)
    count = int(len(bright) * (1 - _TRIMMED))
    return np.asarray(np.partition(residual, count - 1, axis=1)[:, :count].mean(axis=1))


def _but_the_lowest(values: Float64[np.ndarray, "D K"]) -> Bool[np.ndarray, "D K"]:
    """All but the lowest `_SHADE` of each row."""
    place = int(np.ceil(_SHADE * (values.shape[1] - 1)))
    return np.asarray(values >= np.partition(values, place, axis=1)[:, place, None])


def _two_weights(
    e: Float64[np.ndarray, "D K"],
    h: Float64[np.ndarray, "D K"],
    b: Float64[np.ndarray, "1 K"],
    kept: Bool[np.ndarray, "D K"],
) -> tuple[Float64[np.ndarray, "D 1"], Float64[np.ndarray, "D 1"]]:
    """Weights of e and of h, by least squares over what is kept, the second not negative."""
    e, h = kept * e, kept * h
    ee, eh, eb, hb = (dot(one, other) for one, other in ((e, e), (e, h), (e, b), (h, b)))
    hh = dot(h, h) + 1e-3  # without a highlight in sight there is no gloss
    gloss = np.maximum((ee * hb - eh * eb) / np.maximum(ee * hh - eh**2, 1e-9), 0.0)
    strength = (eb - gloss * eh) / np.maximum(ee, 1e-9)
    return strength[:, None], gloss[:, None]


def _directions() -> Float64[np.ndarray, "D 3"]:
    """Above the table, about `_COARSE_DEGREES` apart."""
    step = np.radians(_COARSE_DEGREES)
    made = [(0.0, 0.0, 1.0)]
    for tilt in np.arange(step, np.radians(72.0), step):
        count = max(6, round(2 * np.pi * np.sin(tilt) / step))
        for turn in np.arange(count) * 2 * np.pi / count:
            made.append((np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)))
    return np.array(made)
