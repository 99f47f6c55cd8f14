"""Colour words: a shade always fits its word, and never another's."""

import colorsys
from itertools import combinations

import numpy as np
import pytest

from daag.errors import UnknownNameError
from daag.tasks import COLOURS, sample_shade
from daag.tasks.palette import ShadeRange

NUM_SHADES = 300


def shades_of(colour: str) -> np.ndarray:
    """Float32 RGB, shape (NUM_SHADES, 3)."""
    rng = np.random.default_rng(0)
    return np.stack([sample_shade(colour, rng) for _ in range(NUM_SHADES)])


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to CIELAB under D65, (N, 3).  Source: IEC 61966-2-1 and CIE 15."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def fits(shade: np.ndarray, shades: ShadeRange) -> bool:
    """Whether an RGB shade lies in a range, up to what float32 rounds away."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(float(channel) for channel in shade))
    low, high = shades.hue
    in_hue = any(low - 1e-3 <= hue + turn <= high + 1e-3 for turn in (-1, 0, 1))
    in_saturation = shades.saturation[0] - 1e-3 <= saturation <= shades.saturation[1] + 1e-3
    return in_hue and in_saturation and shades.value[0] - 1e-3 <= value <= shades.value[1] + 1e-3


@pytest.mark.parametrize("colour", COLOURS)
def test_a_shade_lands_in_its_own_range_and_in_no_other(colour):
    for shade in shades_of(colour):
        assert [word for word, shades in COLOURS.items() if fits(shade, shades)] == [colour]


@pytest.mark.parametrize("colour", COLOURS)
def test_the_middle_is_a_shade_of_its_word(colour):
    middle = COLOURS[colour].middle
    assert middle.dtype == np.float32
    assert fits(middle, COLOURS[colour])


@pytest.mark.parametrize(("first", "second"), list(combinations(COLOURS, 2)))
def test_no_two_words_share_a_shade_to_the_eye(first, second):
    # 2 to 3 is a difference that is just noticed; the documentation promises 15.
    between = to_lab(shades_of(first))[:, None] - to_lab(shades_of(second))[None]
    assert np.linalg.norm(between, axis=-1).min() > 15


@pytest.mark.parametrize("colour", COLOURS)
def test_a_word_covers_more_than_one_shade(colour):
    shades = to_lab(shades_of(colour))
    assert np.linalg.norm(shades - shades.mean(axis=0), axis=1).max() > 2


@pytest.mark.parametrize("colour", COLOURS)
def test_shades_are_albedos_in_float32_and_follow_the_seed(colour):
    shade = sample_shade(colour, np.random.default_rng(5))
    assert shade.dtype == np.float32
    assert shade.shape == (3,)
    assert 0 <= shade.min() <= shade.max() <= 1
    assert np.array_equal(shade, sample_shade(colour, np.random.default_rng(5)))
    assert not np.array_equal(shade, sample_shade(colour, np.random.default_rng(6)))


def test_an_unknown_word_is_named_with_the_nearest_known_one():
    with pytest.raises(UnknownNameError, match=r"unknown colour 'purpel'\. Did you mean 'purple'"):
        sample_shade("purpel", np.random.default_rng(0))
