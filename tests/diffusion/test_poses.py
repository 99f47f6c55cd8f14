"""Poses read from pictures against where the simulator put the objects."""

import warnings
from collections.abc import Collection, Iterator

import mujoco
import numpy as np
import pytest

from daag.diffusion.bodies import find_bodies
from daag.diffusion.editor import Conditions
from daag.diffusion.poses import Pose, locate
from daag.diffusion.stage import Stage
from daag.diffusion.table_camera import TableCamera
from daag.envs.camera import RayCastCamera, View
from daag.envs.scene import SceneObject, sample_looks
from daag.envs.stacking.model import StackingModel
from daag.envs.stacking.scene import sample_positions, sample_scene
from daag.tasks import OBJECT_HEIGHT, SHAPES, STACKING


def standing(seed: int) -> tuple[StackingModel, np.ndarray, View]:
    """A scene of four objects on the table, in any turn; where they are, (4, 3), and its picture."""
    rng = np.random.default_rng(seed)
    scene_model = StackingModel.build(sample_scene(rng, sample_looks(rng, 4, (), STACKING.looks)))
    data, places = mujoco.MjData(scene_model.model), np.zeros((4, 3))
    places[:, :2], places[:, 2] = sample_positions(rng, 4), OBJECT_HEIGHT / 2
    for index, place in enumerate(places):
        turn = rng.uniform(0, 2 * np.pi)
        pose = (*place, np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2))
        data.qpos[scene_model.free_joint(index)] = pose
    mujoco.mj_kinematics(scene_model.model, data)
    camera = RayCastCamera(scene_model.scene.camera)
    return (
        scene_model,
        places,
        camera.render(scene_model.model, data, scene_model.surfaces, scene_model.scene.light),
    )


def camera_of(view: View) -> TableCamera:
    camera = TableCamera.of(view.depth, view.normals, view.segmentation)
    assert camera is not None
    return camera


def well_visible(
    kinds: Collection[str], pixels: int
) -> Iterator[tuple[TableCamera, View, np.ndarray, SceneObject, np.ndarray]]:
    """Camera, picture, own pixels and object of what is well seen in some scenes, and its top's middle, (3,), in table
    coordinates."""
    for seed in range(12):
        scene_model, places, view = standing(seed)
        camera, lens = camera_of(view), scene_model.scene.camera
        tops = places + np.array([0.0, 0.0, OBJECT_HEIGHT / 2]) - lens.position
        for index, item in enumerate(scene_model.scene.objects):
            own = view.segmentation == index + 1
            if item.look.kind in kinds and own.sum() >= pixels:
                yield camera, view, own, item, camera.to_table @ lens.rotation.T @ tops[index]


def test_objects_are_found_where_they_stand() -> None:
    missed, scales = [], []
    for camera, view, own, item, true in well_visible(SHAPES, 40):
        pose = locate(camera, view.depth, view.normals, own, SHAPES[item.look.kind])
        assert pose is not None
        missed.append(np.abs(np.array([pose.x, pose.y, pose.top]) - true).max())
        scales.append(abs(pose.scale - item.scale))
    assert len(missed) > 25
    assert np.median(missed) < 0.0008 and np.quantile(missed, 0.9) < 0.002  # a pixel is 6 mm
    assert np.mean(scales) < 0.025


def test_what_is_half_hidden_for_a_while_is_still_where_it_stood() -> None:
    checked = 0
    for seed in range(8):
        scene_model, _, view = standing(seed)
        for key, item in enumerate(scene_model.scene.objects, start=1):
            own = view.segmentation == key
            if item.look.kind not in SHAPES or own.sum() < 60:
                continue
            hidden, depth = view.segmentation.copy(), view.depth.copy()
            _, columns = np.nonzero(own)
            front = own & (np.arange(own.shape[1])[None] < np.median(columns))
            hidden[front], depth[front] = 0, 0.3  # the gripper
            frames = np.stack([view.rgb, view.rgb])
            known = Conditions(
                np.stack([view.segmentation, hidden]),
                {str(item.look): key},
                np.stack([view.depth, depth]),
                np.stack([view.normals] * 2),
            )
            stage = Stage.of(frames, known)
            assert stage is not None
            whole, half = find_bodies(stage, frames, known)
            assert whole[key].pose == half[key].pose
            known.segmentation[1][own] = 0  # and then out of sight
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                there, gone = find_bodies(stage, frames, known)
            assert key in there and key not in gone
            checked += 1
    assert checked > 10


def test_a_side_and_a_corner_of_the_top_are_enough() -> None:
    missed = []
    for camera, view, own, item, true in well_visible(("cube", "prism"), 60):
        normals = view.normals / 127.0 @ camera.to_table.T
        side, top = own & (np.abs(normals[..., 2]) < 0.3), own & (normals[..., 2] > 0.9)
        largest = normals[side][np.argmax((normals[side] @ normals[side].T > 0.9).sum(axis=1))]
        seen = side & (normals @ largest > 0.9)
        rows, columns = np.nonzero(top)
        last = np.argsort(columns)[-5:]
        seen[rows[last], columns[last]] = True
        if seen.sum() < 30 or len(rows) < 5:
            continue
        depth = np.where(own & ~seen, 0.3, view.depth).astype(np.float16)  # the gripper's palm
        pose = locate(camera, depth, view.normals, seen, SHAPES[item.look.kind])
        assert pose is not None
        missed.append(np.hypot(*(np.array([pose.x, pose.y]) - true[:2])))
    assert len(missed) > 8
    assert np.median(missed) < 0.003 and np.max(missed) < 0.015  # half an object's width is 19 to 28 mm


@pytest.mark.parametrize("kind", ["cube", "prism"])
def test_turns_that_look_alike_are_told_apart_by_the_turn_before(kind: str) -> None:
    step = 2 * np.pi / SHAPES[kind].sides
    pose = Pose(0.0, 0.5, -0.4, 0.1, 1.0)
    assert pose.nearest_turn(SHAPES[kind], 0.1 + 2 * step).yaw == pytest.approx(0.1 + 2 * step)
    assert pose.nearest_turn(SHAPES[kind], 0.1 + 0.4 * step).yaw == pytest.approx(0.1)
