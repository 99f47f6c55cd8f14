"""A policy with eyes of its own: what is seen now and was before as pictures, and what the instruction means as a vector.

The network that reads them learns what things look like from its own experience, not from the reward detector; so each
example shows it both what to go for and how. Source: our choice; places are picked by attention to the sentence, and read
as coordinates by a soft argmax, as in deep spatial autoencoders (arXiv:1509.06113).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional

from daag.errors import ConfigError
from daag.policies.policy import MEMORY, Observation
from daag.policies.reader import Eyes
from daag.policies.sightings import COLUMNS, PER_MAP, free_way

SIDE = 64
"""Pixels of a picture's sides; others are resized."""

PLACES = 16
"""Places in a row and in a column of a picture, each described by itself."""


@dataclass(frozen=True)
class Pictures:
    """Reads observations for a policy that looks at them itself.

    Args:
        meaning: what an instruction means, as a vector of a frozen encoder.
        meaning_size: its length.
        memory: how many earlier moments are looked at, at most `MEMORY`.

    Raises:
        ConfigError: more moments are to be looked at than are kept.
    """

    meaning: Callable[[str], Float32[np.ndarray, "M"]]
    meaning_size: int
    memory: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.memory <= MEMORY:
            raise ConfigError(f"expected a memory of 0 to {MEMORY} earlier moments, got {self.memory}")

    @property
    def size(self) -> int:
        """How many numbers a moment makes, beside its pictures."""
        return self.meaning_size + COLUMNS

    def read(self, observation: Observation, instruction: str) -> Float32[np.ndarray, "S"]:
        """What the instruction means, then the free way now."""
        return np.array([*self.meaning(instruction), *free_way(observation.depth)], dtype=np.float32)

    def mirrored(self, moments: Float32[np.ndarray, "B S"]) -> Float32[np.ndarray, "B S"]:
        """What would have been read in mirrored pictures."""
        turned = moments.copy()
        turned[:, self.meaning_size :] = moments[:, self.meaning_size :][:, ::-1]
        return turned

    def make_eyes(self) -> "PictureEyes":
        """New ones."""
        return PictureEyes(self.meaning_size, self.memory + 1)


class PictureEyes(Eyes):
    """Pictures and a sentence to where in each picture is what the sentence is about.

    Each place of a picture is described by the same small network. Queries made of the sentence look for places; of
    each the eyes give what `Sightings` gives of a map. Of the past they read, but only the present do they learn from: that takes
    a third of the time, and was as good.

    Args:
        text_size: length of a sentence's vector, with which what is told begins.
        num_pictures: how many are looked at.
        channels: numbers that describe a place.
        queries: how many different things are looked for.
    """

    def __init__(self, text_size: int, num_pictures: int, channels: int = 32, queries: int = 2) -> None:
        super().__init__(num_pictures * queries * PER_MAP + COLUMNS, num_pictures)
        self.text_size, self.queries = text_size, queries
        patch = SIDE // PLACES
        self.describe = nn.Sequential(
            nn.Linear(3 * patch**2, channels),
            nn.ReLU(inplace=True),
            nn.Linear(channels, channels),
            nn.ReLU(inplace=True),
        )
        self.ask = nn.Sequential(nn.LayerNorm(text_size), nn.Linear(text_size, queries * (channels + 1)))
        along = torch.linspace(-1.0, 1.0, PLACES)
        down, right = torch.meshgrid(along, along, indexing="ij")
        self._where = torch.stack([right.flatten(), down.flatten()], dim=1)

    def forward(
        self, told: Float32[Tensor, "B S"], pictures: UInt8[Tensor, "B N H W 3"]
    ) -> Float32[Tensor, "B E"]:
        """Sightings in each picture, of each query, then the rest of what was told."""
        asked = self.ask(told[:, : self.text_size]).view(len(told), self.queries, -1)
        now = self._sightings(pictures[:, :1], asked)
        with torch.no_grad():
            before = self._sightings(pictures[:, 1:], asked)
        return torch.cat([now, before, told[:, self.text_size :]], dim=1)

    def _sightings(
        self, pictures: UInt8[Tensor, "B N H W 3"], asked: Float32[Tensor, "B Q C"]
    ) -> Float32[Tensor, "B P"]:
        batch, count = pictures.shape[:2]
        described = self.describe(_patches(pictures.flatten(0, 1)))
        described = described.view(batch, -1, described.shape[-1]).transpose(1, 2)
        maps = torch.baddbmm(asked[:, :, -1:], asked[:, :, :-1], described)
        maps = maps.view(batch, self.queries, count, PLACES**2)
        looked = maps.softmax(dim=-1)
        x, y = (looked @ self._where).unbind(dim=-1)
        sure = torch.sigmoid((maps * looked).sum(dim=-1))
        large = torch.sigmoid(maps).mean(dim=-1)
        return torch.stack([x * sure, y * sure, x.abs() * sure, sure, 4.0 * large], dim=-1).flatten(1)


def _patches(pictures: UInt8[Tensor, "B H W 3"]) -> Float32[Tensor, "B L C"]:
    """The pixels of each place, in [-1, 1]."""
    if pictures.shape[1:3] != (SIDE, SIDE):
        resized = functional.interpolate(pictures.permute(0, 3, 1, 2).float(), (SIDE, SIDE), mode="area")
        pictures = resized.permute(0, 2, 3, 1)
    patch = SIDE // PLACES
    cut = pictures.reshape(-1, PLACES, patch, PLACES, patch, 3).transpose(2, 3)
    return cut.reshape(len(pictures), PLACES**2, -1).float().mul_(1.0 / 127.5).sub_(1.0)
