"""What a frame says of an object besides its colour: its matte and its shading.

An edge pixel is a mix of object and background; how much of each (the matte) depends on where the edge runs, not on
the colours. And how bright a surface point is relative to the others (the shading) depends on light and gloss more
than on the colour. Both are read from the source frame and, with depth and normals, steer the repaint: what the edit
must keep. Neither tells the colour.  Source: our choice; the compositing equation is that of alpha matting.
"""

import numpy as np
from jaxtyping import Bool, Float32, UInt8

UNCERTAIN = 0.003
"""Squared colour difference in [0, 3] at which edge pixels are judged as much by the segmentation as by colour."""


def matte_and_shading(
    rgb: UInt8[np.ndarray, "H W 3"], own: Bool[np.ndarray, "H W"]
) -> tuple[Float32[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
    """Split an object's look into coverage and relative brightness.

    Args:
        rgb: the picture.
        own: the object's pixels in it.

    Returns:
        The matte: how much of each pixel the object covers, in [0, 1]; 0 farther than a pixel from the object.
        The shading: log2 of the brightness relative to the object's median, clipped to [-1, 1]; 0 away from it.
    """
    inner = _eroded(own)
    if not inner.any():
        inner = own
    near = ~_eroded(~own)
    image = rgb.astype(np.float32) / 255.0
    front, has_front = _local_mean(image, inner)
    back, has_back = _local_mean(image, ~near)
    front = np.where(has_front[..., None], front, _mean_of(image, inner))
    contrast = front - back
    strength = np.where(has_back, np.square(contrast).sum(axis=-1), 0.0)
    prior = np.where(own, 0.85, 0.15)
    coverage = (((image - back) * contrast).sum(axis=-1) * has_back + UNCERTAIN * prior) / (
        strength + UNCERTAIN
    )
    matte = np.where(inner, 1.0, np.where(near, np.clip(coverage, 0.0, 1.0), 0.0))
    brightness = np.where(inner, image.max(axis=-1), front.max(axis=-1))
    median = float(np.median(brightness[inner])) if inner.any() else 1.0
    ratio = np.log2((brightness + 0.01) / (median + 0.01))
    shading = np.where(near, np.clip(ratio, -1.0, 1.0), 0.0)
    return matte.astype(np.float32), shading.astype(np.float32)


def _eroded(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Without the pixels that have a neighbour outside; the picture's border is no edge."""
    padded = np.pad(mask, 1, mode="edge")
    rows = padded[:-2] & padded[1:-1] & padded[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]


def _local_mean(
    image: Float32[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"], reach: int = 2
) -> tuple[Float32[np.ndarray, "H W 3"], Bool[np.ndarray, "H W"]]:
    """Means over the mask's pixels up to `reach` away, and where there is any."""
    height, width = mask.shape
    stacked = np.concatenate([image * mask[..., None], mask[..., None].astype(np.float32)], axis=-1)
    padded = np.pad(stacked, ((reach, reach), (reach, reach), (0, 0)))
    shifts = range(2 * reach + 1)
    rows = np.add.reduce([padded[shift : shift + height] for shift in shifts])
    total = np.add.reduce([rows[:, shift : shift + width] for shift in shifts])
    count = total[..., 3:]
    return total[..., :3] / np.maximum(count, 1.0), count[..., 0] > 0


def _mean_of(image: Float32[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"]) -> Float32[np.ndarray, "3"]:
    return image[mask].mean(axis=0) if mask.any() else np.zeros(3, dtype=np.float32)
