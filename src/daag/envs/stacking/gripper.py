"""Pick and place by contact physics: the gripper moves, feels and grips; nothing is teleported or welded."""

from collections.abc import Callable

import mujoco
import numpy as np

from daag.envs.stacking.model import FINGER_LENGTH, HOME, StackingModel

LIFTED = 0.21
"""Height in metres at which the hand travels: above a tower of three with an object in hand."""

LOWEST = FINGER_LENGTH + 0.006
"""Height of the hand at which the finger tips are 6 mm above the table."""

SPEED = 0.7
"""Metres per second through the air."""

TOUCH_SPEED = 0.25
"""Metres per second while feeling for something below."""

CLOSED = 0.045

_NEAREST = np.array([-0.3, -0.3, LOWEST, -np.inf])
_FARTHEST = np.array([0.3, 0.3, HOME[2], np.inf])
"""Where x, y, z and yaw of the hand may be sent, metres and radians."""


class Gripper:
    """Drives the servos of one simulation. `on_step` is called after every physics step."""

    def __init__(self, scene_model: StackingModel, data: mujoco.MjData, on_step: Callable[[], None]) -> None:
        self._model, self._data, self._on_step = scene_model.model, data, on_step
        self._timestep = float(scene_model.model.opt.timestep)
        geoms = {scene_model.model.geom(index).name: index for index in range(scene_model.model.ngeom)}
        self._is_hand = np.zeros(len(geoms), dtype=bool)
        self._is_hand[[geoms[name] for name in ("palm", "left", "right", "wrist")]] = True
        self._is_object = np.array([name.startswith("object") for name in geoms], dtype=bool)
        self._target = data.ctrl[:6]  # a view: what is written here the servos strive for

    def reset(self) -> None:
        """Put the hand at its home position, open."""
        self._data.qpos[:6] = self._target[:] = HOME

    def pick_and_place(self, pick: np.ndarray, place: np.ndarray) -> None:
        """Grip whatever is topmost at `pick` and set it down on whatever is topmost at `place`.

        Args:
            pick: table position in metres, (2,).
            place: table position in metres, (2,).
        """
        self._travel(pick)
        self._lower_until_touch(holding=False)
        self._squeeze(CLOSED)
        self._move_z(LIFTED)
        self._travel(place)
        self._lower_until_touch(holding=True)
        self._squeeze(0.0)
        self._move_z(LIFTED)
        self._travel(HOME[:2])

    def follow(self, velocity: np.ndarray, closing: float, seconds: float) -> None:
        """Move with a velocity (x, y, z in m/s, yaw in rad/s) and open or close the fingers, for a while.

        Args:
            velocity: shape (4,).
            closing: 0 open to 1 closed.
            seconds: how long.
        """
        self._target[4:] = CLOSED * closing
        step = velocity * self._timestep
        for _ in range(round(seconds / self._timestep)):
            self._target[:4] = np.minimum(np.maximum(self._target[:4] + step, _NEAREST), _FARTHEST)
            self._step()

    def _step(self) -> None:
        mujoco.mj_step(self._model, self._data)
        self._on_step()

    def _wait(self, seconds: float) -> None:
        for _ in range(round(seconds / self._timestep)):
            self._step()

    def _travel(self, goal: np.ndarray) -> None:
        """Move horizontally with a smooth start and end, then let the servos settle."""
        start = self._target[:2].copy()
        seconds = 0.15 + float(np.linalg.norm(goal - start)) / SPEED
        count = max(1, round(seconds / self._timestep))
        for index in range(1, count + 1):
            phase = index / count
            self._target[:2] = start + (goal - start) * (phase * phase * (3 - 2 * phase))
            self._step()
        self._wait(0.1)

    def _move_z(self, height: float) -> None:
        distance = height - self._target[2]
        count = max(1, round(abs(distance) / SPEED / self._timestep))
        for _ in range(count):
            self._target[2] += distance / count
            self._step()

    def _lower_until_touch(self, holding: bool) -> None:
        """Go down until the hand, or what it holds, meets something; back off a hair."""
        while self._target[2] > LOWEST:
            self._target[2] = max(LOWEST, self._target[2] - TOUCH_SPEED * self._timestep)
            self._step()
            if self._touches(holding):
                self._target[2] = float(self._data.qpos[2]) + (0.0 if holding else 0.003)
                break
        self._wait(0.12)

    def _squeeze(self, closing: float) -> None:
        start = self._target[4]
        count = round(0.2 / self._timestep)
        for _ in range(count):
            self._target[4:] += (closing - start) / count
            self._step()
        self._wait(0.1)

    def _touches(self, holding: bool) -> bool:
        """Whether the hand touches anything; with an object in hand, whether that object does."""
        geoms = self._data.contact.geom
        hand = self._is_hand[geoms]
        at_hand = hand[:, 0] != hand[:, 1]
        if not holding or not at_hand.any():
            return bool(at_hand.any())
        others, held = ~hand, np.zeros_like(self._is_object)
        held[geoms[at_hand][others[at_hand]]] = True
        held &= self._is_object
        return bool((held[geoms].any(axis=1) & others.all(axis=1)).any())
