"""Walks of small steps, as episodes, and how steps of them are drawn."""

from collections.abc import Sequence

import numpy as np

from daag.episodes import Episode
from daag.policies import StepSampler


def as_episode(
    id: str, instruction: str, frames: Sequence[np.ndarray], actions: Sequence[int], reached: bool
) -> Episode:
    """An episode of numbered actions, whose last step reaches the goal or is cut off."""
    steps = len(actions)
    return Episode(
        id=id,
        env_id="test",
        instruction=instruction,
        seed=0,
        frames=np.stack(frames),
        observation_index=np.arange(steps + 1, dtype=np.int32),
        actions=np.array(actions, dtype=np.float32)[:, None],
        rewards=np.eye(1, steps, steps - 1, dtype=np.float32)[0] * reached,
        terminated=reached,
        truncated=not reached,
    )


def sampler(episodes: Sequence[Episode]) -> StepSampler:
    """Draws any step of any of them."""

    def draw(count: int, rng: np.random.Generator) -> list[tuple[Episode, int]]:
        chosen = [episodes[int(index)] for index in rng.integers(len(episodes), size=count)]
        return [(episode, int(rng.integers(episode.num_steps))) for episode in chosen]

    return draw
