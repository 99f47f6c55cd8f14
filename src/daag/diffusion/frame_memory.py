"""Keys and values that later batches look at, so that long episodes are painted in bounded memory.

An episode's crops go through the models in batches. The keys and values of the crops that others look at, in every
self-attention layer at every step, are computed once, kept, and joined to those of later batches: a batch neither has
to hold the anchors nor to paint them again, and the result does not depend on where batches begin.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class FrameMemory:
    """What is kept of crops under their names; one entry per name, layer, step and half of a guided batch.

    What a batch leaves behind counts once the batch is done, so a batch that failed can be tried again.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Tensor, Tensor]] = {}
        self._staged: dict[Hashable, tuple[Tensor, Tensor]] = {}

    @property
    def num_bytes(self) -> int:
        """Size of what is kept."""
        return sum(part.nbytes for pair in self._kept.values() for part in pair)

    def recall(self, where: tuple[Hashable, ...], name: Hashable) -> tuple[Tensor, Tensor]:
        """Keys and values, (L, C) each."""
        return self._kept[(*where, name)]

    def stage(self, where: tuple[Hashable, ...], name: Hashable, key: Tensor, value: Tensor) -> None:
        """Keep these once the batch is done."""
        self._staged[(*where, name)] = (key.detach().clone(), value.detach().clone())

    def commit(self) -> None:
        """The batch is done."""
        self._kept |= self._staged
        self._staged = {}

    def discard(self) -> None:
        """The batch failed."""
        self._staged = {}


@dataclass
class Glances:
    """Whom the crops of one batch look at besides themselves."""

    index: Int64[Tensor, "B R"]
    """For each crop R others: a position in the batch or, from B on, in `recalled`. A crop without an anchor looks at
    itself: it then sees each key twice, which leaves the softmax's average as it was."""
    recalled: Sequence[Hashable] = ()
    """Names of crops of earlier batches."""
    keep: Mapping[Hashable, int] = field(default_factory=dict)
    """What later batches will look at: name to position in this batch."""
    memory: FrameMemory = field(default_factory=FrameMemory)
    step: int = 0
    """Of the sampler, which counts it."""

    @classmethod
    def within(cls, anchor_index: Int64[Tensor, "B"]) -> "Glances":
        """Each crop looks at its anchor, at this position of the same batch."""
        return cls(anchor_index[:, None])

    def join(
        self, layer: Hashable, key: Float[Tensor, "N L C"], value: Float[Tensor, "N L C"]
    ) -> tuple[Float[Tensor, "N K C"], Float[Tensor, "N K C"]]:
        """The keys and values of each crop, those of the crops it looks at behind them: K = L * (1 + R).

        Args:
            layer: which one.
            key: of N = B crops, or 2 B in a guided batch, whose halves are told other things.
            value: likewise.
        """
        size = len(self.index)
        joined = [
            self._join_half((layer, self.step, half), key[start : start + size], value[start : start + size])
            for half, start in enumerate(range(0, len(key), size))
        ]
        if len(joined) == 1:
            return joined[0]
        keys, values = zip(*joined, strict=True)
        return torch.cat(keys), torch.cat(values)

    def _join_half(self, where: tuple[Hashable, ...], key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        for name, position in self.keep.items():
            self.memory.stage(where, name, key[position], value[position])
        seen_keys, seen_values = key, value
        if self.recalled:
            pairs = [self.memory.recall(where, name) for name in self.recalled]
            seen_keys = torch.cat([key, torch.stack([pair[0] for pair in pairs])])
            seen_values = torch.cat([value, torch.stack([pair[1] for pair in pairs])])
        columns = self.index.unbind(dim=1)
        return (
            torch.cat([key, *(seen_keys[column] for column in columns)], dim=1),
            torch.cat([value, *(seen_values[column] for column in columns)], dim=1),
        )
