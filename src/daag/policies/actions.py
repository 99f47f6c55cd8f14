"""What can be done in a world, as numbers that a network takes: numbered actions, and small moves.  Source: our choice."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from daag.errors import ConfigError, EpisodeError


@runtime_checkable
class ActionSpace(Protocol):
    """Actions, and their codes: what a network is told of one."""

    @property
    def size(self) -> int:
        """Length of a code."""

    @property
    def mirror(self) -> tuple[int, ...]:
        """Empty where nothing is known of mirrored actions."""

    def encode(self, action: Float32[np.ndarray, "A"], episode_id: str = "") -> Float32[np.ndarray, "C"]:
        """The code of an action.

        Raises:
            EpisodeError: it is no action of this world.
        """

    def decode(self, code: Float32[np.ndarray, "C"]) -> Float32[np.ndarray, "A"]:
        """The action of a code."""

    def candidates(self, count: int, rng: np.random.Generator) -> Float32[np.ndarray, "K C"]:
        """Codes of actions to choose from: all of them where they are numbered, else so many random ones."""

    def mirrored(self, codes: Float32[np.ndarray, "... C"]) -> Float32[np.ndarray, "... C"]:
        """The actions that do the same in a mirrored picture."""


@dataclass(frozen=True)
class Numbered:
    """Actions 0 to `count` - 1, each one number in an array; their codes are one-hot.

    Raises:
        ConfigError: fewer than two, or `mirror` does not pair them.
    """

    count: int
    mirror: tuple[int, ...] = ()
    """For each action the one that does the same in a mirrored picture (turn left: turn right); empty where there is none."""

    def __post_init__(self) -> None:
        twice = [self.mirror[other] for other in self.mirror if other in range(len(self.mirror))]
        if self.count < 2 or (self.mirror and twice != list(range(self.count))):
            raise ConfigError(
                f"expected 2 actions or more, and a mirror that pairs them, each the other's mirror or its own, got {self}"
            )

    @property
    def size(self) -> int:
        """Length of a code."""
        return self.count

    def encode(self, action: Float32[np.ndarray, "A"], episode_id: str = "") -> Float32[np.ndarray, "C"]:
        """One-hot."""
        if action.shape != (1,) or float(action[0]) not in range(self.count):
            raise EpisodeError(
                f"episode {episode_id!r}: expected actions 0 to {self.count - 1} as one number each, got {action.tolist()}"
            )
        return np.eye(self.count, dtype=np.float32)[int(action[0])]

    def decode(self, code: Float32[np.ndarray, "C"]) -> Float32[np.ndarray, "A"]:
        """The number."""
        return np.array([int(code.argmax())], dtype=np.float32)

    def candidates(self, count: int, rng: np.random.Generator) -> Float32[np.ndarray, "K C"]:  # noqa: ARG002
        """All of them."""
        return np.eye(self.count, dtype=np.float32)

    def mirrored(self, codes: Float32[np.ndarray, "... C"]) -> Float32[np.ndarray, "... C"]:
        """Each action's mirror."""
        return codes[..., list(self.mirror)]


@dataclass(frozen=True)
class Moves:
    """Moves of up to `largest` along each of some axes; their codes are in [-1, 1].

    Raises:
        ConfigError: there is no axis, or moves have no size.
    """

    axes: int
    largest: float
    """In the action's own unit, such as metres."""

    mirror = ()

    def __post_init__(self) -> None:
        if self.axes < 1 or not self.largest > 0:
            raise ConfigError(f"expected moves along an axis or more and of some size, got {self}")

    @property
    def size(self) -> int:
        """Length of a code."""
        return self.axes

    def encode(self, action: Float32[np.ndarray, "A"], episode_id: str = "") -> Float32[np.ndarray, "C"]:
        """In units of the largest."""
        if action.shape != (self.axes,) or not np.isfinite(action).all():
            raise EpisodeError(
                f"episode {episode_id!r}: expected moves of {self.axes} finite numbers, got {action.tolist()}"
            )
        return np.asarray(action / self.largest, dtype=np.float32)

    def decode(self, code: Float32[np.ndarray, "C"]) -> Float32[np.ndarray, "A"]:
        """In the action's own unit."""
        return np.asarray(code * self.largest, dtype=np.float32)

    def candidates(self, count: int, rng: np.random.Generator) -> Float32[np.ndarray, "K C"]:
        """Random ones."""
        return rng.uniform(-1.0, 1.0, (count, self.axes)).astype(np.float32)

    def mirrored(self, codes: Float32[np.ndarray, "... C"]) -> Float32[np.ndarray, "... C"]:
        """Not known: no world of moves is mirrored."""
        return codes
