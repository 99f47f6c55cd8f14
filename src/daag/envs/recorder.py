"""Turns what an environment says, step by step, into an `Episode`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from daag.envs.camera import View
from daag.episodes import Episode, WorldState
from daag.errors import EpisodeError


class EpisodeRecorder:
    """Collects the steps of one episode of an environment whose `info` has `views`, `objects` and `instruction`.

    Example:
        observation, info = env.reset(seed=0)
        recorder = EpisodeRecorder("daag/RGBStacking-v0", seed=0, observation=observation, info=info)
        observation, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, reward, terminated, truncated, info)
        episode = recorder.finish("run/task/0")
    """

    def __init__(
        self, env_id: str, seed: int, observation: Mapping[str, np.ndarray], info: Mapping[str, Any]
    ) -> None:
        self._env_id, self._seed, self._info = env_id, seed, info
        self._pixel_to_table = observation.get("pixel_to_table")
        self._views: list[View] = list(info["views"])
        self._index = [len(self._views) - 1]
        self._qpos: list[np.ndarray] = list(info.get("qpos", ()))
        self._actions: list[np.ndarray] = []
        self._rewards: list[float] = []
        self._terminated = self._truncated = False

    def add(
        self, action: np.ndarray, reward: float, terminated: bool, truncated: bool, info: Mapping[str, Any]
    ) -> None:
        """Add one step: the action, and what came of it."""
        self._actions.append(np.asarray(action, dtype=np.float32))
        self._rewards.append(float(reward))
        self._views += info["views"]
        self._index.append(len(self._views) - 1)
        self._qpos += info.get("qpos", ())
        self._terminated, self._truncated = terminated, truncated

    def finish(self, episode_id: str) -> Episode:
        """The episode.

        Raises:
            EpisodeError: no step was added.
        """
        if not self._actions:
            raise EpisodeError(
                f"episode {episode_id!r}: expected at least one step before finish(), got none"
            )
        views = self._views
        return Episode(
            id=episode_id,
            env_id=self._env_id,
            instruction=str(self._info["instruction"]),
            seed=self._seed,
            frames=np.stack([view.rgb for view in views]),
            observation_index=np.array(self._index, dtype=np.int32),
            actions=np.stack(self._actions),
            rewards=np.array(self._rewards, dtype=np.float32),
            terminated=self._terminated,
            truncated=self._truncated,
            depth=np.stack([view.depth for view in views]),
            normals=np.stack([view.normals for view in views]),
            segmentation=np.stack([view.segmentation for view in views]),
            object_names=dict(enumerate(self._info["objects"], start=1)),
            pixel_to_table=self._pixel_to_table,
            world_state=WorldState(self._info["scene"], np.stack(self._qpos)) if self._qpos else None,
        )
