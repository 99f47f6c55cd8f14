"""How a camera sees a table, read from its pictures' geometry.  Source: our choice."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float16, Float64, Int8, Int16

ON_TABLE = 0.01
"""Metres along the camera's axis by which the table may differ from the plane that was fitted to it."""

_UPRIGHT = 0.02, 0.007
"""Cosine to the vertical up to which a surface stands upright, at first and once the vertical is known better: the rounding
of normals makes up the second, and what leans a little does not stay within it."""

_SAMPLES = (0.25, 0.75)  # along each axis of a pixel


@dataclass(frozen=True, eq=False)
class TableCamera:
    """How a camera sees a table: made from the depth and normals of the table itself, not from a calibration."""

    focal_pixels: float
    to_table: Float64[np.ndarray, "3 3"]
    """From camera coordinates to table coordinates (two along the table, one up), both with the camera at 0."""
    height: float
    """Metres from the table to the camera."""
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        depth: Float16[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        segmentation: Int16[np.ndarray, "H W"],
    ) -> "TableCamera | None":
        """Read it from one frame; None where too little of a table is seen, or it is seen from straight above.

        Args:
            depth: metres along the camera's axis; 0 where nothing was hit.
            normals: unit normals in camera coordinates times 127.
            segmentation: ids; 0 is everything that is not an object.
        """
        background = (segmentation == 0) & (depth > 0)
        if background.sum() < 100:
            return None
        facing = normals.astype(np.float64) / 127.0
        up = np.median(facing[background], axis=0)
        length = float(np.linalg.norm(up))
        if length < 0.5 or np.hypot(up[0], up[1]) < 0.1 * length:  # no slope, no focal length
            return None
        up /= length
        table = background & (facing @ up > 0.99)
        if table.sum() < 100:
            return None
        up = _levelled(up, facing[depth > 0])
        height, width = depth.shape
        rows, columns = np.nonzero(table)
        # Along a plane 1 / depth is linear in the pixel; the plane's normal says how the slope splits up.
        inverse = 1.0 / depth[table].astype(np.float64)
        basis = np.column_stack(
            [columns + 0.5 - width / 2, rows + 0.5 - height / 2, np.ones(len(rows), dtype=np.float64)]
        )
        solution, *_ = np.linalg.lstsq(basis, inverse, rcond=None)
        misfit = np.abs(basis @ solution - inverse)
        flat = misfit <= 3 * np.median(misfit)  # a gripper has faces that are turned up as well
        (slope_x, slope_y, middle), *_ = np.linalg.lstsq(basis[flat], inverse[flat], rcond=None)
        offset = up[2] / middle
        focal = np.hypot(up[0], up[1]) / max(abs(offset) * np.hypot(slope_x, slope_y), 1e-9)
        if not np.isfinite(focal) or focal <= 0:
            return None
        # Exact again after the rounding of normals: what the fitted plane says its normal is.
        up = np.array([slope_x * focal, slope_y * focal, middle]) * offset
        length = float(np.linalg.norm(up))
        if not np.isfinite(length) or length == 0.0:
            return None
        up /= length
        first = np.cross(up, [0.0, 0.0, 1.0])
        first /= np.linalg.norm(first)
        to_table = np.stack([first, np.cross(up, first), up])
        return cls(float(focal), to_table, float(-offset), (height, width))

    @cached_property
    def rays(self) -> Float64[np.ndarray, "4 H W 3"]:
        """Directions through four samples of each pixel, in table coordinates, of length 1 along the camera's axis."""
        return np.stack([self._rays_through(x, y) for y in _SAMPLES for x in _SAMPLES])

    def project(self, points: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 2"]:
        """Columns and rows, in pixels from the picture's left upper corner, of points in table coordinates."""
        seen = points @ self.to_table
        height, width = self.shape
        return np.asarray(self.focal_pixels * seen[:, :2] / seen[:, 2:] + [width / 2, height / 2])

    def unproject(self, depth: Float[np.ndarray, "H W"]) -> Float64[np.ndarray, "H W 3"]:
        """Table coordinates, from the camera, of what each pixel shows."""
        return np.asarray(self._centres * depth.astype(np.float64)[..., None])

    def surface(
        self,
        depth: Float[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        where: Bool[np.ndarray, "H W"],
    ) -> tuple[Float64[np.ndarray, "K 3"], Float64[np.ndarray, "K 3"]]:
        """Points and unit normals, in table coordinates, of what K pixels show.

        Args:
            depth: metres.
            normals: unit normals in camera coordinates times 127.
            where: the pixels.
        """
        points = self._centres[where] * depth[where].astype(np.float64)[:, None]
        return np.asarray(points), np.asarray(normals[where] / 127.0 @ self.to_table.T)

    @cached_property
    def _centres(self) -> Float64[np.ndarray, "H W 3"]:
        return self._rays_through(0.5, 0.5)

    @cached_property
    def table_depth(self) -> Float64[np.ndarray, "H W"]:
        """Depth of the bare table, metres; infinite above the horizon."""
        down = -self._centres[..., 2]
        return np.asarray(np.where(down > 1e-6, self.height / np.maximum(down, 1e-6), np.inf))

    def shows_table(self, depth: Float[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
        """Where a depth, in metres, is the table's."""
        return np.asarray(np.abs(depth - self.table_depth) < ON_TABLE)

    def _rays_through(self, x: float, y: float) -> Float64[np.ndarray, "H W 3"]:
        height, width = self.shape
        grid_y, grid_x = np.meshgrid(np.arange(height) + y, np.arange(width) + x, indexing="ij")
        rays = np.stack(
            [grid_x - width / 2, grid_y - height / 2, np.full_like(grid_x, self.focal_pixels)], -1
        )
        return np.asarray(rays / self.focal_pixels @ self.to_table.T)


def _levelled(up: Float64[np.ndarray, "3"], facing: Float64[np.ndarray, "K 3"]) -> Float64[np.ndarray, "3"]:
    """Up, known to the rounding of the table's normals, brought to be across the normals of all that stands upright: each of
    these is rounded for itself."""
    normals, found = np.unique(facing, axis=0), up
    for most in _UPRIGHT:
        sides = normals[np.abs(normals @ found) < most]
        found = up - np.linalg.solve(np.eye(3) + sides.T @ sides, sides.T @ (sides @ up))
        found /= np.linalg.norm(found)
    return np.asarray(found)
