"""Exploration: which episodes try something random, and what. It knows episode counts and positions, nothing else.

Source: our choice. That the schedule sees only the episode count makes it the same for every arm of a comparison.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from daag.errors import ConfigError, UnknownNameError
from daag.policies.actions import ActionSpace
from daag.policies.workspace import Workspace

PROPOSALS: tuple[str, ...] = ("objects", "none")


@dataclass(frozen=True)
class ExplorationConfig:
    """All values are our choice.

    Raises:
        ConfigError: a probability, a count or a width is out of range.
    """

    trial_every: int = 2
    """Of so many successive episodes one, the first, is a trial of the policy alone; the others explore."""
    free_place: float = 0.1
    """Probability in [0, 1] that a picked object is put down anywhere rather than on another object."""
    noise_metres: float = 0.003
    """Standard deviation of a random click around an object's position, along x and along y."""
    proposals: str = "objects"
    """"objects": pick and place where objects are; "none": anywhere in the workspace."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.free_place <= 1.0:
            raise ConfigError(f"free_place is a probability in [0, 1], got {self.free_place}")
        if self.trial_every < 1 or self.noise_metres < 0.0:
            raise ConfigError(f"trial_every must be at least 1 and noise_metres at least 0, got {self}")
        if self.proposals not in PROPOSALS:
            raise UnknownNameError("kind of proposals", self.proposals, PROPOSALS)


class Exploration:
    """Random picks and places, and which episodes they are for.

    Args:
        config: see there.
        workspace: what actions are scaled by.
    """

    def __init__(self, config: ExplorationConfig, workspace: Workspace) -> None:
        self.config, self.workspace = config, workspace

    def is_trial(self, episode_index: int) -> bool:
        """Whether episode `episode_index`, from 0, of a task is played by the policy alone."""
        return episode_index % self.config.trial_every == 0

    def explore(
        self, proposals: Float32[np.ndarray, "K 2"], rng: np.random.Generator
    ) -> Float32[np.ndarray, "4"]:
        """A random action: pick x, pick y, place x, place y in [-1, 1].

        Args:
            proposals: table positions of what could be picked, metres, such as segmentation's centroids. With none,
                and with `proposals="none"`, both clicks are uniform over the workspace; with one, the place is.
            rng: where the randomness comes from.
        """
        action = rng.uniform(-1.0, 1.0, 4).astype(np.float32)
        if self.config.proposals == "none" or len(proposals) == 0:
            return action
        chosen = proposals[rng.permutation(len(proposals))[:2]].astype(np.float64)
        chosen += rng.normal(0.0, self.config.noise_metres, chosen.shape)
        if rng.random() < self.config.free_place:
            chosen = chosen[:1]
        action[: 2 * len(chosen)] = self.workspace.to_action(chosen).reshape(-1)
        return action


class RandomActions:
    """Any action at random, for worlds of many small steps: exploration knows nothing of where anything is.

    Args:
        config: which episodes are trials.
        actions: of the world.
    """

    def __init__(self, config: ExplorationConfig, actions: ActionSpace) -> None:
        self.config, self.actions = config, actions

    def is_trial(self, episode_index: int) -> bool:
        """Whether episode `episode_index`, from 0, of a task is played by the policy alone."""
        return episode_index % self.config.trial_every == 0

    def explore(
        self,
        proposals: Float32[np.ndarray, "K 2"],  # noqa: ARG002 - not asked for
        rng: np.random.Generator,
    ) -> Float32[np.ndarray, "A"]:
        """A random action of the world."""
        codes = self.actions.candidates(1, rng)
        return self.actions.decode(codes[rng.integers(len(codes))])
