"""Frames with descriptions that are true of them or not: what a detector is taught with, and what tells how well it knows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from daag.errors import RewardDetectorError
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.text_swap import false_swaps


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """N frames with a description each, and whether it is true of the frame.

    Raises:
        RewardDetectorError: the three do not have one length.
    """

    frames: UInt8[np.ndarray, "N H W 3"]
    descriptions: tuple[str, ...]
    labels: Bool[np.ndarray, "N"]
    objects: tuple[tuple[str, ...], ...] = ()
    """Names of all that each frame's scene holds; without them fewer word swaps are surely false."""

    def __post_init__(self) -> None:
        if not self.objects:
            object.__setattr__(self, "objects", ((),) * len(self.labels))
        if not len(self.frames) == len(self.descriptions) == len(self.objects) == len(self.labels):
            raise RewardDetectorError(
                f"expected a description and a label for each frame, got {len(self.frames)} frames, "
                f"{len(self.descriptions)} descriptions and {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Int64[np.ndarray, "M"]) -> "LabelledPairs":
        """Some of the pairs."""
        descriptions = tuple(self.descriptions[int(i)] for i in index)
        objects = tuple(self.objects[int(i)] for i in index)
        return LabelledPairs(self.frames[index], descriptions, self.labels[index], objects)

    def false_swaps(self, index: int) -> tuple[str, ...]:
        """What is false of a true pair's frame by a word of its description, or by their order."""
        return false_swaps(self.descriptions[index], objects=self.objects[index])


def joined(first: LabelledPairs, second: LabelledPairs) -> LabelledPairs:
    """All of two kinds of pairs, in order."""
    if not len(first) or not len(second):
        return first if len(first) else second
    return LabelledPairs(
        np.concatenate([first.frames, second.frames]),
        first.descriptions + second.descriptions,
        np.concatenate([first.labels, second.labels]),
        first.objects + second.objects,
    )


def split(
    pairs: LabelledPairs, share: float, rng: np.random.Generator
) -> tuple[LabelledPairs, LabelledPairs]:
    """A part of some pairs that is held out, and the rest, each label in proportion.

    Args:
        pairs: of both labels, or of one.
        share: that is held out, in (0, 1).
        rng: which they are.
    """
    held: list[int] = []
    for label in (True, False):
        mine = rng.permutation(np.flatnonzero(pairs.labels == label))
        held += mine[: int(np.ceil(share * len(mine)))].tolist()
    rest = np.setdiff1d(np.arange(len(pairs)), held)
    return pairs.take(np.array(sorted(held), dtype=np.int64)), pairs.take(rest.astype(np.int64))


def pair_scores(
    detector: ClipDetector, pairs: LabelledPairs, num_views: int | None = None
) -> Float[np.ndarray, "N"]:
    """The score of each pair: the cosine similarity in [-1, 1] of its frame and its description.

    Args:
        detector: gives the scores.
        pairs: labels do not matter.
        num_views: a frame is looked at in so many ways; all by default.
    """
    return _scores(detector, pairs, detector.embed_frames(pairs.frames, num_views))


def swap_scores(
    detector: ClipDetector, pairs: LabelledPairs, num_views: int | None = None
) -> Float[np.ndarray, "M"]:
    """Scores of the true pairs' frames with what is false of them by one word, or by the order of words.

    Args:
        detector: gives the scores.
        pairs: false ones do not matter.
        num_views: a frame is looked at in so many ways; all by default.
    """
    return _swap_scores(detector, pairs, detector.embed_frames(pairs.frames, num_views))


def separation(
    detector: ClipDetector, pairs: LabelledPairs, with_swaps: bool = False, num_views: int | None = None
) -> float:
    """The chance that a true pair scores above a false one (ties count half); 1 if there is nothing to compare.

    Args:
        detector: gives the scores.
        pairs: true and false ones.
        with_swaps: whether word swaps of the true descriptions are false pairs too.
        num_views: a frame is looked at in so many ways; all by default.
    """
    if not len(pairs):
        return 1.0
    frames = detector.embed_frames(pairs.frames, num_views)
    scores = _scores(detector, pairs, frames)
    true, false = scores[pairs.labels], scores[~pairs.labels]
    if with_swaps:
        false = np.concatenate([false, _swap_scores(detector, pairs, frames)])
    if not len(true) or not len(false):
        return 1.0
    false = np.sort(false)
    below, not_above = np.searchsorted(false, true), np.searchsorted(false, true, side="right")
    return float((below + not_above).mean() / (2 * len(false)))


def _scores(
    detector: ClipDetector, pairs: LabelledPairs, frames: Float[np.ndarray, "N V L D"]
) -> Float[np.ndarray, "N"]:
    texts = detector.embed_texts(pairs.descriptions)
    return np.asarray(np.einsum("nvld,nd->nvl", frames, texts).max(axis=2).mean(axis=1))


def _swap_scores(
    detector: ClipDetector, pairs: LabelledPairs, frames: Float[np.ndarray, "N V L D"]
) -> Float[np.ndarray, "M"]:
    index = np.flatnonzero(pairs.labels)
    swaps = [pairs.false_swaps(int(i)) for i in index]
    texts = sorted({text for some in swaps for text in some})
    if not texts:
        return np.zeros(0)
    scores = similarity(frames[index], detector.embed_texts(texts))
    asked = np.array([[text in some for text in texts] for some in swaps])
    return np.asarray(scores[asked], dtype=np.float64)
