"""What another kind in an object's place would look like to the camera.

A change of kind needs the new kind's geometry. It is drawn, not guessed by the diffusion model: the source object's
pose is read from its own depth and normals (`daag.diffusion.poses`), and an upright body of the new kind
(`daag.tasks.shapes`) is cast in its place. So a replaced object has sharp edges, keeps its place and its turn in every
frame, and hides what it would hide. Source: our choice.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Float64

from daag.diffusion.poses import Pose
from daag.diffusion.table_camera import TableCamera
from daag.tasks import Shape, UprightShape

_SLICES = 7  # of a body, bottom to top, that throw shadows


@dataclass(frozen=True, eq=False)
class Proxy:
    """A body as a camera would see it, were nothing in front of it, at four samples of each pixel."""

    depth: Float64[np.ndarray, "4 H W"]
    """Metres; infinite where a sample misses it."""
    normals: Float64[np.ndarray, "4 H W 3"]
    """Unit normals in table coordinates; 0 where a sample misses it."""

    @cached_property
    def hit(self) -> Bool[np.ndarray, "4 H W"]:
        """Which samples it covers."""
        return np.isfinite(self.depth)

    @cached_property
    def coverage(self) -> Float32[np.ndarray, "H W"]:
        """Share of each pixel that it covers, in [0, 1]."""
        return self.hit.mean(axis=0, dtype=np.float32)

    @cached_property
    def surface(self) -> tuple[Float64[np.ndarray, "H W"], Float64[np.ndarray, "H W 3"]]:
        """Depth and normal of each pixel, 0 where it covers less than half of it.

        Geometry cannot be averaged: a pixel takes it from the first of its samples that hits.
        """
        first = self.hit.argmax(axis=0)[None]
        depth = np.take_along_axis(self.depth, first, axis=0)[0]
        normals = np.take_along_axis(self.normals, first[..., None], axis=0)[0]
        seen = self.coverage >= 0.5
        return np.where(seen, depth, 0.0), np.where(seen[..., None], normals, 0.0)


def cast(camera: TableCamera, pose: Pose, shape: Shape) -> Proxy:
    """Draw an upright body where an object is."""
    depth = np.full((4, *camera.shape), np.inf)
    normals = np.zeros((4, *camera.shape, 3))
    window = (slice(None), *_window(camera, pose, shape))
    enter, facing, hit = _intersect(camera.rays[window], pose, shape)
    depth[window] = np.where(hit, enter, np.inf)
    normals[window] = np.where(hit[..., None], facing, 0.0)
    return Proxy(depth, normals)


def shaded(
    points: Float64[np.ndarray, "*N 3"], pose: Pose, shape: Shape, direction: Float64[np.ndarray, "3"]
) -> Bool[np.ndarray, "*N"]:
    """Which points a body keeps the light from.

    Args:
        points: in table coordinates, outside the body.
        pose: of the body.
        shape: the body's.
        direction: towards the lamp, table coordinates, upwards.
    """
    found = np.zeros(points.shape[:-1], dtype=bool)
    for height in np.linspace(pose.top - shape.height, pose.top, _SLICES):
        rise = height - points[..., 2]
        at = points[..., :2] + rise[..., None] * (direction[:2] / direction[2]) - [pose.x, pose.y]
        found |= (rise > 0.001) & _within(at, pose, shape)
    return found


def _within(at: Float64[np.ndarray, "*N 2"], pose: Pose, shape: Shape) -> Bool[np.ndarray, "*N"]:
    """Which points, level and from the axis, lie within a body's cross-section."""
    if isinstance(shape, UprightShape) and not shape.sides:
        return np.asarray(np.linalg.norm(at, axis=-1) < pose.scale * shape.inradius)
    found = np.zeros(at.shape[:-1], dtype=bool)
    for piece in shape.half_planes:
        angles, offsets = np.array(piece).T
        normals = np.stack([np.cos(angles + pose.yaw), np.sin(angles + pose.yaw)])
        found |= (at @ normals < pose.scale * offsets).all(axis=-1)
    return found


def _window(camera: TableCamera, pose: Pose, shape: Shape) -> tuple[slice, slice]:
    """The rows and columns in which a body is seen."""
    reach = pose.scale * shape.outradius
    corners = np.array(
        [
            (pose.x + i * reach, pose.y + j * reach, pose.top - k * shape.height)
            for i in (-1, 1)
            for j in (-1, 1)
            for k in (0, 1)
        ]
    )
    (left, upper), (right, lower) = (end(camera.project(corners), axis=0) for end in (np.min, np.max))
    height, width = camera.shape
    rows, columns = (
        np.clip([np.floor(low), np.ceil(high)], 0, size).astype(int)
        for low, high, size in ((upper, lower, height), (left, right, width))
    )
    return slice(rows[0], rows[1]), slice(columns[0], columns[1])


Crossing = tuple[Float64[np.ndarray, "4 H W"], Float64[np.ndarray, "4 H W 3"], Bool[np.ndarray, "4 H W"]]
"""Where rays enter a body, the normal there, and whether they do."""


def _intersect(rays: Float64[np.ndarray, "4 H W 3"], pose: Pose, shape: Shape) -> Crossing:
    """What rays from the origin meet of a body."""
    if isinstance(shape, UprightShape) and not shape.sides:
        return _through_cylinder(rays, pose, shape)
    # From outside a ray meets a side of some piece before it meets the seam between two.
    (enter, facing, hit), *others = (
        _through_piece(rays, pose, shape.height, piece) for piece in shape.half_planes
    )
    for other_enter, other_facing, other_hit in others:
        nearer = other_hit & (~hit | (other_enter < enter))
        enter = np.where(nearer, other_enter, enter)
        facing = np.where(nearer[..., None], other_facing, facing)
        hit = hit | other_hit
    return enter, facing, hit


def _between(
    rays: Float64[np.ndarray, "4 H W 3"], pose: Pose, height: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where rays are between the planes of top and bottom: from, to, and the normal of the plane that they come through."""
    up = rays[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        enter = np.minimum(pose.top / up, (pose.top - height) / up)
        leave = np.maximum(pose.top / up, (pose.top - height) / up)
    facing = np.zeros(rays.shape)
    facing[..., 2] = -np.sign(up)
    return enter, leave, facing


def _through_piece(
    rays: Float64[np.ndarray, "4 H W 3"], pose: Pose, height: float, piece: tuple[tuple[float, float], ...]
) -> Crossing:
    """A convex cross-section."""
    enter, leave, facing = _between(rays, pose, height)
    across, axis = rays[..., :2], np.array([pose.x, pose.y])
    with np.errstate(divide="ignore", invalid="ignore"):
        for angle, offset in piece:
            normal = np.array([np.cos(angle + pose.yaw), np.sin(angle + pose.yaw)])
            slope, room = across @ normal, pose.scale * offset + axis @ normal
            at = room / slope
            nearer = (slope < 0) & (at > enter)
            enter = np.where(nearer, at, enter)
            facing = np.where(nearer[..., None], [*normal, 0.0], facing)
            leave = np.where((slope > 0) & (at < leave), at, leave)
            leave = np.where((slope == 0) & (room < 0), -np.inf, leave)
    return _entered(enter, leave, facing)


def _through_cylinder(rays: Float64[np.ndarray, "4 H W 3"], pose: Pose, shape: UprightShape) -> Crossing:
    """A round cross-section."""
    enter, leave, facing = _between(rays, pose, shape.height)
    across, axis, radius = rays[..., :2], np.array([pose.x, pose.y]), pose.scale * shape.inradius
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (across**2).sum(-1), across @ axis
        root = b**2 - a * (axis @ axis - radius**2)
        near, far = ((b + sign * np.sqrt(np.maximum(root, 0.0))) / a for sign in (-1.0, 1.0))
        side = (near > enter) & (root > 0)
        point = across * near[..., None] - axis
        outward = np.concatenate([point / radius, np.zeros((*point.shape[:-1], 1))], axis=-1)
        enter, facing = np.where(side, near, enter), np.where(side[..., None], outward, facing)
        leave = np.where(root > 0, np.minimum(leave, far), -np.inf)
    return _entered(enter, leave, facing)


def _entered(enter: np.ndarray, leave: np.ndarray, facing: np.ndarray) -> Crossing:
    hit = (enter < leave) & (enter > 0)
    return np.where(hit, enter, 0.0), facing, hit
