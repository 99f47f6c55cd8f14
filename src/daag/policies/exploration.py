"""Exploration: how often to try something random, and what. It knows episode counts and positions, nothing else.

Source: our choice. That the schedule sees only the episode count makes it the same for every arm of a comparison.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from daag.errors import ConfigError, UnknownNameError
from daag.policies.workspace import Workspace

PROPOSALS: tuple[str, ...] = ("objects", "none")


@dataclass(frozen=True)
class ExplorationConfig:
    """All values are our choice.

    Raises:
        ConfigError: a probability, a count or a width is out of range.
    """

    start: float = 1.0
    """Probability in [0, 1] of a random action in the first episode."""
    end: float = 0.1
    """Probability in [0, 1] of a random action from episode `decay_episodes` on."""
    decay_episodes: int = 20
    """Over so many episodes the probability falls in a straight line; 0 starts at `end`."""
    free_place: float = 0.1
    """Probability in [0, 1] that a picked object is put down anywhere rather than on another object."""
    noise_metres: float = 0.003
    """Standard deviation of a random click around an object's position, along x and along y."""
    proposals: str = "objects"
    """"objects": pick and place where objects are; "none": anywhere in the workspace."""

    def __post_init__(self) -> None:
        for name in ("start", "end", "free_place"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} is a probability in [0, 1], got {getattr(self, name)}")
        if self.decay_episodes < 0 or self.noise_metres < 0.0:
            raise ConfigError(f"decay_episodes and noise_metres must be at least 0, got {self}")
        if self.proposals not in PROPOSALS:
            raise UnknownNameError("kind of proposals", self.proposals, PROPOSALS)


class Exploration:
    """Random picks and places, and how likely they are to replace the policy's.

    Args:
        config: see there.
        workspace: what actions are scaled by.
    """

    def __init__(self, config: ExplorationConfig, workspace: Workspace) -> None:
        self.config, self.workspace = config, workspace

    def epsilon(self, num_episodes: int) -> float:
        """Probability of a random action once `num_episodes` episodes of the task have been collected."""
        start, end, over = self.config.start, self.config.end, self.config.decay_episodes
        progress = min(1.0, num_episodes / over) if over else 1.0
        return (1.0 - progress) * start + progress * end

    def explores(self, num_episodes: int, rng: np.random.Generator) -> bool:
        """Whether the next action is to be a random one."""
        return bool(rng.random() < self.epsilon(num_episodes))

    def random_action(
        self, objects: Float32[np.ndarray, "K 2"], rng: np.random.Generator
    ) -> Float32[np.ndarray, "4"]:
        """Pick x, pick y, place x, place y in [-1, 1].

        Args:
            objects: table positions of what could be picked, metres, such as segmentation's centroids. With none,
                and with `proposals="none"`, both clicks are uniform over the workspace; with one, the place is.
            rng: where the randomness comes from.
        """
        action = rng.uniform(-1.0, 1.0, 4).astype(np.float32)
        if self.config.proposals == "none" or len(objects) == 0:
            return action
        chosen = objects[rng.permutation(len(objects))[:2]].astype(np.float64)
        chosen += rng.normal(0.0, self.config.noise_metres, chosen.shape)
        if rng.random() < self.config.free_place:
            chosen = chosen[:1]
        action[: 2 * len(chosen)] = self.workspace.to_action(chosen).reshape(-1)
        return action
