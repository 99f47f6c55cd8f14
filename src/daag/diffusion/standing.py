"""Where an object of a room stands, read from its own pixels and from what is seen past it, in all frames.

The object keeps its place in the room, and the eye its height; so its own height, its scale and its turn in the room are
the same in every frame, and are read where most of it is seen. Elsewhere only the way to it is. What is fitted is how far
the surface that pixels show is from the body's, and that rays past the object miss the body. Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64
from scipy.optimize import least_squares

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.eyes import Eye
from daag.diffusion.poses import Pose
from daag.diffusion.solids import distance, height_of
from daag.tasks import Built

_MIN_PIXELS = 6
"""Of an object, for it to be looked for."""

_MOST = 150
"""Pixels of either sort that are looked at."""

_SURFACE_METRES, _PAST_METRES = 0.01, 0.01
"""How far a surface may be from where it should be, and how far into the body a ray past it may go."""

_USUAL_SIZES = 0.04
"""Standard deviation of an object's scale, which is expected about 1."""

_STEPS = 8
"""Points of a ray past an object that are looked at, as far away as the object's own."""

_BESIDE = 2
"""Pixels around an object that are looked past."""

_BEHIND_METRES = 0.06
"""What is so much farther than the object's nearest pixel may be behind it."""

_TRIED_TURNS, _BEST_TURNS = 8, 4
"""Turns all around that are tried, and how many of them are followed up."""

_NEAR_METRES = 0.15
"""Standard deviation of an object's axis from behind the middle of what is seen of it: part of it may be hidden."""

_MAX_MISFIT = 0.03
"""Metres by which three in four pixels may miss the body that is found; more, and it is something else."""


def stand(eyes: Sequence[Eye], conditions: Conditions, object_id: int, solid: Built) -> list[Pose | None]:
    """Find an object's pose in each frame, in the coordinates of the frame's camera.

    Args:
        eyes: of the frames.
        conditions: of the frames.
        object_id: of the object.
        solid: of what it is.

    Returns:
        None for frames that show too little of it, and for all where no pose explains what is seen of it.
    """
    owns = conditions.segmentation == object_id
    sizes = owns.sum(axis=(1, 2))
    found: list[Pose | None] = [None] * len(owns)
    best = int(sizes.argmax())
    if sizes[best] < _MIN_PIXELS:
        return found
    first = _anywhere(_Sight.of(eyes[best], conditions, best, owns[best]), solid)
    if first is None:
        return found
    turn = first.yaw + eyes[best].heading
    for index in map(int, np.flatnonzero(sizes >= _MIN_PIXELS)):
        if index == best:
            found[index] = first
            continue
        sight = _Sight.of(eyes[index], conditions, index, owns[index])
        known = replace(first, yaw=turn - eyes[index].heading)
        found[index] = _nearby(sight, known, solid)
    return found


class _Sight:
    """Points that an object's pixels show, and points of the rays past it, in a camera's table coordinates."""

    def __init__(self, shown: Float64[np.ndarray, "K 3"], past: Float64[np.ndarray, "S L 3"]) -> None:
        self.shown, self.past = shown, past

    @classmethod
    def of(cls, eye: Eye, conditions: Conditions, index: int, own: Bool[np.ndarray, "H W"]) -> "_Sight":
        """Look at one frame."""
        depth = conditions.depth[index].astype(np.float64)
        shown = _some(eye.camera.unproject(depth)[own])
        nearest, farthest = depth[own].min(), depth[own].max()
        behind = dilate(own, _BESIDE) & ~own & ((depth > nearest + _BEHIND_METRES) | (depth == 0))
        rays = _some(eye.camera.unproject(np.ones_like(depth))[behind])
        ends = np.where(depth > 0, depth, np.inf)[behind]
        ends = np.minimum(_some(ends) - _BEHIND_METRES / 2, farthest + 0.15)
        share = np.linspace(0.0, 1.0, _STEPS)[:, None]
        metres = (nearest - 0.05) * (1.0 - share) + np.maximum(ends, nearest - 0.05) * share
        return cls(shown, metres[..., None] * rays)

    def misfit(self, pose: Pose, solid: Built) -> Float64[np.ndarray, "R"]:
        """How far off what is seen is, in standard deviations that no single pixel exceeds by much."""
        surface = distance(self.shown, pose, solid) / _SURFACE_METRES
        # No ray past the object goes through it: each by its worst point.
        inside = np.minimum(distance(self.past, pose, solid).min(axis=0, initial=0.0), 0.0) / _PAST_METRES
        return np.concatenate([np.clip(surface, -12.0, 12.0), np.clip(inside, -6.0, 0.0)])


def _some(rows: np.ndarray) -> np.ndarray:
    """A part of many rows, evenly."""
    return rows[:: max(1, -(-len(rows) // _MOST))]


def _anywhere(sight: _Sight, solid: Built) -> Pose | None:
    """The pose in the frame that shows most, of which nothing is known yet."""
    height = height_of(solid)
    width = max(solid.footprint)
    middle = sight.shown.mean(axis=0)
    away = middle[:2] / max(float(np.hypot(*middle[:2])), 1e-6)
    x, y = middle[:2] + width / 2 * away

    def pose(values: np.ndarray) -> Pose:
        return Pose(*map(float, values))

    def residuals(values: np.ndarray) -> np.ndarray:
        return np.append(sight.misfit(pose(values), solid), (values[4] - 1.0) / _USUAL_SIZES)

    top = float(sight.shown[:, 2].max())
    turns = np.arange(_TRIED_TURNS) * 2 * np.pi / _TRIED_TURNS if solid.sides else np.zeros(1)
    if solid.sides:
        turns = turns[turns < 2 * np.pi / solid.sides - 1e-9]
    tops = (top, float(sight.shown[:, 2].min()) + height)
    begun = [np.array([x, y, high, turn, 1.0]) for turn in turns for high in tops]
    begun.sort(key=lambda values: float((residuals(values) ** 2).sum()))
    fits = [
        least_squares(residuals, start, x_scale=[0.02, 0.02, 0.02, 0.1, 0.02], max_nfev=12)
        for start in begun[:_BEST_TURNS]
    ]
    found = pose(min(fits, key=lambda fit: float(fit.cost)).x)
    off = np.abs(distance(sight.shown, found, solid))
    return found if np.quantile(off, 0.75) < _MAX_MISFIT and 0.8 < found.scale < 1.2 else None


def _nearby(sight: _Sight, known: Pose, solid: Built) -> Pose:
    """The pose where only the way to the object is unknown."""

    def residuals(values: np.ndarray) -> np.ndarray:
        pose = replace(known, x=float(values[0]), y=float(values[1]))
        return np.concatenate([sight.misfit(pose, solid), (values - begin) / _NEAR_METRES])

    middle = sight.shown.mean(axis=0)[:2]
    begin = middle + max(solid.footprint) / 2 * middle / max(float(np.hypot(*middle)), 1e-6)
    x, y = least_squares(residuals, begin, x_scale=[0.02, 0.02], max_nfev=8).x
    return replace(known, x=float(x), y=float(y))
