import numpy as np
import pytest
import torch
from tests.policies.demonstrations import PIXEL_TO_TABLE, WORKSPACE, draw_scene, encode_words, stack

from daag.errors import ConfigError, ModelError
from daag.policies import Observation, SpatialConfig, SpatialPolicy
from daag.policies.spatial import decode, make_network

RED_ON_BLUE = stack("red", "blue")


def untrained(seed: int = 0, temperature: float = 0.0) -> SpatialPolicy:
    network = make_network(SpatialConfig(text_dim=24), seed)
    return SpatialPolicy(network, encode_words, WORKSPACE, temperature)


def observation(seed: int = 0) -> Observation:
    return Observation(draw_scene(np.random.default_rng(seed))[0], PIXEL_TO_TABLE)


def hill(x: float, y: float, cells: int = 32, width_pixels: float = 1.5) -> np.ndarray:
    """Logits of one Gaussian hill at a pixel."""
    centers = (np.arange(cells) + 0.5) * 2
    return -((centers - x) ** 2 + (centers[:, None] - y) ** 2) / (2 * width_pixels**2)


def test_an_action_is_four_numbers_in_range():
    action = untrained().act(observation(), RED_ON_BLUE, np.random.default_rng(0))
    assert action.shape == (4,) and action.dtype == np.float32
    assert np.abs(action).max() <= 1.0


def test_the_same_sight_and_sentence_give_the_same_action_whatever_the_rng():
    actions = [untrained().act(observation(), RED_ON_BLUE, np.random.default_rng(seed)) for seed in (0, 1)]
    assert np.array_equal(*actions)


def test_the_action_depends_on_the_sentence():
    policy = untrained()
    images = torch.rand(1, 3, 64, 64)
    maps = [
        policy.network(images, policy.embeddings([stack(*pair)]))
        for pair in (("red", "blue"), ("blue", "red"))
    ]
    assert (maps[0] - maps[1]).abs().max() > 1e-3


def test_images_of_other_sizes_are_fine_as_long_as_four_divides_them():
    policy = untrained()
    wide = Observation(np.zeros((48, 96, 3), dtype=np.uint8), PIXEL_TO_TABLE)
    assert policy.act(wide, RED_ON_BLUE, np.random.default_rng(0)).shape == (4,)
    odd = Observation(np.zeros((50, 64, 3), dtype=np.uint8), PIXEL_TO_TABLE)
    with pytest.raises(ConfigError, match="multiples of 4"):
        policy.act(odd, RED_ON_BLUE, np.random.default_rng(0))


def test_decoding_finds_the_top_of_a_hill_between_cells():
    tops = np.array([[20.7, 33.2], [41.4, 9.9]])
    logits = torch.from_numpy(np.stack([hill(x, y) for x, y in tops])[None].astype(np.float32))
    np.testing.assert_allclose(decode(logits)[0].numpy(), tops, atol=0.1)


def test_decoding_does_not_average_two_hills():
    logits = np.logaddexp(hill(12, 30), hill(52, 30) + 1.0)
    click = decode(torch.from_numpy(np.stack([logits, logits])[None].astype(np.float32)))[0, 0]
    np.testing.assert_allclose(click.numpy(), [52, 30], atol=0.1)


def test_a_positive_temperature_draws_clicks_in_proportion_to_the_maps():
    policy = untrained(temperature=1.0)
    logits = torch.from_numpy(
        np.stack([np.logaddexp(hill(13, 31), hill(51, 31))] * 2)[None].astype(np.float32)
    )
    policy.network.forward = lambda *_: logits
    rng = np.random.default_rng(0)
    picks = [policy.clicks(observation().rgb, RED_ON_BLUE, rng)[0, 0] for _ in range(300)]
    assert np.mean(np.array(picks) < 32) == pytest.approx(0.5, abs=0.1)


def test_each_instruction_is_encoded_once():
    asked = []

    def encode(sentences):
        asked.extend(sentences)
        return encode_words(sentences)

    policy = SpatialPolicy(make_network(SpatialConfig(text_dim=24), 0), encode, WORKSPACE)
    for _ in range(3):
        policy.act(observation(), RED_ON_BLUE, np.random.default_rng(0))
    assert asked == [RED_ON_BLUE]


def test_an_observation_without_calibration_is_refused():
    with pytest.raises(ConfigError, match="pixel_to_table"):
        untrained().act(Observation(observation().rgb), RED_ON_BLUE, np.random.default_rng(0))


def test_a_text_encoder_that_loses_a_sentence_is_refused():
    policy = SpatialPolicy(
        make_network(SpatialConfig(text_dim=24), 0),
        lambda _: np.zeros((0, 24), np.float32),
        WORKSPACE,
    )
    with pytest.raises(ModelError, match="text encoder"):
        policy.act(observation(), RED_ON_BLUE, np.random.default_rng(0))


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        SpatialConfig(text_dim=0)
    with pytest.raises(ConfigError, match="multiples of 4"):
        SpatialConfig(text_dim=8, fine_channels=6)
    with pytest.raises(ConfigError, match="temperature"):
        untrained(temperature=-1.0)
