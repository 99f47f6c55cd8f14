"""Of the frames of an examination half show the fact, and the others miss it in the way that they are said to."""

import numpy as np
import pytest

from daag.experiments.examination import FALSE_KINDS, examine
from daag.tasks import Fact, word_swaps

ON = Fact.parse("the red cube is on the blue cube")


@pytest.fixture(scope="module")
def stacking():
    return examine("rgb-stacking", ON, 12, seed=0)


def test_half_the_frames_show_the_fact_and_the_world_agrees_with_every_label(stacking):
    assert stacking.labels.sum() == 6
    assert [stacking.kinds.count(kind) for kind in FALSE_KINDS] == [2, 2, 2]
    assert [ON.description in facts for facts in stacking.facts] == stacking.labels.tolist()
    assert len({frame.tobytes() for frame in stacking.frames}) == 12


def test_each_false_frame_misses_the_fact_in_its_own_way(stacking):
    beside = Fact("next to", *ON.pair).description
    exchanged = Fact("on", ON.pair[1], ON.pair[0]).description
    changed = set(word_swaps(ON.description)) - {beside, exchanged}
    shown = {
        "exchanged": lambda facts: exchanged in facts,
        "near miss": lambda facts: beside in facts,
        "one word": lambda facts: bool(changed & facts),
    }
    for kind, facts in zip(stacking.kinds, stacking.facts, strict=True):
        assert kind == "true" or shown[kind](facts)


def test_in_the_room_another_object_takes_the_place_and_a_near_miss_is_a_step_or_two_before():
    ball = Fact.parse("the red ball is right in front")
    found = examine("room", ball, 6, seed=0)
    assert [ball.description in facts for facts in found.facts] == [True] * 3 + [False] * 3
    by_kind = dict(zip(found.kinds, found.facts, strict=True))
    assert any(text.endswith("right in front") for text in by_kind["exchanged"])
    assert any(text in word_swaps(ball.description) for text in by_kind["one word"])


def test_on_the_board_a_relation_without_order_is_exchanged_with_another_block_of_the_scene():
    touching = Fact.parse("the red star is touching the blue cube")
    found = examine("language-table", touching, 6, seed=1)
    by_kind = dict(zip(found.kinds, found.facts, strict=True))
    assert touching.description not in by_kind["exchanged"]
    others = [Fact.parse(text) for text in by_kind["exchanged"] if " touching " in text]
    assert any(touching.pair[0] in fact.looks or touching.pair[1] in fact.looks for fact in others)


def test_equal_seeds_give_equal_frames():
    first, second = (examine("rgb-stacking", ON, 2, seed=5) for _ in range(2))
    assert np.array_equal(first.frames, second.frames)
