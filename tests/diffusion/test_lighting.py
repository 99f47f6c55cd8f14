"""A lamp that is read from pictures of objects whose light is made up."""

import numpy as np
import pytest

from daag.diffusion.lighting import Light, fit_light

UPRIGHT = np.eye(3)


def scene(light: Light, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two frames of three round objects in different colours, some of their pixels in the shade or glossy."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1:1:20j, -1:1:20j]
    inside = rows**2 + columns**2 < 0.9
    up = np.sqrt(np.maximum(1.0 - rows**2 - columns**2, 0.0))
    normal = np.stack([columns, rows, up], axis=-1)
    frames, ids = np.zeros((2, 20, 60, 3), dtype=np.uint8), np.zeros((2, 20, 60), dtype=np.int16)
    normals = np.zeros((2, 20, 60, 3), dtype=np.int8)
    for frame in range(2):
        for place, strength in enumerate((0.1, 0.2, 0.35)):
            part = (frame, slice(None), slice(20 * place, 20 * place + 20))
            lit = rng.random(inside.shape) > 0.1
            bright = strength * light.on(normal, lit) + 0.2 * (rng.random(inside.shape) < 0.05)
            frames[part] = np.clip(255 * bright * inside, 0, 255).astype(np.uint8)[..., None]
            ids[part] = (place + 1) * inside
            normals[part] = np.rint(127 * normal * inside[..., None])
    return frames, ids, normals


@pytest.mark.parametrize("tilt", [0.0, 25.0, 50.0])
@pytest.mark.parametrize("turn", [10.0, 200.0])
def test_the_lamp_is_found_among_shadows_and_highlights(tilt: float, turn: float) -> None:
    sideways, angle = np.sin(np.radians(tilt)), np.radians(turn)
    true = Light(
        np.array([sideways * np.cos(angle), sideways * np.sin(angle), np.cos(np.radians(tilt))]), 1.0
    )
    found = fit_light(*scene(true), UPRIGHT)
    assert np.degrees(np.arccos(np.clip(found.direction @ true.direction, -1, 1))) < 9
    assert found.ratio == pytest.approx(true.ratio, abs=0.35)


def test_without_a_lamp_none_is_found() -> None:
    assert fit_light(*scene(Light(np.array([0.0, 0.0, 1.0]), 0.0)), UPRIGHT).ratio <= 0.4


def test_pictures_without_objects_have_no_lamp() -> None:
    frames, ids, normals = scene(Light(np.array([0.0, 0.0, 1.0]), 1.0))
    assert fit_light(frames, np.zeros_like(ids), normals, UPRIGHT).ratio == 0.0


def test_shade_is_darker_than_light_and_sideways_darker_than_up() -> None:
    light = Light(np.array([0.6, 0.0, 0.8]), 1.0)
    up, side, away = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]), np.array([-1.0, 0.0, 0.0])
    assert light.on(up) > light.on(side) > light.on(away) == light.on(side, 0.0)
    assert light.on(up, 0.5) == pytest.approx((light.on(up, 0.0) + light.on(up, 1.0)) / 2)
