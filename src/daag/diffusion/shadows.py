"""Where the lamp is, by the shadows on a table.

Whatever stands above a table is opaque: what of the table lies behind it, seen from the lamp, is in the shade. So of many
lamps the right one is that behind whose points, as far as pictures show them, the table is dark. Where no shadow is seen,
most lamps are ruled out as well: those whose shadows would be seen. A pusher on a board is tall, and moves, so other frames
tell how bright the table is without its shadow. Source: our choice.
"""

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int16, UInt8
from scipy.ndimage import median_filter

from daag.diffusion.compositing import dilate
from daag.diffusion.light import LAMP_METRES, Towards
from daag.diffusion.table_camera import ON_TABLE, TableCamera

_DARK, _DARK_SPREAD, _LIT_SPREAD = 0.55, 0.12, 0.08
"""How bright a table is in the shade, relative to the same in the light, and the standard deviations of the two."""

_STRANGE = 0.05
"""Share of pixels that may be of any brightness."""

_USUAL_QUANTILE, _USUAL_PIXELS = 0.7, 15
"""A pixel's brightness in the light is this quantile of what frames show there, or, where something rests beside it whose
shadow is always there, the median of so many pixels around."""

_POINTS = 150
"""About so many points of each frame are looked at, twice as many at most."""

_TOGETHER = 0.3
"""What each pixel says counts so much, since neighbours say the same."""

_STEEPEST_DEGREES, _STEP_DEGREES, _FINER = 60.0, 5.0, 4
"""How far from straight above the lamp may be, between directions that are tried, and how many times finer it is looked for
about the best."""


def towards_lamp(
    frames: UInt8[np.ndarray, "N H W 3"],
    segmentation: Int16[np.ndarray, "N H W"],
    depth: Float16[np.ndarray, "N H W"],
    camera: TableCamera,
) -> Towards | None:
    """Find about where the lamp is.

    Args:
        frames: of one episode; camera and light stand still.
        segmentation: ids; 0 is everything that is not an object.
        depth: metres.
        camera: of the frames.

    Returns:
        The mean over all directions from the middle of what stands on the table, each as likely as it makes the pictures;
        None where nothing stands there.
    """
    table = (segmentation == 0) & (np.abs(depth - camera.table_depth) < ON_TABLE / 2)
    table = np.stack([shown & ~dilate(~shown) for shown in table])
    dark = _darkness(frames, table)
    above = (depth > 0) & (depth < camera.table_depth - ON_TABLE)
    points, frame = [], []
    for index in np.flatnonzero(above.any(axis=(1, 2))):
        rows, columns = np.nonzero(above[index])
        every = max(1, len(rows) // _POINTS)
        points.append(camera.unproject(depth[index])[rows[::every], columns[::every]])
        frame.append(np.full(len(points[-1]), index))
    if not points:
        return None
    high, which = np.concatenate(points), np.concatenate(frame)
    middle = np.array([*np.median(high[:, :2], axis=0), -camera.height])

    def evidence(tilt: tuple[float, float]) -> float:
        """Of a lamp so many radians to either side of straight above."""
        rays = high - (middle + LAMP_METRES * _direction(tilt))
        down = rays[:, 2] < 0
        ground = high[down] + rays[down] * ((-camera.height - high[down, 2]) / rays[down, 2])[:, None]
        column, row = np.floor(camera.project(ground)).astype(int).T
        height, width = camera.shape
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        at = np.unique((which[down] * height + row)[inside] * width + column[inside])
        return float(dark.ravel()[at].sum())

    steepest, step = np.radians([_STEEPEST_DEGREES, _STEP_DEGREES])
    grid = np.arange(-steepest, steepest + 1e-6, step)
    tilts = [(x, y) for x in grid for y in grid if np.hypot(x, y) <= steepest]
    found = [evidence(tilt) for tilt in tilts]
    best, around = tilts[int(np.argmax(found))], range(-_FINER - 1, _FINER + 2)
    closer = [(best[0] + i * step / _FINER, best[1] + j * step / _FINER) for i in around for j in around]
    found += [evidence(tilt) for tilt in closer]
    directions = np.stack([_direction(tilt) for tilt in (*tilts, *closer)])
    weights = np.exp(_TOGETHER * (np.array(found) - max(found)))
    weights[len(tilts) :] /= _FINER**2  # there are more of them
    mean = weights @ directions / weights.sum()
    spread = np.sqrt(weights @ (directions - mean)[:, :2] ** 2 / weights.sum())
    return Towards(mean / np.linalg.norm(mean), spread)


def _direction(tilt: tuple[float, float]) -> Float64[np.ndarray, "3"]:
    away = float(np.hypot(*tilt))
    return np.array([*(np.sinc(away / np.pi) * np.array(tilt)), np.cos(away)])


def _darkness(
    frames: UInt8[np.ndarray, "N H W 3"], table: Bool[np.ndarray, "N H W"]
) -> Float32[np.ndarray, "N H W"]:
    """How much likelier each pixel is in the shade than in the light, as a logarithm; 0 where no table is seen."""
    bright = frames.mean(axis=-1, dtype=np.float32)
    count = table.sum(axis=0)
    ordered = np.sort(np.where(table, bright, -1.0), axis=0)[::-1]
    place = np.floor((1.0 - _USUAL_QUANTILE) * np.maximum(count - 1, 0)).astype(int)
    seen = np.take_along_axis(ordered, place[None], axis=0)[0]
    usual = np.where(count > 0, seen, np.median(seen[count > 0]) if count.any() else 0.0)
    relative = bright / np.maximum(np.maximum(usual, median_filter(usual, _USUAL_PIXELS)), 1.0)

    def likely(middle: float, spread: float) -> np.ndarray:
        return _STRANGE + (1 - _STRANGE) / spread * np.exp(-0.5 * ((relative - middle) / spread) ** 2)

    ratio = np.log(likely(_DARK, _DARK_SPREAD) / likely(1.0, _LIT_SPREAD))
    return np.where(table, ratio, 0.0).astype(np.float32)
