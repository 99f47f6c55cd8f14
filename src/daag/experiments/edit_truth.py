"""Is an edit true?  Measured against the simulator; no detector takes part.

The oracle re-renders the scene with the new looks, and in what a plan leaves open it follows the edit: the shade of a
colour word, and, where the kind changes, the turn about the vertical. A cylinder shows no turn, and a cube shows it up to
quarters; so no editor could know which turn the oracle gives the prism in its place. One shade and one turn per object
and episode, those that are nearest to the edit in all of its frames: in one alone the gripper may hide what tells them.
Pixels are linear in an object's albedo, as long as nothing is overexposed, so two renders, with black and with dark
objects, are enough to fit the shade, and to draw the object in any other colour.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from daag.diffusion.conditions import conditions_of
from daag.diffusion.interior import growths
from daag.diffusion.lab import srgb_to_lab
from daag.envs import facts_at, rerender
from daag.experiments.fidelity import changes, outside_identical, structural_similarity
from daag.hindsight import EditedSegment
from daag.tasks import COLOURS, SOLIDS, Fact, ObjectEdit, family_of

MIN_PIXELS = 12
"""An object with fewer visible pixels is not judged."""

TRUE_SHARE = 0.9
"""Share of the frames in which every edited object must look like the oracle's."""


DARK = 0.4
"""Albedo of the dark objects: with a highlight on them they are not overexposed yet."""

TURN_FRAMES = 5
"""Frames of an edit, evenly spread over those that show the object, that tell its turn."""

TURN_STEPS = tuple(np.radians((15.0, 5.0, 1.5)))
"""How finely the turn of a new kind is looked for: all around, then about the best, then closer."""


@dataclass(frozen=True, eq=False)
class EditTruth:
    """How an edit compares with the oracle's."""

    predicate_holds: bool
    """Whether the target is true of the edited scene at the segment's last frame; true where nothing was asked."""
    looks_right: float
    """Share of frames in which every edited object is nearer to the oracle than to anything else."""
    squared_errors: tuple[float, int]
    """Sum over the masks' pixels and channels, in grey levels of 0..255, and their number."""
    similarity: tuple[float, int]
    """Sum of the structural similarity over the masks' pixels, and their number."""
    outside_identical: bool
    """Whether all pixels that the edit may not touch are the source's, byte by byte."""
    flicker: tuple[float, float]
    """Mean change of a pixel from frame to frame where an object moves: of the edit, of the oracle; see `changes`."""
    temporal_error: float
    """Mean |change of the edit - change of the oracle|, grey levels; nan where nothing could be compared."""
    oracle: UInt8[np.ndarray, "N H W 3"]
    """The frames as the simulator draws them, in the edit's own shades and turns."""

    @property
    def true(self) -> bool:
        """Whether the edit counts as true."""
        return self.predicate_holds and self.looks_right >= TRUE_SHARE


def measure(segment: EditedSegment, target: str | None) -> EditTruth:
    """Compare an edit with the oracle's.

    Args:
        segment: of an episode with a world state.
        target: the description that the edited end must show; None where the edit was made for none.

    Raises:
        EditError: the episode has no world state, or the plan does not fit its scene.
    """
    episode, frames, plan = segment.episode, segment.frame_index, segment.plan
    edited, source = segment.edited.astype(np.float32), segment.source.astype(np.float32)
    masks = {edit.source: segment.mask(edit.source) for edit in plan.edits}
    turns = {edit.name: _best_turn(segment, edit) for edit in plan.edits if edit.changes_kind}
    black, gain = _black_and_gain(segment, frames, turns)
    shades = {edit.name: _fit(edited, black, gain, masks[edit.source]) for edit in plan.edits}
    drawn = rerender(episode, frames, plan, shades, turns)
    oracle = drawn.astype(np.float32)
    alike = structural_similarity(segment.edited, drawn)
    right = np.ones(len(frames), dtype=bool)
    judged = np.zeros(len(frames), dtype=bool)
    squared, similar, count = 0.0, 0.0, 0
    for edit in plan.edits:
        mask = masks[edit.source]
        squared += float(((edited[mask] - oracle[mask]) ** 2).sum())
        similar += float(alike[mask].sum())
        count += int(mask.sum())
        own, shade = edit.name.split()[0], shades[edit.name]
        others = [COLOURS[colour].middle for colour in COLOURS if colour != own]
        for index in np.flatnonzero(mask.sum(axis=(1, 2)) >= MIN_PIXELS):
            inside = mask[index]
            painted = _lab(edited[index][inside])
            to_oracle = _distance(painted, _lab(oracle[index][inside]))
            # Where no highlight is in view a finish does not show, and the source is as right.
            rivals = [] if edit.name == edit.source else [_distance(painted, _lab(source[index][inside]))]
            for other in others:
                picture = oracle[index][inside] + gain[index][inside] * (other - shade)
                rivals.append(_distance(painted, _lab(picture)))
            judged[index] = True
            right[index] &= to_oracle < min(rivals)
    edit_change, oracle_change, errors = changes(edited, oracle, list(masks.values()))
    return EditTruth(
        predicate_holds=target is None or Fact.parse(target) in facts_at(episode, int(frames[-1]), plan),
        looks_right=float(right[judged].mean()) if judged.any() else 0.0,
        squared_errors=(squared, 3 * count),
        similarity=(similar, count),
        outside_identical=kept_outside(segment),
        flicker=(edit_change, oracle_change),
        temporal_error=errors,
        oracle=drawn,
    )


def kept_outside(segment: EditedSegment) -> bool:
    """Whether an edit left every pixel as it was, byte by byte, that it may not touch.

    Raises:
        EditError: the plan does not fit the scene, or the episode lacks geometry.
    """
    conditions = conditions_of(segment.episode, segment.frame_index, segment.plan)
    masks = [segment.mask(edit.source) for edit in segment.plan.edits]
    allowed = list(zip(masks, growths(conditions, segment.plan), strict=True))
    return outside_identical(segment.source, segment.edited, allowed)


def _best_turn(segment: EditedSegment, edit: ObjectEdit) -> float:
    """The turn of a new kind with which the oracle comes nearest to the edit, radians."""
    shape = family_of(edit.kinds).get(edit.kinds[1]) or SOLIDS.get(edit.kinds[1])
    if shape is None or not shape.sides:
        return 0.0
    mask = segment.mask(edit.source)
    shown = np.flatnonzero(mask.any(axis=(1, 2)))
    some = shown[np.unique(np.linspace(0, len(shown) - 1, TURN_FRAMES).round().astype(int))]
    inside, edited = mask[some], segment.edited[some].astype(np.float32)

    def error(turn: float) -> float:
        black, gain = _black_and_gain(segment, segment.frame_index[some], {edit.name: turn})
        shade = _fit(edited, black, gain, inside)
        return float(((np.minimum(black + gain * shade, 255.0) - edited)[inside] ** 2).sum())

    best = min(np.arange(0.0, 2 * np.pi / shape.sides - 1e-6, TURN_STEPS[0]), key=error)
    for step in TURN_STEPS[1:]:
        best = min((best - 2 * step, best - step, best, best + step, best + 2 * step), key=error)
    return float(best)


def _black_and_gain(
    segment: EditedSegment, frames: np.ndarray, turns: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The oracle's frames with all edited objects black, and by how much an albedo of 1 makes them brighter."""
    names = [edit.name for edit in segment.plan.edits]
    black, dark = (
        rerender(segment.episode, frames, segment.plan, dict.fromkeys(names, (level,) * 3), turns).astype(
            np.float32
        )
        for level in (0.0, DARK)
    )
    return black, (dark - black) / DARK


def _fit(
    edited: np.ndarray, black: np.ndarray, gain: np.ndarray, mask: np.ndarray
) -> Float32[np.ndarray, "3"]:
    """The albedo, float32 (3,), with which the oracle comes nearest to the edit inside a mask."""
    slope, rise = gain[mask], edited[mask] - black[mask]
    shade = (slope * rise).sum(0) / np.maximum((slope * slope).sum(0), 1e-6)
    return np.clip(shade, 0.0, 1.0).astype(np.float32)


def _lab(pixels: np.ndarray) -> np.ndarray:
    return srgb_to_lab(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first - second, axis=-1).mean())
