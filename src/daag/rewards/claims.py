"""What can be said of labelled frames, and what of it is surely false.

One picture answers many questions: of a frame that shows one thing, everything that contradicts it is false, and so is
whatever speaks of objects that its scene lacks. A step of training compares each picture with many sentences at little
cost. Source: our choice.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from daag.rewards.labelled_pairs import LabelledPairs
from daag.rewards.labelling import contradicted_by
from daag.rewards.text_swap import lacks


@dataclass(frozen=True, eq=False)
class Claims:
    """N labelled pairs, M sentences: the pairs' descriptions and the word swaps of the true ones."""

    texts: tuple[str, ...]
    own: Int64[np.ndarray, "N"]
    """Which sentence each pair's description is."""
    labels: Bool[np.ndarray, "N"]
    false: Bool[np.ndarray, "N M"]
    """What is surely false of each frame."""
    swaps: tuple[np.ndarray, ...]
    """Which sentences are word swaps of each pair's description, int (S,); none of a false one."""

    @classmethod
    def of(cls, pairs: LabelledPairs, unasked: Collection[str] = ()) -> "Claims":
        """Find what can be said of some pairs.

        Args:
            pairs: labelled.
            unasked: sentences that are said of no frame unless a pair does.
        """
        swaps = [
            [text for text in pairs.false_swaps(index) if text not in unasked] if true else []
            for index, true in enumerate(pairs.labels.tolist())
        ]
        texts = tuple(sorted({*pairs.descriptions, *(text for some in swaps for text in some)}))
        place = {text: column for column, text in enumerate(texts)}

        @cache
        def against(description: str) -> Bool[np.ndarray, "M"]:
            return contradicted_by(description, texts)

        @cache
        def absent(objects: tuple[str, ...]) -> Bool[np.ndarray, "M"]:
            return np.array([lacks(objects, text) for text in texts], dtype=bool)

        own = np.array([place[text] for text in pairs.descriptions], dtype=np.int64)
        false = np.zeros((len(pairs), len(texts)), dtype=bool)
        for index, (description, objects, true) in enumerate(
            zip(pairs.descriptions, pairs.objects, pairs.labels.tolist(), strict=True)
        ):
            false[index] = absent(objects)
            if true:
                false[index] |= against(description)
            false[index, own[index]] = not true
        columns = tuple(np.array([place[text] for text in some], dtype=np.int64) for some in swaps)
        return cls(texts, own, pairs.labels, false, columns)

    def about(
        self, index: Int64[np.ndarray, "B"], swaps_per_pair: int, rng: np.random.Generator
    ) -> tuple[Int64[np.ndarray, "C"], Bool[Tensor, "B C"], Bool[Tensor, "B C"]]:
        """Some sentences for some frames: their descriptions, and a few word swaps of each true one.

        Returns:
            Which sentences; which of them are true of each frame; which are surely false of it.
        """
        drawn = [rng.permutation(self.swaps[int(i)])[:swaps_per_pair] for i in index]
        columns = np.unique(np.concatenate([self.own[index], *drawn]))
        true = (columns[None] == self.own[index][:, None]) & self.labels[index][:, None]
        return columns, torch.from_numpy(true), torch.from_numpy(self.false[index][:, columns])
