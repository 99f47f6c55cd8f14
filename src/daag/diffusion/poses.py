"""Where an upright object stands, read from its own pixels.

Depth and normals of its sides and its top say most of it. What they leave open, such as where along a side the object
ends, its outline says: pixels beside it that show something farther away. Source: our choice.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float16, Float64, Int8
from scipy.optimize import least_squares

from daag.diffusion.compositing import dilate
from daag.diffusion.table_camera import TableCamera
from daag.tasks import Outline, Shape, UprightShape

UPRIGHT = 0.75
"""Share of an object's pixels that must face up or sideways; with fewer it lies on its side, and has no pose."""

_MIN_TOP = 3
"""Pixels of a top that say how high it is."""

_DEPTH_METRES = 0.0007
"""Standard deviation of a depth, as pictures have it."""

_USUAL_SIZES = 0.04
"""Standard deviation of an object's scale, which is expected about 1."""

_OUTLINE_PIXELS = 0.25
"""How sure a pixel is to be on its side of the outline: on it, one half; twice as far away, 0.88."""

_BESIDE = 2
"""Pixels around an object whose own outline is looked at."""

_FARTHER_METRES = 0.005
"""What is so much farther than an object is behind it."""

_MOST_SIDES = 12
"""The sides' pixels count like so many at most: their depths err together."""

_TRIED_TURN, _BEST_TURNS = np.radians(22.5), 2
"""Turns of a flat block that are tried, so far apart, and how many of them are followed up."""

_ROUND_CORNERS = 16
_ANGLES = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])


@dataclass(frozen=True)
class Pose:
    """Where an upright object is, in a `TableCamera`'s table coordinates, metres and radians."""

    x: float
    y: float
    top: float
    yaw: float
    scale: float
    """Of the usual size."""

    def nearest_turn(self, shape: Shape, yaw: float) -> "Pose":
        """Of the turns that look alike, since a cube shows its turn up to quarters only, the one nearest to `yaw`."""
        if not shape.sides:
            return self
        step = 2 * np.pi / shape.sides
        return replace(self, yaw=self.yaw + step * round((yaw - self.yaw) / step))


def locate(
    camera: TableCamera,
    depth: Float16[np.ndarray, "H W"],
    normals: Int8[np.ndarray, "H W 3"],
    own: Bool[np.ndarray, "H W"],
    shape: Shape,
) -> Pose | None:
    """Find an object's pose from its visible pixels and its outline.

    Args:
        camera: of the frame.
        depth: metres.
        normals: unit normals in camera coordinates times 127.
        own: the object's pixels.
        shape: of what it is.

    Returns:
        None where too little is visible, or the object lies on its side.
    """
    if own.sum() < 6:
        return None
    points, facing = camera.surface(depth, normals, own)
    top, side = facing[:, 2] > 0.9, np.abs(facing[:, 2]) < 0.3
    if (top | side).mean() < UPRIGHT:
        return None
    seen_top = bool(top.sum() >= _MIN_TOP)
    if isinstance(shape, Outline):
        return _lying(camera, depth, own, top, points, shape) if seen_top else None
    height = float(np.median(points[top, 2]) if seen_top else points[side, 2].max())
    # Where the axis roughly is, as far as each pixel can tell.
    inwards = np.concatenate([points[top, :2], points[side, :2] - shape.inradius * facing[side, :2]])
    middle = inwards.mean(axis=0)
    yaw = _yaw(facing[side, :2], shape)
    flat = facing[side, :2] / np.linalg.norm(facing[side, :2], axis=1, keepdims=True)
    count = int(side.sum())
    # Every pixel of a side says how far the axis is along its normal; what is expected counts like a few pixels.
    rows = np.concatenate([np.column_stack([flat, np.full(count, shape.inradius)]), np.eye(3)])
    values = np.concatenate([(flat * points[side, :2]).sum(axis=1), middle, [1.0]])
    weights = np.concatenate([np.full(count, 1.0), [0.5, 0.5, 0.005 * max(count, 1) ** 0.5]])
    (x, y, scale), *_ = np.linalg.lstsq(rows * weights[:, None], values * weights, rcond=None)
    rough = Pose(float(x), float(y), height, yaw, float(np.clip(scale, 0.85, 1.15)))
    sides = flat, (flat * points[side, :2]).sum(axis=1)
    return _fitted(camera, depth, own, shape, rough, sides, seen_top)


def _fitted(
    camera: TableCamera,
    depth: Float16[np.ndarray, "H W"],
    own: Bool[np.ndarray, "H W"],
    shape: UprightShape,
    rough: Pose,
    sides: tuple[Float64[np.ndarray, "K 2"], Float64[np.ndarray, "K"]],
    height_known: bool,
) -> Pose:
    """A rough pose made to fit the object's outline as well; the turn stays.

    Args:
        camera: of the frame.
        depth: metres.
        own: the object's pixels.
        shape: of its kind.
        rough: where to begin.
        sides: normals of K pixels of its sides, level, and how far along them each pixel is.
        height_known: whether the top was seen.
    """
    normals, along = sides
    rows, columns = _telling(camera, depth, own)
    side = np.where(own[rows, columns], 1.0, -1.0) / _OUTLINE_PIXELS
    pixels = np.column_stack([columns + 0.5, rows + 0.5]) @ _DIRECTIONS
    ring = _ring(shape, rough.yaw)
    expected = np.array([1.0, rough.top])
    trust = 1.0 / np.array([_USUAL_SIZES, _DEPTH_METRES if height_known else 6 * _DEPTH_METRES])
    weight = min(1.0, (_MOST_SIDES / max(len(along), 1)) ** 0.5) / _DEPTH_METRES

    def residuals(values: Float64[np.ndarray, "4"]) -> Float64[np.ndarray, "R"]:
        axis, scale, top = values[:2], values[2], values[3]
        body = np.empty((2, len(ring), 3))
        body[..., :2], body[0, :, 2], body[1, :, 2] = axis + scale * ring, top, top - shape.height
        # The outline is the hull of the corners, and a pixel outside by its distance in the worst direction.
        outside = (pixels - (camera.project(body.reshape(-1, 3)) @ _DIRECTIONS).max(axis=0)).max(axis=1)
        misplaced = np.sqrt(2.0 * np.logaddexp(0.0, side * outside))
        planes = np.clip((normals @ axis + scale * shape.inradius - along) * weight, -4.0, 4.0)
        return np.concatenate([misplaced, planes, (values[2:] - expected) * trust])

    begin = np.array([rough.x, rough.y, rough.scale, rough.top])
    found = least_squares(residuals, begin, x_scale=[0.001, 0.001, 0.02, 0.001], max_nfev=15).x
    if np.hypot(*(found - begin)[:2]) > 2 * shape.inradius:  # the outline is that of something else
        return rough
    x, y, scale, top = map(float, found)
    return replace(rough, x=x, y=y, top=top, scale=float(np.clip(scale, 0.85, 1.15)))


def _telling(
    camera: TableCamera, depth: Float16[np.ndarray, "H W"], own: Bool[np.ndarray, "H W"]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels that say where an object ends: its own, and those beside it that are behind it."""
    metres = depth.astype(np.float64)
    behind = (metres > metres[own].max() + _FARTHER_METRES) | camera.shows_table(metres)
    rows, columns = np.nonzero(dilate(own, _BESIDE) & (own | behind))
    return rows, columns


def _lying(
    camera: TableCamera,
    depth: Float16[np.ndarray, "H W"],
    own: Bool[np.ndarray, "H W"],
    top: Bool[np.ndarray, "K"],
    points: Float64[np.ndarray, "K 3"],
    shape: Outline,
) -> Pose:
    """The pose of a flat block: where its outline must lie for the pixels of its top, and only those, to be within.

    Args:
        camera: of the frame.
        depth: metres.
        own: the block's K pixels.
        top: which of them show its top.
        points: what they show, table coordinates.
        shape: of its kind.
    """
    height = float(np.median(points[top, 2]))
    rows, columns = _telling(camera, depth, own)
    upper = np.zeros_like(own)
    upper[own] = top
    side = np.where(upper[rows, columns], 1.0, -1.0) / _OUTLINE_PIXELS
    pixels = np.column_stack([columns + 0.5, rows + 0.5])

    def residuals(values: Float64[np.ndarray, "4"]) -> Float64[np.ndarray, "R"]:
        x, y, yaw, scale = values
        turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
        level = scale * shape.corners @ turn + [x, y]
        corners = camera.project(np.column_stack([level, np.full(len(level), height)]))
        misplaced = np.sqrt(2.0 * np.logaddexp(0.0, side * outside_by(pixels, corners)))
        return np.append(misplaced, (scale - 1.0) / _USUAL_SIZES)

    middle = points[top, :2].mean(axis=0)
    turns = np.arange(0.0, 2 * np.pi / shape.sides, _TRIED_TURN)
    begun = sorted(
        ([*middle, turn, 1.0] for turn in turns), key=lambda start: (residuals(np.array(start)) ** 2).sum()
    )
    fits = [
        least_squares(residuals, start, x_scale=[0.001, 0.001, 0.05, 0.02], ftol=1e-3, xtol=1e-3, max_nfev=20)
        for start in begun[:_BEST_TURNS]
    ]
    x, y, yaw, scale = map(float, min(fits, key=lambda fit: fit.cost).x)
    return Pose(x, y, height, yaw, float(np.clip(scale, 0.85, 1.15)))


def outside_by(
    points: Float64[np.ndarray, "P 2"], corners: Float64[np.ndarray, "C 2"]
) -> Float64[np.ndarray, "P"]:
    """How far points lie outside a polygon, which may have notches; negative inside."""
    (x, y), (along_x, along_y) = corners.T, (np.roll(corners, -1, axis=0) - corners).T
    across, down = points[:, :1] - x, points[:, 1:] - y
    length = np.maximum(along_x**2 + along_y**2, 1e-12)
    share = np.clip((across * along_x + down * along_y) / length, 0.0, 1.0)
    squared = (across - share * along_x) ** 2 + (down - share * along_y) ** 2
    above = down < 0
    with np.errstate(divide="ignore", invalid="ignore"):
        left_of = across < down * (along_x / along_y)
    crossed = (above != above[:, np.arange(1, len(x) + 1) % len(x)]) & left_of
    distance = np.sqrt(squared.min(axis=1))
    return np.where(crossed.sum(axis=1) % 2 == 1, -distance, distance)


def _ring(shape: UprightShape, yaw: float) -> Float64[np.ndarray, "C 2"]:
    """The corners of a cross-section, turned; a round one has some, too."""
    if not shape.sides:
        angles = np.linspace(0.0, 2 * np.pi, _ROUND_CORNERS, endpoint=False)
        return np.asarray(shape.inradius * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
    return np.asarray(np.array(shape.corners) @ turn)


def _yaw(normals: Float64[np.ndarray, "N 2"], shape: UprightShape) -> float:
    """The turn that the sides' normals tell, within the shape's symmetry; 0 where they tell none."""
    if not shape.sides or not len(normals):
        return 0.0
    angles = np.arctan2(normals[:, 1], normals[:, 0])
    mean = np.exp(1j * shape.sides * (angles - shape.turn)).mean()
    return float(np.angle(mean) / shape.sides)
