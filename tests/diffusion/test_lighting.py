"""A lamp that is read from pictures of objects whose light is made up."""

import numpy as np
import pytest

from daag.diffusion.light import LAMP_METRES, Light, Towards
from daag.diffusion.lighting import fit_light

UPRIGHT = np.eye(3)
TABLE = np.array([0.0, 0.5, -0.6])
"""Where the objects are, metres from the camera."""


def lamp(tilt: float, turn: float, ratio: float) -> Light:
    """So many degrees from straight above."""
    sideways, angle = np.sin(np.radians(tilt)), np.radians(turn)
    direction = np.array([sideways * np.cos(angle), sideways * np.sin(angle), np.cos(np.radians(tilt))])
    return Light(TABLE + LAMP_METRES * direction, ratio)


def scene(light: Light, gloss: float = 0.0, seed: int = 0, white: float = 0.0) -> tuple[np.ndarray, ...]:
    """Two frames of three balls in different colours, some of their pixels in the shade; the first may be glossy, and
    white."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1:1:20j, -1:1:20j]
    inside = rows**2 + columns**2 < 0.9
    up = np.sqrt(np.maximum(1.0 - rows**2 - columns**2, 0.0))
    normal = np.stack([columns, rows, up], axis=-1)
    frames, ids = np.zeros((2, 20, 60, 3), dtype=np.uint8), np.zeros((2, 20, 60), dtype=np.int16)
    normals, points = np.zeros((2, 20, 60, 3), dtype=np.int8), np.zeros((2, 20, 60, 3))
    colours = np.array([(0.1, 0.02, 0.02), (0.05, 0.2, 0.1), (0.1, 0.1, 0.35)])
    colours[0] = white or colours[0]
    for frame in range(2):
        for place, colour in enumerate(colours):
            part = (frame, slice(None), slice(20 * place, 20 * place + 20))
            at = TABLE + [0.08 * (place - 1), 0.02 * frame, 0.0] + 0.03 * normal
            lit = rng.random(inside.shape) > 0.1
            bright = colour * light.on(at, normal, lit)[..., None]
            if place == 0:
                bright += gloss * (lit * light.shine(at, normal))[..., None]
            frames[part] = np.clip(255 * bright * inside[..., None], 0, 255).astype(np.uint8)
            ids[part] = (place + 1) * inside
            normals[part] = np.rint(127 * normal * inside[..., None])
            points[part] = at
    return frames, ids, normals, points


@pytest.mark.parametrize("tilt", [0.0, 25.0, 50.0])
@pytest.mark.parametrize("turn", [10.0, 200.0])
@pytest.mark.parametrize("gloss", [0.0, 0.4])
def test_the_lamp_and_the_highlights_are_found_among_shadows(tilt: float, turn: float, gloss: float) -> None:
    true = lamp(tilt, turn, 1.15)
    found, glossy = fit_light(*scene(true, gloss), UPRIGHT)
    towards, truly = found.towards(TABLE), true.towards(TABLE)
    assert np.degrees(np.arccos(np.clip(towards @ truly, -1, 1))) < 2
    assert found.ratio == pytest.approx(true.ratio, abs=0.05)
    assert glossy[1] == pytest.approx(255 * gloss, abs=12)
    assert max(glossy[2], glossy[3]) < 12


def test_what_is_overexposed_is_glossy_if_its_colour_alone_would_not_be() -> None:
    """Two flat tops: a white one that is 0.79 bright without a highlight and overexposed with one, and a red one."""
    true = lamp(25.0, 200.0, 1.15)
    towards_eye = -TABLE / np.linalg.norm(TABLE)
    frames, ids, normals, points = scene(true, white=0.35)
    facing = true.towards(TABLE) + towards_eye
    facing /= np.linalg.norm(facing)
    top = np.zeros(ids.shape, dtype=bool)
    top[:, 6:14, 6:14] = True  # of the first ball: flat, and mirrors the lamp to the camera
    normals[top] = np.rint(127 * facing)
    bright = 0.35 * true.on(points[top], np.broadcast_to(facing, points[top].shape))
    shine = true.shine(points[top], np.broadcast_to(facing, points[top].shape))
    assert bright.max() < 0.9
    for gloss in (0.0, 0.4):
        frames[top] = np.clip(255 * (bright + gloss * shine), 0, 255).astype(np.uint8)[:, None]
        _, glossy = fit_light(frames, ids, normals, points, UPRIGHT)
        assert (glossy[1] > 25) == (gloss > 0)


def test_the_slopes_by_which_the_lamp_is_found_are_those_of_its_light() -> None:
    from daag.diffusion.lighting import _Glow, _Samples

    rng = np.random.default_rng(0)
    normals = rng.normal((0.0, 0.0, 1.0), size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = TABLE + 0.1 * rng.normal(size=(50, 3))
    samples = _Samples(points, normals, np.zeros((50, 3)), np.zeros(50))
    to_eye = -points / np.linalg.norm(points, axis=1, keepdims=True)
    light = lamp(20.0, 100.0, 1.0)
    glow = _Glow.of(light.position, samples, to_eye)
    assert glow.shine == pytest.approx(light.shine(points, normals))
    for axis, step in enumerate(1e-6 * np.eye(3)):
        after, before = (_Glow.of(light.position + sign * step, samples, to_eye) for sign in (1, -1))
        for name in ("facing", "shine"):
            slope = (getattr(after, name) - getattr(before, name)) / 2e-6
            assert getattr(glow, f"{name}_slopes")[:, axis] == pytest.approx(slope, abs=1e-5)


def test_colours_that_light_does_not_explain_do_not_overrule_the_shadows() -> None:
    """Tops of blocks all face up: only that one end of a block is a little brighter than the other tells where the lamp is, and
    that may as well be the block's own."""
    true = lamp(30.0, 120.0, 1.2)
    frames, ids, normals, points = scene(true)
    normals[...] = [0, 0, 127]
    for place in (1, 2, 3):
        own = ids == place
        bright = 0.2 * true.on(points[own], np.broadcast_to([0.0, 0.0, 1.0], points[own].shape))
        uneven = 1.0 + 0.3 * (points[own] - TABLE)[:, 0]  # by a fiftieth from one block to the next
        frames[own] = np.clip(255 * (bright * uneven)[:, None] * [0.9, 0.3, 0.3], 0, 255).astype(np.uint8)
    told = Towards(true.towards(TABLE), np.zeros(2))
    found, _ = fit_light(frames, ids, normals, points, UPRIGHT, towards=told)
    alone, _ = fit_light(frames, ids, normals, points, UPRIGHT)
    off, off_alone = (
        np.degrees(np.arccos(np.clip(light.towards(TABLE) @ told.direction, -1, 1)))
        for light in (found, alone)
    )
    assert off < 5 < off_alone


def test_without_a_lamp_none_is_found() -> None:
    assert fit_light(*scene(lamp(0.0, 0.0, 0.0)), UPRIGHT)[0].ratio <= 0.2


def test_pictures_without_objects_have_no_lamp() -> None:
    frames, ids, normals, points = scene(lamp(0.0, 0.0, 1.0))
    light, gloss = fit_light(frames, np.zeros_like(ids), normals, points, UPRIGHT)
    assert light.ratio == 0.0 and not gloss


def test_shade_is_darker_than_light_and_sideways_darker_than_up() -> None:
    light = lamp(37.0, 0.0, 1.0)
    up, side, away = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]), np.array([-1.0, 0.0, 0.0])
    assert light.on(TABLE, up) > light.on(TABLE, side) > light.on(TABLE, away) == light.on(TABLE, side, 0.0)
    assert light.on(TABLE, up, 0.5) == pytest.approx(
        (light.on(TABLE, up, 0.0) + light.on(TABLE, up, 1.0)) / 2
    )


def test_a_highlight_is_where_the_lamp_is_mirrored_to_the_camera() -> None:
    light = lamp(30.0, 90.0, 1.0)
    mirror = light.towards(TABLE) - TABLE / np.linalg.norm(TABLE)
    mirror /= np.linalg.norm(mirror)
    assert light.shine(TABLE, mirror) == pytest.approx(1.0)
    assert light.shine(TABLE, -mirror) == 0.0
    assert lamp(30.0, 90.0, 0.0).shine(TABLE, mirror) == 0.0
