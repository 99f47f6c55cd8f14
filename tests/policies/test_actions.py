"""Actions as numbers that a network takes, and back."""

import numpy as np
import pytest

from daag.errors import ConfigError, EpisodeError
from daag.policies import Moves, Numbered, RandomActions
from daag.policies.exploration import ExplorationConfig


def test_numbered_actions_are_one_hot_and_come_back():
    actions = Numbered(3, mirror=(0, 2, 1))
    codes = actions.candidates(64, np.random.default_rng(0))
    assert codes.tolist() == np.eye(3).tolist()
    for number in range(3):
        action = np.array([number], dtype=np.float32)
        assert np.array_equal(actions.decode(actions.encode(action)), action)
    assert actions.mirrored(codes).argmax(axis=1).tolist() == [0, 2, 1]


def test_moves_are_told_in_units_of_the_largest_and_come_back():
    actions = Moves(2, 0.1)
    move = np.array([0.05, -0.1], dtype=np.float32)
    assert actions.encode(move).tolist() == pytest.approx([0.5, -1.0])
    assert actions.decode(actions.encode(move)).tolist() == pytest.approx(move.tolist())
    codes = actions.candidates(200, np.random.default_rng(0))
    assert codes.shape == (200, 2) and np.abs(codes).max() <= 1 and codes.std() > 0.5


@pytest.mark.parametrize("actions", [Numbered(3), Moves(2, 0.1)])
def test_random_actions_are_actions_of_the_world_and_of_every_kind(actions):
    explorer, rng = RandomActions(ExplorationConfig(), actions), np.random.default_rng(0)
    drawn = [explorer.explore(np.zeros((0, 2), np.float32), rng) for _ in range(100)]
    codes = np.stack([actions.encode(action) for action in drawn])
    assert (codes.max(axis=0) > 0.9).all()
    assert [explorer.is_trial(index) for index in range(4)] == [True, False, True, False]


@pytest.mark.parametrize(
    ("actions", "foreign"),
    [
        (Numbered(3), [3.0]),
        (Numbered(3), [0.5]),
        (Numbered(3), [0.0, 1.0]),
        (Moves(2, 0.1), [0.0]),
        (Moves(2, 0.1), [0.0, np.nan]),
    ],
)
def test_what_is_no_action_of_the_world_is_named(actions, foreign):
    with pytest.raises(EpisodeError, match=r"'e': expected"):
        actions.encode(np.array(foreign, dtype=np.float32), "e")


@pytest.mark.parametrize(
    "make",
    [lambda: Numbered(1), lambda: Numbered(3, (0, 1, 1)), lambda: Moves(0, 0.1), lambda: Moves(2, 0.0)],
)
def test_spaces_that_cannot_be_are_refused(make):
    with pytest.raises(ConfigError):
        make()
