"""Thresholds after finetuning: chosen again on the pairs that training left out.

Training moves scores, and those of the new sentence most. So each sentence that was taught gets a threshold of its own, from
held-out pairs of it; its family, which all other sentences of the relation share, gets one from held-out pairs of old tasks;
both with the word swaps of the true pairs. Other families keep theirs. No frame is asked for that was not labelled or
repainted already.  Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from daag.errors import RewardDetectorError
from daag.rewards.calibration import choose_threshold, family_of
from daag.rewards.clip import ClipDetector
from daag.rewards.labelled_pairs import LabelledPairs, pair_scores, swap_scores


@dataclass(frozen=True, eq=False)
class Evidence:
    """Scores of labelled pairs, cosine similarities in [-1, 1]."""

    true: Float[np.ndarray, "N"]
    false: Float[np.ndarray, "M"]
    """Frames of which the description is false."""
    swaps: Float[np.ndarray, "S"]
    """Word swaps of what is true of a frame."""


def evidence_of(detector: ClipDetector, pairs: LabelledPairs) -> Evidence:
    """Score some pairs and the word swaps of the true ones."""
    scores = pair_scores(detector, pairs)
    return Evidence(scores[pairs.labels], scores[~pairs.labels], swap_scores(detector, pairs))


def balanced_error(hits: Bool[np.ndarray, "N"], labels: Bool[np.ndarray, "N"]) -> float:
    """Mean of the share of true ones that are missed and the share of false ones that are hit, in [0, 1]."""
    return float((np.mean(~hits[labels]) + np.mean(hits[~labels])) / 2)


def balanced_threshold(parts: Sequence[Evidence]) -> float:
    """The threshold at which as much is missed as is wrongly believed, together as little as possible.

    Args:
        parts: such as new pairs and old ones. Each part weighs the same, and in it true examples as much as false ones,
            and of these frames as much as word swaps.

    Returns:
        A cosine similarity, in the middle between two scores.

    Raises:
        RewardDetectorError: a part has no true example, or no false one.
    """
    for part in parts:
        if not len(part.true) or not len(part.false) + len(part.swaps):
            raise RewardDetectorError(
                "a threshold needs true and false examples, got labels of one class only"
            )
    if not parts:
        raise RewardDetectorError("a threshold needs labelled examples, got none")
    scores = np.unique(np.concatenate([each for p in parts for each in (p.true, p.false, p.swaps)]))
    between = (scores[1:] + scores[:-1]) / 2
    cuts = np.concatenate([[scores[0] - 0.01], between, [scores[-1] + 0.01]])
    errors = np.zeros(len(cuts))
    for part in parts:
        errors += np.searchsorted(np.sort(part.true), cuts) / len(part.true)
        wrong = [each for each in (part.false, part.swaps) if len(each)]
        for each in wrong:
            errors += (1 - np.searchsorted(np.sort(each), cuts) / len(each)) / len(wrong)
    best = np.flatnonzero(errors <= errors.min() + 1e-12)  # several in a row where nothing lies between
    return float(np.clip(cuts[best[len(best) // 2]], -1.0, 1.0))


def of_sentence(pairs: LabelledPairs, description: str) -> LabelledPairs:
    """Those pairs that have one description."""
    return pairs.take(np.flatnonzero(np.array(pairs.descriptions, dtype=object) == description))


def recalibrated(
    detector: ClipDetector,
    held_new: LabelledPairs,
    held_old: LabelledPairs,
    taught: Sequence[str],
    rng: np.random.Generator,
) -> ClipDetector:
    """A finetuned detector with new thresholds: of the sentences that it was taught, and of their families.

    The target is that of its calibration: the same precision at the same prevalence. Where there are too few held-out pairs
    for that the threshold stays, and a sentence has none of its own.

    Args:
        detector: finetuned.
        held_new: pairs of the new task that training left out, see `daag.rewards.finetuning.hold_out`.
        held_old: likewise, of old tasks.
        taught: the sentences of the new task.
        rng: of the intervals.
    """
    calibration, thresholds = detector.calibration, dict(detector.calibration.thresholds)
    families = np.array([family_of(text) for text in held_old.descriptions], dtype=object)
    chosen = {text: of_sentence(held_new, text) for text in taught}
    for family in sorted({family_of(text) for text in taught}):
        chosen[family] = held_old.take(np.flatnonzero(families == family))
    for name, pairs in chosen.items():
        if not len(pairs):
            continue
        evidence = evidence_of(detector, pairs)
        scores = np.concatenate([evidence.true, evidence.false, evidence.swaps]).astype(np.float64)
        labels = np.arange(len(scores)) < len(evidence.true)
        try:
            thresholds[name] = choose_threshold(
                scores, labels, rng, calibration.target_precision, calibration.prevalence
            )
        except RewardDetectorError:  # too few to choose from
            continue
    return detector.with_calibration(replace(calibration, thresholds=thresholds))
