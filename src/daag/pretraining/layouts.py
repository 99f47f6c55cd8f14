"""Where the objects of a random stacking scene are: put there in towers, beside each other or alone, some in the gripper,
and in some scenes one of them dropped, so that it lies, leans or stands where it came to rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import mujoco
import numpy as np

from daag.envs.scene import sample_looks
from daag.envs.stacking.model import FINGER_LENGTH, HOME, StackingModel
from daag.envs.stacking.scene import (
    MAX_OBJECTS,
    MIN_OBJECTS,
    MIN_SPACING,
    WORKSPACE_HALF_EXTENT,
    sample_scene,
)
from daag.tasks import CARRYING_KINDS, OBJECT_HEIGHT, STACKING, Look, is_held_out, possible_facts

GRIPPER_SHARE = 0.3
"""Of scenes in which the gripper is seen; else it waits outside the picture."""

DROPPED_SHARE = 0.45
"""Of the other scenes: one object is dropped over another. An agent that explores fails in just this way."""

NEIGHBOUR_SHARE = 0.2
"""Of objects that are put near the one before; half of those count as next to it."""

DROP_SECONDS = 0.8
"""Of physics, in which what was dropped comes to rest."""


@dataclass(frozen=True)
class Layout:
    """x, y, z and yaw of each object, the gripper's joints, and which object is dropped over which, if any."""

    poses: np.ndarray
    gripper: np.ndarray
    dropped: tuple[int, int] | None = None


def draw(
    rng: np.random.Generator, held_out: bool
) -> tuple[StackingModel, Callable[[np.random.Generator, np.ndarray], None]]:
    """Draw a scene, and how its objects are placed anew.

    Args:
        rng: where the randomness comes from.
        held_out: whether two of its objects must make a held-out combination when stacked.
    """
    looks = _looks(rng)
    while held_out and not any(is_held_out(fact) for fact in possible_facts(looks, ("on",))):
        looks = _looks(rng)
    scene_model = StackingModel.build(sample_scene(rng, looks))
    return scene_model, partial(_placed_anew, scene_model, mujoco.MjData(scene_model.model))


def _looks(rng: np.random.Generator) -> tuple[Look, ...]:
    return sample_looks(rng, int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)), (), STACKING.looks)


def _placed_anew(
    scene_model: StackingModel, data: mujoco.MjData, rng: np.random.Generator, qpos: np.ndarray
) -> None:
    arrange(rng, scene_model, data)
    qpos[:] = data.qpos


def arrange(rng: np.random.Generator, scene_model: StackingModel, data: mujoco.MjData) -> None:
    """Put the objects and the gripper of a scene somewhere; `data.qpos` then says where."""
    layout = _random_layout(rng, scene_model)
    mujoco.mj_resetData(scene_model.model, data)
    data.qpos[:6] = data.ctrl[:6] = layout.gripper
    for index, (x, y, z, yaw) in enumerate(layout.poses):
        data.qpos[scene_model.free_joint(index)] = [x, y, z, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)]
    if layout.dropped is not None:
        _drop(rng, scene_model, data, *layout.dropped)


def _drop(
    rng: np.random.Generator, scene_model: StackingModel, data: mujoco.MjData, index: int, target: int
) -> None:
    """Let an object go, askew, over the side of another, and wait until both rest."""
    below = data.qpos[scene_model.free_joint(target)][:3]
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.015, 0.06)
    axis, tilt = rng.normal(size=3), rng.uniform(0.0, 0.8)
    pose = data.qpos[scene_model.free_joint(index)]
    pose[:3] = below + np.array([reach * np.cos(angle), reach * np.sin(angle), 1.2 * OBJECT_HEIGHT])
    mujoco.mju_axisAngle2Quat(pose[3:], axis / np.linalg.norm(axis), tilt)
    for _ in range(round(DROP_SECONDS / scene_model.model.opt.timestep)):
        mujoco.mj_step(scene_model.model, data)


def _random_layout(rng: np.random.Generator, scene_model: StackingModel) -> Layout:
    objects = scene_model.scene.objects
    order = [int(index) for index in rng.permutation(len(objects))]
    carriers = [index for index in order if objects[index].look.kind in CARRYING_KINDS]
    others = [index for index in order if index not in carriers]
    towers = [[index] for index in others]
    stacking = rng.choice([0.0, 0.6, 0.9], p=[0.15, 0.45, 0.4])
    for index in carriers:
        open_towers = [tower for tower in towers if tower[0] in carriers and len(tower) < 3]
        if open_towers and rng.random() < stacking:
            open_towers[int(rng.integers(len(open_towers)))].append(index)
        else:
            towers.append([index])
    bases = _place_bases(rng, len(towers))
    poses = np.zeros((len(objects), 4))
    for tower, base in zip(towers, bases, strict=True):
        center = base
        for level, index in enumerate(tower):
            if level:
                center = center + np.clip(rng.normal(0.0, 0.006, size=2), -0.017, 0.017)
            aligned = level and rng.random() < 0.5  # the closing fingers turn what they carry
            yaw = rng.normal(0, 0.03) + np.pi / 2 * rng.integers(4) if aligned else rng.uniform(-np.pi, np.pi)
            poses[index] = [*center, OBJECT_HEIGHT * (level + 0.5), yaw]
    if rng.random() < GRIPPER_SHARE:
        return Layout(poses, _gripper_in_the_way(rng, poses, towers))
    if rng.random() < DROPPED_SHARE and len(towers) > 1:
        from_, onto = (towers[int(index)] for index in rng.permutation(len(towers))[:2])
        return Layout(poses, HOME.copy(), (from_[-1], onto[-1]))
    return Layout(poses, HOME.copy())


def _place_bases(rng: np.random.Generator, count: int) -> np.ndarray:
    """Table positions (count, 2): apart from each other, but some right beside another."""
    half = np.array(WORKSPACE_HALF_EXTENT) + 0.005
    while True:
        placed: list[np.ndarray] = []
        for _ in range(400):
            if placed and rng.random() < NEIGHBOUR_SHARE:
                angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.063, 0.11)
                candidate = placed[-1] + reach * np.array([np.cos(angle), np.sin(angle)])
                neighbours = placed[:-1]
            else:
                candidate, neighbours = rng.uniform(-half, half), placed
            inside = bool((np.abs(candidate) <= half).all())
            if inside and all(np.linalg.norm(candidate - other) >= MIN_SPACING for other in neighbours):
                placed.append(candidate)
            if len(placed) == count:
                return np.array(placed)


def _gripper_in_the_way(rng: np.random.Generator, poses: np.ndarray, towers: list[list[int]]) -> np.ndarray:
    """The gripper over the table, open, or with the top of a tower in its fingers, lifted off."""
    tower = towers[int(rng.integers(len(towers)))]
    top = tower[-1]
    height = float(poses[top, 2]) + OBJECT_HEIGHT / 2
    if rng.random() < 0.6:
        lift = rng.uniform(0.0, 0.12) if rng.random() < 0.8 else 0.0
        if lift and len(tower) > 1:
            lift = max(lift, 0.015)  # clearly off the object below
        poses[top, 2] += lift
        poses[top, 3] = rng.normal(0, 0.03) + np.pi / 2 * rng.integers(4)
        return np.array([*poses[top, :2], height + lift + 0.004, 0.0, 0.016, 0.016])
    x, y = poses[top, :2] + rng.normal(0, 0.02, size=2)
    return np.array([x, y, height + FINGER_LENGTH + rng.uniform(0, 0.1), 0.0, 0.0, 0.0])
