"""How broad a gripper's fingers are, by the frames that show them whole, and where they go on behind an object.

An object between two fingers hides the inner side of each from a camera that looks down on them, and their outer sides are
seen. In the frames before and after they stand free, side by side. Source: our choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int16

from daag.diffusion.table_camera import TableCamera

_FEW_ROWS = 3
"""With fewer rows in which a finger is seen whole, its breadth is not known."""

_TOO_BROAD = 1.5
"""What is seen broader than a finger by so many pixels is something else of the gripper, such as its palm."""


@dataclass(frozen=True)
class Fingers:
    """A gripper's two fingers, as a camera sees them from where it is."""

    left_metres: float | None
    """Breadth of the finger that is on the left in pictures; None where no frame shows it whole."""
    right_metres: float | None

    @classmethod
    def of(
        cls,
        gripper: Bool[np.ndarray, "N H W"],
        segmentation: Int16[np.ndarray, "N H W"],
        depth: Float16[np.ndarray, "N H W"],
        camera: TableCamera,
    ) -> "Fingers":
        """Measure them where a row of a picture shows two parts of a gripper side by side.

        Args:
            gripper: its pixels in N frames.
            segmentation: ids; beside an object a finger may go on.
            depth: metres.
            camera: of the frames.
        """
        found: tuple[list[float], list[float]] = ([], [])
        for seen, ids, metres in zip(gripper, segmentation, depth, strict=True):
            for row in np.flatnonzero(seen.any(axis=1)):
                runs = list(_runs(seen[row]))
                if len(runs) != 2:
                    continue
                for side, (start, end) in enumerate(runs):
                    if start == 0 or end == len(ids[row]) or ids[row, start - 1] or ids[row, end]:
                        continue
                    away = float(np.median(metres[row, start:end].astype(np.float64)))
                    found[side].append((end - start) * away / camera.focal_pixels)
        left, right = (float(np.median(some)) if len(some) >= _FEW_ROWS else None for some in found)
        return cls(left, right)

    def behind(
        self,
        gripper: Bool[np.ndarray, "H W"],
        own: Bool[np.ndarray, "H W"],
        farther: Bool[np.ndarray, "H W"],
        depth: Float16[np.ndarray, "H W"],
        camera: TableCamera,
    ) -> tuple[Float32[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
        """Where they go on behind an object, as broad as they are.

        Args:
            gripper: pixels of the gripper.
            own: of the object.
            farther: those of the gripper that are beside the object and farther away.
            depth: metres.
            camera: of the frame.

        Returns:
            How far away a finger is, metres, where the object hides it, elsewhere 0; and the fingers' pixels of which that
            is known.
        """
        hidden, told = np.zeros(own.shape, dtype=np.float32), np.zeros_like(own)
        for row in np.flatnonzero(farther.any(axis=1)):
            for start, end in _runs(gripper[row]):
                for breadth, at, step in ((self.left_metres, end - 1, 1), (self.right_metres, start, -1)):
                    first, outer = at + step, (start - 1 if step == 1 else end)
                    if breadth is None or not farther[row, at] or not 0 <= first < own.shape[1]:
                        continue
                    if not own[row, first] or not 0 <= outer < own.shape[1] or own[row, outer]:
                        continue
                    whole = breadth * camera.focal_pixels / float(depth[row, at])
                    if end - start > whole + _TOO_BROAD:
                        continue
                    told[row, start:end] = True
                    for column in range(first, first + step * round(whole - (end - start)), step):
                        if not 0 <= column < own.shape[1] or not own[row, column]:
                            break
                        hidden[row, column] = depth[row, at]
        return hidden, told


def _runs(row: Bool[np.ndarray, "W"]) -> Iterator[tuple[int, int]]:
    """First and one past the last of each stretch of true values."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]])))
    yield from zip(map(int, changes[::2]), map(int, changes[1::2]), strict=True)
