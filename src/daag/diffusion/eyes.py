"""Where an eye that walks about a room looks, read from its pictures' geometry.

Floor and furniture face up, walls and furniture face four ways. The eye keeps its height and is never tilted sideways.
Source: our choice.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from daag.diffusion.editor import Conditions
from daag.diffusion.table_camera import TableCamera

_LAG = 4
"""Pixels between which the slope of a plane is taken."""

_FEW = 60
"""Pixels that must face up in a frame, and sideways, for it to say how the eye is held."""

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
    cameras = [TableCamera(focal, _axes(up), 0.0, conditions.depth.shape[1:]) for up in level]
    height = _height(cameras, conditions, flat)
    eyes: list[Eye] = []
    for camera, one, mask in zip(cameras, facing, background, strict=True):
        at = TableCamera(focal, camera.to_table, height, camera.shape)
        before = eyes[-1].heading if eyes else 0.0
        turned = _heading(one[mask] @ camera.to_table.T)
        if turned is not None:
            before = turned + np.pi / 2 * round((before - turned) / (np.pi / 2))
        eyes.append(Eye(at, before))
    return eyes


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
