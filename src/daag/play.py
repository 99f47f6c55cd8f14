"""One episode of an environment, played by whoever chooses the actions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from jaxtyping import Float32

from daag.envs import EpisodeRecorder
from daag.episodes import Episode
from daag.policies import MEMORY, Observation
from daag.tasks import Subgoal


@dataclass(frozen=True, eq=False)
class Moment:
    """What may be known when the next action is chosen."""

    observation: Observation
    proposals: Float32[np.ndarray, "K 2"]
    """Where exploration may reach, table metres; from the environment's segmentation."""
    reward: float
    """The environment's reward for the step that led here; 0 at the start."""
    facts: tuple[str, ...] = ()
    """What the world says is true, descriptions; empty where it does not. For films and measuring, never for an agent."""


Choose = Callable[[Moment, Subgoal], np.ndarray]
"""The action, float32 (A,) in [-1, 1], towards the present subgoal."""

Reached = Callable[[Moment, Subgoal], bool]
"""Whether a moment shows the present subgoal, by the agent's own signal."""


@dataclass(frozen=True, eq=False)
class Played:
    """An episode, and what only measurement may know of it."""

    episode: Episode
    num_reached: int
    """Subgoals reached one after the other, by the agent's own signal."""
    success: bool
    """Whether the world says that the task was achieved. Measures; never decides."""


def play(
    env: gymnasium.Env[Any, Any],
    episode_id: str,
    instruction: str,
    subgoals: Sequence[Subgoal],
    seed: int,
    choose: Choose,
    reached: Reached,
) -> Played:
    """Play until all subgoals are reached, or the environment ends the episode.

    Args:
        env: whose `info` has what `EpisodeRecorder` needs, `proposals` and `success`.
        episode_id: of the episode that is made.
        instruction: the task's.
        subgoals: the task, stage by stage.
        seed: of the scene.
        choose: picks the actions.
        reached: judges each new moment; where it says yes the next subgoal counts.
    """
    goal = tuple(subgoal.description for subgoal in subgoals)
    observation, info = env.reset(seed=seed, options={"goal": goal, "instruction": instruction})
    recorder = EpisodeRecorder(name_of(env), seed, observation, info)
    moment = _moment(observation, info, 0.0)
    num_reached, ended = 0, False
    while num_reached < len(subgoals) and not ended:
        action = choose(moment, subgoals[num_reached])
        observation, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        moment = _moment(observation, info, float(reward), _recalled(moment.observation, MEMORY - 1), action)
        num_reached += int(reached(moment, subgoals[num_reached]))
        ended = terminated or truncated
    return Played(recorder.finish(episode_id), num_reached, bool(info["success"]))


def name_of(env: gymnasium.Env[Any, Any]) -> str:
    """What episodes call their environment: its id, or its class where it was not made by `gymnasium.make`."""
    return env.spec.id if env.spec is not None else type(env.unwrapped).__name__


def _recalled(observation: Observation, memory: int) -> Observation:
    """An observation with so many of those before it."""
    previous = observation.previous
    if previous is None:
        return observation
    return replace(observation, previous=_recalled(previous, memory - 1) if memory > 0 else None)


def _moment(
    observation: Mapping[str, np.ndarray],
    info: Mapping[str, Any],
    reward: float,
    previous: Observation | None = None,
    action: np.ndarray | None = None,
) -> Moment:
    done = None if action is None else np.atleast_1d(np.asarray(action, dtype=np.float32))
    seen = Observation(
        observation["rgb"],
        observation.get("pixel_to_table"),
        observation.get("depth"),
        previous,
        done,
        info.get("state"),
    )
    return Moment(seen, info["proposals"], reward, tuple(info.get("facts", ())))
