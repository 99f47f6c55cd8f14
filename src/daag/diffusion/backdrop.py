"""What an object of a room hides: floor, walls and furniture, continued from around it.

All of them are flat and face one of six ways. Each plane that is seen around the object is continued by its own colours.
Which of them a hidden pixel shows follows from how they meet: of two planes each lies in front of the other, as floor and
wall do, or behind it, as the top and the front of a box do; what would break that is not seen. Where that leaves a choice,
the plane whose pixels are nearest is taken. Source: our choice.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from scipy.ndimage import distance_transform_edt

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.eyes import Eye
from daag.diffusion.stage import continued

MARGIN = 10
"""Pixels around an object in which planes are looked for."""

_REACH = 40
"""Pixels over which a plane is continued."""

_APART_METRES = 0.08
"""Between parallel planes that count as two."""

_FEW = 8
"""Pixels that a plane must show."""

_ALONG = 0.95
"""Of a normal, along the axis that it is taken for."""

_BROKEN = 1000.0
"""Pixels that a plane which breaks how it meets another may be nearer and yet is not seen."""


Plane = tuple[Float64[np.ndarray, "3"], float, Bool[np.ndarray, "H W"]]
"""The normal in the room's axes, how far along it the plane is from the eye, metres, and its pixels."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A frame's background as it would be without an object, before shadows fall on it."""

    picture: Float32[np.ndarray, "H W 3"]
    """Grey levels, where the object or its rim is; elsewhere the frame's."""
    points: Float64[np.ndarray, "H W 3"]
    """What each pixel shows, metres, in the camera's table coordinates."""
    normals: Float64[np.ndarray, "H W 3"]
    """Unit normals in table coordinates."""
    depth: Float64[np.ndarray, "H W"]
    """Metres."""


def backdrop_of(
    frame: UInt8[np.ndarray, "H W 3"],
    conditions: Conditions,
    position: int,
    eye: Eye,
    hidden: Bool[np.ndarray, "H W"],
    lit: Bool[np.ndarray, "H W"],
) -> Backdrop:
    """Continue the background over what is hidden.

    Args:
        frame: the picture.
        conditions: of all frames.
        position: of this one.
        eye: of the frame.
        hidden: the pixels to be filled.
        lit: where colours may be taken from.
    """
    depth = conditions.depth[position].astype(np.float64)
    facing = conditions.normals[position] / 127.0 @ eye.camera.to_table.T
    points = eye.camera.unproject(depth)
    around = ~dilate(hidden) & dilate(hidden, MARGIN) & (conditions.segmentation[position] == 0) & (depth > 0)
    planes = _planes(points @ eye.to_room.T, facing @ eye.to_room.T, around)
    picture = frame.astype(np.float32)
    if not planes:
        known = ~dilate(hidden) & (conditions.segmentation[position] == 0)
        filled = continued(frame, known & lit, reach=_REACH)
        return Backdrop(np.where(hidden[..., None], filled, picture), points, facing, depth)
    rays = eye.camera.unproject(np.ones_like(depth))[hidden]
    costs, candidates, colours, levels = [], [], [], []
    for normal, offset, mine in planes:
        level = normal @ eye.to_room
        slope = rays @ level
        metres = np.where(np.abs(slope) > 1e-6, offset / np.where(slope == 0, 1.0, slope), -1.0)
        at = metres[:, None] * rays
        cost = distance_transform_edt(~mine)[hidden] + _BROKEN * ((metres < 0.1) * len(planes))
        for other_normal, other_offset, theirs in planes:
            if theirs is mine:
                continue
            other = other_normal @ eye.to_room
            in_front = np.median(points[mine] @ other - other_offset)
            if abs(in_front) > _APART_METRES:
                cost += _BROKEN * ((at @ other - other_offset) * np.sign(in_front) < -_APART_METRES / 2)
        shown = mine & lit if (mine & lit).any() else mine
        costs.append(cost)
        candidates.append(metres)
        levels.append(level)
        colours.append(continued(frame, shown, reach=_REACH)[hidden])
    best = np.argmin(costs, axis=0)
    pick = np.arange(len(rays))
    picture[hidden] = np.stack(colours)[best, pick]
    depth[hidden], facing[hidden] = np.stack(candidates)[best, pick], np.stack(levels)[best]
    return Backdrop(picture, eye.camera.unproject(depth), facing, depth)


def _planes(
    points: Float64[np.ndarray, "H W 3"],
    facing: Float64[np.ndarray, "H W 3"],
    around: Bool[np.ndarray, "H W"],
) -> list[Plane]:
    """The planes that some pixels show, by points and normals in the room's axes."""
    found = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            rows, columns = np.nonzero(around & (sign * facing[..., axis] > _ALONG))
            offsets = sign * points[rows, columns, axis]
            order = np.argsort(offsets)
            for cluster in np.split(order, np.flatnonzero(np.diff(offsets[order]) > _APART_METRES / 2) + 1):
                if len(cluster) >= _FEW:
                    pixels = np.zeros_like(around)
                    pixels[rows[cluster], columns[cluster]] = True
                    found.append((sign * np.eye(3)[axis], float(np.median(offsets[cluster])), pixels))
    return found
