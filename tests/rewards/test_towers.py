"""The embedded detectors' two towers: what may depend on what."""

import pytest
import torch

from daag.rewards.text_tower import TextTower, TextTowerConfig
from daag.rewards.vision_tower import NUM_LOOKS_ROUND, VisionTower, VisionTowerConfig


@pytest.fixture(scope="module")
def texts() -> TextTower:
    torch.manual_seed(0)
    return TextTower(TextTowerConfig(vocab_size=20, max_position_embeddings=8, hidden_size=12)).eval()


def sentence(*words: int) -> torch.Tensor:
    return torch.tensor([words])


@torch.no_grad()
def test_a_word_says_the_same_whatever_the_others_are(texts: TextTower) -> None:
    def vector(*words: int) -> torch.Tensor:
        return texts(sentence(*words)).pooler_output

    one = vector(1, 5, 6, 3) - vector(1, 7, 6, 3)
    other = vector(1, 5, 9, 3) - vector(1, 7, 9, 3)
    assert torch.allclose(one, other, atol=1e-6) and one.abs().max() > 0.01
    assert not torch.allclose(vector(1, 5, 6, 3), vector(1, 6, 5, 3), atol=1e-3)  # order matters


@torch.no_grad()
def test_padding_says_nothing(texts: TextTower) -> None:
    alone = texts(sentence(1, 5, 3)).pooler_output
    padded = texts(torch.tensor([[1, 5, 3, 0, 0], [1, 5, 6, 7, 3]])).pooler_output
    assert torch.equal(alone[0], padded[0])


@torch.no_grad()
def test_shapes_and_each_colour_have_dimensions_of_their_own() -> None:
    torch.manual_seed(0)
    config = VisionTowerConfig(
        widths=(8, 8, 16), depths=(1, 1), colour_width=8, colour_size=4, hidden_size=20
    )
    tower = VisionTower(config).eval()
    pixels, others, shapes = torch.randn(3, 2, 3, 64, 64)
    first, second = (tower(colours, shapes).pooler_output for colours in (pixels, others))
    assert first.shape == (2, 64, 20)
    split = 20 - NUM_LOOKS_ROUND * 4
    assert torch.equal(first[..., :split], second[..., :split])
    assert (first[..., split:] != second[..., split:]).all(dim=1).any()
    # Where a colour is looked for is what shapes say, and no other colour.
    tower.where.bias[: tower.where.bias.shape[0] // NUM_LOOKS_ROUND] += 5 * torch.randn(64)
    moved = (tower(pixels, shapes).pooler_output != first).any(dim=1).any(dim=0)
    assert moved[split : split + 4].all() and not moved[:split].any() and not moved[split + 4 :].any()
