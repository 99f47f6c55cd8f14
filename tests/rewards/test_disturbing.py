"""Disturbed pictures show what they showed, elsewhere and in another light."""

import pytest
import torch

from daag.errors import ConfigError
from daag.rewards.disturbing import Disturbance
from daag.rewards.preprocessing import Preprocessing, View

PIXELS = Preprocessing()(torch.full((8, 64, 64, 3), 90, dtype=torch.uint8).numpy())


def spotted() -> torch.Tensor:
    """A bright spot to the left of the middle."""
    pixels = PIXELS.clone()
    pixels[:, :, 28:36, 14:22] = 2.0
    return pixels


def middles(pixels: torch.Tensor) -> torch.Tensor:
    bright = pixels.mean(1) > 0.5
    return torch.stack([each.nonzero().float().mean(0) for each in bright])


def test_nothing_changes_where_nothing_may():
    still = Disturbance(0.0, 0.0, 0.0)(spotted(), Preprocessing(), torch.Generator().manual_seed(0))
    assert torch.allclose(still, spotted(), atol=1e-5)


def test_pictures_move_within_bounds_each_its_own_way_and_the_same_again_for_the_same_seed():
    moved, again = (
        Disturbance(0.06, 0.0, 0.0)(spotted(), Preprocessing(), torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    offset = middles(moved) - torch.tensor([31.5, 17.5])
    assert offset.abs().max() <= 0.06 * 64 + 0.6 and offset.std() > 0.5
    assert torch.equal(moved, again)


def test_light_changes_within_bounds():
    lit = Disturbance(0.0, 0.0, 0.15)(PIXELS, Preprocessing(), torch.Generator().manual_seed(0))
    gain = (lit * 0.25 + 0.45).mean((1, 2, 3)) / (90 / 255)
    assert gain.min() >= 0.849 and gain.max() <= 1.151 and gain.std() > 0.03


def test_only_a_detector_that_looks_at_mirrored_pictures_learns_from_them():
    both = Preprocessing(views=(View(), View(mirrored=True)))
    for preprocessing, sides in ((Preprocessing(), {True}), (both, {True, False})):
        seen = Disturbance(0.0, 0.0, 0.0)(spotted(), preprocessing, torch.Generator().manual_seed(0))
        assert {bool(x < 32) for x in middles(seen)[:, 1]} == sides


def test_shares_out_of_range_are_refused():
    with pytest.raises(ConfigError):
        Disturbance(shift=-0.1)
    with pytest.raises(ConfigError):
        Disturbance(brightness=1.0)
