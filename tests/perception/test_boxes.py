"""Which box is whose."""

import numpy as np
import pytest
from tests.perception.known_scenes import Knowing, bare, box_of
from tests.report.making import stacked_episodes

from daag.perception.boxes import Boxes, match, sightings

BOXES = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [0, 1, 10, 10]], dtype=np.float32)


def found(scores):
    scores = np.array(scores, dtype=np.float32)
    return Boxes(BOXES[: len(scores)], scores)


def test_two_objects_of_one_kind_get_a_box_each_though_one_box_fits_both_names_best():
    matched = match(found([[0.9, 0.8], [0.7, 0.3]]), 0.25)
    # Taking the best box for each name would give both names the first; the best name first would leave 0.3.
    assert {name: tuple(box) for name, (box, _) in matched.items()} == {0: (20, 0, 30, 10), 1: (0, 0, 10, 10)}
    assert [round(matched[name][1], 2) for name in (0, 1)] == [0.7, 0.8]


def test_a_box_that_is_said_twice_is_one_object():
    matched = match(found([[0.9, 0.1], [0.1, 0.1], [0.1, 0.8]]), 0.25)
    assert matched.keys() == {0}
    assert match(found([[0.9, 0.1], [0.1, 0.1], [0.95, 0.1]]), 0.25)[0][0].tolist() == BOXES[2].tolist()


@pytest.mark.parametrize("scores", [[[0.2, 0.24], [0.1, 0.2]], np.zeros((0, 2)), np.zeros((2, 0))])
def test_nothing_is_found_below_the_score_that_counts(scores):
    assert match(found(scores), 0.25) == {}


def test_each_object_of_a_scene_is_seen_where_it_is():
    """Four objects on a table, two or three of a kind, boxes in an order that says nothing."""
    episode = stacked_episodes()[0]
    names, index = episode.objects, np.arange(0, len(episode.frames), 5)
    seen = sightings(Knowing(episode).find(bare(episode).frames[index], names), index, names, 0.6)
    assert tuple(seen) == names
    for name, mine in seen.items():
        assert [one.score for one in mine] == sorted((one.score for one in mine), reverse=True)
        for one in mine:
            mask = episode.segmentation[one.frame] == names.index(name) + 1
            assert one.box.tolist() == box_of(mask).tolist()
