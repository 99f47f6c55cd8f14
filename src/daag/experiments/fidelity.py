"""How near pictures come to what they should be: inside masks, over time, and not at all outside.

Sources: the structural similarity of Wang et al. (IEEE TIP 2004), with its Gaussian window of 11 pixels; the rest is our
choice.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy.ndimage import gaussian_filter

from daag.diffusion.compositing import dilate
from daag.diffusion.interior import Growth

_STABILISERS = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
_WINDOW = {"sigma": (0.0, 1.5, 1.5, 0.0), "truncate": 3.5}


def psnr(squared: float, count: int) -> float:
    """Peak signal-to-noise ratio in dB of a sum of squared errors over `count` values of 0..255."""
    return float(10 * np.log10(255.0**2 / max(squared / max(count, 1), 1e-9)))


def structural_similarity(
    first: UInt8[np.ndarray, "N H W 3"], second: UInt8[np.ndarray, "N H W 3"]
) -> Float32[np.ndarray, "N H W"]:
    """How alike pictures are around each pixel, the mean over the channels, in [-1, 1]; 1 where they are the same."""
    x, y = first.astype(np.float64), second.astype(np.float64)

    def around(values: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(values, **_WINDOW))

    mean_x, mean_y = around(x), around(y)
    var_x, var_y = around(x * x) - mean_x**2, around(y * y) - mean_y**2
    both = around(x * y) - mean_x * mean_y
    c1, c2 = _STABILISERS
    alike = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    apart = (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return np.asarray((alike / apart).mean(axis=-1), dtype=np.float32)


def changes(
    edited: np.ndarray, oracle: np.ndarray, masks: Sequence[Bool[np.ndarray, "N H W"]]
) -> tuple[float, float, float]:
    """How much pixels change from one frame to the next: the edit's, the oracle's, and what lies between the two.

    Counted are pixels that show one and the same object in both frames, in frames in which its outline moves; there an
    edit that is frozen or blurred changes too little, and one that flickers too much.

    Args:
        edited: (N, H, W, 3), grey levels.
        oracle: likewise.
        masks: where each object is seen.

    Returns:
        Means over pixels and frames in grey levels, then over objects: |change of the edit|, |change of the oracle|,
        |change of the edit - change of the oracle|; nan where nothing moves.
    """
    found = []
    for mask in masks:
        both = mask[1:] & mask[:-1]
        both &= (mask[1:] ^ mask[:-1]).any(axis=(1, 2))[:, None, None]
        if both.any():
            change, true_change = (
                np.diff(frames.astype(np.float32), axis=0)[both] for frames in (edited, oracle)
            )
            found.append([np.abs(part).mean() for part in (change, true_change, change - true_change)])
    if not found:
        return float("nan"), float("nan"), float("nan")
    mine, true, error = np.mean(found, axis=0)
    return float(mine), float(true), float(error)


def outside_identical(
    source: UInt8[np.ndarray, "N H W 3"],
    edited: UInt8[np.ndarray, "N H W 3"],
    masks: Sequence[tuple[Bool[np.ndarray, "N H W"], Growth | None]],
) -> bool:
    """Whether every pixel that no edit may touch is the source's, byte by byte.

    Args:
        source: the frames.
        edited: the same, edited.
        masks: of each edited object where it is seen, and by how much its bounding box grows to what may change; None where
            its kind stays, so that only its pixels and a rim of one may.
    """
    touched = np.zeros(source.shape[:3], dtype=bool)
    for mask, growth in masks:
        for index in np.flatnonzero(mask.any(axis=(1, 2))):
            if growth is None:
                touched[index] |= dilate(mask[index])
                continue
            rows, columns = np.nonzero(mask[index])
            pixels = growth if isinstance(growth, int) else growth(mask[index])
            top, left = max(rows.min() - pixels, 0), max(columns.min() - pixels, 0)
            touched[index, top : rows.max() + pixels + 1, left : columns.max() + pixels + 1] = True
    return bool((source == edited).all(axis=-1)[~touched].all())
