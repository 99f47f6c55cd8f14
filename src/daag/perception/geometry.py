"""Depth in metres and normals, out of what a depth model says.

The camera is taken for a pinhole with square pixels that looks along the picture's middle; its field of view is given.
Source: our choice.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float16, Float32, Int8, UInt8

from daag.errors import EditError

MIN_KNOWN = 0.5
"""Share of a frame's pixels whose depth must be a number. Single ones that are none count as nothing that was hit."""

FARTHEST_METRES = 60_000.0
"""What an episode's float16 can say."""

EXTREMES = (0.5, 99.5)
"""Percentiles of an episode's inverse depth that count as its nearest and farthest; single pixels are outliers."""


@runtime_checkable
class DepthModel(Protocol):
    """Says of single pictures how far everything is."""

    @property
    def hash(self) -> str:
        """SHA-256 of weights and settings."""

    @property
    def metric(self) -> bool:
        """Whether it says metres; else inverse depth up to a factor and an offset, larger where nearer."""

    def predict(self, frames: UInt8[np.ndarray, "F H W 3"]) -> Float32[np.ndarray, "F H W"]:
        """Metres along the camera's axis, or inverse depth; what is no number stays none."""


def metric_depth(metres: Float32[np.ndarray, "F H W"]) -> Float16[np.ndarray, "F H W"]:
    """As an episode has it: 0 where nothing is known.

    Raises:
        EditError: more than half of a frame is no number.
    """
    _check_known(metres)
    known = np.isfinite(metres) & (metres > 0)
    return np.where(known, np.clip(metres, 0.0, FARTHEST_METRES), 0.0).astype(np.float16)


def placed_depth(
    inverse: Float32[np.ndarray, "F H W"], near_metres: float, far_metres: float
) -> Float16[np.ndarray, "F H W"]:
    """Inverse depth up to a factor and an offset, put between two distances.

    Planes stay planes, and what is nearer stays nearer; how far, and at what slope, is only as right as the distances.
    One factor and one offset for all frames: what the camera sees standing still stands still.

    Args:
        inverse: larger where nearer.
        near_metres: where the nearest of all frames is put.
        far_metres: where the farthest is.

    Raises:
        EditError: more than half of a frame is no number.
    """
    _check_known(inverse)
    known = np.isfinite(inverse)
    low, high = np.percentile(inverse[known], EXTREMES)
    share = np.clip((inverse - low) / max(float(high - low), 1e-12), 0.0, 1.0)
    metres = 1.0 / (1.0 / far_metres + share * (1.0 / near_metres - 1.0 / far_metres))
    return np.where(known, metres, 0.0).astype(np.float16)


def normals_of(depth: Float16[np.ndarray, "F H W"], fovy_degrees: float) -> Int8[np.ndarray, "F H W 3"]:
    """Surface normals by the slope of depth, along each axis towards the neighbour that is nearer in depth.

    At an object's outline that is a neighbour on the object. A pixel without a neighbour faces the camera.

    Args:
        depth: metres; 0 where nothing was hit.
        fovy_degrees: the camera's vertical field of view.

    Returns:
        Unit normals in camera coordinates (x right, y down, z forward) times 127, 0 where nothing was hit.
    """
    return np.stack([_normals(one.astype(np.float64), fovy_degrees) for one in depth])


def _normals(depth: np.ndarray, fovy_degrees: float) -> np.ndarray:
    height, width = depth.shape
    focal = height / 2 / np.tan(np.radians(fovy_degrees) / 2)
    rows, columns = np.mgrid[:height, :width] + 0.5
    rays = np.stack(
        [(columns - width / 2) / focal, (rows - height / 2) / focal, np.ones_like(depth)], axis=-1
    )
    hit = depth > 0
    points = np.where(hit[..., None], rays * depth[..., None], np.nan)
    step = np.where(hit, depth, 1.0)[..., None] / focal
    right = _slope(points, axis=1, alone=step * np.array([1.0, 0.0, 0.0]))
    down = _slope(points, axis=0, alone=step * np.array([0.0, 1.0, 0.0]))
    normals = np.cross(down, right)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    return np.where(hit[..., None], np.rint(normals * 127.0), 0.0).astype(np.int8)


def _slope(points: np.ndarray, axis: int, alone: np.ndarray) -> np.ndarray:
    """From each point to the next along an axis, or from the one before: whichever bends depth less."""
    differences = np.diff(points, axis=axis)
    nothing = np.full_like(np.take(points, [0], axis=axis), np.nan)
    after = np.concatenate([differences, nothing], axis=axis)
    before = np.concatenate([nothing, differences], axis=axis)
    bend_after, bend_before = (
        np.nan_to_num(np.abs(one[..., 2:]), nan=np.inf, posinf=np.inf) for one in (after, before)
    )
    slope = np.where(bend_after <= bend_before, after, before)
    return np.where(np.isfinite(np.minimum(bend_after, bend_before)), slope, alone)


def _check_known(predicted: Float32[np.ndarray, "F H W"]) -> None:
    known = np.isfinite(predicted).mean(axis=(1, 2))
    worst = int(known.argmin())
    if known[worst] < MIN_KNOWN:
        raise EditError(
            f"the depth model gave no number for {1 - known[worst]:.0%} of frame {worst}'s pixels, where at most "
            f"{1 - MIN_KNOWN:.0%} may be; conditions_dtype float32 is exact, bfloat16 has its range"
        )
