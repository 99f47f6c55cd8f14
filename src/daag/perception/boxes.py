"""Boxes around objects that were asked for by name, and which box is whose.

Two objects of one kind draw each other's boxes: each box counts for all names, less for some than for others. So boxes
and names are matched all at once, such that the scores add up to most.  Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8
from scipy.optimize import linear_sum_assignment

SAME_BOX = 0.7
"""Intersection over union from which on two boxes are of one object. Detectors say the same several times."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """What a detector found in one frame."""

    corners: Float32[np.ndarray, "B 4"]
    """Left, top, right, bottom, in pixels of the frame."""
    scores: Float32[np.ndarray, "B M"]
    """How well each box fits each of the M names, in [0, 1]."""


@runtime_checkable
class BoxModel(Protocol):
    """Finds objects in pictures by their names."""

    @property
    def hash(self) -> str:
        """SHA-256 of weights and settings."""

    @property
    def min_score(self) -> float:
        """From which on a box counts, unless one says otherwise."""

    def find(self, frames: UInt8[np.ndarray, "N H W 3"], names: Sequence[str]) -> list[Boxes]:
        """Look for objects.

        Args:
            frames: RGB.
            names: "red ball".

        Returns:
            For each frame its boxes, those of low scores included.

        Raises:
            ModelError: the model gives something that is no number, or there are more names than it takes.
        """


@dataclass(frozen=True, eq=False)
class Sighting:
    """An object in one frame."""

    frame: int
    box: Float32[np.ndarray, "4"]
    score: float


def match(found: Boxes, min_score: float) -> dict[int, tuple[Float32[np.ndarray, "4"], float]]:
    """Which box is whose in one frame.

    Args:
        found: boxes and their scores.
        min_score: from which on a box counts.

    Returns:
        Box and score by the name's number; no box has two names, no name two boxes.
    """
    groups = _of_one_object(found.corners, found.scores.max(axis=1, initial=0.0))
    if not groups or not found.scores.shape[1]:
        return {}
    scores = np.stack([found.scores[group].max(axis=0) for group in groups])
    counted = np.where(scores >= min_score, scores, 0.0)
    matched = {}
    for number, name in zip(*linear_sum_assignment(counted, maximize=True), strict=True):
        if counted[number, name] > 0.0:
            group = groups[number]
            best = group[int(found.scores[group, name].argmax())]
            matched[int(name)] = found.corners[best], float(scores[number, name])
    return matched


def sightings(
    found: Sequence[Boxes], frame_index: np.ndarray, names: Sequence[str], min_score: float
) -> dict[str, list[Sighting]]:
    """Where each object was seen, the best first; only objects that were.

    Args:
        found: for each frame that was looked at.
        frame_index: which frames these are, int (N,).
        names: that were asked for.
        min_score: from which on a box counts.
    """
    seen: dict[str, list[Sighting]] = {}
    for frame, boxes in zip(frame_index, found, strict=True):
        for number, (box, score) in match(boxes, min_score).items():
            seen.setdefault(names[number], []).append(Sighting(int(frame), box, score))
    return {
        name: sorted(seen[name], key=lambda one: (-one.score, one.frame)) for name in names if name in seen
    }


def _of_one_object(corners: Float32[np.ndarray, "B 4"], best: Float32[np.ndarray, "B"]) -> list[list[int]]:
    """Boxes in groups, each around the best of its own."""
    groups: list[list[int]] = []
    for box in np.argsort(-best, kind="stable"):
        mine = next(
            (group for group in groups if _overlap(corners[group[0]], corners[box]) >= SAME_BOX), None
        )
        if mine is None:
            groups.append([int(box)])
        else:
            mine.append(int(box))
    return groups


def _overlap(first: Float32[np.ndarray, "4"], second: Float32[np.ndarray, "4"]) -> float:
    """Intersection over union."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.clip(high - low, 0.0, None)))
    areas = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]))
    return shared / max(areas - shared, 1e-9)
