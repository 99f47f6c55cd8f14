import json
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.episodes.making import make_episode

from daag.episodes import Achievement, Provenance, WorldState
from daag.episodes.codec import decode, encode, same_content, schema
from daag.errors import LifelongBufferError

TEXT = st.text(max_size=12)
FLOATS = st.floats(allow_nan=False)
ACHIEVEMENTS = st.builds(Achievement, TEXT, st.integers(0, 5), st.integers(1, 6), FLOATS)
PROVENANCES = st.builds(
    Provenance,
    origin=st.sampled_from(["real", "relabelled", "edited"]),
    source_id=TEXT,
    segment=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    plan=st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=2).map(tuple),
    instruction=TEXT,
    models=st.dictionaries(TEXT, TEXT, max_size=2),
    seed=st.integers(0, 2**128),
    scores=st.dictionaries(TEXT, FLOATS, max_size=2),
    verdicts=st.dictionaries(TEXT, st.booleans(), max_size=2),
)
OPTIONAL = ("state", "depth", "normals", "segmentation", "pixel_to_table", "world_state")


@st.composite
def episodes(draw):
    whole = make_episode(
        draw(TEXT),
        instruction=draw(TEXT),
        num_steps=draw(st.integers(1, 3)),
        seed=draw(st.integers(0, 2**63 - 1)),
        camera=draw(TEXT),
        terminated=draw(st.booleans()),
        truncated=draw(st.booleans()),
        object_names=draw(st.dictionaries(st.integers(1, 300), TEXT, max_size=3)),
    )
    missing = draw(st.sets(st.sampled_from(OPTIONAL)))
    return replace(
        whole,
        achievements=tuple(draw(st.lists(ACHIEVEMENTS, max_size=2))),
        provenance=draw(PROVENANCES),
        **dict.fromkeys(missing),
    )


def through_arrow(row):
    """What storing a row does to it."""
    size = len(row["vector"]) if "vector" in row else None
    return pa.Table.from_pylist([row], schema=schema(size)).to_pylist()[0]


# beartype looks at a random item of a list, which Hypothesis takes for a strategy that cannot be repeated.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@settings(max_examples=40, deadline=None)
@given(episodes())
def test_every_field_of_an_episode_comes_back_with_its_dtype_and_bits(episode):
    back = decode(through_arrow(encode(episode)))
    for field in fields(episode):
        before, after = getattr(episode, field.name), getattr(back, field.name)
        if isinstance(before, WorldState):
            assert after.scene == before.scene
            before, after = before.qpos, after.qpos
        if isinstance(before, np.ndarray):
            assert (after.dtype, after.shape) == (before.dtype, before.shape), field.name
            assert after.tobytes() == before.tobytes(), field.name
        else:
            assert after == before, field.name
    assert same_content(episode, back)


def test_queried_columns_hold_plain_values():
    row = encode(make_episode("a", achieved=("the red cube is on the blue cube",), origin="edited", seed=7))
    assert {name: row[name] for name in ("id", "origin", "achieved", "num_steps", "num_frames", "seed")} == {
        "id": "a",
        "origin": "edited",
        "achieved": ["the red cube is on the blue cube"],
        "num_steps": 2,
        "num_frames": 7,
        "seed": 7,
    }
    assert json.loads(row["object_names"]) == {"1": "red cube", "2": "blue cube"}


@pytest.mark.parametrize("column", ["frames", "rewards", "qpos"])
def test_a_flipped_bit_is_found_and_the_episode_is_named(column):
    row = encode(make_episode("the-damaged-one"))
    row[column] = row[column][:-1] + bytes([row[column][-1] ^ 1])
    with pytest.raises(LifelongBufferError, match="the-damaged-one"):
        decode(row)


def test_a_changed_word_is_found():
    row = encode(make_episode()) | {"instruction": "stack the red cube on the blue tube"}
    with pytest.raises(LifelongBufferError, match="checksum"):
        decode(row)


def test_the_vector_is_no_part_of_the_checksum():
    episode = make_episode()
    assert encode(episode)["checksum"] == encode(episode, np.ones(4, np.float32))["checksum"]


def test_a_seed_beyond_64_bits_is_refused():
    with pytest.raises(LifelongBufferError, match="64 bits"):
        encode(make_episode(seed=2**63))


@pytest.mark.parametrize(
    "change",
    [
        {"instruction": "other"},
        {"truncated": True},
        {"depth": None},
        {"achievements": (Achievement("it is on", 0, 1, 0.5),)},
        {"provenance": Provenance(seed=1)},
        {"provenance": Provenance(instruction="paint the green cube red")},
        {"world_state": WorldState("{}", np.zeros((7, 7)))},
    ],
)
def test_content_differs_when_any_field_does(change):
    episode = make_episode()
    assert same_content(episode, make_episode())
    assert not same_content(episode, replace(episode, **change))


def test_content_differs_by_the_sign_of_zero():
    zeros = np.zeros((2, 4), np.float32)
    assert not same_content(make_episode(actions=zeros), make_episode(actions=-zeros))
