"""A scripted hand that knows where everything is. For data and for measuring; no agent may ask it."""

import numpy as np
from jaxtyping import Float32

from daag.envs.stacking.env import RGBStackingEnv
from daag.envs.stacking.model import StackingModel
from daag.envs.stacking.scene import WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT
from daag.errors import ConfigError, SceneError
from daag.tasks import Fact

BESIDE = 0.07
"""Metres between the centres of what it puts next to each other."""


class StackingExpert:
    """Picks the subject where it is and places it where it should be, one primitive each time.

    Args:
        env: after `reset`, with `control="primitive"`.
        noise: standard deviation of every click along x and along y, metres.
        rng: where the noise comes from.

    Raises:
        ConfigError: the world is controlled by velocities, or the noise is negative.
    """

    def __init__(
        self, env: RGBStackingEnv, noise: float = 0.0, rng: np.random.Generator | None = None
    ) -> None:
        if env.control != "primitive" or noise < 0:
            raise ConfigError(
                f"expected control='primitive' and noise >= 0 metres, got {env.control!r} and {noise}"
            )
        self._env, self._noise, self._rng = env, noise, rng or np.random.default_rng(0)

    def act(self, goal: Fact) -> Float32[np.ndarray, "4"]:
        """The action that brings a fact about.

        Raises:
            SceneError: it speaks of an object that is not in the scene.
        """
        names = self._scene_model.scene.names
        for look in goal.looks:
            if str(look) not in names:
                raise SceneError(f"{goal.description!r} needs a {look}; the scene has {', '.join(names)}")
        subject, target = (self._position(str(look)) for look in goal.pair)
        place = target if goal.relation == "on" else self._beside(target, subject)
        clicks = np.stack([subject, place]) + self._rng.normal(0.0, self._noise, (2, 2))
        action = (clicks - WORKSPACE_CENTER) / WORKSPACE_HALF_EXTENT
        return np.clip(action, -1.0, 1.0).reshape(4).astype(np.float32)

    def _beside(self, target: np.ndarray, subject: np.ndarray) -> np.ndarray:
        """The place next to the target that has most room around it."""
        others = [self._position(name) for name in self._scene_model.scene.names]
        others = [other for other in others if not np.allclose(other, subject)]
        around = [
            target + BESIDE * np.array([np.cos(angle), np.sin(angle)]) for angle in np.arange(8) * np.pi / 4
        ]
        low, high = (np.array(WORKSPACE_CENTER) + sign * np.array(WORKSPACE_HALF_EXTENT) for sign in (-1, 1))
        inside = [spot for spot in around if (spot >= low).all() and (spot <= high).all()] or around
        return max(inside, key=lambda spot: min(float(np.linalg.norm(spot - other)) for other in others))

    @property
    def _scene_model(self) -> StackingModel:
        assert isinstance(self._env._scene_model, StackingModel)
        return self._env._scene_model

    def _position(self, name: str) -> np.ndarray:
        index = self._scene_model.scene.names.index(name)
        return self._env._data.qpos[self._scene_model.free_joint(index)][:2].copy()
