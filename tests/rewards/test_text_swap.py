"""A detector that ignores the sentence, or the order of its words, is found out; one that reads it is not."""

from collections.abc import Sequence

import numpy as np
import pytest

from daag.errors import RewardDetectorError
from daag.rewards.clip import pretrained
from daag.rewards.known_frames import KnownFrames
from daag.rewards.text_swap import false_swaps, text_swap_sensitivity
from daag.tasks import STACKING, word_swaps

ON, OFF = "the red cube is on the blue cube", "the blue cube is on the red cube"
BESIDE = "the blue cube is next to the red cube"
FRAMES = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)


def told(*shown: set[str]) -> KnownFrames:
    detector = KnownFrames()
    for frame, each in zip(FRAMES, shown, strict=True):
        detector.tell(frame, each)
    return detector


class BagOfWords(KnownFrames):
    """Knows which words a sentence has, and not in what order."""

    def embed_texts(self, descriptions: Sequence[str]) -> np.ndarray:
        return super().embed_texts([" ".join(sorted(text.split())) for text in descriptions])


class Deaf(KnownFrames):
    """Gives every sentence the same vector."""

    def embed_texts(self, descriptions: Sequence[str]) -> np.ndarray:
        return super().embed_texts([ON] * len(descriptions))


def test_a_detector_that_reads_gets_everything_right():
    found = text_swap_sensitivity(told({ON}, {OFF}), FRAMES, [ON, OFF])
    assert (found.overall, found.one_word, found.exchanged) == (1.0, 1.0, 1.0)
    assert found.num_exchanged == 2 and found.num_one_word == len(word_swaps(ON)) + len(word_swaps(OFF)) - 2


def test_a_detector_that_ignores_the_sentence_gets_nothing_right():
    deaf = Deaf()
    for frame in FRAMES:
        deaf.tell(frame, {ON})
    found = text_swap_sensitivity(deaf, FRAMES, [ON, ON])
    assert (found.overall, found.one_word, found.exchanged) == (0.0, 0.0, 0.0)


def test_a_detector_that_ignores_the_order_of_words_fails_where_objects_change_places():
    bag = BagOfWords()
    for frame in FRAMES:
        bag.tell(frame, {" ".join(sorted(ON.split()))})
    found = text_swap_sensitivity(bag, FRAMES, [ON, ON])
    assert found.exchanged == 0.0 and found.one_word == 1.0


def test_what_is_known_to_be_true_is_no_swap_and_everything_else_is():
    detector = told({BESIDE}, {BESIDE})
    sure = text_swap_sensitivity(detector, FRAMES, [BESIDE, BESIDE])
    assert sure.num_one_word == 2 * len(false_swaps(BESIDE)) == 4 and sure.exchanged is None
    also = next(swap for swap in word_swaps(BESIDE) if "next to" in swap)
    known = text_swap_sensitivity(detector, FRAMES, [BESIDE, BESIDE], [{BESIDE, also}, {BESIDE}])
    assert known.num_one_word == 2 * len(word_swaps(BESIDE)) - 1


def test_words_come_from_the_language_that_is_named():
    assert set(false_swaps(ON, STACKING)) == set(false_swaps(ON))
    with pytest.raises(
        RewardDetectorError, match="not trained on"
    ):  # the room's detector has no word for a cube
        text_swap_sensitivity(pretrained("ready-room"), FRAMES, [ON, ON])


def test_nothing_to_swap_and_unequal_lengths_are_refused():
    with pytest.raises(RewardDetectorError, match="surely false"):
        text_swap_sensitivity(told({ON}, {ON}), FRAMES, ["a red cube", "a red cube"])
    for texts, also in (([ON], None), ([ON, ON], [{ON}])):
        with pytest.raises(RewardDetectorError, match="for each frame"):
            text_swap_sensitivity(told({ON}, {ON}), FRAMES, texts, also)


def test_swaps_that_might_be_true_are_no_negatives() -> None:
    assert OFF in false_swaps(ON) and BESIDE in false_swaps(ON)
    assert false_swaps(BESIDE) == (OFF, ON)
    assert false_swaps("a red cube") == ()


def test_what_speaks_of_objects_that_a_known_scene_lacks_is_surely_false() -> None:
    other = "the blue cube is next to the green cube"
    assert other not in false_swaps(BESIDE)
    assert other in false_swaps(BESIDE, objects=("red cube", "blue cube"))
    assert other not in false_swaps(BESIDE, objects=("red cube", "blue cube", "green cube"))
    moon, cube = "the red moon", "the blue cube"
    # Blocks that are beside each other may touch; they are not above each other, nor apart.
    assert set(false_swaps(f"{moon} is to the left of {cube}")) == {
        f"{cube} is to the left of {moon}",
        f"{cube} is above {moon}",
        f"{moon} is above {cube}",
        f"{cube} is apart from {moon}",
    }
