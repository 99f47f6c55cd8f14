"""The tests' own safety net holds."""

import os

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from daag.episodes import Episode
from daag.tasks import Task


def test_an_array_of_another_shape_than_annotated_fails_a_test():
    with pytest.raises(TypeCheckError):
        Episode(
            id="a",
            env_id="any",
            instruction="",
            seed=0,
            frames=np.zeros((2, 4, 4, 3), np.uint8),
            observation_index=np.arange(2, dtype=np.int32),
            actions=np.zeros((1, 4), np.float32),
            rewards=np.zeros((1, 1), np.float32),
            terminated=False,
            truncated=True,
        )


def test_an_argument_of_another_type_than_annotated_fails_a_test():
    with pytest.raises(TypeCheckError):
        Task(instruction=3)


def test_no_model_hub_is_asked():
    assert os.environ["HF_HUB_OFFLINE"] == "1"
