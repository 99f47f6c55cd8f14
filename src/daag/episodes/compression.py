"""Arrays to bytes and back, bit for bit: differences along time, then zstd.  Source: our choice, measured.

Neighbouring frames of a still camera differ in few pixels, so that their differences are mostly zeros. Taken over a
whole episode this packs a clean render about 14 times, far better than PNG frame by frame, and faster. An edit differs from its
source only within masks: packed as the difference from it, it takes a small part of what it takes alone.
"""

import json
import zlib
from typing import Any

import numpy as np
import zstandard

from daag.errors import LifelongBufferError

ZSTD_LEVEL = 3
"""Higher levels gain a few per cent and cost several times the time. Our choice."""

ZSTD_LEVEL_OF_DIFFERENCES = 15
"""Some 6 milliseconds for an edit of the stacking world, and a twelfth less than at level 9. Our choice."""


def compress(array: np.ndarray) -> bytes:
    """Pack an array of numbers or truth values.

    Args:
        array: any shape; axis 0 is time. Integers, floats or bools of 1 to 8 bytes.

    Returns:
        A line of JSON (dtype, shape) and a zstd frame. Little-endian.

    Raises:
        LifelongBufferError: the array holds something else than numbers.
    """
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise LifelongBufferError(f"expected an array of numbers of at most 8 bytes, got dtype {array.dtype}")
    array = np.asarray(array, dtype=array.dtype.newbyteorder("<"))
    header = json.dumps({"dtype": array.dtype.str, "shape": array.shape})
    words = _as_words(array)
    if array.ndim:
        # Unsigned words wrap around, so the running sum gives back every bit, whatever they stand for.
        words = np.concatenate([words[:1], words[1:] - words[:-1]])
    packed: bytes = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(words.tobytes())
    return header.encode() + b"\n" + packed


def compress_difference(array: np.ndarray, source: np.ndarray, start: int) -> bytes | None:
    """Pack an array as what differs from a part of another: next to nothing where they agree.

    Each element (each pixel, where there are colours) is expected to be as it was one moment before, if it did not
    change in the source, and else as in the source. What is not as expected is marked and written down: an object that
    is repainted and at rest is written down once.

    Args:
        array: as for `compress`.
        source: the other array, which must be at hand to unpack.
        start: where along axis 0 of `source` the part begins.

    Returns:
        A line of JSON, and a zstd frame of one bit per element, whether it is new, and the new values. None where
        `source` has no such part, of the same dtype, or where most is new.
    """
    part = source[start : start + len(array)] if array.ndim and source.ndim else source
    if (part.dtype, part.shape) != (array.dtype, array.shape):
        return None
    words, theirs = _as_elements(array), _as_elements(part)
    expected = theirs.copy()
    at_rest = (theirs[1:] == theirs[:-1]).all(axis=-1)
    expected[1:][at_rest] = words[:-1][at_rest]
    is_new = (words != expected).any(axis=-1)
    new = words[is_new]
    if 2 * new.size > words.size:
        return None
    header = {
        "dtype": array.dtype.str,
        "shape": array.shape,
        "start": start,
        "new": len(new),
        "crc": zlib.crc32(array.tobytes()),
    }
    packed: bytes = zstandard.ZstdCompressor(level=ZSTD_LEVEL_OF_DIFFERENCES).compress(
        np.packbits(is_new).tobytes() + new.tobytes()
    )
    return json.dumps(header).encode() + b"\n" + packed


def is_difference(blob: bytes) -> bool:
    """Whether `compress_difference` packed it, so that it needs its source to be unpacked."""
    return b'"start"' in blob.partition(b"\n")[0]


def decompress(blob: bytes, source: np.ndarray | None = None) -> np.ndarray:
    """Unpack what `compress` or `compress_difference` packed: the same shape, dtype and bits, in memory of its own.

    Args:
        blob: the packed bytes.
        source: what a difference was taken from; not used for others.

    Raises:
        LifelongBufferError: the bytes are damaged, or were never packed here, or the source is missing or another.
    """
    try:
        header, _, packed = blob.partition(b"\n")
        layout = json.loads(header)
        dtype, shape = np.dtype(layout["dtype"]), tuple(layout["shape"])
        raw = bytearray(zstandard.ZstdDecompressor().decompress(packed))
        if "start" in layout:
            return _add_source(raw, layout, source)
        words = _as_words(np.frombuffer(raw, dtype=dtype).reshape(shape))
    except (ValueError, TypeError, KeyError, zstandard.ZstdError) as error:
        raise LifelongBufferError(
            f"expected a packed array, got {len(blob)} other or damaged bytes: {error}"
        ) from error
    # A loop, since NumPy's own running sum along the first axis is some twenty times slower on frames.
    for t in range(1, len(words) if shape else 0):
        words[t : t + 1] += words[t - 1 : t]
    return words.view(dtype)


def _add_source(raw: bytearray, layout: dict[str, Any], source: np.ndarray | None) -> np.ndarray:
    if source is None:
        raise LifelongBufferError("expected the source that a difference was taken from, got none")
    dtype, shape, start = np.dtype(layout["dtype"]), tuple(layout["shape"]), int(layout["start"])
    part = source[start : start + shape[0]] if shape and source.ndim else source
    if (part.dtype, part.shape) != (dtype, shape):
        raise LifelongBufferError(
            f"expected a source with {dtype} {shape} from {start} on, got {part.dtype} {part.shape}"
        )
    if "new" in layout:
        array = part.copy()
        if layout["new"]:
            _write_new(_as_elements(array), _as_elements(part), raw, int(layout["new"]))
    else:  # as schema version 2 had it: the difference of all words
        words = _as_words(np.frombuffer(raw, dtype=dtype).reshape(shape))
        array = (words + _as_words(np.ascontiguousarray(part))).view(dtype)
    if zlib.crc32(array.tobytes()) != layout["crc"]:
        raise LifelongBufferError("the source is not the one that the difference was taken from")
    return array


def _write_new(elements: np.ndarray, theirs: np.ndarray, raw: bytearray, num_new: int) -> None:
    """Turn the source's elements, in place, into the array's."""
    num_moments, num_each, width = elements.shape
    num_bytes = -(-num_moments * num_each // 8)
    marks = np.unpackbits(np.frombuffer(raw, np.uint8, num_bytes), count=num_moments * num_each)
    is_new = marks.astype(np.bool_).reshape(num_moments, num_each)
    new = np.frombuffer(raw, elements.dtype, offset=num_bytes).reshape(num_new, width)
    moments, places = np.nonzero(is_new)
    elements[moments, places] = new
    starts = np.searchsorted(moments, np.arange(num_moments + 1))
    differing = places[: starts[1]]  # where the moment before may differ from the source
    for t in range(1, num_moments):
        others = differing[~is_new[t, differing]]
        at_rest = others[(theirs[t, others] == theirs[t - 1, others]).all(axis=-1)]
        elements[t, at_rest] = elements[t - 1, at_rest]
        differing = np.concatenate([at_rest, places[starts[t] : starts[t + 1]]])


def _as_words(array: np.ndarray) -> np.ndarray:
    """The same memory as unsigned integers of the same width."""
    return array.view(np.dtype(f"<u{array.dtype.itemsize}"))


def _as_elements(array: np.ndarray) -> np.ndarray:
    """The same memory as words by moment, element, and part of the element: of pictures in colour, the colours."""
    words = _as_words(np.ascontiguousarray(array))
    moments = words.shape[0] if words.ndim else 1
    width = words.shape[-1] if words.ndim == 4 else 1
    return words.reshape(moments, -1 if words.size else 0, width)
