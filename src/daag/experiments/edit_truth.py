"""Is an edit true?  Measured against the simulator; no detector takes part.

The oracle re-renders the scene with the new looks, and in what a plan leaves open it follows the edit's anchor frame:
the shade of a colour word, and, where the kind changes, the turn about the vertical. A cylinder shows no turn, and a
cube shows it up to quarters; so no editor could know which turn the oracle gives the prism in its place. One shade and
one turn per object and episode. Pixels are linear in an object's albedo, so two renders, with black and with white
objects, are enough to fit the shade, and to draw the object in any other colour.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from daag.diffusion.lab import srgb_to_lab
from daag.envs import facts_at, rerender
from daag.hindsight import EditedSegment
from daag.tasks import COLOURS, SHAPES, Fact, ObjectEdit

MIN_PIXELS = 12
"""An object with fewer visible pixels is not judged."""

TRUE_SHARE = 0.9
"""Share of the frames in which every edited object must look like the oracle's."""


TURN_STEPS = tuple(np.radians((15.0, 5.0, 1.5)))
"""How finely the turn of a new kind is looked for: all around, then about the best, then closer."""


@dataclass(frozen=True, eq=False)
class EditTruth:
    """How an edit compares with the oracle's."""

    predicate_holds: bool
    """Whether the target is true of the edited scene at the segment's last frame."""
    looks_right: float
    """Share of frames in which every edited object is nearer to the oracle than to anything else."""
    squared_errors: tuple[float, int]
    """Sum over the masks' pixels and channels, in grey levels of 0..255, and their number."""
    outside_identical: bool
    """Whether all pixels beyond two pixels of the edited objects are the source's, byte by byte."""
    flicker: tuple[float, float]
    """Mean change of a pixel between successive frames inside the masks: of the edit, of the oracle."""
    temporal_error: float
    """Mean |change of the edit - change of the oracle|, grey levels; nan where nothing could be compared."""

    @property
    def true(self) -> bool:
        """Whether the edit counts as true."""
        return self.predicate_holds and self.looks_right >= TRUE_SHARE


def measure(segment: EditedSegment, target: str, replaced_box: int = 3) -> EditTruth:
    """Compare an edit with the oracle's.

    Args:
        segment: of an episode with a world state.
        target: the description that the edited end must show.
        replaced_box: pixels around an object's bounding box that a change of kind may touch.
    """
    episode, frames, plan = segment.episode, segment.frame_index, segment.plan
    edited, source = segment.edited.astype(np.float32), segment.source.astype(np.float32)
    masks = {edit.source: segment.mask(edit.source) for edit in plan.edits}
    turns = {edit.target: _best_turn(segment, edit) for edit in plan.edits if edit.changes_kind}
    dark, bright = _extremes(segment, frames, turns)
    gain = bright - dark
    shades = {}
    for edit in plan.edits:
        mask = masks[edit.source]
        anchor = int(mask.sum(axis=(1, 2)).argmax())
        shades[edit.target] = _fit(edited[anchor], dark[anchor], gain[anchor], mask[anchor])
    oracle = rerender(episode, frames, plan, shades, turns).astype(np.float32)
    right = np.ones(len(frames), dtype=bool)
    judged = np.zeros(len(frames), dtype=bool)
    squared, count = 0.0, 0
    for edit in plan.edits:
        mask = masks[edit.source]
        squared += float(((edited[mask] - oracle[mask]) ** 2).sum())
        count += int(mask.sum()) * 3
        own, shade = edit.target.split()[0], shades[edit.target]
        others = [COLOURS[colour].middle for colour in COLOURS if colour != own]
        for index in np.flatnonzero(mask.sum(axis=(1, 2)) >= MIN_PIXELS):
            inside = mask[index]
            painted = _lab(edited[index][inside])
            to_oracle = _distance(painted, _lab(oracle[index][inside]))
            rivals = [_distance(painted, _lab(source[index][inside]))]
            for other in others:
                picture = oracle[index][inside] + gain[index][inside] * (other - shade)
                rivals.append(_distance(painted, _lab(picture)))
            judged[index] = True
            right[index] &= to_oracle < min(rivals)
    edit_change, oracle_change, errors = _changes(edited, oracle, list(masks.values()))
    return EditTruth(
        predicate_holds=Fact.parse(target) in facts_at(episode, int(frames[-1]), plan),
        looks_right=float(right[judged].mean()) if judged.any() else 0.0,
        squared_errors=(squared, count),
        outside_identical=_outside_identical(segment, replaced_box),
        flicker=(edit_change, oracle_change),
        temporal_error=errors,
    )


def psnr(squared: float, count: int) -> float:
    """Peak signal-to-noise ratio in dB of a sum of squared errors over `count` values of 0..255."""
    return float(10 * np.log10(255.0**2 / max(squared / max(count, 1), 1e-9)))


def _best_turn(segment: EditedSegment, edit: ObjectEdit) -> float:
    """The turn of a new kind with which the oracle comes nearest to the edit's anchor frame, radians."""
    shape = SHAPES.get(edit.kinds[1])
    if shape is None or not shape.sides:
        return 0.0
    mask = segment.mask(edit.source)
    anchor = int(mask.sum(axis=(1, 2)).argmax())
    inside, edited = mask[anchor], segment.edited[anchor].astype(np.float32)

    def error(turn: float) -> float:
        frame = segment.frame_index[[anchor]]
        dark, bright = (frames[0] for frames in _extremes(segment, frame, {edit.target: turn}))
        shade = _fit(edited, dark, bright - dark, inside)
        return float(((dark + (bright - dark) * shade - edited)[inside] ** 2).sum())

    best = min(np.arange(0.0, 2 * np.pi / shape.sides - 1e-6, TURN_STEPS[0]), key=error)
    for step in TURN_STEPS[1:]:
        best = min((best - 2 * step, best - step, best, best + step, best + 2 * step), key=error)
    return float(best)


def _extremes(
    segment: EditedSegment, frames: np.ndarray, turns: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The oracle's frames with all edited objects black, and with all of them white."""
    names = [edit.target for edit in segment.plan.edits]
    dark, bright = (
        rerender(segment.episode, frames, segment.plan, dict.fromkeys(names, (level,) * 3), turns).astype(
            np.float32
        )
        for level in (0.0, 1.0)
    )
    return dark, bright


def _fit(
    edited: np.ndarray, dark: np.ndarray, gain: np.ndarray, mask: np.ndarray
) -> Float32[np.ndarray, "3"]:
    """The albedo, float32 (3,), with which the oracle comes nearest to the edit inside a mask."""
    slope, rise = gain[mask], edited[mask] - dark[mask]
    shade = (slope * rise).sum(0) / np.maximum((slope * slope).sum(0), 1e-6)
    return np.clip(shade, 0.0, 1.0).astype(np.float32)


def _changes(edited: np.ndarray, oracle: np.ndarray, masks: list[np.ndarray]) -> tuple[float, float, float]:
    """Mean change between successive frames where one object is seen in both: edit's, oracle's, and their error."""
    edit_changes, oracle_changes, errors = [], [], []
    for mask in masks:
        both = mask[1:] & mask[:-1]
        moving = (mask[1:] ^ mask[:-1]).sum(axis=(1, 2)) > 0
        both &= moving[:, None, None]
        if both.any():
            change, true_change = (np.diff(frames, axis=0)[both] for frames in (edited, oracle))
            edit_changes.append(np.abs(change).mean())
            oracle_changes.append(np.abs(true_change).mean())
            errors.append(np.abs(change - true_change).mean())
    if not errors:
        return float("nan"), float("nan"), float("nan")
    return float(np.mean(edit_changes)), float(np.mean(oracle_changes)), float(np.mean(errors))


def _outside_identical(segment: EditedSegment, box: int) -> bool:
    touched = np.zeros(segment.edited.shape[:3], dtype=bool)
    for edit in segment.plan.edits:
        for index, mask in enumerate(segment.mask(edit.source)):
            rows, columns = np.nonzero(mask)
            if len(rows):
                top, left = max(rows.min() - box, 0), max(columns.min() - box, 0)
                touched[index, top : rows.max() + box + 1, left : columns.max() + box + 1] = True
    same = (segment.edited == segment.source).all(axis=-1)
    return bool(same[~touched].all())


def _lab(pixels: np.ndarray) -> np.ndarray:
    return srgb_to_lab(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first - second, axis=-1).mean())
