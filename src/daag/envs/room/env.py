"""Room: walk about a furnished room and find what an instruction names, as a Gymnasium environment.

Sequential decision making from a first-person view: dozens of small steps, most of the room out of sight.
Source: Room is one of the paper's worlds; this one is our own, see docs/room.md.
"""

from collections.abc import Sequence
from typing import Literal

import mujoco
import numpy as np
from gymnasium import spaces

from daag.envs.camera import Quality
from daag.envs.room.furnish import STYLES, furnish, start_pose
from daag.envs.room.model import RoomModel
from daag.envs.room.scene import MAX_OBJECTS, MIN_OBJECTS
from daag.envs.room.space import walk
from daag.envs.scene import VARIATIONS, sample_looks
from daag.envs.world import World
from daag.errors import ConfigError, SceneError, UnknownNameError
from daag.tasks import ROOM, Fact, Look, all_looks

Action = Literal["forward", "turn left", "turn right", "back", "look up", "look down"]
ACTIONS: tuple[Action, ...] = ("forward", "turn left", "turn right", "back", "look up", "look down")

FORWARD = 0.5
"""Metres of a step."""
TURN = np.pi / 9
"""Radians of a turn: 20 degrees."""
TILT = 0.2
"""Radians by which the eye is raised or lowered."""
PITCHES = (-0.7, 0.3)
MAX_STEPS = 25


class RoomEnv(World):
    """Go to the objects that an instruction names, one after the other. See `World` for options, reward and `info`.

    Observation: `rgb` uint8 (H, W, 3); `depth` float32 (H, W) in metres. Both from the agent's eye, which moves.

    Action: `Discrete`: 0 forward (0.5 m, sliding along what is in the way), 1 turn left, 2 turn right (20 degrees); with
    other `actions` also back, look up, look down.

    A goal of several facts is a route: it is achieved when each has come true, in their order.

    `info["proposals"]` is empty: exploration knows nothing of where objects are.

    Args:
        num_objects: 2 to 7 objects in the room.
        kinds: which kinds the objects are drawn from.
        image_size: width and height of all images, pixels.
        quality: `default` (2 x 2 rays per pixel, shadows) or `fast` (one ray, no shadows).
        actions: what the agent can do, of `ACTIONS`, in the order of the action's numbers.
        look: the room's style, a key of `STYLES`, for a visually different room.
        terminate_on_success: whether the episode ends when the task is achieved.
        vary: what differs from room to room besides furniture and objects: "light", "texture" (and the colours of walls and
            floor), "camera".
        render_mode: `rgb_array` or None.

    Raises:
        ConfigError: a setting is out of range.
        UnknownNameError: there is no such kind, action, look, quality or variation.
    """

    language = ROOM
    objects_range = (MIN_OBJECTS, MAX_OBJECTS)

    def __init__(
        self,
        num_objects: int = 4,
        kinds: Sequence[str] | None = None,
        image_size: int = 64,
        quality: Quality = "default",
        actions: Sequence[str] = ACTIONS[:3],
        look: str = "plain",
        terminate_on_success: bool = True,
        vary: Sequence[str] = VARIATIONS,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(num_objects, kinds, image_size, quality, terminate_on_success, vary, render_mode)
        if look not in STYLES:
            raise UnknownNameError("look", look, STYLES)
        for name in actions:
            if name not in ACTIONS:
                raise UnknownNameError("action", name, ACTIONS)
        if not actions or len(set(actions)) < len(actions):
            raise ConfigError(f"expected different actions, at least one, got {tuple(actions)}")
        self.actions, self.look = tuple(actions), look
        self.action_space = spaces.Discrete(len(self.actions))
        self._next = 0

    @property
    def max_steps(self) -> int:
        """Steps until truncation: 25 for each object to be found."""
        return MAX_STEPS * len(self._goal)

    def _random_goal(self) -> Fact:
        looks = all_looks(self.kinds)
        return Fact("in front", looks[int(self.np_random.integers(len(looks)))])

    def _check_goal(self, goal: Sequence[Fact]) -> None:
        places: dict[Look, str] = {}
        for fact in goal:
            if fact.place and places.setdefault(fact.subject, fact.place) != fact.place:
                raise SceneError(f"the {fact.subject} cannot be both {places[fact.subject]} and {fact.place}")

    def _build(self, looks: Sequence[Look], rng: np.random.Generator) -> tuple[RoomModel, mujoco.MjData]:
        drawn = sample_looks(rng, self.num_objects, looks, all_looks(self.kinds))
        places = {fact.subject: fact.place for fact in self._goal if fact.place}
        scene_model = RoomModel.build(furnish(rng, drawn, places, self.look, self.vary))
        data = mujoco.MjData(scene_model.model)
        data.qpos[:] = start_pose(scene_model.scene)
        mujoco.mj_kinematics(scene_model.model, data)
        self._next = 0
        return scene_model, data

    def _act(self, action: int) -> list[np.ndarray]:
        assert isinstance(self._scene_model, RoomModel)
        name, qpos = self.actions[action], self._data.qpos
        x, y, yaw, pitch = (float(value) for value in qpos)
        if name in ("forward", "back"):
            x, y = walk(self._scene_model.scene, x, y, yaw, FORWARD if name == "forward" else -FORWARD)
        elif name in ("turn left", "turn right"):
            yaw += TURN if name == "turn left" else -TURN
        else:
            pitch = float(np.clip(pitch + (TILT if name == "look up" else -TILT), *PITCHES))
        qpos[:] = x, y, (yaw + np.pi) % (2 * np.pi) - np.pi, pitch
        return []

    def _achieved(self) -> bool:
        if self._next < len(self._goal) and self._goal[self._next] in self._facts:
            self._next += 1
        return self._next == len(self._goal)
