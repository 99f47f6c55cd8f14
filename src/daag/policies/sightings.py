"""What a policy of many small steps is told of a moment: where the objects are seen, and how far the way is free.

A handful of numbers instead of pictures, so that a few successes are enough to learn from. Source: our choice.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from daag.errors import ConfigError, ModelError
from daag.policies.policy import MEMORY, Locator, Observation
from daag.policies.reader import Eyes

PER_MAP = 5
"""Numbers for each map: x, y, distance from the middle, how sure, how large."""

COLUMNS = 8
"""Directions for which the free way is told."""

NEAR_METRES = 4.0
"""Depth that counts as 1; what is farther counts the same."""

_SHARPNESS = 8.0
"""How suddenly, around the level, an object counts as seen."""


@dataclass(frozen=True)
class Sightings:
    """Reads observations.

    Args:
        locate: maps of where the instruction's objects are.
        num_maps: how many of its maps count, from the first on.
        level: value of a map from which on its object counts as seen.
        memory: how many earlier moments are recalled, at most `MEMORY`.

    Raises:
        ConfigError: more moments are to be recalled than are kept.
    """

    locate: Locator
    num_maps: int = 1
    level: float = 0.35
    memory: int = MEMORY

    def __post_init__(self) -> None:
        if not 0 <= self.memory <= MEMORY:  # while it acts a policy would miss what it learnt to look at
            raise ConfigError(f"expected a memory of 0 to {MEMORY} earlier moments, got {self.memory}")

    @property
    def size(self) -> int:
        """How many numbers a moment makes."""
        return (self.memory + 1) * self.num_maps * PER_MAP + COLUMNS

    def read(self, observation: Observation, instruction: str) -> Float32[np.ndarray, "S"]:
        """Sightings now and in the moments before (zeros where there were none), then the free way now.

        Raises:
            ModelError: the locator gives fewer maps.
        """
        numbers: list[float] = []
        moment: Observation | None = observation
        for _ in range(self.memory + 1):
            if moment is None:
                numbers += [0.0] * (self.num_maps * PER_MAP)
                continue
            maps = self.locate(moment.rgb[None], [instruction])[0]
            if len(maps) < self.num_maps:
                raise ModelError(f"expected {self.num_maps} maps or more from the locator, got {len(maps)}")
            for seen in maps[: self.num_maps]:
                numbers += _sighting(seen, self.level)
            moment = moment.previous
        return np.array([*numbers, *free_way(observation.depth)], dtype=np.float32)

    def mirrored(self, moments: Float32[np.ndarray, "B S"]) -> Float32[np.ndarray, "B S"]:
        """What would have been read in mirrored pictures."""
        turned = moments.copy()
        split = self.size - COLUMNS
        turned[:, :split:PER_MAP] *= -1  # every x
        turned[:, split:] = moments[:, split:][:, ::-1]
        return turned

    def make_eyes(self) -> Eyes:
        """Such as change nothing: everything is in numbers."""
        return Eyes(self.size)


def _sighting(seen: Float[np.ndarray, "h w"], level: float) -> list[float]:
    """Where the middle of what stands out is, in [-1, 1] to the right and downwards, and how much it does."""
    rows, columns = (np.linspace(-1.0, 1.0, size) for size in seen.shape)
    weight = np.clip(seen - seen.mean(), 0.0, None) ** 2
    total = float(weight.sum()) + 1e-9
    sure = 1.0 / (1.0 + np.exp(-_SHARPNESS * (float(seen.max()) - level)))
    x, y = float((weight.sum(0) * columns).sum() / total), float((weight.sum(1) * rows).sum() / total)
    large = float((seen > level).mean())
    return [x * sure, y * sure, abs(x) * sure, sure, 4.0 * large]


def free_way(depth: Float[np.ndarray, "H W"] | None) -> list[float]:
    """How far the way is free in each direction: of the lower two thirds of the picture the nearest of each row, averaged.
    Where nothing was hit the way is free; zeros where depth is unknown."""
    if depth is None:
        return [0.0] * COLUMNS
    lower = depth[depth.shape[0] // 3 :].astype(np.float32)
    lower = np.where(lower > 0, np.minimum(lower / NEAR_METRES, 1.0), 1.0)
    return [float(part.min(axis=1).mean()) for part in np.array_split(lower, COLUMNS, axis=1)]
