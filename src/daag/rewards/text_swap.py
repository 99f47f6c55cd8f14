"""Does a detector read the sentence?  Text-swap sensitivity: how often a true description scores above its word swaps.

Where one word of a true description is changed, or its two objects change places, the result is false and must score
lower. A detector that ignores the text, or knows its words but not their order, fails here whatever its accuracy on
whole frames.  Source: our choice; the swaps are those of `daag.tasks.word_swaps`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from daag.errors import LanguageError, RewardDetectorError
from daag.rewards.detector import RewardDetector, similarity
from daag.rewards.labelling import contradicted_by
from daag.tasks import Fact, Language, word_swaps


@dataclass(frozen=True)
class TextSwapSensitivity:
    """How often the order of two scores was right. Each share is None where nothing of its kind was asked."""

    overall: float
    """Share of swaps that scored below the truth, in [0, 1]; equal scores are not in the right order."""
    one_word: float | None
    """Of swaps that change a colour, a kind, the place or the relation."""
    exchanged: float | None
    """Of swaps in which the two objects change places."""
    num_one_word: int
    num_exchanged: int


def text_swap_sensitivity(
    detector: RewardDetector,
    frames: UInt8[np.ndarray, "N H W 3"],
    descriptions: Sequence[str],
    also_true: Sequence[Collection[str]] | None = None,
    language: Language | None = None,
) -> TextSwapSensitivity:
    """Measure whether a detector tells true descriptions from their word swaps.

    Args:
        detector: needs no calibration.
        frames: any size.
        descriptions: what is true of each frame.
        also_true: everything that is true of each frame, where that is known: every other swap is false then. Without it
            only swaps count that contradict their description, see `false_swaps`.
        language: where the swaps' words come from; by default the first world's in which a description can be said.

    Raises:
        RewardDetectorError: the arguments do not have one length, scores are not finite, or there is nothing to swap.
    """
    if not len(frames) == len(descriptions) == len(also_true if also_true is not None else frames):
        raise RewardDetectorError(
            f"expected a description for each frame, got {len(frames)} frames and {len(descriptions)} descriptions"
        )
    swaps = [
        false_swaps(text, language)
        if also_true is None
        else tuple(swap for swap in _swaps(text, language) if swap not in also_true[index])
        for index, text in enumerate(descriptions)
    ]
    if not any(swaps):
        raise RewardDetectorError(
            "none of the descriptions has a word swap that is surely false; give facts such as 'the red cube is on "
            "the blue cube', or say what else is true of each frame"
        )
    texts = sorted({*descriptions, *(swap for some in swaps for swap in some)})
    scores = similarity(detector.embed_frames(frames), detector.embed_texts(texts))
    if not np.isfinite(scores).all():
        raise RewardDetectorError("the scores are not finite; the detector is broken")
    column = {text: index for index, text in enumerate(texts)}
    right: dict[bool, list[bool]] = {False: [], True: []}
    for row, text, some in zip(scores, descriptions, swaps, strict=True):
        for swap in some:
            right[_is_exchange(text, swap)].append(bool(row[column[text]] > row[column[swap]]))
    shares = {kind: float(np.mean(each)) if each else None for kind, each in right.items()}
    return TextSwapSensitivity(
        overall=float(np.mean(right[False] + right[True])),
        one_word=shares[False],
        exchanged=shares[True],
        num_one_word=len(right[False]),
        num_exchanged=len(right[True]),
    )


def false_swaps(
    description: str, language: Language | None = None, objects: Collection[str] = ()
) -> tuple[str, ...]:
    """Word swaps that cannot be true where the description is.

    Those that contradict it (see `contradictions`): every swap of an "on" and of an "in front", the exchanged objects of a
    "left of", another place of an "in". And where the scene's objects are known, those that speak of others.

    Args:
        description: a true one.
        language: where the other words come from; by default the first world's in which the description can be said.
        objects: names of all that the scene holds; none where that is not known.
    """
    swaps = _swaps(description, language)
    against = contradicted_by(description, swaps)
    return tuple(swap for swap, sure in zip(swaps, against, strict=True) if sure or lacks(objects, swap))


def lacks(objects: Collection[str], description: str) -> bool:
    """Whether a scene, where its objects are known, lacks one that a description speaks of; False of a sentence that is no
    fact."""
    try:
        looks = Fact.parse(description).looks
    except LanguageError:
        return False
    return bool(objects) and not {str(look) for look in looks} <= set(objects)


def _swaps(description: str, language: Language | None) -> tuple[str, ...]:
    """All word swaps; none of a sentence that is no fact, or that no world has the words of."""
    try:
        return word_swaps(description, language)
    except LanguageError:
        return ()


def _is_exchange(description: str, swap: str) -> bool:
    before, after = Fact.parse(description), Fact.parse(swap)
    return before.relation == after.relation and before.looks == after.looks[::-1] and len(before.looks) == 2
