"""Language Table: a pusher on a board with coloured blocks, as a Gymnasium environment.

One step is 0.1 s of pushing, so a task takes dozens of them. Source: Language Table is the paper's world; this one is our
own, see docs/language-table.md.
"""

from collections.abc import Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, Float64

from daag.envs.camera import Quality, View
from daag.envs.language_table.model import LanguageTableModel, effector_of
from daag.envs.language_table.scene import (
    BOARD_HALF_EXTENT,
    EFFECTOR_REACH,
    MAX_OBJECTS,
    MIN_OBJECTS,
    sample_poses,
    sample_scene,
)
from daag.envs.proposals import seen_on_table
from daag.envs.scene import VARIATIONS, sample_looks
from daag.envs.world import Observation, World
from daag.errors import SceneError
from daag.tasks import BOARD, RELATIONS, Fact, Look, all_looks, possible_facts
from daag.tasks.outlines import BLOCK_HEIGHT

_REACH = np.array(EFFECTOR_REACH)

MAX_MOVE = 0.1
"""Metres along x and along y that one step moves the effector's target at most."""

STEP_SECONDS = 0.1
"""Simulated time of one step."""

TRAVEL_SECONDS = 0.08
"""The part of a step in which the target moves; in the rest the effector catches up."""

MAX_LEAD = 0.03
"""Metres that the target may be ahead of an effector that is held up, so that it turns back without delay."""

STEPS_PER_FACT = 80
"""Steps until truncation, for each fact of the task: 8 seconds."""


class LanguageTableEnv(World):
    """Push blocks to where an instruction says. See `World` for options, reward and `info`.

    Observation: `rgb` uint8 (H, W, 3); `depth` float32 (H, W) in metres; `pixel_to_table` float32 (3, 3), the camera's
    calibration, a homography from pixel (x, y, 1) to table metres at half the height of a block; `effector` float32 (2,),
    where the effector is, metres.

    Action: `Box(-0.1, 0.1, (2,))`, metres by which the effector's target moves to the right and away from the camera.

    Every step records one frame, the observation's. A goal with "apart from" starts with the two blocks together; none of a
    goal's facts holds at the start.

    `info["proposals"]`: where in table metres the blocks of the segmentation are seen, one row per block (a hidden one's
    repeats another's; no rows if all are hidden).

    Args:
        num_objects: 2 to 8 blocks.
        kinds: which kinds the blocks are drawn from.
        image_size: width and height of all images, pixels.
        quality: `default` (2 x 2 rays per pixel, shadows) or `fast` (one ray, no shadows).
        terminate_on_success: whether the episode ends when the task is achieved.
        vary: what differs from scene to scene besides the blocks: "light", "texture" (of the board), "camera".
        render_mode: `rgb_array` or None.

    Raises:
        ConfigError: a setting is out of range.
        UnknownNameError: there is no such kind, quality or variation.
    """

    language = BOARD
    objects_range = (MIN_OBJECTS, MAX_OBJECTS)

    def __init__(
        self,
        num_objects: int = 4,
        kinds: Sequence[str] | None = None,
        image_size: int = 64,
        quality: Quality = "default",
        terminate_on_success: bool = True,
        vary: Sequence[str] = VARIATIONS,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(num_objects, kinds, image_size, quality, terminate_on_success, vary, render_mode)
        self.action_space = spaces.Box(-MAX_MOVE, MAX_MOVE, (2,), np.float32)

    @property
    def max_steps(self) -> int:
        """Steps until truncation: 80 for each fact of the task."""
        return STEPS_PER_FACT * len(self._goal)

    def _act(self, action: np.ndarray) -> list[np.ndarray]:
        model, data = self._scene_model.model, self._data
        start = effector_of(data.qpos)
        lead = data.ctrl - start
        start += lead * min(1.0, MAX_LEAD / max(float(np.linalg.norm(lead)), 1e-9))
        goal = np.minimum(np.maximum(start + action, -_REACH), _REACH)
        target = data.ctrl
        for point in start + (goal - start) * _phases(model.opt.timestep):
            target[:] = point
            mujoco.mj_step(model, data)
        return []

    def _observed(self) -> dict[str, spaces.Space[np.ndarray]]:
        # An effector that pushes back and forth overshoots its reach by millimetres.
        reach = np.array(EFFECTOR_REACH, dtype=np.float32) + np.float32(0.05)
        return {
            **super()._observed(),
            "pixel_to_table": spaces.Box(-np.inf, np.inf, (3, 3), np.float32),
            "effector": spaces.Box(-reach, reach, dtype=np.float32),
        }

    def _observe(self) -> Observation:
        effector = effector_of(self._data.qpos).astype(np.float32)
        return {**super()._observe(), "pixel_to_table": self._pixel_to_table.copy(), "effector": effector}

    def _info(self, views: list[View], motion: list[np.ndarray]) -> dict[str, Any]:
        return {**super()._info(views, motion), "state": effector_of(self._data.qpos).astype(np.float32)}

    def _check_goal(self, goal: Sequence[Fact]) -> None:
        _check_possible(goal)

    def _random_goal(self) -> Fact:
        rng = self.np_random
        looks = sample_looks(rng, self.num_objects, (), all_looks(self.kinds, BOARD.colours))
        relation = BOARD.relations[int(rng.integers(len(BOARD.relations)))]
        facts = possible_facts(looks, (relation,))
        return facts[int(rng.integers(len(facts)))]

    def _build(
        self, looks: Sequence[Look], rng: np.random.Generator
    ) -> tuple[LanguageTableModel, mujoco.MjData]:
        drawn = sample_looks(rng, self.num_objects, looks, all_looks(self.kinds, BOARD.colours))
        scene_model = LanguageTableModel.build(sample_scene(rng, drawn, self.vary))
        data = mujoco.MjData(scene_model.model)
        pose, size = scene_model.scene.camera, self.image_size
        self._pixel_to_table = pose.pixel_to_plane(size, size, BLOCK_HEIGHT / 2)
        together = [
            (drawn.index(fact.pair[0]), drawn.index(fact.pair[1]))
            for fact in self._goal
            if fact.relation == "apart from"
        ]
        for _ in range(500):
            poses, effector = sample_poses(rng, len(drawn), together)
            scene_model.lay(data, effector, poses)
            if not set(self._goal) & scene_model.facts(data.qpos) and not scene_model.overlaps(data):
                return scene_model, data
        raise SceneError(
            f"found no start at which none of these holds: {', '.join(fact.description for fact in self._goal)}; "
            "ask for fewer facts or fewer blocks"
        )

    def _proposals(self, view: View) -> Float32[np.ndarray, "K 2"]:
        """Table positions of the blocks that are seen."""
        assert self._camera is not None  # it drew the view
        seen = seen_on_table(view, self._camera, self.num_objects)
        half = np.array(BOARD_HALF_EXTENT, dtype=np.float32)
        return np.clip(seen, -half, half)


def _check_possible(goal: Sequence[Fact]) -> None:
    """Refuse what contradicts itself by the words alone; whether there is room for the rest, only trying tells."""
    for first, second in combinations(goal, 2):
        relations = {first.relation, second.relation}
        same_looks = set(first.looks) == set(second.looks)
        if same_looks and len(first.looks) == 2:
            contradiction = second.relation in RELATIONS[first.relation].excludes
        else:
            contradiction = same_looks and relations == {"in"} and first.place != second.place
        if contradiction or (relations == {"pointed at"} and not same_looks):
            raise SceneError(f"{first.description!r} and {second.description!r} cannot be at once")
    for relation in ("left of", "above"):
        behind: dict[Look, set[Look]] = {}
        for fact in goal:
            if fact.relation == relation:
                behind.setdefault(fact.pair[0], set()).add(fact.pair[1])
        try:
            TopologicalSorter(behind).prepare()
        except CycleError as error:
            raise SceneError(
                f"'{relation}' leads in a circle in: {', '.join(fact.description for fact in goal)}"
            ) from error


@cache
def _phases(timestep: float) -> Float64[np.ndarray, "N 1"]:
    """How much of its way a move has made after each timestep, seconds, of a step."""
    counts = np.arange(1, round(STEP_SECONDS / timestep) + 1)
    return np.minimum(1.0, counts * timestep / TRAVEL_SECONDS)[:, None]
