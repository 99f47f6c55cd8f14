"""Where an object of a room stands, read from its own pixels and from what is seen past it, in all frames.

The object keeps its place in the room, and the eye its height; so the height on which it stands, its scale and its turn in
the room are the same in every frame, and are read from those that show most of it. In each frame only the way to it is
fitted. What is fitted is how far the surface that pixels show is from the body's, and that rays past the object miss the
body; and it stands on the floor, or on something level. Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64
from scipy.optimize import least_squares

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.eyes import Eye
from daag.diffusion.flats import flats_of
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

_TURNS_ALONE, _TURNS_TOGETHER, _FOLLOWED = 8, 16, 3
"""Turns all around that are tried in one frame, and in several together, and how many of the latter are followed up."""

_TELLING = 4
"""Frames, those that show most of the object, that say together how it is turned and how large it is."""

_NEAR_METRES = 0.15
"""Standard deviation of an object's axis from behind the middle of what is seen of it: part of it may be hidden."""

_NEAR_REST = 0.04
"""Metres between an object's underside, as its own pixels tell it, and a level plane that it may stand on."""

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
    seen = [int(index) for index in np.argsort(-sizes, kind="stable") if sizes[index] >= _MIN_PIXELS]
    if not seen:
        return found
    sights = {index: _Sight.of(eyes[index], conditions, index, owns[index]) for index in seen}
    levels = _levels(eyes, conditions)
    first = _anywhere(sights[seen[0]], solid)
    if first is None:
        return found
    # The largest view may not show what tells the turn, such as a mug's handle.
    some = [(sights[index], eyes[index]) for index in seen[:_TELLING]]
    known = _turned(_Stand.of(first, eyes[seen[0]], solid, levels), some)
    for index in seen:
        found[index] = known.nearby(sights[index], eyes[index])[0]
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


@dataclass(frozen=True, eq=False)
class _Stand:
    """What is the same of an object in all frames."""

    solid: Built
    foot: float
    """Height of its underside, metres from the eye."""
    turn: float
    """In the room, radians."""
    scale: float

    @classmethod
    def of(cls, pose: Pose, eye: Eye, solid: Built, levels: Float64[np.ndarray, "L"]) -> "_Stand":
        """Of a pose, brought to the level plane that is nearest to its underside, if one is near."""
        foot = pose.top - pose.scale * height_of(solid)
        rest = float(levels[np.abs(levels - foot).argmin()])
        return cls(solid, rest if abs(rest - foot) < _NEAR_REST else foot, pose.yaw + eye.heading, pose.scale)

    def pose(self, at: Float64[np.ndarray, "2"], eye: Eye) -> Pose:
        """Where an eye sees it whose way to its axis, along the floor, is this, metres."""
        top = self.foot + self.scale * height_of(self.solid)
        return Pose(float(at[0]), float(at[1]), top, self.turn - eye.heading, self.scale)

    def nearby(self, sight: _Sight, eye: Eye) -> tuple[Pose, float]:
        """The pose where only the way to the object is unknown, and how badly it fits."""

        def residuals(values: np.ndarray) -> np.ndarray:
            off = sight.misfit(self.pose(values, eye), self.solid)
            return np.concatenate([off, (values - begin) / _NEAR_METRES])

        begin = _behind(sight, self.solid)
        away = begin / max(float(np.hypot(*begin)), 1e-6)
        reach = max(self.solid.footprint)
        around = [
            begin + reach * (far * away + aside * np.array([-away[1], away[0]]))
            for far in (-0.5, 0.0, 0.5)
            for aside in (-1.0, -0.5, 0.0, 0.5, 1.0)
        ]
        start = min(around, key=lambda values: float((residuals(values) ** 2).sum()))
        fits = [least_squares(residuals, at, x_scale=[0.02, 0.02], max_nfev=8) for at in (begin, start)]
        fit = min(fits, key=lambda each: float(each.cost))
        return self.pose(fit.x, eye), float(fit.cost)

    def together(self, some: Sequence[tuple[_Sight, Eye]]) -> "tuple[_Stand, float]":
        """Turn and scale near by that suit several frames best, and how badly they fit."""
        places = [self.nearby(sight, eye)[0] for sight, eye in some]

        def residuals(values: np.ndarray) -> np.ndarray:
            there = replace(self, turn=float(values[0]), scale=float(values[1]))
            off = [
                sight.misfit(there.pose(at, eye), self.solid)
                for (sight, eye), at in zip(some, values[2:].reshape(-1, 2), strict=True)
            ]
            return np.append(np.concatenate(off), (values[1] - 1.0) / _USUAL_SIZES)

        begin = np.array([self.turn, self.scale, *(value for pose in places for value in (pose.x, pose.y))])
        steps = [0.1, 0.02] + [0.02] * (2 * len(some))
        fit = least_squares(residuals, begin, x_scale=steps, max_nfev=12)
        turn, scale = fit.x[:2]
        return replace(self, turn=float(turn), scale=float(scale)), float(fit.cost)


def _turned(first: _Stand, some: Sequence[tuple[_Sight, Eye]]) -> _Stand:
    """The turn all around that suits several frames best."""
    turns = _turns(first.solid, _TURNS_TOGETHER)
    tried = [first, *(replace(first, turn=first.turn + turn) for turn in turns[1:])]
    tried.sort(key=lambda each: sum(each.nearby(*one)[1] for one in some))
    fits = [each.together(some) for each in tried[:_FOLLOWED]]
    best = min(fits, key=lambda fit: fit[1])[0]
    if not first.solid.sides:
        return best
    alike = 2 * np.pi / first.solid.sides
    return replace(best, turn=best.turn + alike * round((first.turn - best.turn) / alike))


def _turns(solid: Built, count: int) -> Float64[np.ndarray, "T"]:
    """Turns that look different, so many all around, radians."""
    if not solid.sides:
        return np.zeros(1)
    turns = np.arange(count) * 2 * np.pi / count
    return np.asarray(turns[turns < 2 * np.pi / solid.sides - 1e-9])


def _levels(eyes: Sequence[Eye], conditions: Conditions) -> Float64[np.ndarray, "L"]:
    """Heights of what objects may rest on: level planes that frames show, metres from the eye."""
    heights = [-eyes[0].camera.height]
    for eye, depth, normals, segmentation in zip(
        eyes, conditions.depth, conditions.normals, conditions.segmentation, strict=True
    ):
        points, facing = eye.camera.surface(depth, normals, (segmentation == 0) & (depth > 0))
        heights += [flat.offset for flat in flats_of(points, facing) if flat.axis == 2 and flat.sign > 0]
    return np.array(heights)


def _behind(sight: _Sight, solid: Built) -> Float64[np.ndarray, "2"]:
    """About where an object's axis is: behind the middle of what is seen of it."""
    middle = sight.shown.mean(axis=0)[:2]
    return np.asarray(middle + max(solid.footprint) / 2 * middle / max(float(np.hypot(*middle)), 1e-6))


def _anywhere(sight: _Sight, solid: Built) -> Pose | None:
    """The pose in the frame that shows most, of which nothing is known yet; None where none explains what is seen."""
    height = height_of(solid)
    x, y = _behind(sight, solid)

    def pose(values: np.ndarray) -> Pose:
        return Pose(*map(float, values))

    def residuals(values: np.ndarray) -> np.ndarray:
        return np.append(sight.misfit(pose(values), solid), (values[4] - 1.0) / _USUAL_SIZES)

    tops = (float(sight.shown[:, 2].max()), float(sight.shown[:, 2].min()) + height)
    fits = []
    for turn in _turns(solid, _TURNS_ALONE):
        start = min(
            (np.array([x, y, top, turn, 1.0]) for top in tops),
            key=lambda values: float((residuals(values) ** 2).sum()),
        )
        fits.append(least_squares(residuals, start, x_scale=[0.02, 0.02, 0.02, 0.1, 0.02], max_nfev=12))
    found = pose(min(fits, key=lambda fit: float(fit.cost)).x)
    off = np.abs(distance(sight.shown, found, solid))
    return found if np.quantile(off, 0.75) < _MAX_MISFIT and 0.8 < found.scale < 1.2 else None
