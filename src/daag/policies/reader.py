"""What a policy of many small steps is told of a moment: numbers, and, where it has eyes of its own, pictures.

Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor, nn

from daag.policies.policy import Observation


class Eyes(nn.Module):
    """The part of a policy's network that makes of what a reader tells what is seen; learnt with the rest.

    Args:
        width: how many numbers it gives.
        num_pictures: how many pictures it looks at, the present one first; 0: everything is told in numbers.
    """

    def __init__(self, width: int, num_pictures: int = 0) -> None:
        super().__init__()
        self.width, self.num_pictures = width, num_pictures

    def forward(
        self,
        told: Float32[Tensor, "B S"],
        pictures: UInt8[Tensor, "B N H W 3"],  # noqa: ARG002 - none
    ) -> Float32[Tensor, "B E"]:
        """What is seen at each moment: what was told, where nothing is to be looked at."""
        return told


@runtime_checkable
class Reader(Protocol):
    """What a policy is told of a moment; `Sightings`, `Arrangement` and `Pictures` are such."""

    @property
    def size(self) -> int:
        """How many numbers a moment makes."""

    @property
    def memory(self) -> int:
        """How many earlier moments are recalled."""

    def read(self, observation: Observation, instruction: str) -> Float32[np.ndarray, "S"]:
        """The numbers of a moment."""

    def mirrored(self, moments: Float32[np.ndarray, "B S"]) -> Float32[np.ndarray, "B S"]:
        """What would have been read in mirrored pictures."""

    def make_eyes(self) -> Eyes:
        """New ones, for what is read."""


@dataclass(frozen=True)
class Known:
    """What is known of a moment, for a network."""

    numbers: Float32[np.ndarray, "S"]
    pictures: tuple[UInt8[np.ndarray, "H W 3"], ...] = ()
    """The present one first; views, not copies."""


@dataclass(frozen=True)
class Moments:
    """What is known of some moments."""

    numbers: Float32[np.ndarray, "B S"]
    pictures: UInt8[np.ndarray, "B N H W 3"]

    @classmethod
    def of(cls, known: Sequence[Known]) -> "Moments":
        """Put together; of pictures of one size, one moment or more."""
        pictures = [picture for each in known for picture in each.pictures]
        shape = (len(known), len(known[0].pictures), *(pictures[0].shape if pictures else (0, 0, 3)))
        joined = np.stack(pictures).reshape(shape) if pictures else np.zeros(shape, dtype=np.uint8)
        return cls(np.stack([each.numbers for each in known]), joined)

    @property
    def tensors(self) -> tuple[Float32[Tensor, "B S"], UInt8[Tensor, "B N H W 3"]]:
        """As a network takes them."""
        return torch.from_numpy(self.numbers), torch.from_numpy(self.pictures)

    def where(self, chosen: Bool[np.ndarray, "B"], others: "Moments") -> "Moments":
        """The others where chosen, else these."""
        return Moments(
            np.where(chosen[:, None], others.numbers, self.numbers),
            np.where(chosen[:, None, None, None, None], others.pictures, self.pictures),
        )
