"""Where the lamp is, by the shadows on a table.

Whatever stands above a table is opaque: the table behind each point of it that a picture shows, seen from the lamp, is in
the shade. So of many lamps the right one is that behind whose points the table is dark. The pusher of a board is tall, and
moves, so that frames without its shadow tell how bright the table is. Source: our choice.
"""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16, UInt8
from scipy.ndimage import median_filter

from daag.diffusion.compositing import dilate
from daag.diffusion.table_camera import ON_TABLE, TableCamera

_DARK, _SPREAD, _TEXTURE = 0.55, 0.12, 0.08
"""Brightness in the shade, relative to the table in the light, and standard deviations of that and of the table's own."""

_STRANGE = 0.05
"""Share of pixels that are as bright as they like."""

_AROUND = 15
"""Pixels over which the table's brightness is looked for where all frames are dark."""

_POINTS = 250
"""About so many points of each frame are looked at."""

_STEPS = (np.radians(8.0), np.radians(2.5), np.radians(1.0))
_STEEPEST = np.radians(62.0)


def darkness(
    frames: UInt8[np.ndarray, "N H W 3"], table: Bool[np.ndarray, "N H W"]
) -> Float32[np.ndarray, "N H W"]:
    """How much likelier each pixel is in the shade than in the light, as a logarithm; 0 where no table is seen."""
    bright = frames.astype(np.float32).mean(axis=-1)
    shown = np.where(table, bright, np.nan)
    with np.errstate(all="ignore"):
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            usual = np.nanquantile(shown, 0.7, axis=0)
    known = np.isfinite(usual)
    filled = np.where(known, usual, np.median(usual[known]))
    usual = np.maximum(filled, median_filter(filled, _AROUND))
    relative = bright / np.maximum(usual, 1.0)

    def likely(middle: float, spread: float) -> np.ndarray:
        gauss = np.exp(-0.5 * ((relative - middle) / spread) ** 2) / spread
        return (1 - _STRANGE) * gauss + _STRANGE

    ratio = np.log(likely(_DARK, _SPREAD)) - np.log(likely(1.0, _TEXTURE))
    return np.where(table, ratio, 0.0).astype(np.float32)


def lamp_by_shadows(
    frames: UInt8[np.ndarray, "N H W 3"],
    segmentation: Int16[np.ndarray, "N H W"],
    depth: np.ndarray,
    camera: TableCamera,
    distance: float,
):
    table = (segmentation == 0) & (np.abs(depth - camera.table_depth) < ON_TABLE / 2)
    table = np.stack([one & ~dilate(~one) for one in table])
    dark = darkness(frames, table)
    n, height, width = table.shape
    points, where = [], []
    for index in range(n):
        above = (depth[index] > 0) & (depth[index] < camera.table_depth - ON_TABLE)
        rows, columns = np.nonzero(above)
        every = max(1, len(rows) // _POINTS)
        at = camera.unproject(depth[index])[rows[::every], columns[::every]]
        points.append(at); where.append(np.full(len(at), index))
    points, where = np.concatenate(points), np.concatenate(where)
    middle = np.array([*np.median(points[:, :2], axis=0), -camera.height])
    flat = dark.ravel()

    def score(direction):
        lamp = middle + distance * direction
        ray = points - lamp
        t = (-camera.height - lamp[2]) / ray[:, 2]
        ground = lamp + t[:, None] * ray
        ok = t > 0
        px = np.floor(camera.project(ground)).astype(int)
        ok &= (px[:, 0] >= 0) & (px[:, 0] < width) & (px[:, 1] >= 0) & (px[:, 1] < height)
        index = (where[ok] * height + px[ok, 1]) * width + px[ok, 0]
        return float(flat[np.unique(index)].sum())

    def toward(v):
        tilt = np.hypot(*v)
        return np.array([*(np.sin(tilt) * np.array(v) / max(tilt, 1e-9)), np.cos(tilt)])
    grid = np.arange(-_STEEPEST, _STEEPEST + 1e-9, _STEPS[0])
    tried = [(score(toward((a, b))), a, b) for a in grid for b in grid if np.hypot(a, b) <= _STEEPEST]
    best = max(tried)
    for step in _STEPS[1:]:
        for _ in range(3):
            new = max((score(toward((best[1] + i * step, best[2] + j * step))), best[1] + i * step, best[2] + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1))
            if new[0] <= best[0]: break
            best = new
    return middle, toward(best[1:]), best[0], score(np.array([0, 0, 1.0])), np.array(tried)
