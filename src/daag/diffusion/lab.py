"""CIELAB: colours in which distances are about what an eye sees.  Source: CIE 1976 L*a*b*, D65; IEC 61966-2-1."""

from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    dtype=np.float32,
)
_WHITE = _RGB_TO_XYZ.sum(axis=1)
_KNEE = 6.0 / 29.0


def srgb_to_lab(rgb: UInt8[np.ndarray, "*N 3"]) -> Float32[np.ndarray, "*N 3"]:
    """L in [0, 100], a and b about [-128, 128]."""
    linear = _decode_gamma(rgb.astype(np.float32) / 255.0)
    scaled = linear @ _RGB_TO_XYZ.T / _WHITE
    f = np.where(scaled > _KNEE**3, np.cbrt(scaled), scaled / (3 * _KNEE**2) + 4.0 / 29.0)
    lightness = 116.0 * f[..., 1] - 16.0
    return np.stack(
        [lightness, 500.0 * (f[..., 0] - f[..., 1]), 200.0 * (f[..., 1] - f[..., 2])], axis=-1
    ).astype(np.float32)


def lab_to_srgb(lab: Float32[np.ndarray, "*N 3"]) -> UInt8[np.ndarray, "*N 3"]:
    """The nearest 8-bit colour; colours outside of sRGB are clipped per channel."""
    fy = (lab[..., 0] + 16.0) / 116.0
    f = np.stack([fy + lab[..., 1] / 500.0, fy, fy - lab[..., 2] / 200.0], axis=-1)
    scaled = np.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4.0 / 29.0))
    linear = np.clip((scaled * _WHITE) @ np.linalg.inv(_RGB_TO_XYZ).T, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255.0).astype(np.uint8)


def _decode_gamma(encoded: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )
