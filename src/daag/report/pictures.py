"""Frames as pictures inside a page: PNG by hand (the format is twelve lines), rows of frames, masks over frames."""

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

GAP = 2
"""Transparent pixels between the frames of a row."""

TINTS = ((230, 120, 0), (0, 130, 230), (0, 160, 90), (200, 80, 170))
"""RGB of the masks of a plan's first, second, ... object: tellable apart with any colour vision."""


def row_of(frames: UInt8[np.ndarray, "N H W 3"]) -> UInt8[np.ndarray, "H V 4"]:
    """Frames side by side with gaps between them, RGBA, V = N * W + (N - 1) * GAP."""
    opaque = np.full((*frames.shape[:3], 1), 255, dtype=np.uint8)
    padded = np.pad(np.concatenate([frames, opaque], axis=-1), ((0, 0), (0, 0), (0, GAP), (0, 0)))
    return np.concatenate(list(padded), axis=1)[:, :-GAP]


def masks_over(
    frames: UInt8[np.ndarray, "N H W 3"], masks: Sequence[Bool[np.ndarray, "N H W"]]
) -> UInt8[np.ndarray, "N H W 3"]:
    """Frames in pale grey with each mask tinted, lighter where the object is lighter."""
    grey = frames.astype(np.float32).mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    shown = 0.35 * grey + 110.0
    for number, mask in enumerate(masks):
        tint = np.array(TINTS[number % len(TINTS)], dtype=np.float32)
        shown[mask] = 0.8 * tint + 0.2 * grey[mask]
    return shown.clip(0, 255).astype(np.uint8)


def data_uri(image: UInt8[np.ndarray, "H W 4"]) -> str:
    """An RGBA picture as a PNG in a `data:` URI, so that the page needs no other file."""
    height, width = image.shape[:2]
    # PNG's filter "sub": each pixel less its left neighbour, modulo 256; halves the size of a render.
    differences = image - np.pad(image, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    rows = np.concatenate([np.ones((height, 1), np.uint8), differences.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()
