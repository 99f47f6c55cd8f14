"""A lamp is found by the shadow of a sheet above a table, and only there."""

import numpy as np
import pytest

from daag.diffusion.light import LAMP_METRES
from daag.diffusion.shadows import towards_lamp
from daag.diffusion.table_camera import TableCamera

CAMERA = TableCamera(90.0, np.diag([1.0, -1.0, -1.0]), 0.6, (64, 64))
TOP = slice(28, 36)


def sheet(lamp: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its depth of a sheet above a table, with its shadow or with none."""
    depth = CAMERA.table_depth.astype(np.float64).copy()
    depth[TOP, TOP] = 0.5
    points = CAMERA.unproject(depth)[TOP, TOP].reshape(-1, 3)
    frame = np.full((64, 64, 3), 160, dtype=np.uint8)
    if lamp is not None:
        middle = np.array([*np.median(points[:, :2], axis=0), -CAMERA.height])
        rays = points - (middle + LAMP_METRES * lamp)
        ground = points + rays * ((-CAMERA.height - points[:, 2]) / rays[:, 2])[:, None]
        for column, row in np.floor(CAMERA.project(ground)).astype(int):
            frame[row, column] = 88
    frame[TOP, TOP] = 30
    return frame, depth.astype(np.float16)


@pytest.mark.parametrize("turn", [0.4, 2.0, 4.1])
def test_the_lamp_is_where_shadows_fall_away_from(turn: float) -> None:
    lamp = np.array([0.6 * np.cos(turn), 0.6 * np.sin(turn), 0.8])
    frame, depth = sheet(lamp)
    ids = np.zeros((1, 64, 64), dtype=np.int16)
    found = towards_lamp(frame[None], ids, depth[None], CAMERA)
    assert found is not None and np.linalg.norm(found.direction) == pytest.approx(1.0)
    assert np.degrees(np.arccos(np.clip(found.direction @ lamp, -1, 1))) < 6.0
    assert found.spread.max() < np.radians(3.0)


def test_without_a_shadow_in_sight_the_lamp_is_where_the_sheet_hides_it_but_nobody_knows_where() -> None:
    frame, depth = sheet(None)
    ids = np.zeros((1, 64, 64), dtype=np.int16)
    found = towards_lamp(frame[None], ids, depth[None], CAMERA)
    assert found is not None
    # The shadow of what is 10 cm above the table and 6 pixels to each side is seen if the lamp is far from the camera.
    to_eye = np.array([0.0, 0.0, 1.0])
    assert np.degrees(np.arccos(found.direction @ to_eye)) < 12.0
    assert np.radians(3.0) < found.spread.min() and found.spread.max() < np.radians(20.0)


def test_an_empty_table_tells_nothing() -> None:
    frame, _ = sheet(None)
    ids = np.zeros((1, 64, 64), dtype=np.int16)
    assert towards_lamp(frame[None], ids, CAMERA.table_depth.astype(np.float16)[None], CAMERA) is None
