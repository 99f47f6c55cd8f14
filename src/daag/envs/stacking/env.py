"""RGB Stacking: a two-finger gripper over a table with coloured objects, as a Gymnasium environment.

Two action spaces. `control="primitive"` (default) is close to a contextual bandit: one step is a whole pick and
place, four of them make an episode. `control="cartesian"` is sequential decision making: velocities of the hand at
20 Hz for 20 seconds. Source: RGB Stacking is the paper's world; this one is our own, see docs/envs.md.
"""

from collections.abc import Sequence
from typing import Any, Literal

import mujoco
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32

from daag.envs.camera import Quality, View
from daag.envs.proposals import seen_on_table
from daag.envs.scene import VARIATIONS, sample_looks
from daag.envs.stacking.gripper import Gripper
from daag.envs.stacking.model import StackingModel
from daag.envs.stacking.scene import (
    MAX_OBJECTS,
    MIN_OBJECTS,
    WORKSPACE_CENTER,
    WORKSPACE_HALF_EXTENT,
    sample_positions,
    sample_scene,
)
from daag.envs.world import Observation, World
from daag.errors import ConfigError, SceneError
from daag.tasks import CARRYING_KINDS, OBJECT_HEIGHT, STACKING, Fact, Look, all_looks, possible_facts

Control = Literal["primitive", "cartesian"]

GRASP_HEIGHT = OBJECT_HEIGHT / 2
CONTROL_SECONDS = 0.05
"""Length of one step with `control="cartesian"`."""
MAX_VELOCITY = np.array([0.3, 0.3, 0.3, 2.0])
"""m/s along x, y and z, and rad/s of yaw, that an action of 1 stands for."""


class RGBStackingEnv(World):
    """Stack, or put next to each other, what an instruction names. See `World` for options, reward and `info`.

    Observation: `rgb` uint8 (H, W, 3); `depth` float32 (H, W) in metres; `pixel_to_table` float32 (3, 3), the
    camera's calibration, a homography from pixel (x, y, 1) to table metres at grasp height.

    Action: `Box(-1, 1)`; `primitive`: (4,) = pick x, y and place x, y, scaled to the workspace; `cartesian`: (5,) =
    velocities of x, y, z and yaw, and the gripper (above 0 closes).

    `info["proposals"]`: where in table metres the objects of the segmentation are seen, one row per object (a hidden one's
    repeats another's; no rows if all are hidden).

    Args:
        control: which action space.
        num_objects: 3 to 6 objects on the table.
        kinds: which kinds the objects are drawn from.
        image_size: width and height of all images, pixels.
        quality: `default` (2 x 2 rays per pixel, shadows) or `fast` (one ray, no shadows).
        motion_frames: how many frames of the motion each step records, besides the observation.
        terminate_on_success: whether the episode ends when the task is achieved.
        vary: what differs from scene to scene besides the objects: "light", "texture" (of the table), "camera".
        render_mode: `rgb_array` or None.

    Raises:
        ConfigError: a setting is out of range.
        UnknownNameError: there is no such kind, quality or variation.
    """

    language = STACKING
    objects_range = (MIN_OBJECTS, MAX_OBJECTS)

    def __init__(
        self,
        control: Control = "primitive",
        num_objects: int = 4,
        kinds: Sequence[str] | None = None,
        image_size: int = 64,
        quality: Quality = "default",
        motion_frames: int = 8,
        terminate_on_success: bool = True,
        vary: Sequence[str] = VARIATIONS,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(num_objects, kinds, image_size, quality, terminate_on_success, vary, render_mode)
        if control not in ("primitive", "cartesian"):
            raise ConfigError(f"expected control 'primitive' or 'cartesian', got {control!r}")
        if motion_frames < 0:
            raise ConfigError(f"expected motion_frames >= 0, got {motion_frames}")
        self.control, self.motion_frames = control, motion_frames
        size = 4 if control == "primitive" else 5
        self.action_space = spaces.Box(-1.0, 1.0, (size,), np.float32)

    @property
    def max_steps(self) -> int:
        """Steps until truncation: 4 primitives, 6 for a tower; 400 Cartesian steps (20 s)."""
        if self.control == "cartesian":
            return 400
        return 4 if len(self._goal) == 1 else 6

    def _act(self, action: np.ndarray) -> list[np.ndarray]:
        self._trace.clear()
        if self.control == "primitive":
            metres = action.reshape(2, 2) * WORKSPACE_HALF_EXTENT + WORKSPACE_CENTER
            self._gripper.pick_and_place(metres[0], metres[1])
        else:
            self._gripper.follow(action[:4] * MAX_VELOCITY, float(action[4] > 0), CONTROL_SECONDS)
        return self._motion()

    def _observed(self) -> dict[str, spaces.Space[Any]]:
        return {**super()._observed(), "pixel_to_table": spaces.Box(-np.inf, np.inf, (3, 3), np.float32)}

    def _observe(self) -> Observation:
        return {**super()._observe(), "pixel_to_table": self._pixel_to_table.copy()}

    def _check_goal(self, goal: Sequence[Fact]) -> None:
        _check_possible(goal)

    def _random_goal(self) -> Fact:
        pool = all_looks(self.kinds)
        looks = sample_looks(self.np_random, self.num_objects, (), pool)
        facts = possible_facts(looks, ("on",)) or possible_facts(looks, STACKING.relations)
        return facts[int(self.np_random.integers(len(facts)))]

    def _build(self, looks: Sequence[Look], rng: np.random.Generator) -> tuple[StackingModel, mujoco.MjData]:
        drawn = sample_looks(rng, self.num_objects, looks, all_looks(self.kinds))
        scene_model = StackingModel.build(sample_scene(rng, drawn, self.vary))
        data = mujoco.MjData(scene_model.model)
        pose, size = scene_model.scene.camera, self.image_size
        self._pixel_to_table = pose.pixel_to_plane(size, size, GRASP_HEIGHT)
        self._trace, qpos = list[np.ndarray](), data.qpos
        self._gripper = Gripper(scene_model, data, lambda: self._trace.append(qpos.copy()))
        self._gripper.reset()
        for index, (x, y) in enumerate(sample_positions(rng, len(drawn))):
            yaw = rng.uniform(-np.pi, np.pi)
            standing = [x, y, GRASP_HEIGHT, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
            data.qpos[scene_model.free_joint(index)] = standing
        mujoco.mj_forward(scene_model.model, data)
        return scene_model, data

    def _motion(self) -> list[np.ndarray]:
        """Evenly spread moments of the last step, its end excluded."""
        if self.control == "cartesian":
            return []
        picks = np.linspace(0, len(self._trace) - 1, self.motion_frames + 2)[1:-1].round().astype(int)
        return [self._trace[int(index)] for index in picks]

    def _proposals(self, view: View) -> Float32[np.ndarray, "K 2"]:
        """Where objects are seen, within the workspace."""
        assert self._camera is not None  # it drew the view
        half, center = np.array(WORKSPACE_HALF_EXTENT), np.array(WORKSPACE_CENTER)
        seen = seen_on_table(view, self._camera, self.num_objects)
        return np.clip(seen, center - half, center + half).astype(np.float32)


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
