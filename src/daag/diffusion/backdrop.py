"""What an object of a room hides: floor, walls and furniture, continued from around it.

All of them are flat and face one of six ways. Each plane that is seen around the object is continued by its own colours.
Which of them a hidden pixel shows follows from how they meet: of two planes each lies in front of the other, as floor and
wall do, or behind it, as the top and the front of a box do; what would break that is not seen. Where other frames look
there from elsewhere, they say what it is and of what colour (`walk`). Where that leaves a choice, a side of furniture that
is seen all around goes on in between, and else the plane whose pixels are nearest is taken. Source: our choice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy.ndimage import distance_transform_edt

from daag.diffusion.compositing import dilate
from daag.diffusion.eyes import Eye
from daag.diffusion.flats import APART_METRES, flats_of
from daag.diffusion.stage import continued
from daag.diffusion.walk import Walk

MARGIN = 10
"""Pixels around an object in which planes are looked for."""

_REACH = 40
"""Pixels over which a plane is continued."""

_BROKEN = 1000.0
"""Pixels that a plane which breaks how it meets another may be nearer and yet is not seen."""

_AMID = 100.0
"""Pixels by which a plane counts as nearer where it is seen all around; of several such planes the nearest to the eye."""

_OPEN_SHARE = 0.1
"""Of what is seen amid a plane's pixels, that may be farther away; more, and there are several things, such as legs."""


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
    walk: Walk,
    position: int,
    hidden: Bool[np.ndarray, "H W"],
    shaded: Callable[[Float64[np.ndarray, "K 3"]], Bool[np.ndarray, "K"]],
) -> Backdrop:
    """Continue the background over what is hidden.

    Args:
        walk: all frames.
        position: of the one whose background is wanted.
        hidden: the pixels to be filled.
        shaded: which points, in the table coordinates of the frame's camera, the object keeps the light from: no colours are
            taken from there.
    """
    frame, conditions, eye = walk.frames[position], walk.conditions, walk.eyes[position]
    depth = conditions.depth[position].astype(np.float64)
    facing = conditions.normals[position] / 127.0 @ eye.camera.to_table.T
    points = eye.camera.unproject(depth)
    near = dilate(hidden, MARGIN + 1)
    shade = np.zeros_like(hidden)
    shade[near] = shaded(points[near])
    lit = ~dilate(shade)
    around = ~dilate(hidden) & dilate(hidden, MARGIN) & (conditions.segmentation[position] == 0) & (depth > 0)
    planes = _planes(points @ eye.to_room.T, facing @ eye.to_room.T, around)
    picture = frame.astype(np.float32)
    if not planes:
        known = ~dilate(hidden) & (conditions.segmentation[position] == 0)
        filled = continued(frame, known & lit, reach=_REACH)
        return Backdrop(np.where(hidden[..., None], filled, picture), points, facing, depth)
    rays = eye.camera.unproject(np.ones_like(depth))[hidden]
    costs, candidates, colours, levels, told = [], [], [], [], []
    for normal, offset, mine in planes:
        level = normal @ eye.to_room
        slope = rays @ level
        metres = np.where(np.abs(slope) > 1e-6, offset / np.where(slope == 0, 1.0, slope), -1.0)
        at = metres[:, None] * rays
        cost = distance_transform_edt(~mine)[hidden]
        amid = _amid(at, points, normal, offset, mine, hidden, eye)
        cost = np.where(amid, metres - _AMID, cost)
        cost += _BROKEN * ((metres < 0.1) * len(planes))
        for other_normal, other_offset, theirs in planes:
            if theirs is mine:
                continue
            other = other_normal @ eye.to_room
            in_front = np.median(points[mine] @ other - other_offset)
            if abs(in_front) > APART_METRES:
                cost += _BROKEN * ((at @ other - other_offset) * np.sign(in_front) < -APART_METRES / 2)
        verdict, seen = walk.look(position, at, level)
        # What another frame shows is there, and hides what is farther away; what one sees through is not.
        cost = np.where(verdict == 1, metres - _BROKEN, cost - verdict * _BROKEN)
        told.append((verdict == 1, seen))
        shown = mine & lit if (mine & lit).any() else mine
        costs.append(cost)
        candidates.append(metres)
        levels.append(level)
        colours.append(continued(frame, shown, reach=_REACH)[hidden])
    best = np.argmin(costs, axis=0)
    pick = np.arange(len(rays))
    depth[hidden], facing[hidden] = np.stack(candidates)[best, pick], np.stack(levels)[best]
    known = np.stack([each for each, _ in told])[best, pick]
    known &= ~shaded(depth[hidden][:, None] * rays)
    seen = np.stack([each for _, each in told])[best, pick]
    picture[hidden] = np.where(known[:, None], seen, np.stack(colours)[best, pick])
    return Backdrop(picture, eye.camera.unproject(depth), facing, depth)


def _amid(
    at: Float64[np.ndarray, "K 3"],
    points: Float64[np.ndarray, "H W 3"],
    normal: Float64[np.ndarray, "3"],
    offset: float,
    mine: Bool[np.ndarray, "H W"],
    hidden: Bool[np.ndarray, "H W"],
    eye: Eye,
) -> Bool[np.ndarray, "K"]:
    """Which points of a plane are amid those of it that are seen: sides of furniture are rectangles. Of floor and walls, which
    are behind everything, that says nothing.

    Args:
        at: the points, like all others metres in the camera's table coordinates.
        points: what each pixel shows.
        normal: the plane's, in the room's axes.
        offset: how far along it the plane is from the eye, metres.
        mine: its pixels.
        hidden: what is to be filled.
        eye: of the frame.
    """
    across = normal == 0.0
    turned = points @ eye.to_room.T
    low, high = np.quantile(turned[mine][:, across], [0.02, 0.98], axis=0)
    along = turned @ normal
    share = offset / np.where(np.abs(along) > 1e-6, along, 1e-6)
    met = (turned * share[..., None])[..., across]
    if (along - offset).min() > -APART_METRES:
        return np.zeros(len(at), dtype=bool)  # floor and walls are behind everything
    there = ~hidden & (share > 0) & ((met >= low) & (met <= high)).all(axis=-1) & (share < 1.0 + 1e-2)
    through = there & (share < 0.97)
    if through.sum() > _OPEN_SHARE * there.sum():
        return np.zeros(len(at), dtype=bool)
    asked = (at @ eye.to_room.T)[:, across]
    return np.asarray(((asked >= low) & (asked <= high)).all(axis=1))


def _planes(
    points: Float64[np.ndarray, "H W 3"],
    facing: Float64[np.ndarray, "H W 3"],
    around: Bool[np.ndarray, "H W"],
) -> list[Plane]:
    """The planes that some pixels show, by points and normals in the room's axes."""
    found = []
    rows, columns = np.nonzero(around)
    for flat in flats_of(points[around], facing[around]):
        pixels = np.zeros_like(around)
        pixels[rows[flat.pixels], columns[flat.pixels]] = True
        found.append((flat.normal, flat.offset, pixels))
    return found
