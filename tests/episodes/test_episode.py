"""What is no episode is refused when it is made, by name, so that it never reaches a store."""

import jaxtyping
import numpy as np
import pytest
from tests.episodes.making import FRAMES_PER_STEP, SIZE, make_episode

from daag.errors import EpisodeError


@pytest.fixture
def as_users_meet_it():
    """Without the checks of shapes and dtypes that only tests switch on, and that would come first."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("as_users_meet_it")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"actions": np.zeros((0, 4), np.float32)}, "at least one step"),
        ({"actions": np.zeros((3, 4), np.float32)}, "3 actions need 4 observations, got 3"),
        ({"actions": np.full((2, 4), np.nan, np.float32)}, "must be finite"),
        ({"actions": np.zeros((2, 4))}, "actions must be float32, got float64"),
        ({"rewards": np.zeros(3, np.float32)}, "2 actions need as many rewards, got 3"),
        ({"rewards": np.full(2, np.inf, np.float32)}, "must be finite"),
        ({"frames": np.zeros((7, SIZE, SIZE, 3), np.float32)}, "frames must be uint8"),
        ({"frames": np.zeros((3, SIZE, SIZE, 3), np.uint8)}, "must increase within 0..2"),
        ({"observation_index": np.array([0, 3, 3], np.int32)}, "must increase"),
        ({"observation_index": np.arange(3) * FRAMES_PER_STEP}, "observation_index must be int32"),
        ({"state": np.zeros((2, 5), np.float32)}, "3 observations need as many states, got 2"),
        ({"state": np.array([["a"], ["b"], ["c"]])}, "state must be float32"),
        ({"depth": np.zeros((7, SIZE, 2), np.float16)}, "depth must be .* like the frames"),
        ({"segmentation": np.zeros((7, SIZE, SIZE), np.uint8)}, "segmentation must be int16"),
    ],
)
def test_what_does_not_fit_together_is_named(fields, reason):
    with pytest.raises(EpisodeError, match=f"episode 'wrong': .*{reason}"):
        make_episode("wrong", **fields)
