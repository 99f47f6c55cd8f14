"""What acts and what learns to act, as the rest of daag sees them.

Source: docs/paper.md (a policy that is conditioned on the text of the current subgoal); the interfaces are our choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, UInt8

from daag.episodes.episode import Episode

TextEncoder: TypeAlias = Callable[[Sequence[str]], Float32[np.ndarray, "M D"]]
"""Sentences to unit vectors, such as the text tower of a reward detector. A policy never changes it."""

Locator: TypeAlias = Callable[[UInt8[np.ndarray, "B H W 3"], Sequence[str]], Float32[np.ndarray, "B K h w"]]
"""Where pictures show what sentences speak of: K maps of each picture for its sentence, over the whole picture and of any
resolution, such as a reward detector's cosine of each place with each object. A policy never changes it."""

StepSampler: TypeAlias = Callable[[int, np.random.Generator], Sequence[tuple[Episode, int]]]
"""Draws a batch of that many (episode, step index 0..T-1) to learn from; how real and edited, current and earlier
experience are mixed is the caller's choice."""


MEMORY = 4
"""How many earlier observations a policy may look back on: so many are kept while it acts."""


@dataclass(frozen=True)
class Observation:
    """What a policy sees at one moment."""

    rgb: UInt8[np.ndarray, "H W 3"]
    pixel_to_table: Float32[np.ndarray, "3 3"] | None = None
    """Homography from pixel (x, y, 1), centres at .5, to table metres at grasp height; None where uncalibrated."""
    depth: Float[np.ndarray, "H W"] | None = None
    """Metres along the camera's axis."""
    previous: "Observation | None" = None
    """What was seen one step before, in this episode; None at its start, and where that is not known."""
    action: Float32[np.ndarray, "A"] | None = None
    """What was done between then and now."""
    state: Float32[np.ndarray, "S"] | None = None
    """What the agent knows of its own body, such as where its hand is; None where nothing is known."""

    @classmethod
    def of(cls, episode: Episode, index: int, memory: int = 0) -> "Observation":
        """Observation `index`, 0..T, of an episode, with so many of those before it."""
        frame = int(episode.observation_index[index])
        depth = None if episode.depth is None else episode.depth[frame]
        previous, action = None, None
        if memory > 0 and index > 0:
            previous, action = cls.of(episode, index - 1, memory - 1), episode.actions[index - 1]
        state = None if episode.state is None else episode.state[index]
        return cls(episode.frames[frame], episode.pixel_to_table, depth, previous, action, state)


@runtime_checkable
class Policy(Protocol):
    """Says what to do next."""

    def act(
        self, observation: Observation, instruction: str, rng: np.random.Generator
    ) -> Float32[np.ndarray, "A"]:
        """Choose an action in [-1, 1].

        Args:
            observation: what is seen now.
            instruction: what to do, "stack the red cube on the blue cube".
            rng: where a stochastic policy's randomness comes from.
        """


@runtime_checkable
class Learner(Protocol):
    """Makes a policy better from episodes that reached what their instruction asks, and perhaps from others."""

    @property
    def learns_from_failures(self) -> bool:
        """Whether `fit` has a use for `failed`."""

    @property
    def policy(self) -> Policy:
        """The policy as learnt so far."""

    def save(self, path: Path) -> None:
        """Write everything that learning goes on from into one file."""

    def fit(
        self, draw: StepSampler, num_updates: int, seed: int, failed: StepSampler | None = None
    ) -> dict[str, float]:
        """Learn from the steps that `draw` gives, without forgetting what was learnt before.

        Args:
            draw: gives the batches. Each step counts as a way to carry out its episode's `instruction`.
            num_updates: how many gradient steps, or what comes closest to one.
            seed: of all randomness in this call, `draw`'s included.
            failed: gives steps of episodes that did not carry out their `instruction`; fewer than asked, or none, where
                there are none.

        Returns:
            Metrics by name, means over the last updates.
        """
