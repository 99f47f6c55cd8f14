"""Objects followed through an episode, and the one map that comes of it."""

from collections.abc import Sequence

import numpy as np
from tests.perception.known_scenes import Knowing, passing_block

from daag.perception.boxes import Sighting, sightings
from daag.perception.masks import Prompt, follow, segment

BLOCKS = passing_block()


def seen_by(knowing, episode=BLOCKS, frames=(0, 2, 4, 6, 8)):
    index = np.array(frames)
    return sightings(knowing.find(episode.frames[index], episode.objects), index, episode.objects, 0.6)


def followed(knowing, seen):
    tracks = follow(knowing, BLOCKS.frames, seen)
    return segment(
        {BLOCKS.objects.index(name) + 1: track for name, track in tracks.items()}, BLOCKS.frames.shape[:3]
    )


def test_an_object_that_leaves_the_picture_and_comes_back_is_found_again():
    knowing = Knowing(BLOCKS, loses=True)
    assert (followed(knowing, seen_by(knowing)) == BLOCKS.segmentation).all()
    assert knowing.asked.count("masks") == 2  # all at once, and again what came back


def test_an_object_that_is_not_seen_again_stays_lost():
    knowing = Knowing(BLOCKS, loses=True)
    segmentation = followed(knowing, seen_by(knowing, frames=(0, 1, 2)))
    assert (segmentation[:6] == BLOCKS.segmentation[:6]).all() and not (segmentation[6:] == 1).any()


def test_two_names_for_one_object_are_one_object_under_the_better_name():
    box = np.array([24, 14, 30, 20], dtype=np.float32)
    seen = {"red cube": [Sighting(0, box, 0.6)], "blue cube": [Sighting(2, box, 0.9)]}
    assert follow(Knowing(BLOCKS), BLOCKS.frames, seen).keys() == {"blue cube"}
    assert follow(Knowing(BLOCKS), BLOCKS.frames, {}) == {}


def test_a_pixel_belongs_to_the_surest_object_and_to_one_only():
    logits = np.full((2, 1, 4, 6), -3.0, dtype=np.float16)
    logits[0, 0, :, :4], logits[1, 0, :, 2:] = 1.0, 2.0
    ids = segment({7: logits[0], 3: logits[1]}, (1, 4, 6))[0]
    assert ids.dtype == np.int16 and ids.tolist() == [[7, 7, 3, 3, 3, 3]] * 4
    assert not segment({}, (1, 4, 6)).any()


def test_masks_of_another_size_are_stretched_over_the_picture():
    logits = np.full((1, 4, 4), -4.0, dtype=np.float16)
    logits[0, :2, :2] = 4.0
    for height, width in ((8, 8), (9, 31), (3, 5), (1, 1)):
        ids = segment({1: logits}, (1, height, width))[0]
        rows, columns = (np.arange(side) + 0.5 < side / 2 for side in (height, width))
        assert ids.shape == (height, width) and (ids[np.ix_(rows, columns)] == 1).all()
        assert not ids[~rows].any() or min(height, width) == 1


class Blind:
    """Follows everything to nothing."""

    hash = "blind"

    def track(self, frames: np.ndarray, prompts: Sequence[Prompt]) -> np.ndarray:
        return np.full((len(prompts), len(frames), 4, 4), -1.0, dtype=np.float16)


def test_a_model_that_follows_to_nothing_ends_with_nothing():
    seen = seen_by(Knowing(BLOCKS))
    tracks = follow(Blind(), BLOCKS.frames, seen)
    assert tracks.keys() == set(seen) and not segment({1: tracks["red cube"]}, (9, 24, 40)).any()
