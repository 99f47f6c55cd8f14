"""From scores to decisions: the threshold of each family of descriptions, chosen from labelled frames.

What an agent needs is that its labels are right, at the rate at which things happen while it explores. Few of the
relations that one may ask of a frame hold in it, so a detector that is right on 95 % of the true and 95 % of the
false ones still mislabels every other hit. So the threshold is the lowest at which the *precision at a stated
prevalence* reaches a target.  Source: our choice; docs/paper.md has a threshold and does not say how to get it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from daag.errors import ConfigError, LanguageError, RewardDetectorError
from daag.tasks import Fact

MIN_POSITIVES = 20
"""True examples below which no recall can be told from another. Our choice."""

OBJECT_FAMILY = "object"


def family_of(description: str) -> str:
    """The family that shares a threshold: "on", "next to" for relations, "object" for captions such as "a red cube".

    Raises:
        RewardDetectorError: the description is empty, or a sentence of another form than the two.
    """
    if not description.strip():
        raise RewardDetectorError(
            "expected a description such as 'the red cube is on the blue cube', got none"
        )
    try:
        return Fact.parse(description).relation
    except LanguageError as error:
        if " is " not in description:
            return OBJECT_FAMILY
        raise RewardDetectorError(f"{description!r} belongs to no family of descriptions: {error}") from error


@dataclass(frozen=True)
class Threshold:
    """Where one family's scores are cut, and how good the cut was on the labels."""

    value: float
    """Cosine similarity in [-1, 1]; at or above it a frame counts as showing the description."""
    precision: float
    """In [0, 1], at the stated prevalence or over the episodes' labels; one more false positive than was seen is counted."""
    precision_ci95: tuple[float, float]
    """Bootstrap interval over the labels, without the extra false positive."""
    recall: float
    num_positives: int
    num_negatives: int
    target_met: bool
    """Whether any threshold reached the target; if not, `value` is where precision was best, or 1, so that nothing is
    claimed, where it was chosen on episodes."""
    chosen_on: Literal["frames", "episodes"] = "frames"
    """What the numbers count: single frames at the calibration's prevalence, or labels of whole episodes."""

    def __post_init__(self) -> None:
        if not -1.0 <= self.value <= 1.0:
            raise RewardDetectorError(f"a threshold is a cosine similarity in [-1, 1], got {self.value}")


@dataclass(frozen=True)
class Calibration:
    """The thresholds of a detector, and what they were chosen for."""

    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    """By family; a sentence that the detector was taught may have one of its own."""
    target_precision: float = 0.97
    prevalence: float = 0.05
    hysteresis: float = 0.0
    """How far below its threshold a description's score must have been before it can come to be shown again, cosine
    similarity. Where little changes from one observation to the next a score near its threshold crosses it many times. 0:
    any lower score will do."""
    patience: int = 1
    """For how many observations in a row that must have been so, unless it was so from the start. More than one where
    something may hide for a moment what was there all along."""
    unseen: Mapping[str, float] = field(default_factory=dict)
    """By family, the score below which a frame does not show what a description speaks of: then it is not known to be gone."""

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise RewardDetectorError(f"expected a patience of at least 1 observation, got {self.patience}")
        if not 0.0 <= self.hysteresis <= 1.0:
            raise RewardDetectorError(f"expected a hysteresis in [0, 1], got {self.hysteresis}")

    def threshold(self, description: str) -> float:
        """The threshold for a description: its own, else its family's.

        Raises:
            RewardDetectorError: its family has not been calibrated.
        """
        if description in self.thresholds:
            return self.thresholds[description].value
        family = family_of(description)
        if family not in self.thresholds:
            known = ", ".join(sorted(self.thresholds)) or "none"
            raise RewardDetectorError(
                f"no threshold for {description!r}: the family {family!r} is not calibrated (calibrated: {known}); "
                "calibrate the detector on labelled frames of it, as 'daag calibrate' does"
            )
        return self.thresholds[family].value

    def to_json(self) -> str:
        """Serialise; `from_json` gives an equal calibration back."""
        told = asdict(self)
        if not self.hysteresis:  # as before there was such a thing, so that hashes stay
            del told["hysteresis"]
        if self.patience == 1:
            del told["patience"]
        if not self.unseen:
            del told["unseen"]
        return json.dumps(told, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Calibration":
        """Read what `to_json` wrote.

        Raises:
            RewardDetectorError: the text is something else.
        """
        try:
            raw = json.loads(text)
            thresholds = {
                family: Threshold(**{**item, "precision_ci95": tuple(item["precision_ci95"])})
                for family, item in raw["thresholds"].items()
            }
            return cls(
                thresholds,
                float(raw["target_precision"]),
                float(raw["prevalence"]),
                float(raw.get("hysteresis", 0.0)),
                int(raw.get("patience", 1)),
                {family: float(score) for family, score in raw.get("unseen", {}).items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RewardDetectorError(
                f"expected a calibration as JSON, got {text[:80]!r} ({error})"
            ) from error


def needed_negatives(target_precision: float, prevalence: float) -> int:
    """How many false examples it takes before the target can be shown at all.

    With n of them, none above the threshold, the false positive rate is only known to be about 1 / (n + 1); at a
    recall of 1 that has to be small enough for the target.
    """
    return math.ceil(target_precision * (1 - prevalence) / (prevalence * (1 - target_precision))) - 1


def precision_at(recall: float, false_positive_rate: float, prevalence: float) -> float:
    """Which share of the hits is true, where a share `prevalence` of what is asked is true. 0 where nothing hits."""
    hits = recall * prevalence
    total = hits + false_positive_rate * (1 - prevalence)
    return hits / total if total > 0 else 0.0


def choose_threshold(
    scores: Float[np.ndarray, "N"],
    labels: Bool[np.ndarray, "N"],
    rng: np.random.Generator,
    target_precision: float = 0.97,
    prevalence: float = 0.05,
    num_bootstrap: int = 200,
) -> Threshold:
    """Choose the lowest threshold whose precision reaches the target.

    Args:
        scores: cosine similarities of frames and descriptions of one family.
        labels: whether the description is true of the frame.
        rng: of the bootstrap.
        target_precision: in (0, 1).
        prevalence: share of true ones among the pairs that will be asked, in (0, 1). The labels may have another.
        num_bootstrap: resamples behind `precision_ci95`.

    Raises:
        ConfigError: a target or prevalence outside (0, 1).
        RewardDetectorError: NaN among the scores, labels of one class only, or too few labels to show the target.
    """
    if not 0 < target_precision < 1 or not 0 < prevalence < 1:
        raise ConfigError(f"precision and prevalence are in (0, 1), got {target_precision} and {prevalence}")
    if not np.isfinite(scores).all():
        raise RewardDetectorError(
            f"{np.count_nonzero(~np.isfinite(scores))} of {scores.size} scores are not finite"
        )
    positives, negatives = (
        np.sort(scores[labels]).astype(np.float64),
        np.sort(scores[~labels]).astype(np.float64),
    )
    needed = needed_negatives(target_precision, prevalence)
    if len(positives) < MIN_POSITIVES or len(negatives) < needed:
        raise RewardDetectorError(
            f"a precision of {target_precision} at a prevalence of {prevalence} needs at least {MIN_POSITIVES} true "
            f"and {needed} false examples, got {len(positives)} and {len(negatives)}; label more frames, or lower "
            "the target"
        )
    candidates = np.unique(positives)
    recalls = 1 - np.searchsorted(positives, candidates) / len(positives)
    false_positives = len(negatives) - np.searchsorted(negatives, candidates)
    rates = (false_positives + 1) / (len(negatives) + 1)
    precisions = np.array([precision_at(r, f, prevalence) for r, f in zip(recalls, rates, strict=True)])
    met = precisions >= target_precision
    best = int(np.flatnonzero(met)[0]) if met.any() else int(precisions.argmax())
    value = _below(candidates[best], negatives)
    return Threshold(
        value=value,
        precision=float(precisions[best]),
        precision_ci95=_bootstrap(positives >= value, negatives >= value, prevalence, num_bootstrap, rng),
        recall=float(recalls[best]),
        num_positives=len(positives),
        num_negatives=len(negatives),
        target_met=bool(met.any()),
    )


def calibrate(
    scores: Float[np.ndarray, "N M"],
    labels: Bool[np.ndarray, "N M"],
    known: Bool[np.ndarray, "N M"],
    descriptions: Sequence[str],
    rng: np.random.Generator,
    target_precision: float = 0.97,
    prevalence: float = 0.05,
) -> Calibration:
    """Choose the thresholds of all families that some descriptions belong to.

    Args:
        scores: of N frames and M descriptions.
        labels: whether each description is true of each frame.
        known: which of the labels count.
        descriptions: the M descriptions.
        rng: of the bootstrap.
        target_precision: in (0, 1).
        prevalence: share of true ones among the pairs that will be asked, in (0, 1).

    Raises:
        ConfigError, RewardDetectorError: as `choose_threshold`, naming the family.
    """
    families = np.array([family_of(description) for description in descriptions])
    thresholds = {}
    for family in sorted(set(families.tolist())):
        mine = known & (families == family)
        try:
            thresholds[family] = choose_threshold(
                scores[mine], labels[mine], rng, target_precision, prevalence
            )
        except RewardDetectorError as error:
            raise RewardDetectorError(f"family {family!r}: {error}") from error
    return Calibration(thresholds, target_precision, prevalence)


def _below(value: float, negatives: np.ndarray) -> float:
    """A little below a true example's score: half way to the next false one, at most 0.01.

    The same frame embedded in another batch differs in the last bits; a threshold equal to a score would flip.
    """
    rank = int(np.searchsorted(negatives, value))
    gap = value - negatives[rank - 1] if rank else 1.0
    return float(max(-1.0, value - min(0.01, gap / 2)))


def _bootstrap(
    true_hits: np.ndarray, false_hits: np.ndarray, prevalence: float, count: int, rng: np.random.Generator
) -> tuple[float, float]:
    recalls = rng.binomial(len(true_hits), true_hits.mean(), size=count) / len(true_hits)
    rates = rng.binomial(len(false_hits), false_hits.mean(), size=count) / len(false_hits)
    drawn = [precision_at(r, f, prevalence) for r, f in zip(recalls, rates, strict=True)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
