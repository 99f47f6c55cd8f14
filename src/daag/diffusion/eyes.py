"""Where an eye that walks about a room looks, read from its pictures' geometry.

Floor and furniture face up, walls and furniture face four ways. The eye keeps its height and is never tilted sideways.
Rounded normals say roughly how it is held, and which pixels show one plane; how depth runs along planes says it a hundred
times as finely, and that planes are square to each other tells the focal length. Source: our choice.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.optimize import least_squares

from daag.diffusion.editor import Conditions
from daag.diffusion.flats import flats_of
from daag.diffusion.table_camera import TableCamera

_LAG = 4
"""Pixels between which the slope of a plane is taken."""

_FEW = 60
"""Pixels that must face up in a frame, and sideways, for it to say how the eye is held."""

_NARROW = 1.0
"""Pixels by which a plane must spread, root of the mean square, across the way in which it is longest, for its slopes to
count."""

_NEARLY = float(np.cos(np.radians(2.0)))
"""Cosine between a plane's normal by its depths and what its rounded normals say; less, and it is no plane."""

_FLOOR_METRES = 0.03
"""By how much pixels of the floor may seem to be above it."""


@dataclass(frozen=True, eq=False)
class Eye:
    """An eye at one moment. Its camera's table coordinates are level, and turn with it: two along the floor, one up."""

    camera: TableCamera
    heading: float
    """Radians that its coordinates are turned against the room's, which are along the walls."""

    @property
    def to_room(self) -> Float64[np.ndarray, "3 3"]:
        """From the camera's table coordinates to the room's axes."""
        c, s = np.cos(self.heading), np.sin(self.heading)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def eyes_of(conditions: Conditions) -> list[Eye] | None:
    """The eye in each of an episode's successive frames; None where too little of a floor or of walls is seen.

    Walls tell a heading up to quarters of a turn, so it is the one nearest to the frame's before: an eye that turns by
    less than an eighth of a turn at a time keeps its bearings. What the first frame's quarter is, is chosen.
    """
    background = (conditions.segmentation == 0) & (conditions.depth > 0)
    facing = conditions.normals.astype(np.float64) / 127.0
    ups = [_up(one, mask) for one, mask in zip(facing, background, strict=True)]
    known = [up for up in ups if up is not None]
    if not known:
        return None
    level: list[Float64[np.ndarray, 3]] = []
    for up in ups:
        level.append(up if up is not None else level[-1] if level else known[0])
    flat = [mask & (one @ up > 0.99) for one, mask, up in zip(facing, background, level, strict=True)]
    focal = _focal(conditions.depth.astype(np.float64), np.stack(flat), level)
    if focal is None:
        return None
    rough = [TableCamera(focal, _axes(up), 0.0, conditions.depth.shape[1:]) for up in level]
    eyes = _turned(rough, [one[mask] for one, mask in zip(facing, background, strict=True)])
    slopes = [
        _slopes(eye, depth.astype(np.float64), one, mask)
        for eye, depth, one, mask in zip(eyes, conditions.depth, facing, background, strict=True)
    ]
    focal = _squared(slopes, focal)
    cameras = [
        TableCamera(focal, _axes(each.up(focal, up)), 0.0, conditions.depth.shape[1:])
        for each, up in zip(slopes, level, strict=True)
    ]
    height = _height(cameras, conditions, flat)
    eyes = _turned(cameras, [one[mask] for one, mask in zip(facing, background, strict=True)])
    return [
        Eye(replace(eye.camera, height=height), each.heading(eye))
        for eye, each in zip(eyes, slopes, strict=True)
    ]


def _turned(cameras: list[TableCamera], facing: list[Float64[np.ndarray, "_ 3"]]) -> list[Eye]:
    """The eyes whose cameras these are, by the normals, in camera coordinates, of what each sees."""
    eyes: list[Eye] = []
    for camera, normals in zip(cameras, facing, strict=True):
        before = eyes[-1].heading if eyes else 0.0
        turned = _heading(normals @ camera.to_table.T)
        if turned is not None:
            before = turned + np.pi / 2 * round((before - turned) / (np.pi / 2))
        eyes.append(Eye(camera, before))
    return eyes


@dataclass(frozen=True, eq=False)
class _Slopes:
    """How 1 / depth runs along the planes that a frame shows.

    It is linear in the pixel. The slopes times the focal length, and the value in the middle of the picture, are the plane's
    normal but for its length: what depths say of it is much finer than normals, which are rounded.
    """

    slopes: Float64[np.ndarray, "K 3"]
    """Per pixel to the right and down, and in the middle of the picture; 1 / metres."""
    axes: Int64[np.ndarray, "K"]
    """Of the room, which each plane faces along, or against it."""
    sure: Float64[np.ndarray, "K"]
    """Pixels times how far they spread, in pixels, where they spread least."""

    def normals(self, focal: float) -> Float64[np.ndarray, "K 3"]:
        """Unit normals in camera coordinates, towards or away from the eye."""
        directions = self.slopes * [focal, focal, 1.0]
        return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))

    def up(self, focal: float, rough: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
        """Up in camera coordinates; as it was where nothing level is seen."""
        level = self.axes == 2
        if not level.any():
            return rough
        found = self.normals(focal)[level][self.sure[level].argmax()]
        up = np.sign(found @ rough) * found * [0.0, 1.0, 1.0]
        return np.asarray(up / np.linalg.norm(up))

    def heading(self, eye: Eye) -> float:
        """The eye's, finer than it was."""
        upright = self.axes != 2
        if not upright.any():
            return eye.heading
        seen = self.normals(eye.camera.focal_pixels)[upright][self.sure[upright].argmax()]
        x, y, _ = eye.to_room @ eye.camera.to_table @ seen
        return eye.heading - float((np.arctan2(y, x) + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def _slopes(
    eye: Eye,
    depth: Float64[np.ndarray, "H W"],
    facing: Float64[np.ndarray, "H W 3"],
    mask: Bool[np.ndarray, "H W"],
) -> _Slopes:
    """Those of the planes that a frame shows, by an eye that is known roughly."""
    rows, columns = np.nonzero(mask)
    points = eye.camera.unproject(depth)[mask] @ eye.to_room.T
    turned = facing[mask] @ (eye.to_room @ eye.camera.to_table).T
    height, width = depth.shape
    slopes, axes, sure = [], [], []
    for flat in flats_of(points, turned):
        x, y = columns[flat.pixels] + 0.5 - width / 2, rows[flat.pixels] + 0.5 - height / 2
        narrow = np.sqrt(np.linalg.eigvalsh(np.cov(x, y))[0])
        if len(x) < _FEW or narrow < _NARROW:
            continue
        basis, inverse = np.column_stack([x, y, np.ones(len(x))]), 1.0 / depth[mask][flat.pixels]
        near = np.ones(len(x), dtype=bool)
        for _ in range(2):  # what is a little off may be something else
            found, *_ = np.linalg.lstsq(basis[near], inverse[near], rcond=None)
            misfit = np.abs(basis @ found - inverse) / inverse
            near = misfit <= 3 * np.median(misfit) + 1e-9
        normal = found * [eye.camera.focal_pixels, eye.camera.focal_pixels, 1.0]
        along = (eye.to_room @ eye.camera.to_table @ normal)[flat.axis] / np.linalg.norm(normal)
        if abs(along) < _NEARLY:
            continue
        slopes.append(found)
        axes.append(flat.axis)
        sure.append(len(x) ** 0.5 * narrow)
    return _Slopes(np.array(slopes).reshape(-1, 3), np.array(axes, dtype=np.int64), np.array(sure))


def _squared(seen: list[_Slopes], focal: float) -> float:
    """The focal length with which planes that face different ways are square to each other; as it was where none do."""
    pairs = []
    for each in seen:
        first, second = np.triu_indices(len(each.axes), 1)
        square = each.axes[first] != each.axes[second]
        pairs.append((each, first[square], second[square]))
    if not sum(len(first) for _, first, _ in pairs):
        return focal

    def residuals(values: np.ndarray) -> np.ndarray:
        off = []
        for each, first, second in pairs:
            normals = each.normals(float(values[0]))
            weight = np.minimum(each.sure[first], each.sure[second])
            off.append((normals[first] * normals[second]).sum(axis=1) * weight)
        return np.concatenate(off)

    found = least_squares(residuals, [focal], x_scale=[1.0], loss="soft_l1", f_scale=0.02)
    return float(found.x[0])


def _up(facing: Float64[np.ndarray, "H W 3"], background: Bool[np.ndarray, "H W"]) -> np.ndarray | None:
    """Up in camera coordinates: what most of the pixels that face up face."""
    upwards = background & (facing[..., 1] < -0.6) & (np.abs(facing[..., 0]) < 0.05)
    if upwards.sum() < _FEW:
        return None
    up = np.median(facing[upwards], axis=0) * [0.0, 1.0, 1.0]
    return np.asarray(up / np.linalg.norm(up))


def _axes(up: np.ndarray) -> Float64[np.ndarray, "3 3"]:
    first = np.cross(up, [0.0, 0.0, 1.0])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(up, first), up])


def _focal(
    depth: Float64[np.ndarray, "N H W"], flat: Bool[np.ndarray, "N H W"], level: list[np.ndarray]
) -> float | None:
    """Pixels of focal length, from how the depths of level planes fall off from row to row.

    Along a plane 1 / depth is linear in the pixel: its slope is the normal's share along the picture over focal length and
    distance, its value in the middle the share along the axis over the distance.
    """
    num_rows = depth.shape[1]
    inverse = 1.0 / np.maximum(depth, 1e-6)
    both = flat[:, _LAG:] & flat[:, :-_LAG] & flat[:, _LAG // 2 : -_LAG // 2]
    slope = (inverse[:, _LAG:] - inverse[:, :-_LAG]) / _LAG
    row = np.arange(num_rows - _LAG) + (_LAG + 1 - num_rows) / 2
    middle = (inverse[:, _LAG:] + inverse[:, :-_LAG]) / 2 - slope * row[:, None]
    share = np.array([up[1] / up[2] for up in level])[:, None, None]
    told = (middle * share / np.where(np.abs(slope) > 1e-9, slope, np.inf))[both]
    if len(told) < _FEW or not np.isfinite(focal := float(np.median(told))) or focal <= 0:
        return None
    return focal


def _height(cameras: list[TableCamera], conditions: Conditions, flat: list[np.ndarray]) -> float:
    """Metres from the floor, the lowest level plane of all frames, to the eye."""
    below = np.concatenate(
        [
            -camera.unproject(depth)[mask][:, 2]
            for camera, depth, mask in zip(cameras, conditions.depth, flat, strict=True)
        ]
    )
    lowest = np.quantile(below, 0.98)
    return float(np.median(below[below > lowest - _FLOOR_METRES]))


def _heading(facing: Float64[np.ndarray, "K 3"]) -> float | None:
    """What turns the normals of upright surfaces into the room's axes, up to quarters of a turn."""
    sideways = facing[np.abs(facing[:, 2]) < 0.2]
    if len(sideways) < _FEW:
        return None
    angles = np.arctan2(sideways[:, 1], sideways[:, 0])
    rough = np.angle(np.exp(4j * angles).mean()) / 4
    off = (angles - rough + np.pi / 4) % (np.pi / 2) - np.pi / 4
    return -float(rough + np.median(off))
