"""Turns what an environment says, step by step, into an `Episode`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float16, Int8, Int16, UInt8

from daag.envs.camera import View
from daag.episodes import Episode, WorldState
from daag.errors import EpisodeError


@dataclass(frozen=True, eq=False)
class Picture:
    """A `View` of which some or all geometry is unknown. An episode of such pictures can be relabelled, and not edited."""

    rgb: UInt8[np.ndarray, "H W 3"]
    depth: Float16[np.ndarray, "H W"] | None = None
    normals: Int8[np.ndarray, "H W 3"] | None = None
    segmentation: Int16[np.ndarray, "H W"] | None = None


class EpisodeRecorder:
    """Collects the steps of one episode of an environment whose `info` has `views`, `objects` and `instruction`.

    An action that is one number, as those of discrete spaces are, becomes an array of one.

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
        self._views: list[View | Picture] = list(info["views"])
        self._index = [len(self._views) - 1]
        self._qpos: list[np.ndarray] = list(info.get("qpos", ()))
        self._states: list[np.ndarray] = [info["state"]] if "state" in info else []
        self._actions: list[np.ndarray] = []
        self._rewards: list[float] = []
        self._terminated = self._truncated = False

    def add(
        self,
        action: np.ndarray | np.integer[Any] | int,
        reward: float,
        terminated: bool,
        truncated: bool,
        info: Mapping[str, Any],
    ) -> None:
        """Add one step: the action, and what came of it."""
        self._actions.append(np.atleast_1d(np.asarray(action, dtype=np.float32)))
        self._rewards.append(float(reward))
        self._views += info["views"]
        self._index.append(len(self._views) - 1)
        self._qpos += info.get("qpos", ())
        self._states += [info["state"]] if "state" in info else []
        self._terminated, self._truncated = terminated, truncated

    def finish(self, episode_id: str) -> Episode:
        """The episode.

        Raises:
            EpisodeError: no step was added, or views differ in size or in what they know.
        """
        if not self._actions:
            raise EpisodeError(
                f"episode {episode_id!r}: expected at least one step before finish(), got none"
            )
        views = self._views
        sizes = sorted({view.rgb.shape for view in views})
        if len(sizes) > 1:
            raise EpisodeError(
                f"episode {episode_id!r}: expected pictures of one size, got {sizes}; resize them before they are recorded"
            )
        return Episode(
            id=episode_id,
            env_id=self._env_id,
            instruction=str(self._info["instruction"]),
            seed=self._seed,
            frames=np.stack([view.rgb for view in views]),
            observation_index=np.array(self._index, dtype=np.int32),
            actions=np.stack(self._actions),
            rewards=np.array(self._rewards, dtype=np.float32),
            state=np.stack(self._states).astype(np.float32) if self._states else None,
            terminated=self._terminated,
            truncated=self._truncated,
            depth=self._stacked("depth", episode_id),
            normals=self._stacked("normals", episode_id),
            segmentation=self._stacked("segmentation", episode_id),
            object_names=dict(enumerate(self._info["objects"], start=1)),
            pixel_to_table=self._pixel_to_table,
            world_state=WorldState(self._info["scene"], np.stack(self._qpos)) if self._qpos else None,
        )

    def _stacked(self, name: str, episode_id: str) -> np.ndarray | None:
        """One of the geometry's images at all views; None where no view has it."""
        images = [getattr(view, name) for view in self._views]
        known = [image for image in images if image is not None]
        if known and len(known) < len(images):
            raise EpisodeError(
                f"episode {episode_id!r}: expected {name} in all of the {len(images)} views or in none, got it in "
                f"{len(known)}"
            )
        return np.stack(known) if known else None
