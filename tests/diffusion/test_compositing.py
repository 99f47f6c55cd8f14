import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from daag.diffusion.compositing import box_mask, composite, dilate, seam, tight_mask

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(SIZES.flatmap(lambda size: arrays.arrays(bool, size)), st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_pixels_outside_the_mask_are_byte_identical(mask, seed, weight):
    rng = np.random.default_rng(seed)
    source, repainted = rng.integers(0, 256, size=(2, *mask.shape, 3), dtype=np.uint8)
    own = mask & (rng.random(mask.shape) < 0.5)
    result = composite(source, repainted, mask, own, weight)
    assert np.array_equal(result[~mask], source[~mask])
    assert np.array_equal(result[own], repainted[own])


def test_the_seam_is_soft_at_the_masks_rim_and_hard_at_the_pictures_border():
    mask = np.zeros((6, 6), dtype=bool)
    mask[:4, 1:5] = True
    weights = seam(mask, weight=0.5)
    assert weights[0, 2] == 1.0  # the border of the picture
    assert weights[2, 2] == 1.0
    assert weights[3, 2] == weights[2, 1] == 0.5
    assert weights[4, 2] == 0.0


def test_dilation_grows_a_mask_in_all_eight_directions():
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 2] = True
    assert dilate(mask).sum() == 9
    assert dilate(mask, 2).all()


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Object 1 with object 2 above it, and something nearer, without an id, at its left."""
    segmentation = np.zeros((10, 10), dtype=np.int16)
    depth = np.full((10, 10), 1.0, dtype=np.float16)
    segmentation[4:7, 4:7], depth[4:7, 4:7] = 1, 0.9
    segmentation[2:4, 4:7], depth[2:4, 4:7] = 2, 0.9
    depth[4:7, 2:4] = 0.5
    return segmentation, depth


def test_a_tight_mask_spares_other_objects_and_what_is_nearer():
    segmentation, depth = scene()
    mask = tight_mask(segmentation, depth, 1)
    assert mask[segmentation == 1].all()
    assert not mask[segmentation == 2].any()
    assert not mask[4:7, 2:4].any()
    assert mask[7, 4:7].all() and mask[4:7, 7].all()


def test_a_box_mask_spares_other_objects_and_what_is_nearer():
    segmentation, depth = scene()
    segmentation[6, 4] = 0  # a corner of the box that is not the object's
    mask = box_mask(segmentation, depth, 1)
    assert mask[6, 4]
    assert not mask[segmentation == 2].any()
    assert not mask[4:7, 2:4].any()


def test_an_invisible_object_has_an_empty_mask():
    segmentation, depth = scene()
    assert not tight_mask(segmentation, depth, 9).any()
    assert not box_mask(segmentation, depth, 9).any()
