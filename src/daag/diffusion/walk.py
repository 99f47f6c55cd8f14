"""What an eye that walks about a room saw elsewhere of what it does not see now.  Source: our choice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int8, UInt8

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.eyes import Eye

_SAME_METRES, _SAME_FACING = 0.02, 0.95
"""How far off a plane, and how much turned, as a cosine, what a pixel shows may be and still be that plane."""

_THROUGH_METRES = 0.04
"""What is seen so much farther away than a plane is seen through it: there is none."""


@dataclass(frozen=True, eq=False)
class Walk:
    """Frames of a room in which only the eye moves, tied together by an object that stands in it."""

    frames: UInt8[np.ndarray, "N H W 3"]
    conditions: Conditions
    eyes: Sequence[Eye]
    feet: Sequence[Float64[np.ndarray, "3"] | None]
    """Where the object's foot is in each frame, in the camera's table coordinates; None where it is not known."""

    def look(
        self, position: int, points: Float64[np.ndarray, "K 3"], normal: Float64[np.ndarray, "3"]
    ) -> tuple[Int8[np.ndarray, "K"], Float32[np.ndarray, "K 3"]]:
        """Ask the other frames, the nearest first, for points of a plane that one frame does not show.

        Args:
            position: of the frame.
            points: in its camera's table coordinates, metres.
            normal: of the plane, a unit vector, likewise.

        Returns:
            1 where a frame shows the plane there, -1 where none does and one sees through it, 0 where nothing is known; and
            the colours, grey levels, where the plane is shown.
        """
        verdict, colours = np.zeros(len(points), dtype=np.int8), np.zeros((len(points), 3), dtype=np.float32)
        here = self.feet[position]
        if here is None:
            return verdict, colours
        turn = self.eyes[position].to_room
        places = {
            index: -eye.to_room @ foot
            for index, (eye, foot) in enumerate(zip(self.eyes, self.feet, strict=True))
            if foot is not None and index != position
        }
        at, facing = (points - here) @ turn.T, turn @ normal
        for index in sorted(places, key=lambda index: float(np.linalg.norm(places[index] + turn @ here))):
            foot = self.feet[index]
            assert foot is not None
            shown, through, seen = self._told(index, at @ self.eyes[index].to_room + foot, facing)
            new = shown & (verdict < 1)
            verdict[new], colours[new] = 1, seen[new]
            verdict[through & (verdict == 0)] = -1
        return verdict, colours

    def _told(
        self, index: int, points: Float64[np.ndarray, "K 3"], facing: Float64[np.ndarray, "3"]
    ) -> tuple[np.ndarray, np.ndarray, Float32[np.ndarray, "K 3"]]:
        """Where one frame shows a plane, where it sees through it, both bool (K,), and colours; `facing` in the room's axes,
        all else in the camera's table coordinates."""
        eye, depth = self.eyes[index], self.conditions.depth[index].astype(np.float64)
        height, width = depth.shape
        normal = eye.to_room.T @ facing
        ahead = (points @ eye.camera.to_table)[:, 2] > 0.1
        spots = np.floor(eye.camera.project(np.where(ahead[:, None], points, [0.0, -1.0, 0.0]))).astype(int)
        columns, rows = spots.T
        inside = ahead & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
        seen = eye.camera.unproject(depth)[rows, columns]
        rays = eye.camera.unproject(np.ones_like(depth))[rows, columns]
        slope = rays @ normal
        metres = (points @ normal) / np.where(np.abs(slope) > 1e-6, slope, 1e-6)
        inside &= depth[rows, columns] > 0
        turned = self.conditions.normals[index][rows, columns] / 127.0 @ eye.camera.to_table.T @ normal
        bare = ~dilate(self.conditions.segmentation[index] > 0)[rows, columns]
        same = (np.abs((seen - points) @ normal) < _SAME_METRES) & (turned > _SAME_FACING)
        through = inside & ~same & (depth[rows, columns] > metres + _THROUGH_METRES)
        return inside & same & bare, through, self.frames[index][rows, columns].astype(np.float32)
