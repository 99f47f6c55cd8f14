"""Bodies of boxes, balls and rods: what rays meet of one, and how far points are from it.

A pose is a `Pose` in a `TableCamera`'s coordinates: x and y of the body's own axis, its `top`, its turn and its scale.
Source: our choice; slabs and quadrics of ray tracing, and the usual signed distances.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64

from daag.diffusion.poses import Pose
from daag.diffusion.proxies import Proxy
from daag.diffusion.table_camera import TableCamera
from daag.tasks import Built, Part

Crossing = tuple[Float64[np.ndarray, "*N"], Float64[np.ndarray, "*N 3"]]
"""Where rays enter a part, in their own lengths, infinite where they miss it; and the unit normal there."""


def cast_solid(camera: TableCamera, pose: Pose, solid: Built) -> Proxy:
    """Draw a body where an object is."""
    depth = np.full((4, *camera.shape), np.inf)
    normals = np.zeros((4, *camera.shape, 3))
    window = (slice(None), *_window(camera, pose, solid))
    depth[window], normals[window] = _entered(camera.rays[window], pose, solid)
    return Proxy(depth, normals)


def distance(points: Float64[np.ndarray, "*N 3"], pose: Pose, solid: Built) -> Float64[np.ndarray, "*N"]:
    """How far points in table coordinates are from a body's surface, metres; negative inside.

    To an ellipsoid it is an estimate, which is right at the surface.
    """
    local = _to_body(points - _origin(pose, solid), pose)
    return pose.scale * np.min(
        [_distance((local - np.array(part.position)) @ rotation(part), part) for part in solid.parts], axis=0
    )


@lru_cache(maxsize=64)
def rotation(part: Part) -> Float64[np.ndarray, "3 3"]:
    """From a part's own coordinates to the body's, as MuJoCo reads Euler angles: about x, then the new y, then the new z."""
    turned = np.eye(3)
    for axis, angle in enumerate(part.euler):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        about = np.eye(3)
        about[[first, second], [first, second]] = np.cos(angle)
        about[second, first], about[first, second] = np.sin(angle), -np.sin(angle)
        turned = turned @ about
    return turned


@lru_cache(maxsize=64)
def height_of(solid: Built) -> float:
    """Metres from a body's underside to its highest point, at scale 1."""
    return max(part.position[2] + float(_reach(part)[2]) for part in solid.parts)


def _reach(part: Part) -> Float64[np.ndarray, "3"]:
    """How far a part reaches from its middle along the body's axes, metres."""
    turn = rotation(part)
    if part.shape == "box":
        return np.abs(turn) @ np.array(part.size)
    if part.shape in ("sphere", "ellipsoid"):
        return np.asarray(np.sqrt(((turn * np.broadcast_to(part.size, 3)) ** 2).sum(axis=1)))
    radius, half = part.size
    along = np.abs(turn[:, 2])
    return half * along + radius * (
        1.0 if part.shape == "capsule" else np.sqrt(1.0 - np.minimum(along, 1.0) ** 2)
    )


def _origin(pose: Pose, solid: Built) -> Float64[np.ndarray, "3"]:
    return np.array([pose.x, pose.y, pose.top - pose.scale * height_of(solid)])


def _to_body(vectors: Float64[np.ndarray, "*N 3"], pose: Pose) -> Float64[np.ndarray, "*N 3"]:
    c, s = np.cos(pose.yaw), np.sin(pose.yaw)
    return np.asarray(vectors @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) / pose.scale)


def _window(camera: TableCamera, pose: Pose, solid: Built) -> tuple[slice, slice]:
    """The rows and columns in which a body may be seen; all of them where it reaches behind the camera."""
    reach = np.max([np.abs(part.position) + _reach(part) for part in solid.parts], axis=0)
    wide = pose.scale * float(np.hypot(reach[0], reach[1]))
    low = pose.top - pose.scale * height_of(solid)
    corners = np.array(
        [(pose.x + i * wide, pose.y + j * wide, z) for i in (-1, 1) for j in (-1, 1) for z in (low, pose.top)]
    )
    height, width = camera.shape
    if (corners @ camera.to_table)[:, 2].min() < 0.05:
        return slice(0, height), slice(0, width)
    at = camera.project(corners)
    (left, upper), (right, lower) = np.floor(at.min(axis=0)), np.ceil(at.max(axis=0))
    columns, rows = (
        np.clip([left, right], 0, width).astype(int),
        np.clip([upper, lower], 0, height).astype(int),
    )
    return slice(rows[0], rows[1]), slice(columns[0], columns[1])


def shadowed(
    points: Float64[np.ndarray, "N 3"], towards: Float64[np.ndarray, "N 3"], pose: Pose, solid: Built
) -> Bool[np.ndarray, "N"]:
    """Which points a body keeps the light from.

    Args:
        points: in table coordinates; those of the body itself a little above its surface.
        towards: the lamp, from each of them, table coordinates.
        pose: of the body.
        solid: the body.
    """
    start, along = _to_body(points - _origin(pose, solid), pose), _to_body(towards, pose)
    found = np.zeros(len(points), dtype=bool)
    for part in solid.parts:
        turn = rotation(part)
        found |= np.isfinite(_through((start - part.position) @ turn, along @ turn, part)[0])
    return found


def _entered(rays: Float64[np.ndarray, "4 A B 3"], pose: Pose, solid: Built) -> Crossing:
    """What rays from the camera meet first of a body."""
    start, along = _to_body(-_origin(pose, solid), pose), _to_body(rays, pose)
    nearest, facing = np.full(rays.shape[:-1], np.inf), np.zeros(rays.shape)
    for part in solid.parts:
        turn = rotation(part)
        at, normal = _through((start - part.position) @ turn, along @ turn, part)
        nearer = at < nearest
        nearest = np.where(nearer, at, nearest)
        facing = np.where(nearer[..., None], normal @ turn.T, facing)
    c, s = np.cos(pose.yaw), np.sin(pose.yaw)
    return nearest, facing @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def _through(start: Float64[np.ndarray, "*P 3"], along: Float64[np.ndarray, "*N 3"], part: Part) -> Crossing:
    """Where rays from one point, or each from its own, enter a part; all in the part's own coordinates."""
    if part.shape == "box":
        return _through_box(start, along, np.array(part.size))
    if part.shape in ("sphere", "ellipsoid"):
        return _through_ellipsoid(start, along, np.broadcast_to(part.size, 3))
    radius, half = part.size
    enter, normal = _through_rod(start, along, radius, half)
    if part.shape == "capsule":
        for end in (-half, half):
            at, facing = _through_ellipsoid(start - [0.0, 0.0, end], along, np.full(3, radius))
            normal = np.where((at < enter)[..., None], facing, normal)
            enter = np.minimum(enter, at)
    return enter, normal


def _through_ellipsoid(start: np.ndarray, along: np.ndarray, radii: np.ndarray) -> Crossing:
    o, d = start / radii, along / radii
    a, b, c = (d**2).sum(-1), (d * o).sum(-1), (o**2).sum(-1) - 1.0
    root = b**2 - a * c
    at = (-b - np.sqrt(np.maximum(root, 0.0))) / a
    at = np.where((root > 0) & (at > 0), at, np.inf)
    outward = (o + np.where(np.isfinite(at), at, 0.0)[..., None] * d) / radii
    return at, outward / np.linalg.norm(outward, axis=-1, keepdims=True)


def _through_box(start: np.ndarray, along: np.ndarray, half: np.ndarray) -> Crossing:
    with np.errstate(divide="ignore", invalid="ignore"):
        near = (-np.sign(along) * half - start) / along
        far = (np.sign(along) * half - start) / along
    inside = np.abs(start) <= half
    near = np.where(along == 0.0, np.where(inside, -np.inf, np.inf), near)
    far = np.where(along == 0.0, np.inf, far)
    axis = near.argmax(axis=-1)
    enter = near.max(axis=-1)
    normal = -np.sign(along) * (np.arange(3) == axis[..., None])
    return np.where((enter < far.min(axis=-1)) & (enter > 0), enter, np.inf), normal


def _through_rod(start: np.ndarray, along: np.ndarray, radius: float, half: float) -> Crossing:
    """A cylinder about z, closed by two flat ends."""
    d, o = along[..., :2], start[..., :2]
    a, b, c = np.maximum((d**2).sum(-1), 1e-12), (d * o).sum(-1), (o**2).sum(-1) - radius**2
    root = b**2 - a * c
    near, far = ((-b + sign * np.sqrt(np.maximum(root, 0.0))) / a for sign in (-1.0, 1.0))
    rise = np.where(np.abs(along[..., 2]) < 1e-12, 1e-12, along[..., 2])
    low, high = np.sort([(-half - start[..., 2]) / rise, (half - start[..., 2]) / rise], axis=0)
    enter = np.maximum(near, low)
    hit = (root > 0) & (enter < np.minimum(far, high)) & (enter > 0)
    outward = np.zeros(along.shape)
    outward[..., :2] = (o + near[..., None] * d) / radius
    cap = np.zeros(along.shape)
    cap[..., 2] = -np.sign(rise)
    return np.where(hit, enter, np.inf), np.where((near > low)[..., None], outward, cap)


def _distance(points: np.ndarray, part: Part) -> np.ndarray:
    """Signed distance in the part's own coordinates."""
    if part.shape == "box":
        return _outside(np.abs(points) - np.array(part.size))
    if part.shape == "sphere":
        return np.asarray(np.linalg.norm(points, axis=-1) - part.size[0])
    if part.shape == "ellipsoid":
        radii = np.array(part.size)
        whole = np.linalg.norm(points / radii, axis=-1)
        return np.asarray(
            whole * (whole - 1.0) / np.maximum(np.linalg.norm(points / radii**2, axis=-1), 1e-9)
        )
    radius, half = part.size
    if part.shape == "capsule":
        beyond = points[..., 2] - np.clip(points[..., 2], -half, half)
        return np.asarray(np.sqrt((points[..., :2] ** 2).sum(-1) + beyond**2) - radius)
    across = np.linalg.norm(points[..., :2], axis=-1) - radius
    return _outside(np.stack([across, np.abs(points[..., 2]) - half], axis=-1))


def _outside(over: np.ndarray) -> np.ndarray:
    """The distance of what is over each pair of opposite faces by so much."""
    return np.asarray(np.linalg.norm(np.maximum(over, 0.0), axis=-1) + np.minimum(over.max(axis=-1), 0.0))
