"""What all of daag's worlds share: settings, goals, pictures, rewards and what `info` tells."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, UInt8

from daag.envs.camera import Quality, RayCastCamera, View
from daag.envs.scene import VARIATIONS, check_variations
from daag.envs.scene_model import SceneModel
from daag.errors import ConfigError, UnknownNameError
from daag.tasks import Fact, Language, Look

Observation = dict[str, Any]


class World(gymnasium.Env[Observation, Any]):
    """A simulated world with tasks in words, as a Gymnasium environment.

    `reset` options: `goal`, the descriptions that make up the task (in the room in the order in which they must come true, elsewhere to hold
    at once);
    `instruction`, its wording (default: made from the goal). Without a goal one that fits a random scene is drawn.

    Reward: 1.0 at the step after which the task is achieved, once per episode; else 0.0.

    `info`: `instruction`; `objects`, their names; `views`, the frames of the motion and last the observation's own,
    each with depth, normals and segmentation (id i + 1 is `objects[i]`); `proposals`, float32 (K, 2), where exploration
    may reach, by the segmentation; and for measuring only `facts`, what is true, `success`, `scene` (JSON) and `qpos`, the
    joints' positions at each view.

    Args:
        num_objects: how many.
        kinds: which kinds the objects are drawn from; by default all of the world's.
        image_size: width and height of all images, pixels.
        quality: `default` (2 x 2 rays per pixel, shadows) or `fast` (one ray, no shadows).
        terminate_on_success: whether the episode ends when the task is achieved.
        vary: what differs from scene to scene besides objects, their shades and their places: "light", "texture", "camera".
        render_mode: `rgb_array` or None.

    Raises:
        ConfigError: a setting is out of range.
        UnknownNameError: there is no such kind, quality or variation.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - Gymnasium's own declaration
    language: ClassVar[Language]
    objects_range: ClassVar[tuple[int, int]]
    """How few and how many objects there may be."""

    def __init__(
        self,
        num_objects: int,
        kinds: Sequence[str] | None,
        image_size: int,
        quality: Quality,
        terminate_on_success: bool,
        vary: Sequence[str] = VARIATIONS,
        render_mode: str | None = None,
    ) -> None:
        fewest, most = self.objects_range
        if not fewest <= num_objects <= most:
            raise ConfigError(f"expected {fewest} to {most} objects, got {num_objects}")
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"expected render_mode 'rgb_array' or None, got {render_mode!r}")
        if image_size < 1:
            raise ConfigError(f"expected image_size >= 1, got {image_size}")
        if quality not in ("default", "fast"):
            raise ConfigError(f"expected quality 'default' or 'fast', got {quality!r}")
        for name, words in (("vary", vary), ("kinds", kinds)):
            if isinstance(words, str):
                raise ConfigError(f"expected {name} as a sequence of words, got the one string {words!r}")
        check_variations(vary)
        kinds = self.language.kinds if kinds is None else tuple(kinds)
        if not kinds:
            raise ConfigError(f"expected kinds of {', '.join(self.language.kinds)}, got none")
        for kind in kinds:
            if kind not in self.language.kinds:
                raise UnknownNameError("kind", kind, self.language.kinds)
        self.num_objects, self.kinds, self.image_size, self.quality = num_objects, kinds, image_size, quality
        self.terminate_on_success, self.vary, self.render_mode = (
            terminate_on_success,
            tuple(vary),
            render_mode,
        )
        self.observation_space = spaces.Dict(self._observed())
        self._view: View | None = None
        self._camera: RayCastCamera | None = None
        self._steps, self._succeeded = 0, False
        self._facts: frozenset[Fact] = frozenset()

    # What a world says of itself.

    @property
    @abstractmethod
    def max_steps(self) -> int:
        """Steps until truncation."""

    @abstractmethod
    def _random_goal(self) -> Fact:
        """A task for a scene that has yet to be drawn."""

    @abstractmethod
    def _build(self, looks: Sequence[Look], rng: np.random.Generator) -> tuple[SceneModel, mujoco.MjData]:
        """Draw a scene with the objects that the goal needs, `looks`, among others, at its start."""

    @abstractmethod
    def _act(self, action: Any) -> list[np.ndarray]:
        """Carry out an action of the action space; positions of all joints at moments of the motion, its end excluded."""

    def _check_goal(self, goal: Sequence[Fact]) -> None:
        """Raise SceneError where the facts cannot hold together."""

    def _proposals(self, view: View) -> Float32[np.ndarray, "K 2"]:  # noqa: ARG002 - for worlds that have some
        """Where exploration may reach."""
        return np.zeros((0, 2), dtype=np.float32)

    def _achieved(self) -> bool:
        """Whether the goal is."""
        return set(self._goal) <= self._facts

    # What follows from that.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Build a new scene. Equal seeds and options give equal bytes.

        Raises:
            ConfigError: the goal is not a sequence of strings.
            LanguageError: the goal is not a description of this world.
            SceneError: the goal cannot be, or needs more objects than the scene has.
        """
        super().reset(seed=seed)
        options = options or {}
        goal = options.get("goal", ())
        if not isinstance(goal, Sequence) or isinstance(goal, str):
            raise ConfigError(
                f"expected the goal as a sequence of descriptions, got {goal!r}; put one into a list"
            )
        if not all(isinstance(text, str) for text in goal):
            raise ConfigError(f"expected the goal's descriptions as strings, got {goal!r}")
        self._goal = tuple(Fact.parse(text) for text in goal) or (self._random_goal(),)
        for fact in self._goal:
            self.language.check(fact)
        self._check_goal(self._goal)
        self._instruction = str(
            options.get("instruction", " and ".join(fact.instruction for fact in self._goal))
        )
        required = list(dict.fromkeys(look for fact in self._goal for look in fact.looks))
        self._scene_model, self._data = self._build(required, self.np_random)
        self._scene_json = self._scene_model.scene.to_json()
        self._scratch = mujoco.MjData(self._scene_model.model)
        self._steps, self._succeeded = 0, False
        self._facts = self._scene_model.facts(self._data.qpos)
        observation = self._observe()
        return observation, self._info([], [])

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out one action.

        Raises:
            ConfigError: it is none of the action space: another shape, or not finite. What lies outside of a box is moved
                to its border.
        """
        motion = self._act(self._checked(action))
        self._steps += 1
        self._facts = self._scene_model.facts(self._data.qpos)
        views = [self._render(qpos) for qpos in motion]
        observation = self._observe()
        achieved = not self._succeeded and self._achieved()
        self._succeeded |= achieved
        terminated = achieved and self.terminate_on_success
        return (
            observation,
            float(achieved),
            terminated,
            self._steps >= self.max_steps,
            self._info(views, motion),
        )

    def render(self) -> UInt8[np.ndarray, "H W 3"] | None:
        """The latest observation's picture, with `render_mode="rgb_array"`."""
        return self._view.rgb if self.render_mode == "rgb_array" and self._view is not None else None

    def _checked(self, action: Any) -> Any:
        space = self.action_space
        try:
            values = np.asarray(action, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.array(np.nan)
        if isinstance(space, spaces.Discrete):
            if values.size != 1 or values.item() not in range(int(space.n)):
                raise ConfigError(f"expected an action of 0 to {int(space.n) - 1}, got {action!r}")
            return int(values.item())
        assert isinstance(space, spaces.Box)
        if values.shape != space.shape or not np.isfinite(values).all():
            raise ConfigError(f"expected a finite action of shape {space.shape}, got {action!r}")
        return np.minimum(np.maximum(values, space.low), space.high)

    def _render(self, qpos: np.ndarray) -> View:
        scene_model = self._scene_model
        self._scratch.qpos[:] = qpos
        mujoco.mj_kinematics(scene_model.model, self._scratch)
        pose = scene_model.camera_at(qpos)
        if self._camera is None or self._camera.pose != pose:
            self._camera = RayCastCamera(pose, self.image_size, self.image_size, self.quality)
        return self._camera.render(
            scene_model.model, self._scratch, scene_model.surfaces, scene_model.scene.light
        )

    def _observed(self) -> dict[str, spaces.Space[Any]]:
        shape = (self.image_size, self.image_size)
        return {
            "rgb": spaces.Box(0, 255, (*shape, 3), np.uint8),
            "depth": spaces.Box(0.0, np.inf, shape, np.float32),
        }

    def _observe(self) -> Observation:
        view = self._view = self._render(self._data.qpos)
        return {"rgb": view.rgb, "depth": view.depth.astype(np.float32)}

    def _info(self, views: list[View], motion: list[np.ndarray]) -> dict[str, Any]:
        assert self._view is not None
        scene_model = self._scene_model
        return {
            "instruction": self._instruction,
            "objects": scene_model.scene.names,
            "views": [*views, self._view],
            "proposals": self._proposals(self._view),
            "facts": tuple(sorted(fact.description for fact in self._facts)),
            "success": self._succeeded,
            "scene": self._scene_json,
            # A list, because Gymnasium's vector environments want arrays of one shape for all environments and steps.
            "qpos": [*motion, self._data.qpos.copy()],
        }
