from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.policies.demonstrations import (
    WORKSPACE,
    demonstration,
    encode_words,
    sampler,
    stack,
)

from daag.errors import ConfigError, EpisodeError, ModelError
from daag.policies import ImitationConfig, Learner, Observation, Policy, SelfImitation, SpatialConfig
from daag.policies.imitation import Demonstrations

SMALL = ImitationConfig(batch_size=4)


def learner(seed: int = 0, config: ImitationConfig | None = SMALL) -> SelfImitation:
    return SelfImitation(WORKSPACE, encode_words, seed, config)


def episodes(upper: str = "red", lower: str = "blue", count: int = 5, seed: int = 0):
    rng = np.random.default_rng(seed)
    return [demonstration(upper, lower, rng) for _ in range(count)]


def weights(of: SelfImitation) -> torch.Tensor:
    return torch.cat([value.flatten() for value in of.policy.network.state_dict().values()])


def share_of_good_clicks(policy: Policy, upper: str, lower: str, scenes: int = 40) -> float:
    """Share of unseen scenes in which both clicks are within 3 cm (3 pixels) of the right squares."""
    rng, good = np.random.default_rng(99), 0
    for episode in [demonstration(upper, lower, rng) for _ in range(scenes)]:
        action = policy.act(Observation.of(episode, 0), episode.instruction, rng)
        metres = WORKSPACE.to_metres((action - episode.actions[0]).reshape(2, 2)) - np.array(WORKSPACE.center)
        good += bool(np.linalg.norm(metres, axis=1).max() < 0.03)
    return good / scenes


def test_it_learns_two_tasks_from_five_episodes_each_and_keeps_the_first():
    agent: Learner = learner(config=ImitationConfig(batch_size=8))
    first, second = episodes("red", "blue"), episodes("green", "yellow", seed=1)
    metrics = agent.fit(sampler(first), 40, seed=0)
    assert share_of_good_clicks(agent.policy, "red", "blue") >= 0.9
    assert metrics["pick_error"] < 2.0 and metrics["place_error"] < 2.0
    agent.fit(sampler(first + second), 40, seed=1)
    assert share_of_good_clicks(agent.policy, "green", "yellow") >= 0.9
    assert share_of_good_clicks(agent.policy, "red", "blue") >= 0.9


def test_equal_seeds_give_equal_weights_and_other_seeds_others():
    def fitted(initial: int, fit: int) -> torch.Tensor:
        agent = learner(initial)
        agent.fit(sampler(episodes()), 3, seed=fit)
        return weights(agent)

    assert torch.equal(fitted(0, 0), fitted(0, 0))
    assert not torch.equal(fitted(0, 0), fitted(0, 1))
    assert not torch.equal(fitted(0, 0), fitted(1, 0))


def test_making_a_learner_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    learner()
    assert torch.equal(before, torch.get_rng_state())


def test_a_saved_and_loaded_learner_acts_and_learns_on_as_if_nothing_had_happened(tmp_path):
    agent, draw = learner(), sampler(episodes())
    agent.fit(draw, 5, seed=0)
    agent.save(tmp_path / "policy.safetensors")
    loaded = SelfImitation.load(tmp_path / "policy.safetensors", encode_words)
    view, rng = Observation.of(episodes()[0], 0), np.random.default_rng(0)
    acted = [each.policy.act(view, stack("red", "blue"), rng) for each in (agent, loaded)]
    assert np.array_equal(*acted)
    assert loaded.config == SMALL and loaded.policy.workspace == WORKSPACE
    for each in (agent, loaded):
        each.fit(draw, 3, seed=1)
    assert torch.equal(weights(agent), weights(loaded))


def test_fitting_goes_on_with_the_optimizers_state():
    warm, cold, draw = learner(), learner(), sampler(episodes())
    for each in (warm, cold):
        each.fit(draw, 5, seed=0)
    cold._optimizer = cold._make_optimizer()
    for each in (warm, cold):
        each.fit(draw, 1, seed=1)
    assert not torch.equal(weights(warm), weights(cold))


def test_reset_forgets_weights_and_optimizer():
    agent, fresh, draw = learner(0), learner(7), sampler(episodes())
    agent.fit(draw, 3, seed=0)
    agent.reset(seed=7)
    assert torch.equal(weights(agent), weights(fresh))
    for each in (agent, fresh):
        each.fit(draw, 2, seed=1)
    assert torch.equal(weights(agent), weights(fresh))


def test_no_updates_change_nothing_and_say_nothing():
    agent = learner()
    before = weights(agent)
    assert agent.fit(sampler(episodes()), 0, seed=0) == {}
    assert torch.equal(before, weights(agent))


def test_shifting_moves_picture_and_clicks_together_and_keeps_the_clicks_inside():
    batch = Demonstrations.of([(episode, 0) for episode in episodes(count=20)], WORKSPACE)
    shifted = batch.shifted(16, np.random.default_rng(0))
    assert np.abs(shifted.clicks - batch.clicks).max() > 8
    assert shifted.clicks.min() >= 0.0 and shifted.clicks.max() <= 64.0
    for before, after, frame, moved in zip(
        batch.clicks, shifted.clicks, batch.frames, shifted.frames, strict=True
    ):
        for old, new in zip(before.astype(int), after.astype(int), strict=True):
            assert np.array_equal(frame[old[1], old[0]], moved[new[1], new[0]])


def test_a_file_of_another_architecture_is_refused(tmp_path):
    path = tmp_path / "policy.safetensors"
    wide = SelfImitation(WORKSPACE, encode_words, 0, network=SpatialConfig(24, fine_channels=8))
    wide.save(path)
    tensors = load_file(path)
    learner().save(path)
    with pytest.raises(ModelError, match="format"):
        save_file(tensors, tmp_path / "foreign.safetensors")
        SelfImitation.load(tmp_path / "foreign.safetensors", encode_words)
    with safe_open(path, framework="pt") as file:
        save_file(tensors, tmp_path / "mixed.safetensors", metadata=file.metadata())
    with pytest.raises(ModelError, match="architecture"):
        SelfImitation.load(tmp_path / "mixed.safetensors", encode_words)


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot read"):
        SelfImitation.load(tmp_path / "none.safetensors", encode_words)
    (tmp_path / "broken.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ModelError, match="cannot read"):
        SelfImitation.load(tmp_path / "broken.safetensors", encode_words)


def test_another_text_encoder_is_refused(tmp_path):
    learner().save(tmp_path / "policy.safetensors")
    with pytest.raises(ModelError, match="another text encoder"):
        SelfImitation.load(tmp_path / "policy.safetensors", lambda sentences: -encode_words(sentences))
    with pytest.raises(ModelError, match="dimensions"):
        SelfImitation.load(tmp_path / "policy.safetensors", lambda sentences: encode_words(sentences)[:, :8])


def test_episodes_that_it_cannot_learn_from_are_named():
    episode = episodes(count=1)[0]
    with pytest.raises(EpisodeError, match=episode.id):
        learner().fit(sampler([replace(episode, pixel_to_table=None)]), 1, seed=0)
    with pytest.raises(EpisodeError, match=r"pick x, y"):
        learner().fit(sampler([replace(episode, actions=np.zeros((1, 5), np.float32))]), 1, seed=0)
    small = replace(episode, frames=episode.frames[:, :32, :32])
    with pytest.raises(EpisodeError, match="one size"):
        learner().fit(lambda *_: [(episode, 0), (small, 0)], 1, seed=0)


def test_settings_out_of_range_are_refused():
    for settings in ({"batch_size": 0}, {"learning_rate": 0.0}, {"shift_pixels": -1}):
        with pytest.raises(ConfigError):
            ImitationConfig(**settings)
    with pytest.raises(ConfigError, match="brightness_jitter"):
        ImitationConfig(brightness_jitter=1.0)
