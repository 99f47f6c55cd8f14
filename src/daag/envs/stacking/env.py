"""RGB Stacking: a two-finger gripper over a table with coloured objects, as a Gymnasium environment.

Two action spaces. `control="primitive"` (default) is close to a contextual bandit: one step is a whole pick and
place, four of them make an episode. `control="cartesian"` is sequential decision making: velocities of the hand at
20 Hz for 20 seconds. Source: RGB Stacking is the paper's world; this one is our own, see docs/envs.md.
"""

from collections.abc import Sequence
from typing import Any, Literal

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, UInt8

from daag.envs.camera import Quality, RayCastCamera, View
from daag.envs.stacking.gripper import Gripper
from daag.envs.stacking.model import SceneModel, build_model
from daag.envs.stacking.predicates import true_facts
from daag.envs.stacking.scene import (
    MAX_OBJECTS,
    MIN_OBJECTS,
    WORKSPACE_CENTER,
    WORKSPACE_HALF_EXTENT,
    Scene,
    sample_looks,
    sample_positions,
    sample_scene,
)
from daag.errors import ConfigError, SceneError, UnknownNameError
from daag.tasks import CARRYING_KINDS, OBJECT_HEIGHT, STACKING, Fact, possible_facts

Control = Literal["primitive", "cartesian"]
Observation = dict[str, Any]

GRASP_HEIGHT = OBJECT_HEIGHT / 2
CONTROL_SECONDS = 0.05
"""Length of one step with `control="cartesian"`."""
MAX_VELOCITY = np.array([0.3, 0.3, 0.3, 2.0])
"""m/s along x, y and z, and rad/s of yaw, that an action of 1 stands for."""


class RGBStackingEnv(gymnasium.Env[Observation, np.ndarray]):
    """Stack, or put next to each other, what an instruction names.

    Observation: `rgb` uint8 (H, W, 3); `depth` float32 (H, W) in metres; `pixel_to_table` float32 (3, 3), the
    camera's calibration, a homography from pixel (x, y, 1) to table metres at grasp height.

    Action: `Box(-1, 1)`; `primitive`: (4,) = pick x, y and place x, y, scaled to the workspace; `cartesian`: (5,) =
    velocities of x, y, z and yaw, and the gripper (above 0 closes).

    Reward: 1.0 at the step after which the task is achieved, once per episode; else 0.0.

    `info`: `instruction`; `objects`, their names; `views`, the frames of the motion and last the observation's own,
    each with depth, normals and segmentation (id i + 1 is `objects[i]`); `proposals`, float32 (K, 2), where in
    table metres the objects of the segmentation are seen, one row per object (a hidden one's repeats another's; no
    rows if all are hidden); and for measuring only `facts`, what is true, `success`, `scene` (JSON) and `qpos`, the
    joints' positions at each view.

    `reset` options: `goal`, the descriptions that make up the task, bottom pair of a tower first; `instruction`,
    its wording (default: made from the goal). Without a goal one that fits a random scene is drawn.

    Args:
        control: which action space.
        num_objects: 3 to 6 objects on the table.
        kinds: which kinds the objects are drawn from.
        image_size: width and height of all images, pixels.
        quality: `default` (2 x 2 rays per pixel, shadows) or `fast` (one ray, no shadows).
        motion_frames: how many frames of the motion each step records, besides the observation.
        terminate_on_success: whether the episode ends when the task is achieved.
        render_mode: `rgb_array` or None.

    Raises:
        ConfigError: a setting is out of range.
        UnknownNameError: there is no such kind.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - Gymnasium's own declaration

    def __init__(
        self,
        control: Control = "primitive",
        num_objects: int = 4,
        kinds: Sequence[str] = STACKING.kinds,
        image_size: int = 64,
        quality: Quality = "default",
        motion_frames: int = 8,
        terminate_on_success: bool = True,
        render_mode: str | None = None,
    ) -> None:
        if not MIN_OBJECTS <= num_objects <= MAX_OBJECTS:
            raise ConfigError(f"expected {MIN_OBJECTS} to {MAX_OBJECTS} objects, got {num_objects}")
        if control not in ("primitive", "cartesian"):
            raise ConfigError(f"expected control 'primitive' or 'cartesian', got {control!r}")
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"expected render_mode 'rgb_array' or None, got {render_mode!r}")
        if motion_frames < 0 or image_size < 1:
            raise ConfigError(
                f"expected motion_frames >= 0 and image_size >= 1, got {motion_frames} and {image_size}"
            )
        if quality not in ("default", "fast"):
            raise ConfigError(f"expected quality 'default' or 'fast', got {quality!r}")
        for kind in kinds:
            if kind not in STACKING.kinds:
                raise UnknownNameError("kind", kind, STACKING.kinds)
        self.control, self.num_objects, self.kinds = control, num_objects, tuple(kinds)
        self.image_size, self.quality, self.motion_frames = image_size, quality, motion_frames
        self.terminate_on_success, self.render_mode = terminate_on_success, render_mode
        shape = (image_size, image_size)
        self.observation_space = spaces.Dict(
            {
                "rgb": spaces.Box(0, 255, (*shape, 3), np.uint8),
                "depth": spaces.Box(0.0, np.inf, shape, np.float32),
                "pixel_to_table": spaces.Box(-np.inf, np.inf, (3, 3), np.float32),
            }
        )
        size = 4 if control == "primitive" else 5
        self.action_space = spaces.Box(-1.0, 1.0, (size,), np.float32)
        self._view: View | None = None

    @property
    def max_steps(self) -> int:
        """Steps until truncation: 4 primitives, 6 for a tower; 400 Cartesian steps (20 s)."""
        if self.control == "cartesian":
            return 400
        return 4 if len(self._goal) == 1 else 6

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Build a new scene. Equal seeds and options give equal bytes.

        Raises:
            ConfigError: the goal is one string, not a sequence of them.
            LanguageError: the goal is not a description of this world.
            SceneError: the goal cannot be, or needs more objects than the scene has.
        """
        super().reset(seed=seed)
        options = options or {}
        goal = options.get("goal", ())
        if isinstance(goal, str):
            raise ConfigError(f"expected the goal as a sequence of descriptions, got the one string {goal!r}")
        self._goal = tuple(Fact.parse(text) for text in goal) or (self._random_goal(),)
        _check_possible(self._goal)
        required = list(dict.fromkeys(look for fact in self._goal for look in fact.looks))
        default = " and ".join(fact.instruction for fact in self._goal)
        self._instruction = str(options.get("instruction", default))
        rng = self.np_random
        self._build(sample_scene(rng, sample_looks(rng, self.num_objects, required, self.kinds)), rng)
        self._steps, self._succeeded = 0, False
        observation, view = self._observe()
        return observation, self._info([view], [self._data.qpos.copy()])

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out one action.

        Raises:
            ConfigError: the action has another shape, or is not finite.
        """
        action = np.asarray(action, dtype=np.float64)
        if action.shape != self.action_space.shape or not np.isfinite(action).all():
            raise ConfigError(f"expected a finite action of shape {self.action_space.shape}, got {action!r}")
        action = np.clip(action, -1.0, 1.0)
        self._trace.clear()
        if self.control == "primitive":
            metres = action.reshape(2, 2) * WORKSPACE_HALF_EXTENT + WORKSPACE_CENTER
            self._gripper.pick_and_place(metres[0], metres[1])
        else:
            self._gripper.follow(action[:4] * MAX_VELOCITY, float(action[4] > 0), CONTROL_SECONDS)
        self._steps += 1
        motion = self._motion()
        views = [self._render(qpos) for qpos in motion]
        observation, view = self._observe()
        achieved = not self._succeeded and all(fact in self._facts() for fact in self._goal)
        self._succeeded |= achieved
        terminated = achieved and self.terminate_on_success
        truncated = self._steps >= self.max_steps
        info = self._info([*views, view], [*motion, self._data.qpos.copy()])
        return observation, float(achieved), terminated, truncated, info

    def render(self) -> UInt8[np.ndarray, "H W 3"] | None:
        """The latest observation's picture, with `render_mode="rgb_array"`."""
        return self._view.rgb if self.render_mode == "rgb_array" and self._view is not None else None

    def _random_goal(self) -> Fact:
        looks = sample_looks(self.np_random, self.num_objects, kinds=self.kinds)
        facts = possible_facts(looks, ("on",)) or possible_facts(looks, STACKING.relations)
        return facts[int(self.np_random.integers(len(facts)))]

    def _build(self, scene: Scene, rng: np.random.Generator) -> None:
        self._scene_model: SceneModel = build_model(scene)
        model = self._scene_model.model
        self._data = mujoco.MjData(model)
        self._scratch = mujoco.MjData(model)
        self._camera = RayCastCamera(scene.camera, self.image_size, self.image_size, self.quality)
        self._trace: list[np.ndarray] = []
        self._gripper = Gripper(
            self._scene_model, self._data, lambda: self._trace.append(self._data.qpos.copy())
        )
        self._gripper.reset()
        for index, (x, y) in enumerate(sample_positions(rng, len(scene.objects))):
            yaw = rng.uniform(-np.pi, np.pi)
            pose = [x, y, GRASP_HEIGHT, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
            self._data.qpos[self._scene_model.object_qpos(index)] = pose
        mujoco.mj_forward(model, self._data)

    def _motion(self) -> list[np.ndarray]:
        """Evenly spread moments of the last step, its end excluded."""
        count = self.motion_frames if self.control == "primitive" else 0
        picks = np.linspace(0, len(self._trace) - 1, count + 2)[1:-1].round().astype(int)
        return [self._trace[int(index)] for index in picks]

    def _render(self, qpos: np.ndarray) -> View:
        self._scratch.qpos[:] = qpos
        mujoco.mj_kinematics(self._scene_model.model, self._scratch)
        scene_model = self._scene_model
        return self._camera.render(
            scene_model.model, self._scratch, scene_model.surfaces, scene_model.scene.light
        )

    def _observe(self) -> tuple[Observation, View]:
        view = self._view = self._render(self._data.qpos)
        size = self.image_size
        homography = self._scene_model.scene.camera.pixel_to_plane(size, size, GRASP_HEIGHT)
        return {"rgb": view.rgb, "depth": view.depth.astype(np.float32), "pixel_to_table": homography}, view

    def _facts(self) -> frozenset[Fact]:
        return true_facts(self._scene_model, self._data.qpos)

    def _info(self, views: list[View], qpos: list[np.ndarray]) -> dict[str, Any]:
        return {
            "instruction": self._instruction,
            "objects": self._scene_model.scene.names,
            "views": views,
            "proposals": self._proposals(views[-1]),
            "facts": tuple(sorted(fact.description for fact in self._facts())),
            "success": self._succeeded,
            "scene": self._scene_model.scene.to_json(),
            # A list, because Gymnasium's vector environments want arrays of one shape for all environments and steps.
            "qpos": qpos,
        }

    def _proposals(self, view: View) -> Float32[np.ndarray, "K 2"]:
        """Table positions of the objects that are seen: the middle of each object's highest visible points."""
        points = self._camera.unproject(view.depth)
        middles = []
        for object_id in range(1, self.num_objects + 1):
            seen = points[view.segmentation == object_id]
            if len(seen):
                middles.append(seen[seen[:, 2] >= seen[:, 2].max() - 0.01, :2].mean(axis=0))
        # As many rows as objects: vector environments want the same shape from all environments.
        rows = [middles[index % len(middles)] for index in range(self.num_objects)] if middles else []
        half, center = np.array(WORKSPACE_HALF_EXTENT), np.array(WORKSPACE_CENTER)
        return np.clip(np.array(rows).reshape(-1, 2), center - half, center + half).astype(np.float32)


def _check_possible(goal: Sequence[Fact]) -> None:
    for fact in goal:
        if not fact.feasible:
            raise SceneError(
                f"'{fact.description}' cannot be: only {', '.join(CARRYING_KINDS)} can be stacked"
            )
    below = {fact.subject: fact.pair[1] for fact in goal if fact.relation == "on"}
    num_on = sum(fact.relation == "on" for fact in goal)
    # Each object has one below it and one above it at most, and going down ends at the table.
    towers = len(below) == num_on and len(set(below.values())) == num_on
    for start in below:
        look, height = start, 0
        while look in below and height <= num_on:
            look, height = below[look], height + 1
        towers &= height <= num_on
    if not towers:
        raise SceneError(
            f"{' and '.join(repr(fact.description) for fact in goal)} cannot be at once; name one tower from below"
        )
