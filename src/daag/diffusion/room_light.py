"""Where a room's lamp is, read from all that an eye sees of the room.

Nothing moves but the eye, so an object that stands somewhere ties frames together: all they show are points around it. Each
object has one colour, plus the lamp's mirror image where it is glossy; each flat part of floor, walls and furniture has one
colour, but for a pattern. How bright both are, by what they face and where they are, says together where the lamp is. Few
surfaces of one object say it alone: the front of a box is as bright in the shade as in dim light. Source: our choice;
Lambert's law, Blinn and Phong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float16, Float64, Int8, UInt8
from scipy.optimize import least_squares

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.eyes import Eye
from daag.diffusion.flats import Flat, flats_of
from daag.diffusion.intrinsics import inner
from daag.diffusion.light import Light, unit

_LAMP_METRES, _NEAR_METRES = 1.6, 0.3
"""How high above the floor a lamp is expected, twice as high as the eye, and the standard deviation of that."""

_NEAR_ASIDE = 3.0
"""Standard deviation of how far to a side of the object the lamp is, metres."""

_USUAL_RATIO, _NEAR_RATIO = 1.3, 0.3
"""Of the lamp's light to that from everywhere, and the standard deviation of it."""

_ASIDE, _BETWEEN, _FOLLOWED = 4.5, 0.9, 2
"""Metres to a side up to which lamps are tried and between them, and how many of them are followed up."""

_TOLERANCE, _PATTERN = 0.02, 0.12
"""How far off an object's colour may be, in [0, 1], and the brightness of a patterned plane, as a logarithm, before a pixel
counts less and less."""

_PLANE_WEIGHT = 0.5
"""Of a plane's pixel: those near each other share a pattern."""

_NEAR_GLOSS = 0.2
"""Standard deviation of gloss, as brightness in [0, 1]."""

_MOST_PIXELS = 120
"""About so many pixels of each colour are looked at, twice as many at most."""

_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Patch:
    """What K pixels show that are of one colour, in the room's axes, metres from the object's foot."""

    points: Float64[np.ndarray, "K 3"]
    facing: Float64[np.ndarray, "K 3"]
    """Unit normals."""
    to_eye: Float64[np.ndarray, "K 3"]
    """Unit vectors."""
    colours: Float64[np.ndarray, "K 3"]
    """In [0, 1]."""

    @classmethod
    def seen(
        cls,
        frame: UInt8[np.ndarray, "H W 3"],
        depth: Float16[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        eye: Eye,
        foot: Float64[np.ndarray, "3"],
        where: Bool[np.ndarray, "H W"],
    ) -> "Patch":
        """What some pixels of a frame show; `foot` is in the camera's table coordinates."""
        points, facing = eye.camera.surface(depth, normals, where)
        turn = eye.to_room.T
        return cls((points - foot) @ turn, facing @ turn, unit(-points) @ turn, frame[where] / 255.0)

    @classmethod
    def joined(cls, parts: "Sequence[Patch]") -> "Patch":
        """All pixels of several, or some of them, evenly."""
        columns = zip(*((p.points, p.facing, p.to_eye, p.colours) for p in parts), strict=True)
        points, facing, to_eye, colours = (np.concatenate(column) for column in columns)
        every = max(1, len(points) // _MOST_PIXELS)
        return cls(points[::every], facing[::every], to_eye[::every], colours[::every])

    def where(self, chosen: np.ndarray) -> "Patch":
        """Some of the pixels."""
        return Patch(self.points[chosen], self.facing[chosen], self.to_eye[chosen], self.colours[chosen])


Fitted = tuple[Float64[np.ndarray, "3"], float, Float64[np.ndarray, "K"]]
"""An object's colour where only light from everywhere falls on it, seen sideways, and its gloss, both in [0, 1]; how far off
its pixels are, in tolerances."""


def colour_under(lamp: Light, patch: Patch) -> Fitted:
    """The colour and gloss of an object that explain most of its pixels; each is lit, or it is not."""
    shade = lamp.on(patch.points, patch.facing, 0.0)
    full, mirrored = lamp.on(patch.points, patch.facing), lamp.shine(patch.points, patch.facing, patch.to_eye)
    bright, shine, weights = full, mirrored, np.ones(len(full))
    colour, gloss, off = np.zeros(3), 0.0, np.zeros(len(full))
    for _ in range(_ROUNDS):
        # Three channels' colours and one gloss: of the normal equations only the gloss's is not by itself.
        each, both = weights @ bright**2, weights @ (bright * shine)
        alone = 3.0 * (weights @ shine**2) + (_TOLERANCE / _NEAR_GLOSS) ** 2
        toned, shone = (weights * bright) @ patch.colours, (weights * shine) @ patch.colours.sum(axis=1)
        gloss = float(np.clip((shone - both * toned.sum() / each) / (alone - 3.0 * both**2 / each), 0.0, 1.0))
        colour = np.maximum((toned - both * gloss) / each, 0.0)
        lit = np.minimum(full[:, None] * colour + (gloss * mirrored)[:, None], 1.0)
        off_lit, off_dark = (
            np.linalg.norm(there - patch.colours, axis=1) / _TOLERANCE
            for there in (lit, shade[:, None] * colour)
        )
        dark = off_dark + 1.0 < off_lit
        off = np.where(dark, off_dark + 1.0, off_lit)
        bright, shine = np.where(dark, shade, full), np.where(dark, 0.0, mirrored)
        weights = 1.0 / (1.0 + off**2)
    return colour, gloss, off


def _plane_under(lamp: Light, patch: Patch) -> Float64[np.ndarray, "K"]:
    """How far off the pixels of a plane are, in tolerances, if each is lit, or is not."""
    shade, full = (np.log(lamp.on(patch.points, patch.facing, lit)) for lit in (0.0, 1.0))
    bright = np.log(patch.colours.sum(axis=1) + 0.01)
    tone, off = float(np.median(bright - full)), np.zeros(len(full))
    for _ in range(_ROUNDS - 1):
        off_lit, off_dark = (np.abs(bright - there - tone) / _PATTERN for there in (full, shade))
        dark = off_dark + 1.0 < off_lit
        off = np.where(dark, off_dark + 1.0, off_lit)
        tone = float(np.median(bright - np.where(dark, shade, full)))
    return off


def lamp_of(objects: Sequence[Patch], planes: Sequence[Patch], floor: float) -> Light:
    """Find the lamp.

    Args:
        objects: what frames show of each object.
        planes: of each flat part of floor, walls and furniture.
        floor: height of the floor, metres.

    Returns:
        The lamp in the patches' coordinates. Where they do not tell, it is above.
    """
    usual = np.array([0.0, 0.0, floor + _LAMP_METRES, _USUAL_RATIO])
    spread = np.array([_NEAR_ASIDE, _NEAR_ASIDE, _NEAR_METRES, _NEAR_RATIO])

    def residuals(values: Float64[np.ndarray, "4"]) -> Float64[np.ndarray, "R"]:
        lamp = Light(values[:3], max(float(values[3]), 0.05))
        off = [np.sqrt(np.log1p(colour_under(lamp, patch)[2] ** 2)) for patch in objects]
        weight = np.sqrt(_PLANE_WEIGHT)
        off += [weight * np.sqrt(np.log1p(_plane_under(lamp, patch) ** 2)) for patch in planes]
        return np.concatenate([(values - usual) / spread, *off])

    aside = np.arange(-_ASIDE, _ASIDE + 1e-6, _BETWEEN)
    tried = [usual + np.array([x, y, 0.0, 0.0]) for x in aside for y in aside]
    tried.sort(key=lambda values: float((residuals(values) ** 2).sum()))
    fits = [
        least_squares(residuals, start, x_scale=[0.3, 0.3, 0.1, 0.1], diff_step=1e-3, max_nfev=20)
        for start in tried[:_FOLLOWED]
    ]
    found = min(fits, key=lambda fit: float(fit.cost)).x
    return Light(found[:3], max(float(found[3]), 0.05))


def patches_of(
    frames: UInt8[np.ndarray, "N H W 3"],
    conditions: Conditions,
    eyes: Sequence[Eye],
    feet: Sequence[Float64[np.ndarray, "3"] | None],
) -> tuple[dict[int, Patch], list[Patch]]:
    """What frames show of each object, by id, and of each plane.

    Args:
        frames: the source.
        conditions: of the frames.
        eyes: of the frames.
        feet: where the same object's foot is in each frame, in the camera's table coordinates; None where it is not known.
    """
    objects: dict[int, list[Patch]] = {}
    planes: list[tuple[Flat, list[Patch]]] = []
    for index, foot in enumerate(feet):
        if foot is None:
            continue
        depth, segmentation = conditions.depth[index], conditions.segmentation[index]
        seen = partial(Patch.seen, frames[index], depth, conditions.normals[index], eyes[index], foot)
        for key in map(int, np.unique(segmentation[segmentation > 0])):
            objects.setdefault(key, []).append(seen(inner(segmentation == key)))
        rest = seen(~dilate(segmentation > 0) & (depth > 0))
        for flat in flats_of(rest.points, rest.facing):
            parts = next((parts for known, parts in planes if known.is_of(flat)), None)
            if parts is None:
                parts = []
                planes.append((flat, parts))
            parts.append(rest.where(flat.pixels))
    return (
        {key: Patch.joined(parts) for key, parts in objects.items()},
        [Patch.joined(parts) for _, parts in planes],
    )
