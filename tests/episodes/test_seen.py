"""What is seen of an episode's objects, and which stored episodes show one."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.episodes.making import make_episode

from daag.episodes import EpisodeStore, frames_seen, showing
from daag.episodes import seen as room

NAMES = {1: "red cube", 2: "blue cube", 5: "green cube"}


@given(arrays.arrays(np.int16, (7, 8, 8), elements=st.sampled_from([0, 0, 0, 1, 2, 5])))
@settings(max_examples=30, deadline=None)
def test_frames_are_counted_in_which_an_object_has_a_pixel(masks):
    episode = make_episode(segmentation=masks, object_names=NAMES)
    some = np.array([0, 3, 6])
    for index, found in ((np.arange(7), frames_seen(episode)), (some, frames_seen(episode, some))):
        assert found == {
            name: sum(1 for frame in index if (masks[frame] == key).any()) for key, name in NAMES.items()
        }


def test_without_masks_nothing_is_known():
    assert frames_seen(make_episode(bare=True)) == {}


def store_of_looks() -> EpisodeStore:
    """Five episodes: the first has a red cube that is never seen, the third lacks one, the last came to show it."""
    unseen = np.zeros((7, 8, 8), dtype=np.int16)
    once = unseen.copy()
    once[2, 0, 0] = 1
    store = EpisodeStore.in_memory(None)
    store.append(
        [
            make_episode("e0", segmentation=unseen),
            make_episode("e1", segmentation=once),
            make_episode("e2", object_names={1: "dark red cube", 2: "blue cube"}),
            make_episode("e3", bare=True, object_names={1: "red cube"}),
            make_episode("e4", achieved=("the red cube is on the blue cube",)),
        ]
    )
    return store


def test_episodes_that_show_an_object_are_found_those_that_achieved_something_with_it_first():
    assert showing(store_of_looks(), "red cube") == [("e4", 7), ("e1", 1)]
    assert showing(store_of_looks(), "red cube", at_most=1) == [("e4", 7)]
    assert showing(store_of_looks(), "red sphere") == []


def test_no_more_masks_are_read_than_is_quickly_done(monkeypatch):
    monkeypatch.setattr(room, "AT_MOST_READ", 2)
    assert showing(store_of_looks(), "red cube") == [("e4", 7)]  # and e0, which does not show it


def test_a_name_with_quotes_finds_nothing_and_breaks_nothing():
    assert showing(store_of_looks(), "red 'cube' \"") == []
    named = replace(make_episode("e9"), object_names={1: "it's red", 2: "blue cube"})
    store = store_of_looks()
    store.append([named])
    assert showing(store, "it's red") == [("e9", 7)]
