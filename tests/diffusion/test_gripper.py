"""A gripper at an object: before it, where it covers a share of edge pixels, and behind it, where it goes on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daag.diffusion.fingers import Fingers
from daag.diffusion.gripper import Gripper, gripper_at
from daag.diffusion.table_camera import TableCamera

OWN = (slice(8, 18), slice(10, 20))
AWAY = 0.5
"""Metres to the object."""


def from_above() -> TableCamera:
    """A camera 0.6 metres straight above a table."""
    return TableCamera(40.0, np.diag([1.0, -1.0, -1.0]), 0.6, (28, 30))


def seen(
    finger: tuple[slice, slice],
    metres: float,
    share: np.ndarray,
    darker: int = 0,
    breadth: float | None = None,
) -> tuple[Gripper, np.ndarray, np.ndarray]:
    """An object's picture with a finger of grey level 20 in it: what is found of the finger, the picture, and the object's
    pixels.

    Args:
        finger: its pixels.
        metres: how far away it is.
        share: what it covers of the pixels of the object's right column.
        darker: columns of the object, from the left, that are half as bright.
        breadth: of the fingers, metres, where it is known.
    """
    camera = from_above()
    own = np.zeros(camera.shape, dtype=bool)
    own[OWN] = True
    own[finger] = False
    depth = np.where(own, AWAY, camera.table_depth)
    depth[finger] = metres
    brightness = np.where(own, 1.0, 0.0)
    brightness[:, : 10 + darker] *= 0.5
    frame = np.where(own[..., None], brightness[..., None] * [200.0, 40.0, 30.0], 120.0)
    frame[finger] = 20.0
    frame[OWN[0], 19] = (1 - share)[:, None] * frame[OWN[0], 19] + share[:, None] * 20.0
    frame = np.rint(frame).astype(np.uint8)
    ids, fingers = own.astype(np.int16), Fingers(breadth, breadth)
    found = gripper_at(frame, ids, depth.astype(np.float16), 1, camera, brightness, fingers)
    return found, frame, own


@given(share=st.floats(0.0, 0.5), darker=st.sampled_from([0, 9]))
def test_before_an_object_it_covers_what_the_colours_of_its_edge_say(share: float, darker: int) -> None:
    """Also where a bend runs along the edge, so that no pixel inside is as bright."""
    found, frame, own = seen((slice(0, 28), slice(20, 25)), 0.4, np.full(10, share), darker)
    assert found.before[OWN[0], 19] == pytest.approx(np.full(10, share), abs=0.03)
    assert not found.before[:, :19].any() and not found.before[~own].any()
    assert not found.behind.any()
    assert (found.colour[OWN[0], 19][found.before[OWN[0], 19] > 0] == 20).all()
    assert np.array_equal(found.colour[found.before == 0], frame[found.before == 0])


def test_behind_an_object_it_goes_on_as_far_as_a_finger_is_broad() -> None:
    found, frame, _ = seen((slice(10, 16), slice(20, 24)), 0.52, np.zeros(10))
    assert not found.before.any()
    assert (found.behind[11:15, 18:20] > AWAY).all() and not found.behind[:, :17].any()
    assert (found.colour[found.behind > 0] == 20).all()
    assert np.array_equal(found.colour[found.behind == 0], frame[found.behind == 0])


def test_behind_an_object_a_finger_goes_on_as_far_as_it_is_known_to_be_broad() -> None:
    for hidden in (0, 3):
        breadth = (4 + hidden) * 0.52 / 40.0
        found, _, _ = seen((slice(10, 16), slice(20, 24)), 0.52, np.zeros(10), breadth=breadth)
        assert (found.behind[10:16, 10:20] > 0).sum(axis=1).tolist() == [hidden] * 6


def test_without_a_gripper_nothing_is_found() -> None:
    found, frame, _ = seen((slice(0, 0), slice(0, 0)), 0.4, np.zeros(10))
    assert not found.before.any() and not found.behind.any()
    assert np.array_equal(found.colour, frame)
