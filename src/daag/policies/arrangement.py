"""What a policy that pushes things about on a table is told of a moment: where the objects and its own hand are.

A handful of numbers in metres instead of pictures, so that a few successes are enough to learn from. Source: our choice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from daag.errors import EpisodeError
from daag.policies.policy import Locator, Observation
from daag.policies.reader import Eyes

METRES = 0.2
"""What counts as 1."""

_NUMBERS = 14
"""Told of hand, subject and target."""


@dataclass(frozen=True)
class Arrangement:
    """Reads observations of a calibrated camera and the hand's place.

    Args:
        locate: maps of where the instruction's subject and target are.
        meaning: what the instruction asks of them, as a few numbers.
        meaning_size: how many.
        level: value of a map from which on its object counts as seen.
    """

    locate: Locator
    meaning: Callable[[str], Float32[np.ndarray, "M"]]
    meaning_size: int
    level: float

    memory = 0
    """What was before is not asked about: all of the table is in sight."""

    @property
    def size(self) -> int:
        """How many numbers a moment makes."""
        return _NUMBERS + self.meaning_size

    def read(self, observation: Observation, instruction: str) -> Float32[np.ndarray, "S"]:
        """Where hand, subject and target are, how they lie to each other, how surely they are seen, and what is asked.

        Raises:
            EpisodeError: the camera is not calibrated, or nothing says where the hand is.
        """
        if observation.pixel_to_table is None or observation.state is None:
            raise EpisodeError(
                "expected observations with pixel_to_table and the hand's place as state, x and y in metres; got "
                f"{observation.pixel_to_table} and {observation.state}"
            )
        hand = observation.state[:2] / METRES
        maps = self.locate(observation.rgb[None], [instruction])[0]
        height, width = observation.rgb.shape[:2]
        (subject, sure), (target, sure_too) = (
            _found(seen, self.level, observation.pixel_to_table, (width, height)) for seen in maps[:2]
        )
        to_subject, onwards = 2.0 * (subject - hand), 2.0 * (target - subject)
        gaps = [np.hypot(*to_subject), np.hypot(*onwards)]
        numbers = [
            hand,
            subject,
            target,
            to_subject,
            onwards,
            gaps,
            [sure, sure_too],
            self.meaning(instruction),
        ]
        return np.concatenate(numbers).astype(np.float32)

    def mirrored(self, moments: Float32[np.ndarray, "B S"]) -> Float32[np.ndarray, "B S"]:
        """As they are: left and right have a meaning here."""
        return moments

    def make_eyes(self) -> Eyes:
        """Such as change nothing: everything is in numbers."""
        return Eyes(self.size)


def _found(
    seen: Float[np.ndarray, "h w"],
    level: float,
    pixel_to_table: Float32[np.ndarray, "3 3"],
    size: tuple[int, int],
) -> tuple[Float[np.ndarray, "2"], float]:
    """Where on the table the middle of what stands out lies, in units of `METRES`, and how sure that is, in [0, 1]."""
    best = np.unravel_index(seen.argmax(), seen.shape)
    rows, columns = np.indices(seen.shape)
    near = (np.abs(rows - best[0]) <= 1) & (np.abs(columns - best[1]) <= 1)  # one object, not several alike
    weight = near * np.clip(seen - np.median(seen), 0.0, None) ** 2
    weight = weight / (weight.sum() + 1e-9)
    x = ((columns + 0.5) * weight).sum() * size[0] / seen.shape[1]
    y = ((rows + 0.5) * weight).sum() * size[1] / seen.shape[0]
    place = pixel_to_table.astype(np.float64) @ np.array([x, y, 1.0])
    return place[:2] / place[2] / METRES, float(1.0 / (1.0 + np.exp(-8.0 * (seen.max() - level))))
