"""A gripper's fingers: how broad they are where frames show them whole, and where they go on behind an object."""

import numpy as np
import pytest

from daag.diffusion.fingers import Fingers
from daag.diffusion.table_camera import TableCamera

CAMERA = TableCamera(40.0, np.diag([1.0, -1.0, -1.0]), 0.6, (20, 30))
AWAY = 0.5
PIXEL = AWAY / 40.0
"""Metres that a pixel is broad at a finger."""


def with_fingers(left: slice, right: slice) -> np.ndarray:
    gripper = np.zeros((1, 20, 30), dtype=bool)
    gripper[0, 5:12, left] = gripper[0, 5:12, right] = True
    return gripper


def test_fingers_are_as_broad_as_where_they_stand_free() -> None:
    gripper = with_fingers(slice(4, 8), slice(20, 23))
    depth = np.full(gripper.shape, AWAY, dtype=np.float16)
    ids = np.zeros(gripper.shape, dtype=np.int16)
    free = Fingers.of(gripper, ids, depth, CAMERA)
    assert free.left_metres == pytest.approx(4 * PIXEL) and free.right_metres == pytest.approx(3 * PIXEL)
    ids[:, :, 8:20] = 1  # an object between them hides their inner sides
    assert Fingers.of(gripper, ids, depth, CAMERA) == Fingers(None, None)


@pytest.mark.parametrize(("seen", "hidden"), [(1, 3), (3, 1), (4, 0)])
def test_behind_an_object_what_is_not_seen_of_a_finger_goes_on(seen: int, hidden: int) -> None:
    own = np.zeros((20, 30), dtype=bool)
    own[5:15, 10:20] = True
    gripper = with_fingers(slice(10 - seen, 10), slice(20, 20 + seen))[0]
    depth = np.full(own.shape, AWAY, dtype=np.float16)
    found, told = Fingers(4 * PIXEL, 4 * PIXEL).behind(gripper, own, gripper, depth, CAMERA)
    expected = np.zeros_like(own)
    expected[5:12, 10 : 10 + hidden] = expected[5:12, 20 - hidden : 20] = True
    assert np.array_equal(found == AWAY, expected) and np.array_equal(found > 0, expected)
    assert np.array_equal(told, gripper)


def test_a_palm_is_no_finger() -> None:
    own = np.zeros((20, 30), dtype=bool)
    own[5:15, 10:20] = True
    gripper = with_fingers(slice(2, 10), slice(20, 28))[0]
    depth = np.full(own.shape, AWAY, dtype=np.float16)
    found, told = Fingers(4 * PIXEL, 4 * PIXEL).behind(gripper, own, gripper, depth, CAMERA)
    assert not found.any() and not told.any()
