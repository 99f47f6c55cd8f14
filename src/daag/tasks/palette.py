"""Colour words, and the range of shades that each of them covers.  Source: our choice."""

import colorsys
from dataclasses import dataclass

import numpy as np

from daag.errors import UnknownNameError


@dataclass(frozen=True)
class ShadeRange:
    """The shades that one colour word covers, in HSV with every channel in [0, 1]."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]

    @property
    def middle(self) -> np.ndarray:
        """The central shade as albedo, float32 RGB in [0, 1], shape (3,)."""
        h, s, v = (sum(bounds) / 2 for bounds in (self.hue, self.saturation, self.value))
        return np.array(colorsys.hsv_to_rgb(h % 1.0, s, v), dtype=np.float32)


COLOURS: dict[str, ShadeRange] = {
    "red": ShadeRange((-0.015, 0.015), (0.80, 1.00), (0.65, 0.90)),
    "orange": ShadeRange((0.065, 0.090), (0.85, 1.00), (0.88, 1.00)),
    "yellow": ShadeRange((0.140, 0.165), (0.75, 1.00), (0.85, 1.00)),
    "green": ShadeRange((0.310, 0.390), (0.65, 1.00), (0.45, 0.75)),
    "blue": ShadeRange((0.590, 0.640), (0.75, 1.00), (0.60, 0.95)),
    "purple": ShadeRange((0.760, 0.820), (0.55, 0.85), (0.45, 0.75)),
    "white": ShadeRange((0.000, 1.000), (0.00, 0.05), (0.90, 1.00)),
    "black": ShadeRange((0.000, 1.000), (0.00, 0.25), (0.04, 0.12)),
}
"""Of daag's own worlds, as albedos. Neighbouring words leave a gap between their ranges, so that a word never fits two shades."""

SHADES: dict[str, ShadeRange] = {**COLOURS, "grey": ShadeRange((0.000, 1.000), (0.00, 0.05), (0.30, 0.60))}
"""Also those of other people's worlds."""


def sample_shade(colour: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a shade of a colour word.

    Args:
        colour: a key of `SHADES`.
        rng: where the randomness comes from.

    Returns:
        Albedo, float32 RGB in [0, 1], shape (3,).

    Raises:
        UnknownNameError: no such colour word.
    """
    if colour not in SHADES:
        raise UnknownNameError("colour", colour, SHADES)
    shades = SHADES[colour]
    h, s, v = (rng.uniform(*bounds) for bounds in (shades.hue, shades.saturation, shades.value))
    return np.array(colorsys.hsv_to_rgb(h % 1.0, s, v), dtype=np.float32)
