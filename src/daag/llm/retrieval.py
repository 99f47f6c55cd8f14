"""Which stored captions are worth asking about: the nearest to a wanted one, by a text encoder.

Embeddings are coarse: "red on blue" and "blue on red" lie close together, and a rewording may lie far off. So they choose
generously what a planner is asked about, and the planner decides.  Source: our choice.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Float32

from daag.errors import RewardDetectorError

SIMILARITY_DECIMALS = 6
"""Similarities that agree so far are ties. Processors differ beyond, and the order must not."""

Encode = Callable[[Sequence[str]], Float32[np.ndarray, "M D"]]
"""Sentences to unit vectors; the text tower of a reward detector. Raises RewardDetectorError at words it does not know."""


def nearest_captions(wanted: str, captions: Iterable[str], encode: Encode, at_most: int) -> tuple[str, ...]:
    """The captions nearest to a wanted one, each once.

    Args:
        wanted: a description that the encoder can read.
        captions: in any order and number; repetitions cost nothing.
        encode: the encoder; asked for each distinct caption once.
        at_most: how many.

    Returns:
        By falling cosine similarity, ties in alphabetical order; then those that the encoder cannot read, which are kept
        because they may be rewordings.
    """
    similarities: dict[str, float] = {}
    (target,) = encode([wanted]).astype(np.float64)
    for caption in dict.fromkeys(captions):
        try:
            (vector,) = encode([caption]).astype(np.float64)
        except RewardDetectorError:
            similarities[caption] = -2.0  # below every cosine
        else:
            similarities[caption] = round(float((vector * target).sum()), SIMILARITY_DECIMALS)
    return tuple(sorted(similarities, key=lambda caption: (-similarities[caption], caption))[:at_most])
