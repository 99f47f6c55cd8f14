"""Where an object stands, and what another kind in its place would look like to the camera.

A change of kind needs the new kind's geometry. It is drawn, not guessed by the diffusion model: the source object's
pose is read from its own depth and normals, and an upright body of the new kind (`daag.tasks.SHAPES`) is cast in its
place. So a replaced object has sharp edges, keeps its place and its turn in every frame, and hides what it would hide.
Source: our choice.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float16, Float32, Float64, Int8, Int16

from daag.tasks import OBJECT_HEIGHT, SHAPES, UprightShape

UPRIGHT = 0.75
"""Share of an object's pixels that must face up or sideways; with fewer it lies on its side, and has no proxy."""

_SAMPLES = (0.25, 0.75)  # along each axis of a pixel

_SLICES = 7  # of a body, bottom to top, that throw shadows


@dataclass(frozen=True, eq=False)
class TableCamera:
    """How a camera sees a table: made from the depth and normals of the table itself, not from a calibration."""

    focal_pixels: float
    to_table: Float64[np.ndarray, "3 3"]
    """From camera coordinates to table coordinates (two along the table, one up), both with the camera at 0."""
    height: float
    """Metres from the table to the camera."""
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        depth: Float16[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        segmentation: Int16[np.ndarray, "H W"],
    ) -> "TableCamera | None":
        """Read it from one frame; None where too little of a table is seen, or it is seen from straight above.

        Args:
            depth: metres along the camera's axis; 0 where nothing was hit.
            normals: unit normals in camera coordinates times 127.
            segmentation: ids; 0 is everything that is not an object.
        """
        background = (segmentation == 0) & (depth > 0)
        if background.sum() < 100:
            return None
        facing = normals.astype(np.float64) / 127.0
        up = np.median(facing[background], axis=0)
        length = float(np.linalg.norm(up))
        if length < 0.5 or np.hypot(up[0], up[1]) < 0.1 * length:  # no slope, no focal length
            return None
        up /= length
        table = background & (facing @ up > 0.99)
        if table.sum() < 100:
            return None
        height, width = depth.shape
        rows, columns = np.nonzero(table)
        # Along a plane 1 / depth is linear in the pixel; the plane's normal says how the slope splits up.
        inverse = 1.0 / depth[table].astype(np.float64)
        basis = np.column_stack(
            [columns + 0.5 - width / 2, rows + 0.5 - height / 2, np.ones(len(rows), dtype=np.float64)]
        )
        solution, *_ = np.linalg.lstsq(basis, inverse, rcond=None)
        misfit = np.abs(basis @ solution - inverse)
        flat = misfit <= 3 * np.median(misfit)  # a gripper has faces that are turned up as well
        (slope_x, slope_y, middle), *_ = np.linalg.lstsq(basis[flat], inverse[flat], rcond=None)
        offset = up[2] / middle
        focal = np.hypot(up[0], up[1]) / max(abs(offset) * np.hypot(slope_x, slope_y), 1e-9)
        if not np.isfinite(focal) or focal <= 0:
            return None
        # Exact again after the rounding of normals: what the fitted plane says its normal is.
        up = np.array([slope_x * focal, slope_y * focal, middle]) * offset
        length = float(np.linalg.norm(up))
        if not np.isfinite(length) or length == 0.0:
            return None
        up /= length
        first = np.cross(up, [0.0, 0.0, 1.0])
        first /= np.linalg.norm(first)
        to_table = np.stack([first, np.cross(up, first), up])
        return cls(float(focal), to_table, float(-offset), (height, width))

    @cached_property
    def rays(self) -> Float64[np.ndarray, "4 H W 3"]:
        """Directions through four samples of each pixel, in table coordinates, of length 1 along the camera's axis."""
        return np.stack([self._rays_through(x, y) for y in _SAMPLES for x in _SAMPLES])

    def unproject(self, depth: Float[np.ndarray, "H W"]) -> Float64[np.ndarray, "H W 3"]:
        """Table coordinates, from the camera, of what each pixel shows."""
        return np.asarray(self._centres * depth.astype(np.float64)[..., None])

    def surface(
        self,
        depth: Float[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        where: Bool[np.ndarray, "H W"],
    ) -> tuple[Float64[np.ndarray, "K 3"], Float64[np.ndarray, "K 3"]]:
        """Points and unit normals, in table coordinates, of what K pixels show.

        Args:
            depth: metres.
            normals: unit normals in camera coordinates times 127.
            where: the pixels.
        """
        points = self._centres[where] * depth[where].astype(np.float64)[:, None]
        return np.asarray(points), np.asarray(normals[where] / 127.0 @ self.to_table.T)

    @cached_property
    def _centres(self) -> Float64[np.ndarray, "H W 3"]:
        return self._rays_through(0.5, 0.5)

    @cached_property
    def table_depth(self) -> Float64[np.ndarray, "H W"]:
        """Depth of the bare table, metres; infinite above the horizon."""
        down = -self._centres[..., 2]
        return np.asarray(np.where(down > 1e-6, self.height / np.maximum(down, 1e-6), np.inf))

    def _rays_through(self, x: float, y: float) -> Float64[np.ndarray, "H W 3"]:
        height, width = self.shape
        grid_y, grid_x = np.meshgrid(np.arange(height) + y, np.arange(width) + x, indexing="ij")
        rays = np.stack(
            [grid_x - width / 2, grid_y - height / 2, np.full_like(grid_x, self.focal_pixels)], -1
        )
        return np.asarray(rays / self.focal_pixels @ self.to_table.T)


@dataclass(frozen=True)
class Pose:
    """Where an upright object is, in a `TableCamera`'s table coordinates, metres and radians."""

    x: float
    y: float
    top: float
    yaw: float
    scale: float
    """Of the usual size."""

    def nearest_turn(self, kind: str, yaw: float) -> "Pose":
        """Of the turns that look alike, since a cube shows its turn up to quarters only, the one nearest to `yaw`."""
        sides = SHAPES[kind].sides
        if not sides:
            return self
        step = 2 * np.pi / sides
        return replace(self, yaw=self.yaw + step * round((yaw - self.yaw) / step))


@dataclass(frozen=True, eq=False)
class Proxy:
    """A body as a camera would see it, were nothing in front of it."""

    coverage: Float32[np.ndarray, "H W"]
    """Share of each pixel, in [0, 1]."""
    depth: Float32[np.ndarray, "H W"]
    """Metres; 0 where it covers less than half of a pixel."""
    normals: Float32[np.ndarray, "H W 3"]
    """Unit normals in camera coordinates; likewise."""


def locate(
    camera: TableCamera,
    depth: Float16[np.ndarray, "H W"],
    normals: Int8[np.ndarray, "H W 3"],
    own: Bool[np.ndarray, "H W"],
    kind: str,
) -> Pose | None:
    """Find an object's pose from its visible pixels.

    Every pixel of a side says how far the axis is along the side's normal; the top says how high the object stands and,
    roughly, where. Both are put together by least squares.

    Args:
        camera: of the frame.
        depth: metres.
        normals: unit normals in camera coordinates times 127.
        own: the object's pixels.
        kind: what it is.

    Returns:
        None where the kind has no shape, too little is visible, or the object lies on its side.
    """
    if kind not in SHAPES or own.sum() < 6:
        return None
    shape = SHAPES[kind]
    points, facing = camera.surface(depth, normals, own)
    top, side = facing[:, 2] > 0.9, np.abs(facing[:, 2]) < 0.3
    if (top | side).mean() < UPRIGHT:
        return None
    if top.sum() >= 3:
        height, middle = float(np.median(points[top, 2])), points[top, :2].mean(axis=0)
    else:
        height = float(points[side, 2].max())
        middle = (points[side, :2] - shape.inradius * facing[side, :2]).mean(axis=0)
    yaw = _yaw(facing[side, :2], shape)
    flat = facing[side, :2] / np.linalg.norm(facing[side, :2], axis=1, keepdims=True)
    count = int(side.sum())
    # Unknown: x, y and scale. What is expected beforehand counts like a few pixels.
    rows = np.concatenate([np.column_stack([flat, np.full(count, shape.inradius)]), np.eye(3)])
    values = np.concatenate([(flat * points[side, :2]).sum(axis=1), middle, [1.0]])
    weights = np.concatenate([np.full(count, 1.0), [0.5, 0.5, 0.005 * max(count, 1) ** 0.5]])
    (x, y, scale), *_ = np.linalg.lstsq(rows * weights[:, None], values * weights, rcond=None)
    return Pose(float(x), float(y), height, yaw, float(np.clip(scale, 0.85, 1.15)))


def cast(camera: TableCamera, pose: Pose, kind: str) -> Proxy:
    """Draw an upright body where an object is.

    Raises:
        KeyError: the kind has no shape; ask `SHAPES` first.
    """
    shape = SHAPES[kind]
    enter, facing, hit = _intersect(camera.rays, pose, shape)
    coverage = hit.mean(axis=0)
    seen = coverage >= 0.5
    # Geometry cannot be averaged: a pixel takes it from the first of its samples that hits.
    first = hit.argmax(axis=0)[None]
    depth = np.take_along_axis(enter, first, axis=0)[0]
    normal = np.take_along_axis(facing, first[..., None], axis=0)[0] @ camera.to_table
    return Proxy(
        coverage.astype(np.float32),
        np.where(seen, depth, 0.0).astype(np.float32),
        np.where(seen[..., None], normal, 0.0).astype(np.float32),
    )


def shaded(
    points: Float64[np.ndarray, "*N 3"], pose: Pose, kind: str, direction: Float64[np.ndarray, "3"]
) -> Bool[np.ndarray, "*N"]:
    """Which points a body keeps the light from.

    Args:
        points: in table coordinates, outside the body.
        pose: of the body.
        kind: one of `SHAPES`.
        direction: towards the lamp, table coordinates, upwards.
    """
    shape = SHAPES[kind]
    found = np.zeros(points.shape[:-1], dtype=bool)
    for height in np.linspace(pose.top - OBJECT_HEIGHT, pose.top, _SLICES):
        rise = height - points[..., 2]
        at = points[..., :2] + rise[..., None] * (direction[:2] / direction[2]) - [pose.x, pose.y]
        if shape.sides:
            sides = np.array(shape.normals) + pose.yaw
            out = (at @ np.stack([np.cos(sides), np.sin(sides)])).max(axis=-1)
        else:
            out = np.linalg.norm(at, axis=-1)
        found |= (rise > 0.001) & (out < pose.scale * shape.inradius)
    return found


def _yaw(normals: Float64[np.ndarray, "N 2"], shape: UprightShape) -> float:
    """The turn that the sides' normals tell, within the shape's symmetry; 0 where they tell none."""
    if not shape.sides or not len(normals):
        return 0.0
    angles = np.arctan2(normals[:, 1], normals[:, 0])
    mean = np.exp(1j * shape.sides * (angles - shape.turn)).mean()
    return float(np.angle(mean) / shape.sides)


def _intersect(
    rays: Float64[np.ndarray, "4 H W 3"], pose: Pose, shape: UprightShape
) -> tuple[Float64[np.ndarray, "4 H W"], Float64[np.ndarray, "4 H W 3"], Bool[np.ndarray, "4 H W"]]:
    """Where rays from the origin enter a body, the normal there, and whether they do."""
    across, up = rays[..., :2], rays[..., 2]
    axis = np.array([pose.x, pose.y])
    with np.errstate(divide="ignore", invalid="ignore"):
        # Between the planes of top and bottom.
        enter = np.minimum(pose.top / up, (pose.top - OBJECT_HEIGHT) / up)
        leave = np.maximum(pose.top / up, (pose.top - OBJECT_HEIGHT) / up)
        facing = np.zeros(rays.shape)
        facing[..., 2] = -np.sign(up)
        inradius = pose.scale * shape.inradius
        if shape.sides:
            for angle in shape.normals:
                normal = np.array([np.cos(angle + pose.yaw), np.sin(angle + pose.yaw)])
                slope, room = across @ normal, inradius + axis @ normal
                at = room / slope
                nearer = (slope < 0) & (at > enter)
                enter = np.where(nearer, at, enter)
                facing = np.where(nearer[..., None], [*normal, 0.0], facing)
                leave = np.where((slope > 0) & (at < leave), at, leave)
                leave = np.where((slope == 0) & (room < 0), -np.inf, leave)
        else:
            a, b = (across**2).sum(-1), across @ axis
            root = b**2 - a * (axis @ axis - inradius**2)
            near, far = ((b + sign * np.sqrt(np.maximum(root, 0.0))) / a for sign in (-1.0, 1.0))
            side = (near > enter) & (root > 0)
            point = across * near[..., None] - axis
            outward = np.concatenate([point / inradius, np.zeros((*point.shape[:-1], 1))], axis=-1)
            enter, facing = np.where(side, near, enter), np.where(side[..., None], outward, facing)
            leave = np.where(root > 0, np.minimum(leave, far), -np.inf)
    hit = (enter < leave) & (enter > 0)
    return np.where(hit, enter, 0.0), facing, hit
