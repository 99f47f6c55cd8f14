"""A policy of small steps learns which of them bring the goal nearer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.policies.walking import as_episode, sampler

from daag.episodes import Episode
from daag.errors import ConfigError, EpisodeError, ModelError
from daag.policies import MEMORY, Numbered, Observation
from daag.policies.reaching import Reaching, ReachingConfig
from daag.policies.reader import Moments
from daag.policies.sightings import COLUMNS, PER_MAP, Sightings

FORWARD, LEFT, RIGHT = range(3)
CONFIG = ReachingConfig(learning_rate=3e-3)
ACTIONS = Numbered(3, (FORWARD, RIGHT, LEFT))


def frame(bearing: int) -> np.ndarray:
    """A picture of 16 x 16 whose only bright column is where the goal is; none for a bearing out of sight."""
    picture = np.zeros((16, 16, 3), dtype=np.uint8)
    if abs(bearing) <= 3:
        column = 7 + 2 * bearing
        picture[6:10, column : column + 2] = 255
    return picture


def locate(frames, instructions):
    maps = frames[..., 0].reshape(len(frames), 1, 8, 2, 8, 2).mean(axis=(3, 5)) / 255.0
    return maps.astype(np.float32)


SIGHTINGS = Sightings(locate, level=0.3)


def walk(seed: int, limit: int | None = None) -> Episode:
    """Turn at random until the goal is straight ahead, then go to it: the last step is always forward. Within a limit the
    goal is not reached: who would go to it turns instead."""
    rng = np.random.default_rng(seed)
    bearing = int(rng.choice([-3, -2, -1, 1, 2, 3]))
    frames, actions = [frame(bearing)], []
    while True:
        action = int(rng.integers(3))
        if limit is not None and action == FORWARD and bearing == 0:
            action = LEFT
        actions.append(action)
        if action == FORWARD and bearing == 0:
            frames.append(frame(0))
            break
        bearing += {FORWARD: 0, LEFT: 1, RIGHT: -1}[action]
        bearing = int(np.clip(bearing, -5, 5))
        frames.append(frame(bearing))
        if len(actions) == limit:
            break
    return as_episode(f"walk/{seed}/{limit}", "go to the light", frames, actions, reached=limit is None)


WALKS = [walk(seed) for seed in range(30)]
IN_VAIN = [walk(seed, limit=12) for seed in range(30)]


draw, failed = sampler(WALKS), sampler(IN_VAIN)


def learnt(seed: int = 0, updates: int = 100) -> Reaching:
    learner = Reaching(ACTIONS, SIGHTINGS, seed, CONFIG)
    learner.fit(draw, updates, seed, failed)
    return learner


@pytest.fixture(scope="module")
def learner() -> Reaching:
    return learnt()


def of_each_action(learner: Reaching, known: Moments) -> torch.Tensor:
    network = learner.policy.network
    with torch.inference_mode():
        return network.judge_each(network.see(*known.tensors), torch.eye(3))[0]


def steps_needed(learner: Reaching, bearing: int, limit: int = 40) -> int:
    rng, observation = np.random.default_rng(0), Observation(frame(bearing))
    for count in range(1, limit + 1):
        action = learner.policy.act(observation, "go to the light", rng)
        if int(action[0]) == FORWARD and bearing == 0:
            return count
        bearing = int(np.clip(bearing + {FORWARD: 0, LEFT: 1, RIGHT: -1}[int(action[0])], -5, 5))
        observation = Observation(frame(bearing), previous=observation, action=action)
    return limit


def test_from_aimless_walks_it_learns_the_short_way(learner):
    aimless = np.mean([episode.num_steps for episode in WALKS])
    needed = np.mean([steps_needed(learner, bearing) for bearing in (-3, -2, -1, 1, 2, 3)])
    assert needed <= 4 < aimless / 2  # the shortest way takes 3 on average


def test_a_mirrored_moment_is_valued_like_the_mirrored_action(learner):
    def after(bearing: int, action: int) -> Moments:
        before = Observation(frame(bearing))
        done = np.array([action], dtype=np.float32)
        return Moments.of(
            [learner.policy.known(Observation(frame(bearing), previous=before, action=done), "x")]
        )

    known = after(2, LEFT)
    mirrored = learner.policy.mirrored(known)
    assert np.array_equal(learner.policy.mirrored(mirrored).numbers, known.numbers)
    split = SIGHTINGS.size
    assert np.array_equal(mirrored.numbers[:, split:], after(-2, RIGHT).numbers[:, split:])
    values, others = (of_each_action(learner, each) for each in (known, mirrored))
    assert values[RIGHT] > values[LEFT] and others[LEFT] > others[RIGHT]


def test_what_fails_is_worth_less_than_successes_alone_would_say():
    asked: list[int] = []

    def missed(count, rng):
        asked.append(count)
        return failed(count, rng)

    hopeful, sober = Reaching(ACTIONS, SIGHTINGS, 0, CONFIG), Reaching(ACTIONS, SIGHTINGS, 0, CONFIG)
    hopeful.fit(draw, 30, 0)
    sober.fit(draw, 30, 0, missed)
    known = Moments.of([sober.policy.known(Observation(frame(4)), "x")])
    values = [torch.sigmoid(of_each_action(each, known)).sum().item() for each in (hopeful, sober)]
    assert values[1] < values[0] - 0.05
    assert set(asked) == {CONFIG.batch_size // 2}


def test_equal_seeds_give_equal_weights_and_others_others():
    first, again, other = (learnt(seed, 5) for seed in (0, 0, 1))
    weights = [list(each.policy.network.parameters()) for each in (first, again, other)]
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))


def test_a_saved_learner_goes_on_where_it_was(tmp_path):
    first = learnt(updates=5)
    first.save(tmp_path / "policy.safetensors")
    second = Reaching.load(tmp_path / "policy.safetensors", ACTIONS, SIGHTINGS)
    assert first.fit(draw, 3, 7, failed) == second.fit(draw, 3, 7, failed)
    pairs = zip(first.policy.network.parameters(), second.policy.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_file_of_another_learner_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot read a policy"):
        Reaching.load(tmp_path / "none.safetensors", ACTIONS, SIGHTINGS)
    learnt(updates=1).save(tmp_path / "policy.safetensors")
    with pytest.raises(ModelError, match="another architecture"):
        Reaching.load(tmp_path / "policy.safetensors", ACTIONS, Sightings(locate, level=0.3, memory=3))


def test_actions_that_are_no_numbers_are_refused():
    clicks = WALKS[0].actions.repeat(4, axis=1)
    episode = replace(WALKS[0], id="clicks", actions=clicks)
    with pytest.raises(EpisodeError, match="as one number each"):
        Reaching(ACTIONS, SIGHTINGS, 0, CONFIG).fit(lambda count, rng: [(episode, 0)] * count, 1, 0)


def test_nothing_asked_nothing_learnt():
    assert Reaching(ACTIONS, SIGHTINGS, 0, CONFIG).fit(draw, 0, 0) == {}


@pytest.mark.parametrize("problem", [{"candidates": 0}, {"discount": 1.0}, {"temperature": 0.0}])
def test_settings_out_of_range_are_refused(problem):
    with pytest.raises(ConfigError):
        ReachingConfig(**problem)


def test_sightings_say_where_and_recall_what_was_before():
    there, gone = Observation(frame(3)), Observation(frame(9))
    read = SIGHTINGS.read(there, "x")
    assert read.shape == (SIGHTINGS.size,)
    x, _, apart, sure, large = read[:PER_MAP]
    assert x > 0.5 and apart == pytest.approx(x) and sure > 0.8 and large > 0
    assert not read[PER_MAP:-COLUMNS].any()  # nothing was before
    later = SIGHTINGS.read(Observation(frame(9), previous=there), "x")
    assert later[3] < 0.2 and abs(later[0]) < 0.1
    assert np.array_equal(later[PER_MAP : 2 * PER_MAP], read[:PER_MAP])
    assert np.array_equal(SIGHTINGS.read(gone, "x")[-COLUMNS:], np.zeros(COLUMNS))


def test_the_free_way_is_told_by_direction():
    depth = np.full((16, 16), 2.0, dtype=np.float32)
    depth[8:, 12:] = 0.5
    free = SIGHTINGS.read(Observation(frame(0), depth=depth), "x")[-COLUMNS:]
    assert free[0] == pytest.approx(0.5) and free[-1] < free[0]
    turned = SIGHTINGS.mirrored(SIGHTINGS.read(Observation(frame(1), depth=depth), "x")[None])[0]
    mirrored = SIGHTINGS.read(Observation(frame(1)[:, ::-1], depth=depth[:, ::-1]), "x")
    assert np.allclose(turned, mirrored, atol=1e-6)


def test_a_locator_with_too_few_maps_is_refused():
    with pytest.raises(ModelError, match="expected 2 maps"):
        Sightings(locate, num_maps=2).read(Observation(frame(0)), "x")


def test_no_more_is_looked_back_on_than_is_kept_while_acting():
    with pytest.raises(ConfigError, match=f"0 to {MEMORY}"):
        Sightings(locate, memory=MEMORY + 1)
