"""The gates: which repainted episodes may teach the policy, and which repainted frames may teach the detector.

An edit that feeds the policy must look right to the reward detector, before and after. An edit that teaches the
detector cannot be asked of it about what it is to learn, so that gate asks about single objects only.
Source: our choice; docs/hindsight.md lists every check.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from daag.diffusion.lab import srgb_to_lab
from daag.episodes import Episode
from daag.errors import ConfigError
from daag.rewards.detector import RewardDetector, similarity
from daag.rewards.labelling import contradictions, shown
from daag.tasks import EditPlan

MIN_CHROMA = 15.0
"""CIELAB chroma below which a colour counts as grey."""


@dataclass(frozen=True)
class GateConfig:
    """Bounds of the gates. All are our choice."""

    max_shading_residual: float = 0.16
    """Root mean square, relative to the object's brightness range, of what the true normals leave unexplained."""

    max_flicker: float = 12.0
    """Degrees by which an object's median hue may turn between two frames beyond what the source's did."""

    target_margin: float = -0.05
    """Added to the threshold for the target at the edit's end, cosine similarity. Below 0, since whoever painted the end
    meant it to show the target, which an unasked claim cannot say for itself; measured in docs/hindsight.md."""

    enabled: bool = True
    """Whether edits are judged at all; False accepts every edit (an ablation)."""

    def __post_init__(self) -> None:
        if self.max_shading_residual <= 0 or self.max_flicker <= 0:
            raise ConfigError("max_shading_residual and max_flicker must be positive")


@dataclass(frozen=True)
class Verdict:
    """What the gates measured, and what they decided."""

    scores: dict[str, float] = field(default_factory=dict)
    verdicts: dict[str, bool] = field(default_factory=dict)
    enabled: bool = True

    @property
    def accepted(self) -> bool:
        """Whether every check passed, or the gate is off."""
        return not self.enabled or all(self.verdicts.values())

    @property
    def reasons(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(name for name, passed in self.verdicts.items() if not passed)


@dataclass(frozen=True, eq=False)
class EditedSegment:
    """A segment of an episode, and the same frames repainted."""

    episode: Episode
    frame_index: np.ndarray
    """Which frames of the episode, int (N,); first and last are observations."""
    plan: EditPlan
    edited: UInt8[np.ndarray, "N H W 3"]

    @property
    def source(self) -> UInt8[np.ndarray, "N H W 3"]:
        """The frames before the edit."""
        return self.episode.frames[self.frame_index]

    def mask(self, name: str) -> Bool[np.ndarray, "N H W"]:
        """Where an object of the source scene is visible."""
        assert self.episode.segmentation is not None
        (object_id,) = (key for key, known in self.episode.object_names.items() if known == name)
        return np.asarray(self.episode.segmentation[self.frame_index] == object_id)


def judge_for_policy(
    segment: EditedSegment,
    target: str,
    achieved: str,
    distractors: Sequence[str],
    detector: RewardDetector,
    config: GateConfig,
) -> Verdict:
    """Decide whether a repainted segment may enter the task buffer.

    What a frame shows is decided as it is for labels: of descriptions that contradict each other the best one counts.

    Args:
        segment: ends at the observation that came to show `achieved`.
        target: what the repainted end must show.
        achieved: what the source's end shows, and what must be gone.
        distractors: what the repainted end must not show.
        detector: whose thresholds decide.
        config: bounds of the checks on pixels.
    """
    if not config.enabled:
        return Verdict(enabled=False)
    ends = np.stack([segment.source[-1], segment.edited[0], segment.edited[-1]])
    descriptions = [target, achieved, *distractors]
    score = similarity(detector.embed_frames(ends), detector.embed_texts(descriptions))
    thresholds = np.array(
        [detector.success_threshold(description) for description in descriptions], dtype=np.float32
    )
    before, start, _ = shown(score, thresholds, descriptions)
    # The end was painted to show the target: it may be believed on less than an unasked claim, and of readings that
    # contradict each other it counts that much more.
    thresholds[0] += config.target_margin
    after = shown(score[2:], thresholds, descriptions)[0]
    margin = score[2] - thresholds
    scores = {
        "target_before": float(score[0, 0]),
        "target_after": float(score[2, 0]),
        "achieved_after": float(score[2, 1]),
        "distractor_margin": _excess(margin, descriptions) if len(distractors) else -1.0,
    }
    verdicts = {
        "target_not_shown_before": not before[0],
        "target_not_shown_at_start": not start[0],
        "target_shown_after": bool(after[0]),
        "distractors_not_shown": not after[2:].any(),
        "achieved_gone": not after[1],
    }
    pixel_scores, pixel_verdicts = _judge_pixels(segment, config)
    return Verdict(scores | pixel_scores, verdicts | pixel_verdicts)


def _excess(margin: Float32[np.ndarray, "M"], descriptions: Sequence[str]) -> float:
    """By how much the nearest of the distractors, all but the first two descriptions, exceeds what would let it count."""
    best_rival = np.where(contradictions(descriptions), margin, 0.0).max(axis=1)
    return float((margin - np.maximum(best_rival, 0.0))[2:].max())


def judge_for_detector(
    segment: EditedSegment, captions: Sequence[tuple[str, str]], detector: RewardDetector, config: GateConfig
) -> Verdict:
    """Decide whether a repainted frame may teach the detector a description that it does not know yet.

    Args:
        segment: usually a single frame.
        captions: for each edited object (a caption that must fit it now, the caption that fitted before), asked of
            the object's own crop; never the target description itself.
        detector: asked about single objects only.
        config: bounds of the checks on pixels.
    """
    if not config.enabled:
        return Verdict(enabled=False)
    scores: dict[str, float] = {}
    verdicts: dict[str, bool] = {}
    for edit, (after, before) in zip(segment.plan.edits, captions, strict=True):
        crop = _crop(segment.edited[-1], segment.mask(edit.source)[-1])
        if crop is None:
            verdicts[f"{edit.source}_visible"] = False
            continue
        score = similarity(detector.embed_frames(crop[None]), detector.embed_texts([after, before]))
        advantage = float(score[0, 0] - score[0, 1])
        scores[f"{edit.source}_looks_new"] = advantage
        verdicts[f"{edit.source}_looks_new"] = advantage > 0
    pixel_scores, pixel_verdicts = _judge_pixels(segment, config)
    return Verdict(scores | pixel_scores, verdicts | pixel_verdicts)


def _judge_pixels(segment: EditedSegment, config: GateConfig) -> tuple[dict[str, float], dict[str, bool]]:
    residual = max(
        (
            shading_residual(segment, edit.source)
            for edit in segment.plan.edits
            if not edit.changes_kind  # another kind has another geometry
        ),
        default=0.0,
    )
    jump = max(hue_jump(segment, edit.source) for edit in segment.plan.edits)
    return (
        {"shading_residual": residual, "flicker": jump},
        {"geometry_kept": residual <= config.max_shading_residual, "steady": jump <= config.max_flicker},
    )


def shading_residual(segment: EditedSegment, name: str) -> float:
    """How badly the true surface normals explain the shading of a repainted object.

    Brightness is fitted, frame by frame, by a linear function of the normal (which is what diffuse light gives);
    what remains is compared with what remains on the source, so that shadows and highlights are not held against
    the edit.

    Returns:
        The larger of 0 and (root mean square residual of the edit - of the source), over the object's brightest
        value, in [0, 1]; 0 where the object is hardly visible.
    """
    assert segment.episode.normals is not None
    masks = segment.mask(name)
    normals = segment.episode.normals[segment.frame_index].astype(np.float32) / 127.0
    worst = 0.0
    for mask, normal, edited, source in zip(masks, normals, segment.edited, segment.source, strict=True):
        if mask.sum() < 12:
            continue
        basis = np.column_stack([normal[mask], np.ones(int(mask.sum()), dtype=np.float32)])
        worst = max(worst, _unexplained(basis, edited[mask]) - _unexplained(basis, source[mask]))
    return worst


def hue_jump(segment: EditedSegment, name: str) -> float:
    """The largest turn of an object's median hue between successive frames, beyond the source's own.

    Light and shadow change how light and how colourful an object is, and leave the hue angle in CIELAB alone; an
    object that is nearly grey has no hue.

    Returns:
        Degrees in [0, 180].
    """
    masks = segment.mask(name)
    visible = np.flatnonzero(masks.sum(axis=(1, 2)) >= 12)
    if len(visible) < 2:
        return 0.0
    turns = []
    for frames in (segment.edited, segment.source):
        colour = np.stack([np.median(srgb_to_lab(frames[i][masks[i]]), axis=0)[1:] for i in visible])
        chroma = np.linalg.norm(colour, axis=1)
        cosine = (colour[1:] * colour[:-1]).sum(axis=1) / np.maximum(chroma[1:] * chroma[:-1], 1e-6)
        turn = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
        turns.append(np.where(np.minimum(chroma[1:], chroma[:-1]) > MIN_CHROMA, turn, 0.0))
    return float(max((turns[0] - turns[1]).max(), 0.0))


def _unexplained(basis: np.ndarray, pixels: np.ndarray) -> float:
    """Residual of pixels on the basis, relative to the brightest pixel (at least 40, so that black is not noise)."""
    values = pixels.astype(np.float32).mean(axis=1)
    fit, *_ = np.linalg.lstsq(basis, values, rcond=None)
    residual = values - basis @ fit
    return float(np.sqrt(np.mean(residual**2)) / max(float(values.max()), 40.0))


def _crop(frame: np.ndarray, mask: np.ndarray, border: int = 4) -> np.ndarray | None:
    rows, columns = np.nonzero(mask)
    if len(rows) < 12:
        return None
    top, left = max(int(rows.min()) - border, 0), max(int(columns.min()) - border, 0)
    return np.asarray(frame[top : int(rows.max()) + border + 1, left : int(columns.max()) + border + 1])
