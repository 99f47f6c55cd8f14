"""Where a flat block lies to a fraction of a pixel, by the colours at its outline, and how large it is, by several frames.

`poses` reads where a block lies from which pixels are its own. Of a block a few pixels wide the outline runs through most of
them, and their colours say how much of each it covers. A pose is good if some colours of the block's top and sides, put
before what is around it, explain all pixels. Source: our choice; analysis by synthesis, the colours solved for in passing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from scipy.ndimage import uniform_filter
from scipy.optimize import least_squares

from daag.diffusion.compositing import dilate
from daag.diffusion.poses import Pose, outside_by
from daag.diffusion.table_camera import TableCamera
from daag.tasks import Outline

_TOLERANCE = 0.03
"""Of colours in [0, 1]: pixels that are farther off, in a shadow's edge or shining, count less and less."""

_SHADE = 1.0
"""Standard deviation of how bright the surroundings are at a pixel, relatively: there may be a shadow or none, so it is their
hue that tells them from the block."""

_NEAR = np.array([0.003, 0.003, 0.1, 0.03])
"""Standard deviations of what `poses` finds: x and y, metres, the turn, radians, and the scale."""

_STEPS = [0.001, 0.001, 0.03, 0.02]
"""Changes of these that matter about equally."""

_USUAL_SIZES = 0.04
"""Standard deviation of a block's scale, which is expected about 1."""

_SIZE_FRAMES = 5
"""Frames, those that show most, of which the block's size is the median."""

_REACH = 2
"""Pixels around a block that are looked at."""

_FEW_PIXELS = 12
"""With fewer, the pose stays as it was."""


def settled(
    camera: TableCamera,
    frames: UInt8[np.ndarray, "N H W 3"],
    owns: Bool[np.ndarray, "N H W"],
    others: Bool[np.ndarray, "N H W"],
    shape: Outline,
    poses: Mapping[int, Pose],
) -> dict[int, Pose]:
    """The poses of a block, made to fit the colours at its outline.

    Args:
        camera: of the frames.
        frames: the source.
        owns: the block's pixels.
        others: those of other objects, and of what is nearer than the table; where they are, the block may be hidden.
        shape: of its kind.
        poses: as `poses.locate` finds them, by the frame's position.

    Returns:
        The same frames' poses, all of one scale. Where the block's pixels stay, so does its pose.
    """
    sights: dict[int, _Sight] = {}
    as_in: dict[int, int] = {}
    for position in sorted(poses, key=lambda position: -int(owns[position].sum())):
        hidden = dilate(others[position])
        as_in[position] = next(
            (
                known
                for known, sight in sights.items()
                if poses[known] == poses[position]
                and not ((sight.own ^ owns[position]) & ~sight.hidden & ~hidden).any()
            ),
            position,
        )
        if as_in[position] == position:
            sights[position] = _Sight.of(
                camera, frames[position], owns[position], hidden, shape, poses[position]
            )
    first = list(sights)[:_SIZE_FRAMES]
    if not first:
        return {}
    scale = float(np.median([sights[position].fit(poses[position]).scale for position in first]))
    found = {
        position: sight.fit(replace(poses[position], scale=scale), known_size=True)
        for position, sight in sights.items()
    }
    return {position: found[as_in[position]] for position in poses}


@dataclass(frozen=True, eq=False)
class _Sight:
    """What P pixels at a block show in one frame."""

    camera: TableCamera
    shape: Outline
    own: Bool[np.ndarray, "H W"]
    hidden: Bool[np.ndarray, "H W"]
    """Where something else may be before the block."""
    pixels: Float64[np.ndarray, "P 2"]
    """Columns and rows of their middles."""
    colours: Float64[np.ndarray, "P 3"]
    """In [0, 1]."""
    around: Float64[np.ndarray, "P 3"]
    """Of what they would show without the block."""
    trusted: Float64[np.ndarray, "P"]
    """How much it counts, in [0, 1], that a pixel is brighter or darker than is explained, all colours in the measure of
    its surroundings': less where more of the surroundings is seen."""

    @classmethod
    def of(
        cls,
        camera: TableCamera,
        frame: UInt8[np.ndarray, "H W 3"],
        own: Bool[np.ndarray, "H W"],
        hidden: Bool[np.ndarray, "H W"],
        shape: Outline,
        pose: Pose,
    ) -> "_Sight":
        """Look at one frame, where the block's pose is about known."""
        image, bare = frame / 255.0, ~dilate(own) & ~hidden
        size = (2 * _REACH + 1, 2 * _REACH + 1, 1)
        near = np.maximum(uniform_filter(bare[..., None] * 1.0, size), 0.0)
        around = uniform_filter(image * bare[..., None], size) / np.maximum(near, 1e-6)
        where = dilate(own, _REACH) & ~hidden & (own | (near[..., 0] > 1e-6))
        rows, columns = np.nonzero(where)
        pixels = np.column_stack([columns + 0.5, rows + 0.5])
        open_share = 1.0 - _shares(camera, pose, shape, pixels)[:, :2].sum(axis=1)
        unsure = open_share * _SHADE * np.linalg.norm(around[where], axis=1) / _TOLERANCE
        trusted = 1.0 / np.sqrt(1.0 + unsure**2)
        return cls(camera, shape, own, hidden, pixels, image[where], around[where], trusted)

    def fit(self, pose: Pose, known_size: bool = False) -> Pose:
        """The pose nearby that explains the pixels best."""
        if len(self.pixels) < _FEW_PIXELS:
            return pose
        count = 3 if known_size else 4

        def at(values: np.ndarray) -> Pose:
            x, y, turn, growth = (*values, 0.0)[:4]
            return replace(pose, x=pose.x + x, y=pose.y + y, yaw=pose.yaw + turn, scale=pose.scale + growth)

        def residuals(values: np.ndarray) -> np.ndarray:
            far = self._unexplained(at(values))
            unusual = (pose.scale - 1.0 + values[3:]) / _USUAL_SIZES
            return np.concatenate([np.sign(far) * np.sqrt(np.log1p(far**2)), values / _NEAR[:count], unusual])

        found = least_squares(
            residuals, np.zeros(count), x_scale=_STEPS[:count], ftol=0.01, xtol=0.01, max_nfev=8
        )
        return at(found.x)

    def _unexplained(self, pose: Pose) -> Float64[np.ndarray, "R"]:
        """How far the pixels' colours are from what the best colours of top and sides make of them, in tolerances."""
        shares = _shares(self.camera, pose, self.shape, self.pixels)
        of_block = self.colours - (1.0 - shares[:, :2].sum(axis=1))[:, None] * self.around
        few = 1e-3 * np.eye(4)  # sides that are not seen have no colour
        left = of_block - shares @ np.linalg.solve(shares.T @ shares + few, shares.T @ of_block)
        hue = self.around / np.maximum(np.linalg.norm(self.around, axis=1), 1e-6)[:, None]
        brighter = (1.0 - self.trusted) * (left * hue).sum(axis=1)
        return np.asarray((left - brighter[:, None] * hue).ravel() / _TOLERANCE)


def _shares(
    camera: TableCamera, pose: Pose, shape: Outline, pixels: Float64[np.ndarray, "P 2"]
) -> Float64[np.ndarray, "P 4"]:
    """How much of each pixel a block's top covers; its sides together; and its sides, each times the two level parts of its
    normal, since how bright a side is depends on them.

    A pixel is covered by what of a square's breadth is within the outline.
    """
    c, s = np.cos(pose.yaw), np.sin(pose.yaw)
    level = pose.scale * shape.corners @ np.array([[c, s], [-s, c]]) + [pose.x, pose.y]
    above, below = (
        camera.project(np.column_stack([level, np.full(len(level), height)]))
        for height in (pose.top, pose.top - shape.height)
    )
    shares = np.zeros((len(pixels), 4))
    shares[:, 0] = np.clip(0.5 - outside_by(pixels, above), 0.0, 1.0)
    left = 1.0 - shares[:, 0]
    along = np.roll(level, -1, axis=0) - level
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1)[:, None]
    for first in np.flatnonzero((normals * level).sum(axis=1) < 0):  # the camera, at 0, is before them
        second = (first + 1) % len(level)
        side = np.stack([above[first], below[first], below[second], above[second]])
        share = np.minimum(np.clip(0.5 - outside_by(pixels, side), 0.0, 1.0), left)
        left = left - share
        shares[:, 1] += share
        shares[:, 2:] += share[:, None] * normals[first]
    return shares
