"""What did an episode come to show, and when?  Source: docs/paper.md (label, then match); the rules are our choice.

Only observations are judged, the moments at which the agent decides what to do next. The frames of the motion in
between are not: an object that is carried over another looks like a stack for a frame or two, and an agent that
counted those would be paid for flying past.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32

from daag.episodes.episode import Achievement, Episode
from daag.errors import LanguageError, RewardDetectorError
from daag.rewards.detector import RewardDetector, similarity
from daag.tasks import RELATIONS, Fact


@dataclass(frozen=True)
class Absence:
    """When a description counts as gone, so that it may come to be shown again. By default, when it is not shown."""

    hysteresis: float = 0.0
    """How far below its threshold a score must be; 0: not to be shown is enough."""
    patience: int = 1
    """For how many observations in a row; at the start one is enough."""
    unseen: Float32[np.ndarray, "M"] | float = -1.0
    """Scores below this, of each description, say nothing: what is out of sight is not known to be gone."""


def label(episode: Episode, descriptions: Sequence[str], detector: RewardDetector) -> tuple[Achievement, ...]:
    """Find the descriptions that an episode came to show.

    An observation from the second on achieves a description if it shows it and the observation before did not; with a
    detector that asks for more (`Absence`), if the description was clearly not shown, for long enough and in sight, since it
    was last. What is lost and found again is achieved again. The steps that led to an achievement count from the end of the one
    before it, of any description, and not from before the description was last shown: what leads out of sight of
    something is not on the way to it.

    Args:
        episode: read only.
        descriptions: what to look for; those that contradict each other are compared, see `shown`.
        detector: scores and thresholds.

    Returns:
        Achievements in order of `end`, and of `descriptions` within one observation.

    Raises:
        RewardDetectorError: the detector is not calibrated for a description, or gave scores that are not finite.
    """
    if not descriptions:
        return ()
    frames = detector.embed_frames(episode.observations)
    return label_embeddings(frames, descriptions, detector, episode.id)


def label_embeddings(
    embeddings: Float32[np.ndarray, "O V L D"],
    descriptions: Sequence[str],
    detector: RewardDetector,
    episode_id: str = "",
) -> tuple[Achievement, ...]:
    """As `label`, from the embeddings of an episode's observations: no picture is encoded twice.

    Args:
        embeddings: what the detector made of observations 0..T.
        descriptions: what to look for.
        detector: the one that made the embeddings.
        episode_id: for messages.

    Raises:
        RewardDetectorError: the detector is not calibrated for a description, or gave scores that are not finite.
    """
    scores = similarity(embeddings, detector.embed_texts(descriptions))
    if not np.isfinite(scores).all():
        raise RewardDetectorError(
            f"the scores of episode {episode_id!r} are not finite; the detector is broken"
        )
    thresholds = np.array([detector.success_threshold(text) for text in descriptions], dtype=np.float32)
    holds = shown(scores, thresholds, descriptions)
    achievements = []
    start = previous_end = 0
    unseen = np.array([detector.unseen_below(text) for text in descriptions], dtype=np.float32)
    absence = Absence(detector.hysteresis, detector.patience, unseen)
    begins = _begins(holds, scores, thresholds, absence)
    for step, which in zip(*np.nonzero(begins), strict=True):
        end = int(step) + 1
        if end != previous_end:
            start, previous_end = previous_end, end
        score = float(np.clip(scores[end, which], -1.0, 1.0))
        earlier = np.flatnonzero(holds[:end, which])
        since = max(start, int(earlier[-1]) + 1 if len(earlier) else 0)
        achievements.append(Achievement(descriptions[which], since, end, score))
    return tuple(achievements)


def came_to_show(
    scores: Float32[np.ndarray, "O M"],
    thresholds: Float32[np.ndarray, "M"],
    descriptions: Sequence[str],
    absence: Absence | None = None,
) -> Bool[np.ndarray, "T M"]:
    """Which descriptions observations 1..T show that were not shown before each.

    Args:
        scores: cosine similarities in [-1, 1] of observations 0..T.
        thresholds: of each description.
        descriptions: the M descriptions.
        absence: when one was not shown; by default, when it is not.
    """
    return _begins(shown(scores, thresholds, descriptions), scores, thresholds, absence or Absence())


def _begins(
    holds: Bool[np.ndarray, "O M"],
    scores: Float32[np.ndarray, "O M"],
    thresholds: Float32[np.ndarray, "M"],
    absence: Absence,
) -> Bool[np.ndarray, "T M"]:
    """When what holds was absent since it last held. No description is both at once."""
    absent = scores < thresholds - absence.hysteresis if absence.hysteresis else ~holds
    absent = absent & (scores >= absence.unseen)
    steps = np.arange(len(holds))[:, None]
    held_last = np.maximum.accumulate(np.where(holds, steps, -1), axis=0)
    there_last = np.maximum.accumulate(np.where(absent, -absence.patience, steps), axis=0)
    absent_last = np.maximum.accumulate(np.where(steps - there_last >= absence.patience, steps, -1), axis=0)
    return np.asarray(holds[1:] & (absent_last > held_last)[:-1])


def shown(
    scores: Float32[np.ndarray, "O M"], thresholds: Float32[np.ndarray, "M"], descriptions: Sequence[str]
) -> Bool[np.ndarray, "O M"]:
    """Which descriptions each observation shows: at or above the threshold, and no rival that contradicts it is better.

    Args:
        scores: cosine similarities in [-1, 1].
        thresholds: of each description.
        descriptions: the M descriptions; only those among them are rivals of each other.
    """
    above = scores >= thresholds
    rivals = contradictions(descriptions)
    # By how much a score exceeds its threshold is comparable between families; the raw scores are not.
    margins = np.where(above, scores - thresholds, -np.inf)
    for which in range(len(descriptions)):
        others = rivals[which]
        if others.any():
            above[:, which] &= margins[:, which] >= margins[:, others].max(axis=1)
    return above


def contradictions(descriptions: Sequence[str]) -> Bool[np.ndarray, "M M"]:
    """Which pairs of descriptions cannot both be true of one picture.

    An object rests on one other object, carries one, and is not under what it rests on, and two objects that are stacked
    are not beside each other. One stands before one object, and points at one. A block lies in one place, is not to the left
    of what is to its left, and is not apart from what it touches. Two blocks lie side by side, one above the other, or apart
    (`Form.excludes`). Sentences that are no facts contradict nothing.
    """
    return _contradictions(tuple(descriptions)).copy()


@lru_cache(maxsize=1024)
def _contradictions(descriptions: tuple[str, ...]) -> Bool[np.ndarray, "M M"]:
    """Asked again and again for the same scenes while a threshold is looked for."""
    facts = [_parse(description) for description in descriptions]
    pairs = [[_contradict(first, second) for second in facts] for first in facts]
    return np.array(pairs, dtype=bool).reshape(len(facts), len(facts))


def contradicted_by(description: str, others: Sequence[str]) -> Bool[np.ndarray, "M"]:
    """Which of some descriptions cannot be true where one is, see `contradictions`."""
    fact = _parse(description)
    return np.array([_contradict(fact, _parse(other)) for other in others], dtype=bool)


@lru_cache(maxsize=16384)
def _parse(description: str) -> Fact | None:
    try:
        return Fact.parse(description)
    except LanguageError:
        return None


_ONE_AT_A_TIME = ("in front", "pointed at")
"""Relations that hold of at most one object of a scene."""


def _contradict(first: Fact | None, second: Fact | None) -> bool:
    if first is None or second is None or first == second:
        return False
    same_objects = set(first.looks) == set(second.looks)
    if first.relation != second.relation:
        return same_objects and second.relation in RELATIONS[first.relation].excludes
    if first.relation in _ONE_AT_A_TIME:
        elsewhere = bool(first.place and second.place and first.place != second.place)
        return elsewhere or not same_objects
    if first.relation == "on" and (first.subject == second.subject or first.target == second.target):
        return True
    return same_objects  # the two exchanged, or one object in two places
