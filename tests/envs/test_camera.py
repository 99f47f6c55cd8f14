"""The camera against geometry worked out on paper, against brute force, and against OpenGL where there is some."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

from daag.envs.camera import CameraPose, RayCastCamera, View
from daag.envs.shading import Light, Surfaces, Texture
from daag.errors import ConfigError

POSE = CameraPose(position=(0.05, -0.4, 0.5), look_at=(0.03, 0.0, 0.02), fovy_degrees=36.0)
BOX_CENTER, BOX_HALF = np.array([-0.03, 0.01, 0.03]), 0.03
SPHERE_CENTER, SPHERE_RADIUS = np.array([0.1, 0.02, 0.035]), 0.035
PLANE, BOX, SPHERE = 0, 1, 2  # the geoms' ids

MODEL_XML = f"""
<mujoco>
  <visual><global offwidth="256" offheight="256"/><map znear="0.01" zfar="10"/></visual>
  <worldbody>
    <camera name="front" pos="{{position}}" xyaxes="{{axes}}" fovy="{POSE.fovy_degrees}"/>
    <geom type="plane" size="0.4 0.4 0.1"/>
    <geom type="box" size="{BOX_HALF} {BOX_HALF} {BOX_HALF}" pos="{BOX_CENTER[0]} {BOX_CENTER[1]} {BOX_CENTER[2]}"/>
    <geom type="sphere" size="{SPHERE_RADIUS}" pos="{SPHERE_CENTER[0]} {SPHERE_CENTER[1]} {SPHERE_CENTER[2]}"/>
  </worldbody>
</mujoco>
"""

SURFACES = Surfaces(
    albedo=np.array([[0.5, 0.5, 0.5], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], dtype=np.float32),
    gloss=np.array([0.0, 0.0, 0.4], dtype=np.float32),
    object_id=np.array([0, 1, 2], dtype=np.int16),
    textures={PLANE: Texture(np.random.default_rng(0).uniform(0.9, 1.1, (96, 96)).astype(np.float32))},
)
LIGHT = Light(position=(0.6, 0.3, 1.0))


def model_xml() -> str:
    right, down, _ = POSE.rotation.T
    axes = " ".join(f"{value:.9f}" for value in (*right, *-down))
    return MODEL_XML.format(position=" ".join(map(str, POSE.position)), axes=axes)


@pytest.fixture(scope="module")
def scene() -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_string(model_xml())
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def render(scene, quality="default", size=64, light=LIGHT, pose=POSE) -> View:
    return RayCastCamera(pose, size, size, quality).render(*scene, SURFACES, light)


def rays_through_centers(size: int) -> np.ndarray:
    """Pinhole rays from first principles, (size, size, 3), 1 long along the camera's axis."""
    focal = size / 2 / np.tan(np.radians(POSE.fovy_degrees) / 2)
    y, x = np.mgrid[:size, :size] + 0.5
    in_camera = np.stack([(x - size / 2) / focal, (y - size / 2) / focal, np.ones((size, size))], axis=-1)
    return in_camera @ POSE.rotation.T


def true_hits(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which geom each pixel's centre shows and how deep it is, solved for each shape."""
    origin, rays = np.array(POSE.position), rays_through_centers(size)
    depths = np.full((3, size, size), np.inf)
    on_plane = -origin[2] / rays[..., 2]
    at = origin + rays * on_plane[..., None]
    depths[PLANE] = np.where((np.abs(at[..., :2]) <= 0.4).all(-1), on_plane, np.inf)
    near, far = sorted_slabs(origin, rays)
    depths[BOX] = np.where(near <= far, near, np.inf)
    offset = origin - SPHERE_CENTER
    a, b, c = (rays**2).sum(-1), rays @ offset, offset @ offset - SPHERE_RADIUS**2
    inside = b**2 - a * c
    depths[SPHERE] = np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)
    nearest = depths.argmin(axis=0)
    depth = depths.min(axis=0)
    return np.where(np.isfinite(depth), nearest, -1), np.where(np.isfinite(depth), depth, 0.0)


def sorted_slabs(origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first = (BOX_CENTER - BOX_HALF - origin) / rays
    second = (BOX_CENTER + BOX_HALF - origin) / rays
    return np.minimum(first, second).max(-1), np.maximum(first, second).min(-1)


def test_segmentation_shows_the_object_that_each_pixels_centre_hits(scene):
    geom, _ = true_hits(64)
    expected = np.where(geom >= 0, SURFACES.object_id[geom], 0)
    assert np.array_equal(render(scene, "fast").segmentation, expected)
    assert set(np.unique(expected)) == {0, 1, 2}


def test_depth_is_the_distance_along_the_cameras_axis(scene):
    _, depth = true_hits(64)
    assert np.array_equal(render(scene, "fast").depth, depth.astype(np.float16))


def test_normals_point_out_of_the_surface_in_camera_coordinates(scene):
    view, (geom, depth) = render(scene, "fast"), true_hits(64)
    points = np.array(POSE.position) + rays_through_centers(64) * depth[..., None]
    world = view.normals / 127.0 @ POSE.rotation.T
    assert np.abs(world[geom == PLANE] - [0, 0, 1]).max() < 0.01
    radial = (points[geom == SPHERE] - SPHERE_CENTER) / SPHERE_RADIUS
    assert np.abs(world[geom == SPHERE] - radial).max() < 0.01
    sides = np.abs(world[geom == BOX]).max(axis=-1)  # along one axis each
    assert sides.min() > 0.99
    assert (view.normals[geom >= 0][:, 2] < 0).all()  # what is seen faces the camera, whose z points forward


def test_unproject_gives_the_points_that_are_seen(scene):
    camera = RayCastCamera(POSE, quality="fast")
    view = camera.render(*scene, SURFACES, LIGHT)
    (geom, _), everywhere = true_hits(64), np.arange(view.depth.size)
    points = camera.unproject(view.depth, everywhere).reshape(*view.depth.shape, 3)
    sphere = np.flatnonzero(geom == SPHERE)
    assert np.array_equal(camera.unproject(view.depth, sphere), points[geom == SPHERE])
    assert np.abs(points[geom == PLANE][:, 2]).max() < 5e-4  # float16 depth
    distance = np.linalg.norm(points[geom == SPHERE] - SPHERE_CENTER, axis=1)
    assert np.abs(distance - SPHERE_RADIUS).max() < 5e-4


def test_the_homography_inverts_projection():
    points = np.random.default_rng(0).uniform([-0.1, -0.1, 0.03], [0.1, 0.1, 0.03], (20, 3))
    in_camera = (points - POSE.position) @ POSE.rotation
    focal = 48 / 2 / np.tan(np.radians(POSE.fovy_degrees) / 2)
    pixels = in_camera[:, :2] / in_camera[:, 2:] * focal + [64 / 2, 48 / 2]
    homogeneous = np.c_[pixels, np.ones(20)] @ POSE.pixel_to_plane(64, 48, 0.03).T
    assert np.allclose(homogeneous[:, :2] / homogeneous[:, 2:], points[:, :2], atol=1e-5)


def test_a_default_picture_has_four_samples_in_every_pixel(scene):
    # The pixel centres of a fast picture of twice the size are the samples; a light beside the lens casts no shadow.
    x, y, z = POSE.position
    light = Light(position=(x, y, z + 1e-4), ambient=0.3, diffuse=0.4)  # nothing clips
    many = render(scene, "fast", size=128, light=light)
    blocks = many.rgb.reshape(64, 2, 64, 2, 3).astype(float).mean(axis=(1, 3))
    view = render(scene, light=light)
    assert np.abs(view.rgb - blocks).max() <= 3
    assert np.abs(view.rgb - blocks).mean() < 0.3  # half of it is rounding, twice
    samples = many.segmentation.reshape(64, 2, 64, 2).transpose(0, 2, 1, 3).reshape(64, 64, 4)
    for label in (0, 1, 2):
        assert (view.segmentation[(samples == label).sum(-1) >= 3] == label).all()


def test_the_geometry_of_a_pixel_is_that_of_its_middle(scene):
    view, middle = render(scene), render(scene, "fast")
    turned = np.abs(view.normals.astype(int) - middle.normals).max(axis=-1)
    same = (view.segmentation == middle.segmentation) & (turned <= 6)
    assert same.mean() > 0.98
    assert np.abs(view.depth.astype(float) - middle.depth)[same].max() < 6e-4  # one step of float16


def test_outlines_lean_to_no_side(scene):
    def center(segmentation, label, scale):
        return np.array([(along.mean() + 0.5) / scale for along in np.nonzero(segmentation == label)])

    shifts = []
    for step in np.linspace(0.0, 0.012, 9):  # about two pixels
        pose = replace(POSE, position=(POSE.position[0] + float(step), *POSE.position[1:]))
        view, fine = render(scene, pose=pose), render(scene, "fast", size=512, pose=pose)
        for label in (1, 2):
            shifts.append(center(view.segmentation, label, 1) - center(fine.segmentation, label, 8))
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.06  # pixels


def test_shadow_darkens_what_the_light_does_not_reach(scene):
    lit, shadowed = render(scene, "fast"), render(scene)
    geom, depth = true_hits(64)
    points = np.array(POSE.position) + rays_through_centers(64) * depth[..., None]
    # The shadow of the box's top centre falls here, seen from the light.
    top = BOX_CENTER + np.array([0.0, 0.0, BOX_HALF * 0.8])
    light = np.array(LIGHT.position)
    tip = light + (top - light) * light[2] / (light[2] - top[2])
    near = (geom == PLANE) & (np.linalg.norm(points - tip, axis=-1) < 0.006)
    far = (geom == PLANE) & (points[..., 1] < -0.06)
    assert near.any() and far.any()
    assert (shadowed.rgb[near].mean(axis=-1) < 0.7 * lit.rgb[near].mean(axis=-1)).all()
    assert abs(shadowed.rgb[far].mean() - lit.rgb[far].mean()) < 1.0


def test_colours_are_linear_in_albedo(scene):
    matte = replace(SURFACES, gloss=np.zeros(3, np.float32), background=(0.0, 0.0, 0.0))
    halved = replace(matte, albedo=SURFACES.albedo / 2)
    half, full = (RayCastCamera(POSE).render(*scene, surfaces, LIGHT).rgb for surfaces in (halved, matte))
    assert np.abs(half * 2.0 - full).max() <= 2  # rounding


@pytest.mark.parametrize("quality", ["default", "fast"])
def test_a_ray_that_hits_nothing_shows_the_background(scene, quality):
    upwards = CameraPose(position=(0.0, 0.0, 0.5), look_at=(0.0, 1.0, 0.9))
    view = render(scene, quality, size=8, pose=upwards)
    assert not view.depth.any() and not view.normals.any() and not view.segmentation.any()
    assert (view.rgb == np.rint(np.array(SURFACES.background) * 255)).all()


def test_equal_scenes_give_equal_views(scene):
    view = render(scene)
    assert view == render(scene)
    assert view != render(scene, light=Light(position=(-0.6, 0.3, 1.0)))
    assert view != "a view"


def test_pictures_need_not_be_square(scene):
    view = RayCastCamera(POSE, width=40, height=24).render(*scene, SURFACES, LIGHT)
    assert view.rgb.shape == (24, 40, 3) and view.depth.shape == (24, 40)
    assert np.abs(view.rgb[12, 20].astype(int) - render(scene, size=24).rgb[12, 12]).max() < 12


@pytest.mark.parametrize(("width", "height", "quality"), [(0, 64, "default"), (64, -1, "fast")])
def test_an_empty_picture_is_refused(width, height, quality):
    with pytest.raises(ConfigError, match="at least 1 x 1"):
        RayCastCamera(POSE, width, height, quality)


def test_lights_that_would_clip_are_refused():
    with pytest.raises(ConfigError, match="add up to at most 1"):
        Light(position=(0.0, 0.0, 1.0), ambient=0.7, diffuse=0.5)
    with pytest.raises(ConfigError, match=">= 0"):
        Light(position=(0.0, 0.0, 1.0), ambient=-0.1, diffuse=0.5)


RENDER_WITH_OPENGL = """
import sys
import mujoco, numpy as np
model = mujoco.MjModel.from_xml_path(sys.argv[1])
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 64, 64)
renderer.enable_depth_rendering()
renderer.update_scene(data, "front")
depth = renderer.render().copy()
renderer.disable_depth_rendering()
renderer.enable_segmentation_rendering()
renderer.update_scene(data, "front")
np.savez(sys.argv[2], depth=depth, geom=renderer.render()[..., 0])
"""


@pytest.fixture(scope="module")
def opengl(tmp_path_factory) -> dict[str, np.ndarray]:
    """What `mujoco.Renderer` draws, in a process of its own: a broken driver may abort it."""
    folder: Path = tmp_path_factory.mktemp("opengl")
    (folder / "model.xml").write_text(model_xml())
    command = [
        sys.executable,
        "-c",
        RENDER_WITH_OPENGL,
        str(folder / "model.xml"),
        str(folder / "images.npz"),
    ]
    for backend in ("egl", "osmesa"):
        try:
            done = subprocess.run(
                command, env={**os.environ, "MUJOCO_GL": backend}, capture_output=True, timeout=60
            )
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            return dict(np.load(folder / "images.npz"))
    pytest.skip("mujoco.Renderer does not run here: neither EGL nor OSMesa")


def test_depth_agrees_with_opengl(scene, opengl):
    depth = render(scene, "fast").depth
    interior = opengl["geom"] == true_hits(64)[0]
    difference = np.abs(depth.astype(np.float32) - opengl["depth"])[interior]
    assert np.quantile(difference, 0.99) < 1e-3


def test_segmentation_agrees_with_opengl(scene, opengl):
    labels = np.where(opengl["geom"] >= 0, SURFACES.object_id[opengl["geom"]], 0)
    assert (
        render(scene, "fast").segmentation != labels
    ).mean() < 0.005  # a rasteriser rounds edges its own way


def test_a_fast_picture_after_any_movement_is_that_of_a_new_camera():
    """What did not change is not drawn anew; nobody can see that."""
    model = mujoco.MjModel.from_xml_string(model_xml())
    model.geom_sameframe[:] = 0  # else MuJoCo does not look at geom_quat
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    camera = RayCastCamera(POSE, quality="fast")
    moves = [(), (BOX,), (SPHERE,), (BOX, SPHERE), (), (PLANE,), (SPHERE,), (BOX,), (BOX, SPHERE)]
    for moved in moves:
        for geom in moved:
            model.geom_pos[geom, :2] += rng.uniform(-0.08, 0.08, 2)
            model.geom_pos[geom, 2] += rng.uniform(-0.005, 0.03)
        mujoco.mj_kinematics(model, data)
        assert camera.render(model, data, SURFACES, LIGHT) == render((model, data), "fast")
        for geom in moved:
            turn = np.array([1.0, *rng.uniform(-0.1, 0.1, 3)])
            model.geom_quat[geom] = turn / np.linalg.norm(turn)
        mujoco.mj_kinematics(model, data)
        assert camera.render(model, data, SURFACES, LIGHT) == render((model, data), "fast")
    elsewhere = replace(LIGHT, position=(-0.6, 0.3, 1.0))
    assert camera.render(model, data, SURFACES, elsewhere) == render((model, data), "fast", light=elsewhere)
    painted = replace(SURFACES, albedo=SURFACES.albedo[::-1].copy())
    new = RayCastCamera(POSE, quality="fast").render(model, data, painted, elsewhere)
    assert camera.render(model, data, painted, elsewhere) == new
    model.geom_pos[SPHERE] = POSE.position  # around the camera
    mujoco.mj_kinematics(model, data)
    new = RayCastCamera(POSE, quality="fast").render(model, data, painted, elsewhere)
    assert camera.render(model, data, painted, elsewhere) == new


def test_old_pictures_stay_as_they_are(scene):
    model = mujoco.MjModel.from_xml_string(model_xml())
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    camera = RayCastCamera(POSE, quality="fast")
    before = camera.render(model, data, SURFACES, LIGHT)
    model.geom_pos[BOX, 0] += 0.05
    mujoco.mj_kinematics(model, data)
    assert camera.render(model, data, SURFACES, LIGHT) != before
    assert before == render(scene, "fast")


@pytest.mark.parametrize(
    ("pose", "words"),
    [
        (((0.0, 0.0, 1.0), (0.0, 0.0, 0.0)), "does not look straight up or down"),
        (((0.0, 0.0, 1.0), (0.0, 0.0, 1.0)), "does not look straight up or down"),
        (((0.0, 0.0, np.nan), (1.0, 0.0, 0.0)), "finite metres"),
        (((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), 190.0), "between 0 and 180 degrees"),
        (((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), np.nan), "between 0 and 180 degrees"),
    ],
)
def test_a_camera_without_a_picture_is_refused(pose, words):
    with pytest.raises(ConfigError, match=words):
        CameraPose(*pose)
    assert np.isfinite(CameraPose((0.001, 0.0, 1.0), (0.0, 0.0, 0.0)).rotation).all()
