"""Measures of pictures, on pictures whose measures are known."""

import numpy as np
import pytest

from daag.experiments.edit_cases import group_of
from daag.experiments.fidelity import changes, outside_identical, psnr, structural_similarity
from daag.tasks import parse_changes


def film(count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A shaded square that moves one pixel a frame over noise: frames and where it is."""
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.integers(90, 160, (1, 24, 32, 3)).astype(np.uint8), count, axis=0)
    mask = np.zeros(frames.shape[:3], dtype=bool)
    shading = np.linspace(60, 240, 10)[:, None, None] * np.array([1.0, 0.3, 0.3])
    for index in range(count):
        where = np.s_[index, 7:17, 5 + 2 * index : 15 + 2 * index]
        frames[where], mask[where] = shading.swapaxes(0, 1).round().astype(np.uint8), True
    return frames, mask


def test_structural_similarity_knows_the_same_the_shifted_and_the_constant() -> None:
    frames, _ = film(2)
    assert structural_similarity(frames, frames) == pytest.approx(1.0)
    shifted = np.roll(frames, 3, axis=2)
    assert structural_similarity(frames, shifted).mean() < 0.6
    # Of two constants only the means are left: (2ab + c) / (a² + b² + c), with c = (0.01 * 255)².
    first, second = (np.full((1, 16, 16, 3), level, dtype=np.uint8) for level in (100, 150))
    c = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c) / (100**2 + 150**2 + c)
    assert structural_similarity(first, second) == pytest.approx(expected, rel=1e-5)


def test_an_edit_that_is_frozen_or_blurred_changes_too_little_and_one_that_flickers_too_much() -> None:
    frames, mask = film()
    mine, true, error = changes(frames, frames, [mask])
    assert mine == true > 0 and error == 0
    frozen, blurred, flickering = frames.copy(), frames.copy(), frames.astype(np.int32)
    frozen[mask] = frames[mask].mean(axis=0).astype(np.uint8)
    for index in range(len(frames)):
        blurred[index][mask[index]] = (0.3 * frames[index] + 0.7 * frames.mean(axis=0))[mask[index]].round()
        flickering[index] += 25 * (index % 2) * mask[index][..., None]
    ratios = [changes(edit, frames, [mask])[0] / true for edit in (frozen, blurred, flickering.clip(0, 255))]
    assert ratios[0] < 0.1 and ratios[1] < 0.9 and ratios[2] > 1.1
    assert changes(frozen, frames, [mask])[2] > 0


def test_where_nothing_moves_there_is_nothing_to_flicker() -> None:
    frames, mask = film(3)
    still = np.repeat(mask[:1], 3, axis=0)
    assert np.isnan(changes(frames, frames, [still])).all()


def test_one_byte_outside_is_found_and_any_inside_is_allowed() -> None:
    frames, mask = film(3)
    edited = frames.copy()
    edited[mask] = 0
    assert outside_identical(frames, edited, [(mask, None)])
    edited[1, 6, 10] ^= 1  # the rim of one pixel
    assert outside_identical(frames, edited, [(mask, None)])
    edited[1, 5, 10] ^= 1
    assert not outside_identical(frames, edited, [(mask, None)])
    assert outside_identical(frames, edited, [(mask, 3)])
    edited[0, 0, 31, 2] ^= 1
    assert not outside_identical(frames, edited, [(mask, 3)])


def test_a_perfect_edit_is_not_infinitely_good() -> None:
    assert psnr(0.0, 10) > 100 and psnr(255.0**2 * 10, 10) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("changes", "group"),
    [
        (("red cube -> green cube",), "colour"),
        (("red cube -> green cube", "blue cube -> red cube"), "colour"),
        (("red cube <-> blue cube",), "exchange"),
        (("red cube -> blue cube", "blue moon -> red moon"), "exchange"),
        (("red cube <-> blue moon",), "kind"),
        (("red cube -> red moon",), "kind"),
    ],
)
def test_edits_are_told_apart_by_what_they_change(changes: tuple[str, ...], group: str) -> None:
    assert group_of(parse_changes(changes)) == group
