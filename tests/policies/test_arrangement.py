"""What a pusher's policy is told: where hand, subject and target are, in metres."""

from dataclasses import replace

import numpy as np
import pytest

from daag.errors import EpisodeError
from daag.policies import Arrangement, Observation
from daag.policies.arrangement import METRES

PIXELS = 64
TO_TABLE = np.array([[0.01, 0, -0.32], [0, -0.01, 0.32], [0, 0, 1]], dtype=np.float32)
"""A pixel is a centimetre; x runs to the right, y up, from the middle."""


def locate(frames, instructions):
    """The subject is where the picture is red, the target where it is blue; 8 x 8 places."""
    shown = frames.reshape(len(frames), 8, 8, 8, 8, 3).mean(axis=(2, 4)) / 255
    return shown[..., [0, 2]].transpose(0, 3, 1, 2).astype(np.float32)


def meaning(instruction):
    return np.array([float(instruction == "push"), 1.0], dtype=np.float32)


READER = Arrangement(locate, meaning, 2, level=0.2)


def observation(subject=(20, 12), target=(44, 40), hand=(0.1, -0.05)) -> Observation:
    """Squares of 8 pixels with their middles at some pixels (x, y)."""
    rgb = np.zeros((PIXELS, PIXELS, 3), dtype=np.uint8)
    for channel, (x, y) in ((0, subject), (2, target)):
        rgb[y - 4 : y + 4, x - 4 : x + 4, channel] = 255
    return Observation(rgb, TO_TABLE, state=np.array(hand, dtype=np.float32))


def test_hand_subject_and_target_are_told_in_metres_and_how_they_lie_to_each_other():
    read = READER.read(observation(), "push")
    assert read.shape == (READER.size,)
    hand, subject, target = (read[i : i + 2] * METRES for i in (0, 2, 4))
    assert hand == pytest.approx([0.1, -0.05])
    assert subject == pytest.approx([20 * 0.01 - 0.32, 0.32 - 12 * 0.01], abs=0.005)
    assert target == pytest.approx([44 * 0.01 - 0.32, 0.32 - 40 * 0.01], abs=0.005)
    assert read[6:8] * METRES / 2 == pytest.approx(subject - hand, abs=1e-5)
    assert read[8:10] * METRES / 2 == pytest.approx(target - subject, abs=1e-5)
    assert read[10] == pytest.approx(np.hypot(*read[6:8]), abs=1e-5)
    assert (read[12:14] > 0.9).all() and read[-2:].tolist() == [1.0, 1.0]


def test_what_is_not_seen_is_told_to_be_unsure():
    gone = observation()
    gone.rgb[..., 0] = 0
    sure, sure_of_target = READER.read(gone, "pull")[12:14]
    assert sure < 0.3 < 0.9 < sure_of_target


def test_a_second_thing_of_a_colour_does_not_draw_the_first_ones_place_to_its_side():
    two = observation()
    two.rgb[52:60, 52:60, 0] = 200
    alone, beside = (READER.read(each, "push")[2:4] for each in (observation(), two))
    assert np.allclose(alone, beside, atol=0.02)


@pytest.mark.parametrize("missing", ["pixel_to_table", "state"])
def test_without_calibration_or_the_hands_place_nothing_can_be_told(missing):
    with pytest.raises(EpisodeError, match="pixel_to_table and the hand's place"):
        READER.read(replace(observation(), **{missing: None}), "push")
