"""Bodies of boxes, balls and rods: rays meet them where MuJoCo's do."""

from math import cos, pi, sin

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.diffusion.poses import Pose
from daag.diffusion.proxies import Proxy
from daag.diffusion.solids import cast_solid, distance, height_of, shadowed
from daag.diffusion.table_camera import TableCamera
from daag.tasks import SOLIDS, Built, Part

CAMERA = TableCamera(
    49.0, np.array([[-1.0, 0.0, 0.0], [0.0, 0.3, -0.9539], [0.0, -0.9539, -0.3]]), 0.8, (48, 48)
)
"""Looks ahead and a little down, as an eye in a room does."""


def rods(part: Part) -> str:
    size, position, euler = (" ".join(map(str, values)) for values in (part.size, part.position, part.euler))
    return f'<geom type="{part.shape}" size="{size}" pos="{position}" euler="{euler}"/>'


def seen_by_mujoco(pose: Pose, solid: Built, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where rays from the origin meet a body at scale 1, in their lengths (-1: nowhere), and the normal there."""
    body = (
        f'<body pos="{pose.x} {pose.y} {pose.top - height_of(solid)}" '
        f'quat="{cos(pose.yaw / 2)} 0 0 {sin(pose.yaw / 2)}">{"".join(map(rods, solid.parts))}</body>'
    )
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><compiler angle="radian"/><worldbody>{body}</worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    count = len(rays)
    geom, at, normal = np.full(count, -1, dtype=np.int32), np.empty(count), np.empty(3 * count)
    mujoco.mj_multiRay(model, data, np.zeros(3), rays.ravel(), None, 1, -1, geom, at, normal, count, 100.0)
    return np.where(geom < 0, -1.0, at), normal.reshape(-1, 3)


def cast(pose: Pose, solid: Built) -> tuple[Proxy, np.ndarray]:
    return cast_solid(CAMERA, pose, solid), CAMERA.rays.reshape(-1, 3)


@settings(deadline=None, max_examples=25)
@given(
    kind=st.sampled_from(sorted(SOLIDS)),
    x=st.floats(-0.6, 0.6),
    away=st.floats(0.7, 2.5),
    yaw=st.floats(-pi, pi),
    tilt=st.tuples(*[st.floats(-1.0, 1.0)] * 3),
)
def test_rays_meet_a_body_where_they_meet_the_simulators(kind, x, away, yaw, tilt) -> None:
    # Any Euler angles, not only those of the table.
    solid = Built((*SOLIDS[kind].parts, Part("box", (0.05, 0.1, 0.02), (0.1, 0.0, 0.4), tilt)), (0.3, 0.3))
    pose = Pose(x, -away, height_of(solid) - 0.8, yaw, 1.0)
    proxy, rays = cast(pose, solid)
    at, normal = seen_by_mujoco(pose, solid, rays)
    mine, hit = proxy.depth.ravel(), at >= 0
    assert (np.isfinite(mine) == hit).mean() > 0.9995  # what grazes an edge may go either way
    both = hit & np.isfinite(mine)
    assert np.abs(mine - at)[both].max(initial=0.0) < 1e-6
    facing = (proxy.normals.reshape(-1, 3)[both] * normal[both]).sum(axis=1)
    assert both.sum() == 0 or np.quantile(facing, 0.01) > 0.999  # at an edge either face's


@pytest.mark.parametrize("kind", sorted(SOLIDS))
def test_the_surface_is_where_the_distance_is_none(kind: str) -> None:
    solid = SOLIDS[kind]
    pose = Pose(0.1, -1.2, 1.1 * height_of(solid) - 0.8, 0.6, 1.1)
    proxy, rays = cast(pose, solid)
    hit = np.isfinite(proxy.depth.ravel())
    assert hit.sum() > 200
    points = rays[hit] * proxy.depth.ravel()[hit][:, None]
    outwards = proxy.normals.reshape(-1, 3)[hit]
    assert np.abs(distance(points, pose, solid)).max() < 1e-6
    assert (distance(points - 0.002 * outwards, pose, solid) < 0).all()
    assert (distance(points - 0.05 * rays[hit], pose, solid) > -1e-9).all()


def test_a_body_keeps_the_light_from_what_is_behind_it_and_its_own_far_side() -> None:
    ball, pose = SOLIDS["ball"], Pose(0.0, -1.0, -0.42, 0.0, 1.0)
    middle, up = np.array([0.0, -1.0, -0.61]), np.array([0.0, 0.0, 1.0])
    points = np.array([middle - 0.3 * up, middle + 0.3 * up, middle + 0.3, middle - 0.191 * up])
    assert shadowed(points, np.tile(up, (4, 1)), pose, ball).tolist() == [True, False, False, True]
