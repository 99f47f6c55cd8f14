"""A pusher: an upright round rod that is no object, such as the one that moves blocks on a board.

It is as broad and as high in all frames, so they tell together what it is like, and then each tells where it stands. Known
as a body, it hides what it hides of blocks, old and new, to a fraction of a pixel, and throws its shadow on what comes to
light. A gripper of fingers is no rod, and is left to `gripper`. Source: our choice.
"""

import numpy as np
from jaxtyping import Bool, Float16, Int8

from daag.diffusion.compositing import dilate
from daag.diffusion.poses import Pose, locate
from daag.diffusion.proxies import cast
from daag.diffusion.table_camera import TableCamera
from daag.tasks import UprightShape

PUSHER = 0
"""Its key among bodies: that of what is no object."""

_FEW_SIDE, _FEW_TOP = 8, 2
"""Pixels of its side and of its top from which on a frame says how broad and how high it is."""

_ASKED = 2
"""Frames, those that show most, in which it must be a rod, to be one."""

_EXPLAINED, _TOO_MUCH = 0.9, 0.15
"""Share of a pusher's pixels that must lie where the rod would be seen, and most of the rod's that may show what is behind."""


def pusher_shape(
    pixels: Bool[np.ndarray, "N H W"],
    depth: Float16[np.ndarray, "N H W"],
    normals: Int8[np.ndarray, "N H W 3"],
    camera: TableCamera,
) -> UprightShape | None:
    """How broad and how high it is; None where frames do not show a rod.

    Args:
        pixels: what is no object and nearer than the table, in N frames.
        depth: metres.
        normals: unit normals in camera coordinates times 127.
        camera: of the frames.
    """
    radii, heights = [], []
    for own, metres, facing in zip(pixels, depth, normals, strict=True):
        points, directions = camera.surface(metres, facing, own)
        side, top = np.abs(directions[:, 2]) < 0.3, directions[:, 2] > 0.9
        if side.sum() < _FEW_SIDE:
            continue
        level = directions[side, :2] / np.linalg.norm(directions[side, :2], axis=1, keepdims=True)
        # A side's point is a radius away from the axis, along its normal.
        rows = np.column_stack([level, np.ones(len(level))])
        (_, _, radius), *_ = np.linalg.lstsq(rows, (level * points[side, :2]).sum(axis=1), rcond=None)
        radii.append(float(radius))
        if top.sum() >= _FEW_TOP:
            heights.append(float(np.median(points[top, 2])) + camera.height)
    if not heights:
        return None
    shape = UprightShape(float(np.median(radii)), 0, height=float(np.median(heights)))
    if shape.inradius <= 0:
        return None
    for index in np.argsort(-pixels.sum(axis=(1, 2)))[:_ASKED]:
        if pusher_pose(pixels[index], depth[index], normals[index], camera, shape) is None:
            return None
    return shape


def pusher_pose(
    own: Bool[np.ndarray, "H W"],
    depth: Float16[np.ndarray, "H W"],
    normals: Int8[np.ndarray, "H W 3"],
    camera: TableCamera,
    shape: UprightShape,
) -> Pose | None:
    """Where it stands in a frame; None where it is not seen, or is not all that is nearer than the table."""
    pose = locate(camera, depth, normals, own, shape)
    if pose is None:
        return None
    proxy = cast(camera, pose, shape)
    whole = proxy.hit.all(axis=0)
    shows_behind = whole & ~dilate(own) & (depth > proxy.surface[0])
    explained = proxy.coverage[own].astype(bool).mean()
    if explained < _EXPLAINED or shows_behind.sum() > _TOO_MUCH * int(whole.sum()):
        return None
    return pose
