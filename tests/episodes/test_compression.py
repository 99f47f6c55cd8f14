import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from daag.episodes.compression import compress, decompress
from daag.errors import LifelongBufferError

NUMBERS = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="<"),
    arrays.unsigned_integer_dtypes(endianness="<"),
    arrays.floating_dtypes(endianness="<", sizes=(16, 32, 64)),
)
ANY_ARRAY = arrays.arrays(NUMBERS, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


@given(ANY_ARRAY)
def test_every_array_comes_back_bit_for_bit(array):
    back = decompress(compress(array))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


def test_special_floats_keep_their_bits():
    array = np.array([np.nan, -np.nan, np.inf, -0.0, 0.0, 5e-324])
    assert decompress(compress(array)).tobytes() == array.tobytes()


def test_a_view_that_skips_and_reverses_comes_back_in_its_own_order():
    array = np.arange(60, dtype=np.int16).reshape(5, 4, 3)[::-1, :, ::2]
    np.testing.assert_array_equal(decompress(compress(array)), array)


def test_frames_of_a_still_scene_take_little_more_than_one_frame():
    frame = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    still = np.repeat(frame[None], 30, axis=0)
    still[7, 3, 4] ^= 1
    assert len(compress(still)) < 1.1 * len(compress(frame[None]))


def test_unpacked_arrays_can_be_written_to():
    back = decompress(compress(np.zeros(3, dtype=np.float32)))
    back[0] = 1.0
    assert back.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "blob", [b"", b"{}\n", b"no header", compress(np.arange(99))[:-3], compress(np.arange(99))[5:]]
)
def test_other_bytes_are_refused(blob):
    with pytest.raises(LifelongBufferError, match="expected a packed array"):
        decompress(blob)


def test_text_is_refused():
    with pytest.raises(LifelongBufferError, match="array of numbers"):
        compress(np.array(["red"]))
