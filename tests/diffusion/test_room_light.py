"""Where a room's lamp is, by what it makes of objects, floor and walls."""

import numpy as np
import pytest

from daag.diffusion.light import Light, unit
from daag.diffusion.room_light import Patch, colour_under, lamp_of

EYE = np.array([-1.0, -2.0, 0.8])
LAMP = Light(np.array([1.6, -1.1, 1.6]), 1.15)


def patch(
    points: np.ndarray,
    facing: np.ndarray,
    colour: tuple[float, float, float],
    gloss: float = 0.0,
    dark: float = 0.0,
    pattern: float = 0.0,
) -> Patch:
    """What an eye sees of a surface under the lamp; a share of it is in the shade."""
    rng = np.random.default_rng(0)
    to_eye, lit = unit(EYE - points), rng.random(len(points)) >= dark
    bright = LAMP.on(points, facing, lit) * (1.0 + pattern * rng.standard_normal(len(points)))
    shine = gloss * lit * LAMP.shine(points, facing, to_eye)
    colours = np.rint(np.clip(bright[:, None] * np.array(colour) + shine[:, None], 0, 1) * 255) / 255
    return Patch(points, facing, to_eye, colours)


def plane(axis: int, sign: float, offset: float, size: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """A level or upright square of 12 x 12 points about the object's axis, and what it faces."""
    first, second = np.meshgrid(np.linspace(-size, size, 12), np.linspace(-size, size, 12))
    points = np.insert(np.column_stack([first.ravel(), second.ravel()]), axis, offset, axis=1)
    return points, np.broadcast_to(sign * np.eye(3)[axis], points.shape).copy()


def ball(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    facing = unit(np.random.default_rng(1).normal(size=(count, 3)))
    facing[:, 1] = -np.abs(facing[:, 1])  # the side that the eye sees
    return 0.2 * facing + [0.0, 0.0, 0.2], facing


def off_degrees(found: Light) -> float:
    toward, true = (lamp.towards(np.array([0.0, 0.0, 0.2])) for lamp in (found, LAMP))
    return float(np.degrees(np.arccos(np.clip(toward @ true, -1.0, 1.0))))


def shady_side() -> Patch:
    """One face of a box, turned away from the lamp."""
    points, facing = plane(0, -1.0, -0.2, 0.15)
    points[:, 2] += 0.15
    return patch(points, facing, (0.1, 0.2, 0.4))


def test_floor_and_walls_say_where_the_lamp_is_when_an_object_does_not() -> None:
    room = [
        patch(*plane(2, 1.0, 0.0), (0.2, 0.2, 0.2), dark=0.1, pattern=0.05),
        patch(*plane(1, -1.0, 2.0), (0.3, 0.3, 0.25), pattern=0.05),
    ]
    assert off_degrees(lamp_of([shady_side()], [], 0.0)) > 10.0
    found = lamp_of([shady_side()], room, 0.0)
    assert off_degrees(found) < 6.0 and abs(found.ratio - LAMP.ratio) < 0.2


def test_a_round_object_says_it_alone() -> None:
    assert off_degrees(lamp_of([patch(*ball(), (0.4, 0.1, 0.1), dark=0.2)], [], 0.0)) < 6.0


def test_nothing_says_that_it_is_above() -> None:
    assert np.allclose(lamp_of([], [], -0.5).position, [0.0, 0.0, 1.1], atol=0.01)


@pytest.mark.parametrize("gloss", [0.0, 0.3])
def test_colour_and_gloss_are_told_though_some_of_it_is_in_the_shade(gloss: float) -> None:
    colour, found, _ = colour_under(LAMP, patch(*ball(600), (0.35, 0.15, 0.05), gloss, dark=0.55))
    assert np.abs(colour - [0.35, 0.15, 0.05]).max() < 0.01
    assert found == pytest.approx(gloss, abs=0.03)
