import numpy as np
import pytest

from daag.diffusion.crops import CropWindow, cut_crop, resize_rgb, window_around
from daag.diffusion.intrinsics import decompose
from daag.errors import EditError


def mask_with_box(shape: tuple[int, int], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_window_has_native_size_and_lies_inside_the_frame():
    window = window_around(mask_with_box((64, 48), 0, 40, 10, 48), crop_size=32)
    assert window == CropWindow(top=0, left=16, side=32)


def test_a_window_grows_where_the_mask_does_not_fit():
    window = window_around(mask_with_box((64, 64), 5, 5, 45, 20), crop_size=32, margin=2)
    assert window.side == 44


def test_an_empty_mask_cannot_be_cropped():
    with pytest.raises(EditError, match="empty mask"):
        window_around(np.zeros((8, 8), dtype=bool), 4)


@pytest.mark.parametrize("shape", [(64, 64), (33, 71), (9, 13), (20, 5)])
def test_what_is_cut_and_pasted_back_leaves_a_frame_of_any_size_as_it_was(shape):
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, size=(*shape, 3), dtype=np.uint8)
    window = window_around(mask_with_box(shape, 2, 1, 6, 4), crop_size=16)
    content = window.cut(frame)
    assert content.shape == (16, 16, 3)
    assert np.array_equal(window.paste(frame, content), frame)


def test_a_crop_larger_than_the_models_size_is_resized_and_goes_back_to_its_place():
    frame = np.full((64, 64, 3), 100, dtype=np.uint8)
    mask = mask_with_box((64, 64), 10, 10, 50, 50)
    depth, normals = np.ones((64, 64), dtype=np.float16), np.zeros((64, 64, 3), dtype=np.int8)
    crop = cut_crop(frame, mask, mask, depth, normals, 16, "outside")
    assert crop.rgb_at(16).shape == (16, 16, 3) and crop.mask_at(16).shape == (16, 16)
    assert crop.geometry_at(16).shape == (6, 16, 16) and not crop.geometry_at(16)[:, crop.mask_at(16)].any()
    pasted = crop.paste(frame, np.full((16, 16, 3), 7, dtype=np.uint8))
    assert (pasted[mask] == 7).all()
    assert (pasted[:5] == 100).all()


def test_hidden_geometry_is_zero_inside_the_mask_or_everywhere():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
    mask = mask_with_box((16, 16), 4, 4, 10, 10)
    depth = rng.uniform(0.9, 1.1, size=(16, 16)).astype(np.float16)
    normals = rng.integers(-127, 128, size=(16, 16, 3)).astype(np.int8)
    full, outside, none = (
        cut_crop(frame, mask, mask, depth, normals, 16, shown) for shown in ("full", "outside", "none")
    )
    assert np.abs(full.geometry[:4, mask]).min() >= 0 and full.geometry[:4, mask].any()
    assert not outside.geometry_at(16)[:, mask].any() and outside.geometry_at(16)[:, ~mask].any()
    assert not none.geometry.any()
    assert full.intrinsics is not None and outside.intrinsics is None and none.intrinsics is None


def test_the_depth_condition_is_relative_to_the_object():
    frame = np.zeros((16, 16, 3), dtype=np.uint8)
    mask = mask_with_box((16, 16), 4, 4, 10, 10)
    normals = np.zeros((16, 16, 3), dtype=np.int8)
    near, far = (
        cut_crop(frame, mask, mask, np.where(mask, d, 1.05 * d).astype(np.float16), normals, 16).geometry[0]
        for d in (0.5, 2.0)
    )
    assert np.abs(near[mask]).max() < 0.01
    assert near[0, 0] == pytest.approx(0.5, abs=0.02)
    assert np.allclose(near, far, atol=0.02)


def test_an_object_is_read_from_its_crop_as_from_the_whole_frame():
    rng = np.random.default_rng(3)
    frame = rng.integers(0, 255, size=(64, 64, 3)).astype(np.uint8)
    own = mask_with_box((64, 64), 20, 30, 33, 41)
    mask = mask_with_box((64, 64), 19, 29, 34, 42)
    highlight = (30 * own).astype(np.float32)
    crop = cut_crop(
        frame,
        mask,
        own,
        np.ones((64, 64), np.float16),
        np.zeros((64, 64, 3), np.int8),
        32,
        highlight=highlight,
    )
    whole = decompose(frame, own, highlight=highlight).cut(crop.window.cut)
    for part in ("matte", "shading", "flat", "behind"):
        assert (getattr(crop.intrinsics, part) == getattr(whole, part)).all(), part


def test_resizing_keeps_a_flat_colour():
    image = np.full((7, 7, 3), (10, 200, 90), dtype=np.uint8)
    assert (resize_rgb(image, 5) == image[0, 0]).all()


def test_a_change_of_the_background_since_the_crop_was_cut_shows_through():
    rng = np.random.default_rng(0)
    frame = rng.integers(90, 120, (32, 32, 3)).astype(np.uint8)
    own = np.zeros((32, 32), dtype=bool)
    own[10:20, 10:20] = True
    frame[own] = (200, 30, 30)
    depth, normals = np.ones((32, 32), np.float16), np.zeros((32, 32, 3), np.int8)
    crop = cut_crop(frame, own, own, depth, normals, 32)
    changed = frame.copy()
    changed[:, 25:] = 0  # another object's repaint
    pasted = crop.paste(changed, crop.rgb)
    assert not pasted[:, 25:].any()
    assert np.abs(pasted[own].astype(int) - frame[own]).max() <= 1
