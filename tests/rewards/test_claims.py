"""What is surely false of a labelled frame: what contradicts it, what its scene has no objects for, and no more."""

import numpy as np

from daag.rewards.claims import Claims
from daag.rewards.labelled_pairs import LabelledPairs

ON, OFF = "the red cube is on the blue cube", "the blue cube is on the red cube"
ELSEWHERE = "the green cube is on the black cube"
SCENE = ("red cube", "blue cube", "green cube", "black cube")


def claims_of(
    descriptions: tuple[str, ...], labels: list[bool], objects: tuple[tuple[str, ...], ...] = (), unasked=()
) -> Claims:
    frames = np.zeros((len(labels), 8, 8, 3), dtype=np.uint8)
    return Claims.of(LabelledPairs(frames, descriptions, np.array(labels), objects), unasked)


def false_of(claims: Claims, index: int) -> set[str]:
    return {claims.texts[column] for column in np.flatnonzero(claims.false[index])}


def test_a_true_description_rules_out_what_contradicts_it_and_not_what_may_also_be():
    claims = claims_of((ON, ELSEWHERE), [True, True])
    assert OFF in false_of(claims, 0) and "the red cube is on the green cube" in false_of(claims, 0)
    assert ELSEWHERE not in false_of(claims, 0) and ON not in false_of(claims, 0)


def test_of_a_frame_that_does_not_show_its_description_only_that_is_known():
    claims = claims_of((ON, ON), [False, True])
    assert false_of(claims, 0) == {ON}
    assert not len(claims.swaps[0]) and len(claims.swaps[1])


def test_what_speaks_of_objects_that_the_scene_lacks_is_false_of_either_frame():
    claims = claims_of((ON, ON), [False, True], (SCENE[:2], SCENE[:2]))
    for index in (0, 1):
        assert "the red cube is on the green cube" in false_of(claims, index)
    assert OFF not in false_of(claims, 0)  # it may be: both objects are there
    known = claims_of((ELSEWHERE, ON), [True, False], (SCENE, SCENE))
    assert ON not in false_of(known, 0)


def test_unasked_sentences_are_said_of_no_frame_unless_a_pair_does():
    assert ON in claims_of((OFF,), [True]).texts
    assert ON not in claims_of((OFF,), [True], unasked=(ON,)).texts
    assert ON in claims_of((OFF, ON), [True, False], unasked=(ON,)).texts


def test_a_batch_asks_each_frames_description_and_so_many_swaps_of_the_true_ones():
    claims = claims_of((ON, ELSEWHERE, ON), [True, True, False])
    columns, true, false = claims.about(np.array([0, 2]), 3, np.random.default_rng(0))
    texts = [claims.texts[column] for column in columns]
    assert ON in texts and len(texts) == 4 and set(texts) - {ON} <= false_of(claims, 0)
    place = texts.index(ON)
    assert true[:, place].tolist() == [True, False] and false[:, place].tolist() == [False, True]
    assert true.sum() == 1 and false[0].sum() == 3 and false[1].sum() == 1
