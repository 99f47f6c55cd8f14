"""Poses that are read from pictures, on scenes that the simulator rendered."""

import numpy as np
import pytest

from daag.diffusion.poses import Pose, locate
from daag.diffusion.proxies import cast, shaded
from daag.diffusion.table_camera import TableCamera
from daag.pretraining.scenes import RenderedScene, random_scene
from daag.tasks import SHAPES


@pytest.fixture(scope="module")
def scenes() -> list[RenderedScene]:
    rng = np.random.default_rng(0)
    return [random_scene("rgb-stacking", rng) for _ in range(25)]


def camera_of(scene: RenderedScene) -> TableCamera:
    camera = TableCamera.of(scene.depth, scene.normals, scene.segmentation)
    assert camera is not None
    return camera


def well_visible(scene: RenderedScene) -> list[tuple[str, np.ndarray]]:
    found = []
    for key, name in scene.object_names.items():
        own = scene.segmentation == key
        if name.split()[1] in SHAPES and own.sum() >= 60:
            found.append((name.split()[1], own))
    return found


def test_a_camera_is_read_from_the_table_alone(scenes: list[RenderedScene]) -> None:
    for scene in scenes:
        camera = camera_of(scene)
        # 35.5 degrees of height, within 0.8, over 64 pixels; half a metre up, about.
        assert camera.focal_pixels == pytest.approx(32 / np.tan(np.radians(35.5 / 2)), rel=0.04)
        assert camera.height == pytest.approx(0.5, abs=0.06)
        facing = scene.normals.astype(float) / 127.0
        table = (scene.segmentation == 0) & (facing @ camera.to_table[2] > 0.99)
        assert np.median(np.abs(camera.table_depth - scene.depth)[table]) < 0.002


def test_the_same_kind_cast_where_an_object_stands_covers_its_pixels(scenes: list[RenderedScene]) -> None:
    overlaps, angles, fallen = [], [], 0
    for scene in scenes:
        for kind, own in well_visible(scene):
            pose = locate(camera_of(scene), scene.depth, scene.normals, own, SHAPES[kind])
            if pose is None:
                fallen += 1
                continue
            proxy = cast(camera_of(scene), pose, SHAPES[kind])
            seen = proxy.coverage >= 0.5
            depth, facing = proxy.surface
            hidden = seen & ~own & (scene.depth < depth * 1.01)  # something may stand before it
            overlaps.append((seen & own).sum() / ((seen & ~hidden) | own).sum())
            both = seen & own
            turned = facing @ camera_of(scene).to_table
            angles.append(np.median((turned * scene.normals / 127.0).sum(axis=-1)[both]))
    assert len(overlaps) > 40 and fallen < 0.15 * len(overlaps)
    assert np.mean(overlaps) > 0.95 and np.quantile(overlaps, 0.1) > 0.92
    assert np.mean(angles) > 0.999


def test_a_taller_pose_is_seen_higher_up_and_nearer(scenes: list[RenderedScene]) -> None:
    scene = scenes[0]
    kind, own = well_visible(scene)[0]
    camera = camera_of(scene)
    pose = locate(camera, scene.depth, scene.normals, own, SHAPES[kind])
    assert pose is not None
    lifted = cast(camera, type(pose)(pose.x, pose.y, pose.top + 0.05, pose.yaw, pose.scale), SHAPES[kind])
    low = cast(camera, pose, SHAPES[kind])
    rows = [np.nonzero(proxy.coverage.any(axis=1))[0].mean() for proxy in (lifted, low)]
    assert rows[0] < rows[1]
    assert lifted.depth[lifted.hit].mean() < low.depth[low.hit].mean()


def test_what_lies_on_its_side_has_no_pose() -> None:
    normals = np.zeros((20, 20, 3), dtype=np.int8)
    normals[..., 1], normals[..., 2] = -80, -98  # the table, seen at an angle
    rows = np.arange(20)[:, None] * np.ones((1, 20))
    depth = (1.0 / (1.5 + 0.02 * rows)).astype(np.float16)
    own = np.zeros((20, 20), dtype=bool)
    own[8:14, 8:14] = True
    camera = TableCamera.of(depth, normals, own.astype(np.int16))
    assert camera is not None
    slanted = normals.copy()
    slanted[own] = (90, -80, -40)
    assert locate(camera, depth, slanted, own, SHAPES["cube"]) is None


def test_a_table_seen_from_straight_above_tells_no_camera() -> None:
    normals = np.zeros((20, 20, 3), dtype=np.int8)
    normals[..., 2] = -127
    flat = np.ones((20, 20), dtype=np.float16)
    assert TableCamera.of(flat, normals, np.zeros((20, 20), dtype=np.int16)) is None
    assert TableCamera.of(flat, normals, np.ones((20, 20), dtype=np.int16)) is None


def test_a_body_shades_the_table_on_the_side_away_from_the_lamp() -> None:
    pose = Pose(0.0, 0.0, 0.056, 0.0, 1.0)
    lamp = np.array([1.0, 0.0, 1.0]) / np.sqrt(2.0)  # as much from the right as from above
    for shape in SHAPES.values():
        x = np.linspace(-0.12, 0.12, 241)
        ground = np.stack([x, np.zeros_like(x), np.zeros_like(x)], axis=-1)
        dark = x[shaded(ground, pose, shape, lamp)]
        # A shadow as long as the body is high, beginning under it.
        assert -0.056 - 0.04 < dark.min() < -0.056 - 0.018
        assert dark.max() < 2 * shape.inradius
        assert not shaded(
            ground + np.array([0.0, 0.0, 0.06]), pose, shape, lamp
        ).any()  # above the body it is light
        assert not shaded(ground + np.array([0.0, 0.08, 0.0]), pose, shape, lamp).any()
