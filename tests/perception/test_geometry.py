"""Depth and normals, against what the three worlds' ray caster knows."""

import gymnasium
import numpy as np
import pytest

import daag.envs
from daag.envs import LANGUAGE_TABLE, RGB_STACKING, ROOM
from daag.errors import EditError
from daag.perception.geometry import metric_depth, normals_of, placed_depth


def seen_in(world):
    """A view, and the camera's vertical field of view."""
    daag.envs.register()
    env = gymnasium.make(world)
    _, info = env.reset(seed=3)
    return info["views"][0], env.unwrapped._camera.pose.fovy_degrees


@pytest.mark.parametrize("world", [RGB_STACKING, ROOM, LANGUAGE_TABLE])
def test_normals_of_true_depth_are_the_worlds_own(world):
    view, fovy = seen_in(world)
    normals = normals_of(view.depth[None], fovy)[0]
    assert ((normals == 0).all(axis=-1) == (view.depth == 0)).all()
    true, ours = view.normals.astype(float), normals.astype(float)
    hit = np.linalg.norm(true, axis=-1) > 100
    angle = np.degrees(np.arccos(np.clip((true * ours).sum(axis=-1)[hit] / 127.0**2, -1, 1)))
    assert np.median(angle) < 3.0 and np.mean(angle < 20.0) > 0.85


def plane(height=13, width=21, fovy=50.0, slope=(0.1, -0.6, 1.0), distance=1.2):
    """Depth of a plane, its normal's direction, and the field of view."""
    focal = height / 2 / np.tan(np.radians(fovy) / 2)
    rows, columns = np.mgrid[:height, :width] + 0.5
    rays = np.stack([(columns - width / 2) / focal, (rows - height / 2) / focal, np.ones(rows.shape)], -1)
    return (distance / (rays @ slope)).astype(np.float32), -np.array(slope) / np.linalg.norm(slope), fovy


def test_a_planes_normals_are_one_and_face_the_camera_up_to_its_edges():
    depth, normal, fovy = plane()
    found = normals_of(depth[None].astype(np.float16), fovy)[0] / 127.0
    assert np.abs(found - normal).max() < 0.12 and np.median(np.abs(found - normal)) < 0.02


def test_an_outline_does_not_tilt_what_lies_on_either_side_of_it():
    depth = np.ones((1, 9, 12), dtype=np.float16)
    depth[:, 2:6, 5:9] = 0.5
    facing = np.array([0, 0, -127])
    assert np.abs(normals_of(depth, 45.0).astype(int) - facing).max() <= 1


def test_a_hole_in_depth_has_no_normal_and_leaves_its_neighbours_theirs():
    depth, normal, fovy = plane()
    depth[4:7, 5:9] = 0
    found = normals_of(depth[None].astype(np.float16), fovy)[0] / 127.0
    hole = depth == 0
    assert not found[hole].any() and np.abs(found[~hole] - normal).max() < 0.12


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (2, 9, 1)])
def test_a_pixel_without_neighbours_faces_the_camera(shape):
    found = normals_of(np.ones(shape, dtype=np.float16), 45.0)
    assert found.shape == (*shape, 3) and (np.abs(found - np.array([0, 0, -127])) <= 1).all()


def test_relative_depth_lies_between_the_two_distances_in_its_own_order():
    inverse = np.random.default_rng(0).uniform(3.0, 70.0, (3, 20, 20)).astype(np.float32)
    depth = placed_depth(inverse, 0.5, 2.0)
    assert depth.dtype == np.float16 and abs(depth.min() - 0.5) < 1e-3 and abs(depth.max() - 2.0) < 2e-3
    assert (np.diff(depth.ravel()[np.argsort(inverse.ravel())].astype(float)) <= 0).all()
    again = placed_depth(
        inverse[[1, 0, 2]] * 7 - 100, 0.5, 2.0
    )  # a factor, an offset, another order of frames
    assert np.abs(again.astype(float) - depth[[1, 0, 2]]).max() < 2e-3
    flat = placed_depth(np.full((2, 4, 4), 5.0, dtype=np.float32), 0.5, 2.0)
    assert (flat == flat[0, 0, 0]).all() and 0.5 <= flat[0, 0, 0] <= 2.0


def test_of_relative_depth_planes_stay_planes():
    depth, _, fovy = plane()
    found = normals_of(placed_depth(3.0 / depth[None] + 40.0, 0.5, 2.0), fovy)[0] / 127.0
    inside = found[2:-2, 2:-2].reshape(-1, 3)
    assert np.abs(inside - np.median(inside, axis=0)).max() < 0.12


def test_pixels_without_a_number_are_nothing_that_was_hit():
    metres = np.full((2, 4, 4), 1.5, dtype=np.float32)
    metres[1, 0] = [np.nan, np.inf, -1.0, 1e9]
    depth = metric_depth(metres)
    assert depth.dtype == np.float16 and depth[1, 0].tolist() == [0, 0, 0, np.float16(60_000)]
    assert (depth[0] == 1.5).all()
    relative = placed_depth(np.where(np.isinf(metres), np.nan, metres), 0.5, 2.0)
    assert relative[1, 0, :2].tolist() == [0, 0] and (relative[0] > 0).all()


@pytest.mark.parametrize("convert", [metric_depth, lambda predicted: placed_depth(predicted, 0.5, 2.0)])
def test_a_frame_that_is_mostly_no_number_is_refused_by_its_number(convert):
    predicted = np.ones((3, 4, 4), dtype=np.float32)
    predicted[2, :3] = np.nan
    with pytest.raises(EditError, match="75% of frame 2's pixels, where at most 50%"):
        convert(predicted)
