"""Which captions a planner is asked about: the nearest, each once, in an order that nothing else changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daag.errors import RewardDetectorError
from daag.llm.retrieval import nearest_captions
from daag.rewards.clip import pretrained

RED = "the red cube is on the blue cube"
ANGLES = {RED: 0.0, "a": 0.1, "b": 0.1, "c": -0.1, "d": 0.099998, "far": 2.0, "opposite": np.pi}


def encode(sentences):
    unknown = [text for text in sentences if text not in ANGLES]
    if unknown:
        raise RewardDetectorError(f"unknown words in {unknown}")
    return np.array([[np.cos(ANGLES[text]), np.sin(ANGLES[text])] for text in sentences], dtype=np.float32)


@given(st.permutations([*ANGLES, "rewording 2", "rewording 1", "a"]))
@settings(deadline=None, max_examples=30)
def test_the_order_is_by_nearness_then_by_the_alphabet_then_what_cannot_be_read(captions):
    expected = (RED, "a", "b", "c", "d", "far", "opposite", "rewording 1", "rewording 2")
    assert nearest_captions(RED, captions, encode, 100) == expected
    assert nearest_captions(RED, captions, encode, 3) == expected[:3]


def test_none_are_none():
    assert nearest_captions(RED, [], encode, 10) == nearest_captions(RED, list(ANGLES), encode, 0) == ()


@pytest.fixture(scope="module")
def tower():
    return pretrained("ready").embed_texts


def test_the_shipped_tower_finds_the_same_fact_first_and_keeps_what_it_cannot_read(tower):
    captions = [
        "the blue cube is on the red cube",
        "the green prism is next to the white cube",
        "upon the blue brick",
        RED,
    ]
    found = nearest_captions(RED, captions, tower, 4)
    assert found[0] == RED and found[-1] == "upon the blue brick"
