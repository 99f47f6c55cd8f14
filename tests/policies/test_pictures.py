"""A policy with eyes of its own learns what the sentence's object looks like, and goes there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.policies.walking import as_episode, sampler

from daag.episodes import Episode
from daag.errors import ConfigError, ModelError
from daag.policies import MEMORY, Numbered, Observation, Pictures
from daag.policies.pictures import SIDE
from daag.policies.reaching import Reaching, ReachingConfig
from daag.policies.reader import Moments
from daag.policies.sightings import COLUMNS

FORWARD, LEFT, RIGHT = range(3)
CONFIG = ReachingConfig(learning_rate=5e-3, batch_size=32)
ACTIONS = Numbered(3, (FORWARD, RIGHT, LEFT))
COLORS = {"go to the red light": 0, "go to the blue light": 2}


def meaning(sentence):
    return np.array([1.0, 0.0] if "red" in sentence else [0.0, 1.0], np.float32)


PICTURES = Pictures(meaning, 2, memory=1)


def frame(bearings: tuple[int, int], side: int = SIDE) -> np.ndarray:
    """A red and a blue light, each at its bearing, -3 to 3 in sight."""
    picture = np.zeros((side, side, 3), dtype=np.uint8)
    for bearing, channel in zip(bearings, COLORS.values(), strict=True):
        if abs(bearing) <= 3:
            column = side // 2 + bearing * side // 8
            picture[side * 3 // 8 : side * 5 // 8, column - side // 16 : column + side // 16, channel] = 255
    return picture


def turned(bearings: tuple[int, int], action: int) -> tuple[int, int]:
    by = {FORWARD: 0, LEFT: 1, RIGHT: -1}[action]
    return bearings[0] + by, bearings[1] + by


def walk(seed: int, wanted: int, limit: int | None = None) -> Episode:
    """Turn at random until the wanted light is straight ahead, then go; within a limit, turn instead."""
    rng = np.random.default_rng((seed, wanted))
    red = int(rng.integers(-3, 4))
    bearings = red, red + int(rng.choice([-3, -2, 2, 3]))
    frames, actions = [frame(bearings)], []
    while True:
        action = int(rng.integers(3))
        there = action == FORWARD and bearings[wanted] == 0
        if there and limit is not None:
            action, there = LEFT, False
        bearings = turned(bearings, action)
        if max(map(abs, bearings)) > 6:
            bearings = turned(bearings, RIGHT if max(bearings) > 6 else LEFT)
        actions.append(action)
        frames.append(frame(bearings))
        if there or len(actions) == limit:
            break
    return as_episode(
        f"walk/{seed}/{wanted}/{limit}", list(COLORS)[wanted], frames, actions, reached=limit is None
    )


draw = sampler([walk(seed, wanted) for seed in range(30) for wanted in (0, 1)])
failed = sampler([walk(seed, wanted, limit=8) for seed in range(30) for wanted in (0, 1)])


def learnt(seed: int = 0, updates: int = 30) -> Reaching:
    learner = Reaching(ACTIONS, PICTURES, seed, CONFIG)
    learner.fit(draw, updates, seed, failed)
    return learner


def steps_needed(learner: Reaching, bearings: tuple[int, int], wanted: int, limit: int = 20) -> int:
    rng, observation = np.random.default_rng(0), Observation(frame(bearings))
    for count in range(1, limit + 1):
        action = learner.policy.act(observation, list(COLORS)[wanted], rng)
        if int(action[0]) == FORWARD and bearings[wanted] == 0:
            return count
        bearings = turned(bearings, int(action[0]))
        observation = Observation(frame(bearings), previous=observation, action=action)
    return limit


def test_it_goes_to_the_light_that_the_sentence_names():
    learner = learnt()
    starts = [(-2, 1), (2, -1), (0, 3), (-3, 0)]
    needed = {(start, wanted): steps_needed(learner, start, wanted) for start in starts for wanted in (0, 1)}
    shortest = {(start, wanted): abs(start[wanted]) + 1 for start, wanted in needed}
    assert sum(needed[each] <= shortest[each] + 1 for each in needed) >= 7, needed


def test_a_mirrored_moment_is_that_of_a_mirrored_picture():
    depth = np.full((SIDE, SIDE), 2.0, dtype=np.float32)
    depth[:, SIDE * 3 // 4 :] = 0.5
    policy = Reaching(ACTIONS, PICTURES, 0, CONFIG).policy
    before, flipped = Observation(frame((1, 3))), Observation(frame((1, 3))[:, ::-1])
    left, right = (np.array([action], dtype=np.float32) for action in (LEFT, RIGHT))
    seen = Observation(frame((2, 4)), depth=depth, previous=before, action=left)
    other = Observation(frame((2, 4))[:, ::-1], depth=depth[:, ::-1], previous=flipped, action=right)
    known, expected = (Moments.of([policy.known(each, "go to the red light")]) for each in (seen, other))
    mirrored = policy.mirrored(known)
    assert np.allclose(mirrored.numbers, expected.numbers, atol=1e-6)
    assert np.array_equal(mirrored.pictures, expected.pictures)
    assert not np.array_equal(mirrored.pictures, known.pictures)


def test_what_was_before_is_seen_and_where_nothing_was_the_picture_is_black():
    policy = Reaching(ACTIONS, PICTURES, 0, CONFIG).policy
    alone = policy.known(Observation(frame((0, 2))), "go to the red light")
    assert len(alone.pictures) == 2 and not alone.pictures[1].any()
    later = policy.known(
        Observation(frame((0, 2)), previous=Observation(frame((1, 3)))), "go to the red light"
    )
    assert np.array_equal(later.pictures[1], frame((1, 3)))
    seen = [policy.network.see(*Moments.of([each]).tensors) for each in (alone, later)]
    assert not torch.equal(*seen)


def test_eyes_learn_from_the_present_alone():
    torch.manual_seed(0)
    eyes = PICTURES.make_eyes()
    pictures = torch.from_numpy(np.stack([frame((0, 2)), frame((1, 3))]))[None]
    told = torch.tensor([[1.0, 0.0, *[0.0] * COLUMNS]])
    seen = eyes(told, pictures)
    half = (eyes.width - COLUMNS) // 2
    for part, learns in ((seen[:, :half], True), (seen[:, half : 2 * half], False)):
        gradients = torch.autograd.grad(part.sum(), [*eyes.parameters()], retain_graph=True)
        assert all(bool(each.any()) == learns for each in gradients)


@pytest.mark.parametrize("side", [32, 96])
def test_pictures_of_other_sizes_are_seen_alike(side):
    torch.manual_seed(0)
    eyes = PICTURES.make_eyes()
    told = torch.tensor([[1.0, 0.0, *[0.0] * COLUMNS]])
    shown = frame((1, -2)), frame((1, -2), side), frame((1, -2))[:, ::-1]
    seen, other, turned_round = (eyes(told, torch.from_numpy(np.stack([each] * 2))[None]) for each in shown)
    assert (seen - other).abs().max() < 0.1 * (seen - turned_round).abs().max()


def test_equal_seeds_give_equal_weights_and_a_saved_learner_goes_on(tmp_path):
    first, again = learnt(updates=2), learnt(updates=2)
    first.save(tmp_path / "policy.safetensors")
    loaded = Reaching.load(tmp_path / "policy.safetensors", ACTIONS, PICTURES)
    for learner in (first, again, loaded):
        learner.fit(draw, 2, 7, failed)
    weights = [list(each.policy.network.parameters()) for each in (first, again, loaded)]
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(*weights, strict=True))
    with pytest.raises(ModelError, match="another architecture"):
        Reaching.load(tmp_path / "policy.safetensors", ACTIONS, replace(PICTURES, meaning_size=3))


def test_who_begins_anew_forgets_what_the_first_training_made():
    config = replace(CONFIG, anew=True)
    learners = [Reaching(ACTIONS, PICTURES, seed, config) for seed in (0, 1)]
    learners[0].fit(sampler([walk(0, 0)]), 3, 5)
    for learner in learners:
        learner.fit(draw, 2, 7, failed)
        assert learner.fit(draw, 0, 9) == {}  # nothing asked, nothing forgotten
    weights = [list(each.policy.network.parameters()) for each in learners]
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_no_more_is_looked_back_on_than_is_kept_while_acting():
    with pytest.raises(ConfigError, match=f"0 to {MEMORY}"):
        replace(PICTURES, memory=MEMORY + 1)
