"""A scripted walker that knows where everything is. For data and for measuring; no agent may ask it."""

from collections import deque
from math import atan2, hypot, pi

import numpy as np

from daag.envs.room.env import ACTIONS, FORWARD, TURN, RoomEnv
from daag.envs.room.model import RoomModel
from daag.envs.room.space import free_grid, walk
from daag.errors import ConfigError, SceneError
from daag.tasks import Fact, Look

CELL = 0.1
"""Metres between the points of the floor over which ways are searched."""


_TURNS = range(-9, 10)
_AROUND = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


class RoomExpert:
    """Walks the shortest way to an object, then turns to it.

    Args:
        env: after `reset`; needs the actions forward, turn left and turn right.
        noise: probability in [0, 1] of a random action instead, at each step.
        rng: where the noise comes from.

    Raises:
        ConfigError: the noise is no probability, or the agent cannot do one of the three.
    """

    def __init__(self, env: RoomEnv, noise: float = 0.0, rng: np.random.Generator | None = None) -> None:
        assert isinstance(env._scene_model, RoomModel)
        missing = [name for name in ACTIONS[:3] if name not in env.actions]
        if not 0.0 <= noise <= 1.0 or missing:
            raise ConfigError(
                f"expected noise in [0, 1] and the actions {', '.join(ACTIONS[:3])}, got {noise} and {env.actions}"
            )
        self._env, self._noise, self._rng = env, noise, rng or np.random.default_rng(0)
        self._model, self._scene = env._scene_model, env._scene_model.scene
        self._free, self._points = free_grid(self._scene, CELL)
        self._steps: dict[Look, np.ndarray] = {}

    def act(self, goal: Fact) -> int:
        """The action towards the object that is to be in front.

        Raises:
            SceneError: it is not in the room.
        """
        if str(goal.subject) not in self._scene.names:
            raise SceneError(
                f"{goal.description!r} needs a {goal.subject}; the room has {', '.join(self._scene.names)}"
            )
        if self._rng.random() < self._noise:
            return int(self._rng.integers(len(self._env.actions)))
        x, y, yaw = (float(value) for value in self._env._data.qpos[:3])
        look = goal.subject
        index = [item.look for item in self._scene.objects].index(look)
        if self._model.is_near(x, y, index) and self._model.sees(x, y, index):
            spot = self._scene.spots[index]
            turns = round(((atan2(spot.y - y, spot.x - x) - yaw + pi) % (2 * pi) - pi) / TURN)
        else:
            if look not in self._steps:
                self._steps[look] = self._steps_to(index)
            turns = min(_TURNS, key=lambda count: self._left(x, y, yaw, count, self._steps[look]))
        return self._env.actions.index("forward" if not turns else "turn left" if turns > 0 else "turn right")

    def _left(self, x: float, y: float, yaw: float, turns: int, steps: np.ndarray) -> float:
        """Metres that are left to the goal if one turned so often and then went ahead; inf where something is in the way."""
        there = walk(self._scene, x, y, yaw + turns * TURN, FORWARD)
        if hypot(there[0] - x, there[1] - y) < FORWARD / 2:
            return np.inf
        gaps = np.hypot(self._points[..., 0] - there[0], self._points[..., 1] - there[1])
        around = np.where(gaps <= 1.5 * CELL, steps * CELL + gaps, np.inf)
        return float(around.min())

    def _steps_to(self, index: int) -> np.ndarray:
        """Steps over the grid from every free point to the nearest one from which an object is near and in sight."""
        rows, columns = self._free.shape
        steps = np.full((rows, columns), np.inf)
        queue: deque[tuple[int, int]] = deque()
        for i, j in zip(*(axis.tolist() for axis in np.nonzero(self._free)), strict=True):
            x, y = self._points[i, j].tolist()
            if self._model.is_near(x, y, index, spare=0.1) and self._model.sees(x, y, index):
                steps[i, j] = 0
                queue.append((i, j))
        while queue:
            i, j = queue.popleft()
            for di, dj in _AROUND:
                a, b = i + di, j + dj
                inside = 0 <= a < rows and 0 <= b < columns
                if inside and self._free[a, b] and steps[a, b] == np.inf:
                    steps[a, b] = steps[i, j] + 1
                    queue.append((a, b))
        return steps
