"""Which pixels an edit may change, and how the repainted ones are put back.

The contract: a pixel outside the mask is byte-identical to the source. The mask holds what is visible of the object
and a rim around it, never a pixel of another object and never one of something nearer (the gripper). Shadows and
reflections stay as they are: a new colour does not change a shadow, and a new kind of similar geometry hardly does.
"""

import numpy as np
from jaxtyping import Bool, Float16, Int16, UInt8

NEARER = 0.02
"""Relative depth: a rim pixel counts as an occluder when it is nearer than the object beside it by 2 %."""

SEAM_WEIGHT = 0.75
"""How much of the repaint the mask's outermost pixels take; the rest is the source. Our choice: a hard seam shows,
while less than this leaves a fringe of the old colour."""


def dilate(mask: Bool[np.ndarray, "H W"], pixels: int = 1) -> Bool[np.ndarray, "H W"]:
    """Grow a mask by some pixels in all eight directions."""
    grown = mask
    for _ in range(pixels):
        padded = np.pad(grown, 1)
        rows = padded[:-2] | padded[1:-1] | padded[2:]
        grown = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return grown


def tight_mask(
    segmentation: Int16[np.ndarray, "H W"],
    depth: Float16[np.ndarray, "H W"],
    object_id: int,
    dilation: int = 1,
) -> Bool[np.ndarray, "H W"]:
    """What `modify` may change: the object's visible pixels and a rim around them.

    Args:
        segmentation: ids; 0 is everything that is not an object.
        depth: metres; 0 where nothing was hit.
        object_id: of the object.
        dilation: width of the rim in pixels.
    """
    own = segmentation == object_id
    if not own.any():
        return own
    rim = dilate(own, dilation) & (segmentation == 0)
    beside = np.where(own, depth, np.float16(np.inf)).astype(np.float32)
    for _ in range(dilation):
        beside = _neighbourhood_minimum(beside)
    return own | (rim & ~_in_front(depth, beside))


def box_mask(
    segmentation: Int16[np.ndarray, "H W"],
    depth: Float16[np.ndarray, "H W"],
    object_id: int,
    growth: tuple[int, int, int, int] = (1, 1, 1, 1),
) -> Bool[np.ndarray, "H W"]:
    """What `replace` may change: the box around the object, without the other objects and without what is nearer.

    Args:
        segmentation: ids; 0 is everything that is not an object.
        depth: metres; 0 where nothing was hit.
        object_id: of the object.
        growth: pixels by which the box grows at its top, bottom, left and right.
    """
    own = segmentation == object_id
    if not own.any():
        return own
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    top, bottom, left, right = growth
    box = np.zeros_like(own)
    box[
        max(0, rows[0] - top) : rows[-1] + 1 + bottom, max(0, columns[0] - left) : columns[-1] + 1 + right
    ] = True
    nearest = np.full(own.shape, depth[own].min(), dtype=np.float32)
    return own | (box & (segmentation == 0) & ~_in_front(depth, nearest))


def seam(mask: Bool[np.ndarray, "H W"], weight: float = SEAM_WEIGHT) -> np.ndarray:
    """Blending weights, float32 (H, W): 1 inside the mask, `weight` on its outermost pixels, 0 outside.

    The picture's border is no seam: an object that leaves the picture is repainted up to the border.
    """
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:] & mask
    return np.where(inner, 1.0, np.where(mask, weight, 0.0)).astype(np.float32)


def composite(
    source: UInt8[np.ndarray, "H W 3"],
    repainted: UInt8[np.ndarray, "H W 3"],
    mask: Bool[np.ndarray, "H W"],
    own: Bool[np.ndarray, "H W"],
    seam_weight: float = SEAM_WEIGHT,
) -> UInt8[np.ndarray, "H W 3"]:
    """Put repainted pixels into the source, with a soft seam.

    Args:
        source: the frame.
        repainted: its repaint; read inside the mask only.
        mask: what may change.
        own: the object's own pixels; they take the repaint in full, since a blend would keep some old colour.
        seam_weight: of the repaint on the mask's outermost pixels; 1 where a matte has blended them already.
    """
    weights = np.where(own & mask, np.float32(1.0), seam(mask, seam_weight))[..., None]
    blended = np.rint(weights * repainted + (1.0 - weights) * source).astype(np.uint8)
    return np.where(mask[..., None], blended, source)


def _in_front(depth: Float16[np.ndarray, "H W"], reference: np.ndarray) -> Bool[np.ndarray, "H W"]:
    """Where something was hit that is clearly nearer than the reference depth (H, W)."""
    return (depth > 0) & (depth.astype(np.float32) < reference * (1.0 - NEARER))


def _neighbourhood_minimum(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, 1, constant_values=np.inf)
    rows = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    return np.minimum(np.minimum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
