"""What a frame says of an object besides its colour: its matte and its shading.

An edge pixel is a mix of object and background; how much of each (the matte) depends on where the edge runs, not on
the colours. And how bright a surface point is relative to the others (the shading) depends on light and geometry, not
on the colour. Both are read from the source frame. Taken out of the picture they leave flat colours, which the model
repaints; put back they give the new colour the old light, the old edges and, pixel for pixel, the old background.

Brightness is measured against one reference for all frames of an object, so an object that moves into the shade gets
darker after the edit as it did before.  Source: our choice; intrinsic images, and the compositing equation of matting.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
from jaxtyping import Bool, Float32, UInt8

UNCERTAIN = 0.01
"""Squared colour difference in [0, 3] at which edge pixels are judged as much by the segmentation as by colour."""

_VARIES = 0.02
"""Squared colour difference at which it counts as much as the colours that the shares of an edge pixel add up to 1. Both parts
may be brighter or darker there than beside it, at a bend or in a shadow, so that it counts little."""

SHADING_RANGE = 2.5
"""Shading is clipped to this many octaves of brightness above and below the reference."""

_FLOOR = 0.004
"""Brightness in [0, 1] added before dividing, one grey level, so that black objects have finite shading. With more, the
shading of dark objects is flattened."""


@dataclass(frozen=True, eq=False)
class Intrinsics:
    """The parts of an object's look that a new colour keeps."""

    matte: Float32[np.ndarray, "H W"]
    """How much of each pixel the object covers, about in [0, 1]: more where an edge pixel is brighter than the object beside
    it; 0 farther than a pixel away from it."""
    shading: Float32[np.ndarray, "H W"]
    """Octaves of brightness relative to the reference, within +-`SHADING_RANGE`; 0 away from the object."""
    flat: UInt8[np.ndarray, "H W 3"]
    """The picture with the object's shading taken out, and its colour continued over its edges."""
    behind: Float32[np.ndarray, "H W 3"]
    """What the picture holds besides the object's colour, grey levels: all of it where the matte is 0, a share at edges,
    and highlights."""

    def restore(self, painted: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """The picture with other flat colours under the same matte and shading; `flat` gives the picture itself."""
        light = (self.matte * np.exp2(self.shading))[..., None]
        return np.clip(np.rint(self.behind + light * painted), 0, 255).astype(np.uint8)

    def cut(self, window: Callable[[np.ndarray], np.ndarray]) -> "Intrinsics":
        """A part of it: `window` cuts an image (H, W, ...)."""
        return Intrinsics(*map(window, (self.matte, self.shading, self.flat, self.behind)))


def reference_brightness(rgb: UInt8[np.ndarray, "H W 3"], own: Bool[np.ndarray, "H W"]) -> float:
    """An object's median brightness (largest channel) in [0, 1], edges apart; 0.5 where nothing is visible."""
    inside = inner(own)
    return float(np.median(rgb[inside].max(axis=-1))) / 255.0 if inside.any() else 0.5


def decompose(
    rgb: UInt8[np.ndarray, "H W 3"],
    own: Bool[np.ndarray, "H W"],
    reference: float | None = None,
    highlight: Float32[np.ndarray, "H W"] | None = None,
    coverage: Float32[np.ndarray, "H W"] | None = None,
) -> Intrinsics:
    """Split an object's look into matte, shading and flat colours.

    Args:
        rgb: the picture.
        own: the object's pixels in it.
        reference: brightness in [0, 1] whose shading is 0; by default the object's own.
        highlight: grey levels that the lamp's mirror image adds, whatever the object's colour; where known, it is none of
            the shading, and stays in `behind`.
        coverage: how much of each pixel the object covers, in [0, 1], where that is known otherwise than by its colours; nan
            where it is not. It says which pixels show the object alone; those at the edge are told by their colours.
    """
    if reference is None:
        reference = reference_brightness(rgb, own)
    inside, near = inner(own), ~_eroded(~own)
    if coverage is not None:
        whole = np.where(np.isnan(coverage), inside, own & (coverage >= 1.0))
        inside = whole if whole.any() else inside
    image = rgb.astype(np.float32) / 255.0
    if highlight is not None:
        image = np.maximum(image - highlight[..., None] / np.float32(255.0), 0.0)
    front, has_front = _local_mean(image, inside)
    back, has_back = _local_mean(image, ~near)
    front = np.where(has_front[..., None], front, image[inside].mean(axis=0) if inside.any() else 0.0)
    prior = _expected_coverage(own)
    by_colours = np.where(has_back, _share_of(image, front, back, prior), prior)
    # Not clipped: an edge pixel may be brighter than the object beside it, or darker than what is around.
    matte = np.where(inside, 1.0, np.where(near, by_colours, 0.0))
    colour = np.where(inside[..., None], image, front)
    shading = np.where(near, octaves(colour.max(axis=-1), reference), 0.0)
    flat = np.where(near[..., None], colour / np.exp2(shading)[..., None], image)
    flat = np.clip(np.rint(flat * 255.0), 0, 255).astype(np.uint8)
    behind = rgb - (matte * np.exp2(shading))[..., None] * flat
    return Intrinsics(matte.astype(np.float32), shading.astype(np.float32), flat, behind.astype(np.float32))


def _share_of(
    image: Float32[np.ndarray, "H W 3"],
    front: Float32[np.ndarray, "H W 3"],
    back: Float32[np.ndarray, "H W 3"],
    expected: Float32[np.ndarray, "H W"],
) -> Float32[np.ndarray, "H W"]:
    """How much of `front` each pixel holds, if it is some of that and some of `back`: the two shares that explain its colour
    best, about what is expected, and about 1 together."""
    ff, bb, fb, fi, bi = (
        np.einsum("hwc,hwc->hw", one, other) + np.float32(_VARIES)
        for one, other in ((front, front), (back, back), (front, back), (front, image), (back, image))
    )
    ff, fi = ff + UNCERTAIN, fi + UNCERTAIN * expected
    return np.asarray((fi * bb - bi * fb) / (ff * bb - fb**2), dtype=np.float32)


def octaves(brightness: np.ndarray, reference: float) -> np.ndarray:
    """Shading of a brightness in [0, 1] relative to another, within +-`SHADING_RANGE`."""
    return np.clip(np.log2((brightness + _FLOOR) / (reference + _FLOOR)), -SHADING_RANGE, SHADING_RANGE)


def _expected_coverage(own: Bool[np.ndarray, "H W"]) -> Float32[np.ndarray, "H W"]:
    """How much of a pixel an object covers, judged by how many of the nine pixels around it are the object's.

    A logistic curve, fitted to renders of scenes; an edge pixel of the object is more than half covered.
    """
    padded = np.pad(own, 1, mode="edge").astype(np.float32)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    count = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    expected = 1.0 / (1.0 + np.exp(-1.35 * (count - 4.5)))
    return np.where(own, np.maximum(expected, 0.7), np.minimum(expected, 0.3)).astype(np.float32)


def inner(own: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """The object without its edge pixels; with them where it has no others."""
    eroded = _eroded(own)
    return eroded if eroded.any() else own


def _eroded(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Without the pixels that have a neighbour outside; the picture's border is no edge."""
    padded = np.pad(mask, 1, mode="edge")
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]


def _local_mean(
    image: Float32[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"], reach: int = 2
) -> tuple[Float32[np.ndarray, "H W 3"], Bool[np.ndarray, "H W"]]:
    """Means over the mask's pixels up to `reach` away, near ones counting more; and where there is any."""
    height, width = mask.shape
    stacked = np.concatenate([image * mask[..., None], mask[..., None].astype(np.float32)], axis=-1)
    padded = np.pad(stacked, ((reach, reach), (reach, reach), (0, 0)))
    weights = [float(comb(2 * reach, shift)) for shift in range(2 * reach + 1)]
    rows = np.add.reduce([weight * padded[shift : shift + height] for shift, weight in enumerate(weights)])
    total = np.add.reduce([weight * rows[:, shift : shift + width] for shift, weight in enumerate(weights)])
    weight_sum = total[..., 3:]
    return total[..., :3] / np.maximum(weight_sum, 1.0), weight_sum[..., 0] > 0
