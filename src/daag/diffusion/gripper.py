"""A gripper at an object: how much of the object's edge pixels it covers, and where it goes on behind the object.

A gripper is what is no object and nearer than the table. Source: our choice; the compositing equation of matting.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int16, Shaped, UInt8
from scipy.ndimage import distance_transform_edt

from daag.diffusion.compositing import dilate, tight_mask
from daag.diffusion.fingers import Fingers
from daag.diffusion.intrinsics import inner
from daag.diffusion.table_camera import ON_TABLE, TableCamera

NEARER_METRES = 0.002
"""What is nearer than a body by so much, and is no object, is in front of it."""

_HIDDEN = 2.0
"""Pixels to which it goes on behind an object at most; how far, nothing says."""

_REACH = 3
"""Pixels around an object in which a gripper may be seen that goes on behind it."""

_MOST = 0.5
"""A pixel that counts as the object's shows no more than so much of what is before it."""

_USUAL, _UNCERTAIN = 0.25, 0.01
"""The share that is expected where the object and the gripper are of one colour, and the squared difference between two
colours in [0, 3] at which expectation counts as much as the pixel."""


@dataclass(frozen=True, eq=False)
class Gripper:
    """A gripper at an object, in one frame."""

    before: Float32[np.ndarray, "H W"]
    """How much of each of the object's pixels it covers, in [0, 0.5]; 0 elsewhere."""
    behind: Float32[np.ndarray, "H W"]
    """How far away it is, metres, where it goes on behind the object; elsewhere 0."""
    colour: UInt8[np.ndarray, "H W 3"]
    """Its own, where one of the two says that it is there; elsewhere the picture."""

    @classmethod
    def absent(cls, frame: UInt8[np.ndarray, "H W 3"]) -> "Gripper":
        """At an object with none."""
        none = np.zeros(frame.shape[:2], dtype=np.float32)
        return cls(none, none, frame)


def gripper_at(
    frame: UInt8[np.ndarray, "H W 3"],
    segmentation: Int16[np.ndarray, "H W"],
    depth: Float16[np.ndarray, "H W"],
    object_id: int,
    camera: TableCamera,
    brightness: Shaped[np.ndarray, "H W"],
    fingers: Fingers,
) -> Gripper:
    """Look for a gripper at an object.

    Args:
        frame: the picture.
        segmentation: ids.
        depth: metres.
        object_id: of the object.
        camera: of the frame.
        brightness: of the object without a gripper, in any unit; how its pixels differ is what counts.
        fingers: how broad they are.
    """
    own = segmentation == object_id
    seen = gripper_pixels(segmentation, depth, camera)
    clear = seen & ~dilate(segmentation > 0)  # beside an object a pixel is some of it
    beside = seen & dilate(own, _REACH) & ~own
    if not beside.any() or not clear.any() or not own.any():
        return Gripper.absent(frame)
    _, nearest = distance_transform_edt(~own, return_indices=True)
    farther = beside & (depth > depth[tuple(nearest)] + NEARER_METRES)
    _, pure = distance_transform_edt(~clear, return_indices=True)
    colour = frame[tuple(pure)]
    of_fingers, told = fingers.behind(seen, own, farther, depth, camera)
    behind = np.maximum(of_fingers, _behind(segmentation, depth, object_id, camera, farther, told))
    before = _before(frame, own, seen & ~farther, colour, brightness)
    shown = (behind > 0) | (before > 0)
    return Gripper(before, behind, np.where(shown[..., None], colour, frame))


def gripper_pixels(
    segmentation: Int16[np.ndarray, "*N H W"], depth: Float16[np.ndarray, "*N H W"], camera: TableCamera
) -> Bool[np.ndarray, "*N H W"]:
    """What is no object and nearer than the table, in a frame or in several."""
    return (segmentation == 0) & (depth > 0) & (depth < camera.table_depth - ON_TABLE)


def bared(
    segmentation: Int16[np.ndarray, "H W"],
    depth: Float16[np.ndarray, "H W"],
    object_id: int,
    camera: TableCamera,
) -> Bool[np.ndarray, "H W"]:
    """What comes to light where an object is taken away: its pixels and their rim, but nothing of the gripper."""
    return tight_mask(segmentation, depth, object_id) & ~gripper_pixels(segmentation, depth, camera)


def _behind(
    segmentation: Int16[np.ndarray, "H W"],
    depth: Float16[np.ndarray, "H W"],
    object_id: int,
    camera: TableCamera,
    farther: Bool[np.ndarray, "H W"],
    told: Bool[np.ndarray, "H W"],
) -> Float32[np.ndarray, "H W"]:
    """How far a gripper is where an object hides it, besides what is `told` of its pixels. What ends in front of the object
    does not go on: its outline is its own."""
    if not farther.any():
        return np.zeros(farther.shape, dtype=np.float32)
    own = segmentation == object_id
    other = dilate(own, _REACH) & ~own & ((segmentation > 0) | camera.shows_table(depth))
    away, at = distance_transform_edt(~farther, return_indices=True)
    shown = bared(segmentation, depth, object_id, camera) & (away <= _HIDDEN)
    shown &= (away < distance_transform_edt(~other)) & ~told[tuple(at)]
    return np.where(shown, depth[tuple(at)], np.float16(0.0)).astype(np.float32)


def _before(
    frame: UInt8[np.ndarray, "H W 3"],
    own: Bool[np.ndarray, "H W"],
    nearer: Bool[np.ndarray, "H W"],
    colour: UInt8[np.ndarray, "H W 3"],
    brightness: Shaped[np.ndarray, "H W"],
) -> Float32[np.ndarray, "H W"]:
    """What share of an object's pixels a gripper before it covers: as far as they are from the object's colour to the
    gripper's."""
    edge = own & dilate(nearer)
    inside = inner(own) & ~edge & (brightness > 0)
    if not edge.any() or not inside.any():
        return np.zeros(own.shape, dtype=np.float32)
    _, near = distance_transform_edt(~inside, return_indices=True)
    gain = brightness[edge] / brightness[tuple(near)][edge]
    pure = frame[tuple(near)][edge] / 255.0 * np.where(gain > 0, gain, 1.0)[:, None]
    contrast = colour[edge] / 255.0 - pure
    along = ((frame[edge] / 255.0 - pure) * contrast).sum(axis=1)
    share = (along + _UNCERTAIN * _USUAL) / ((contrast**2).sum(axis=1) + _UNCERTAIN)
    before = np.zeros(own.shape, dtype=np.float32)
    before[edge] = np.clip(share, 0.0, _MOST)
    return before
