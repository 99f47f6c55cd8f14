"""Where a finish shows: on the rim of a block, too, where its pose is known."""

import numpy as np

from daag.diffusion.light import Light
from daag.diffusion.looks import highlight_of
from daag.diffusion.poses import Pose
from daag.diffusion.proxies import cast
from daag.diffusion.stage import Body, Stage
from daag.diffusion.table_camera import TableCamera
from daag.tasks import FINISHES, family_of


def test_what_a_block_covers_of_pixels_around_it_mirrors_the_lamp_too() -> None:
    shapes = family_of({"star"})
    shape = shapes["star"]
    camera = TableCamera(60.0, np.diag([1.0, -1.0, -1.0]), 0.6, (32, 32))
    stage = Stage(camera, Light(np.array([0.0, 0.0, 1.0]), 1.3), {}, shapes)
    body = Body(shape, Pose(0.003, 0.002, -0.6 + shape.height, 0.2, 1.0), np.full(3, 100.0))
    proxy = cast(camera, body.pose, shape)
    own = proxy.coverage >= 0.5
    rim = ~own & (proxy.coverage > 0)
    assert rim.any()
    depth = np.where(own, proxy.surface[0], camera.table_depth).astype(np.float16)
    normals = np.broadcast_to(np.array([0, 0, -127], dtype=np.int8), (32, 32, 3))
    frame = np.where(own[..., None], 200, 120).astype(np.uint8) * np.ones(3, dtype=np.uint8)
    told, untold = (
        highlight_of("shiny", frame, depth, normals, own, stage, 0.3, known) for known in (body, None)
    )
    assert (told[rim] > 0).all() and not untold[rim].any()
    assert not told[proxy.coverage == 0].any()
    assert np.allclose(
        told[proxy.coverage == 1], untold[proxy.coverage == 1], atol=255 * FINISHES["shiny"] * 0.1
    )


def test_no_highlight_is_taken_off_what_lies_in_the_shade() -> None:
    shapes = family_of({"star"})
    camera = TableCamera(60.0, np.diag([1.0, -1.0, -1.0]), 0.6, (32, 32))
    light = Light(np.array([0.0, 0.0, 1.0]), 1.3)
    stage = Stage(camera, light, {1: 80.0}, shapes)
    own = np.zeros((32, 32), dtype=bool)
    own[8:24, 8:24] = True
    depth = np.where(own, 0.57, camera.table_depth).astype(np.float16)
    normals = np.broadcast_to(np.array([0, 0, -127], dtype=np.int8), (32, 32, 3))
    points, facing = camera.surface(depth, normals, own)
    lamp = np.zeros((32, 32))
    lamp[8:24, 8:16] = 1.0  # the other half is in the shade of something
    bright, strength = np.full((32, 32), 0.5), 0.25
    bright[own] = strength * light.on(points, facing, lamp[own]) + 80 / 255 * lamp[own] * light.shine(
        points, facing
    )
    frame = np.repeat(np.rint(255 * bright).clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)
    highlight = stage.highlight(frame, depth, normals, own, 1, strength)
    assert highlight is not None
    lit, dark = highlight[10:22, 10:14], highlight[10:22, 18:22]
    assert lit.min() > 60 and dark.max() < 4
    assert not highlight[~own].any()
