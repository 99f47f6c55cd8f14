"""A camera read from rounded depth and normals."""

import mujoco
import numpy as np

from daag.diffusion.table_camera import TableCamera
from daag.envs.camera import RayCastCamera
from daag.envs.scene import sample_looks
from daag.envs.stacking.model import StackingModel
from daag.envs.stacking.scene import sample_scene
from daag.pretraining.layouts import arrange
from daag.tasks import STACKING


def test_what_stands_upright_tells_the_focal_length_that_a_rounded_normal_of_the_table_does_not() -> None:
    rng, off = np.random.default_rng(2), []
    for _ in range(12):
        scene_model = StackingModel.build(sample_scene(rng, sample_looks(rng, 4, (), STACKING.looks)))
        data = mujoco.MjData(scene_model.model)
        arrange(rng, scene_model, data)
        mujoco.mj_kinematics(scene_model.model, data)
        pose = scene_model.scene.camera
        view = RayCastCamera(pose, 64, 64).render(
            scene_model.model, data, scene_model.surfaces, scene_model.scene.light
        )
        camera = TableCamera.of(view.depth, view.normals, view.segmentation)
        assert camera is not None
        assert np.allclose(camera.to_table @ camera.to_table.T, np.eye(3), atol=1e-9)
        upright = np.abs(view.normals / 127.0 @ camera.to_table[2]) < 0.1
        alone = np.where(upright[..., None], 0, view.normals).astype(np.int8)
        without = TableCamera.of(view.depth, alone, view.segmentation)
        assert without is not None
        true = 32 / np.tan(np.radians(pose.fovy_degrees / 2))
        off.append([camera.focal_pixels / true - 1, without.focal_pixels / true - 1])
    with_sides, without_them = np.median(np.abs(off), axis=0)
    assert with_sides < 0.002
    assert with_sides < 0.5 * without_them
