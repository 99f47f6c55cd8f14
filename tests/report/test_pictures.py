import base64
import io

import numpy as np
from matplotlib.image import imread

from daag.report.pictures import GAP, TINTS, data_uri, masks_over, row_of


def test_a_picture_comes_back_as_it_was():
    image = np.random.default_rng(0).integers(0, 256, (7, 11, 4), dtype=np.uint8)
    png = base64.b64decode(data_uri(image).removeprefix("data:image/png;base64,"))
    assert np.array_equal((imread(io.BytesIO(png)) * 255).round().astype(np.uint8), image)


def test_frames_stand_in_order_with_gaps_that_let_the_page_through():
    frames = np.stack([np.full((4, 5, 3), value, np.uint8) for value in (10, 20, 30)])
    row = row_of(frames)
    assert row.shape == (4, 3 * 5 + 2 * GAP, 4)
    assert row[0, [0, 5 + GAP, 10 + 2 * GAP], 0].tolist() == [10, 20, 30]
    assert row[0, 5, 3] == 0
    assert row[0, 0, 3] == 255


def test_masks_are_tinted_and_all_else_is_grey():
    frames = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    mask = np.zeros((1, 4, 4), bool)
    mask[0, 0, 0] = True
    shown = masks_over(frames, [mask]).astype(int)
    assert np.abs(shown[0, 0, 0] - TINTS[0]).max() <= 0.2 * 255 + 1
    assert (shown[~mask].max(axis=-1) == shown[~mask].min(axis=-1)).all()
