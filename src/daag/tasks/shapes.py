"""The shapes that kinds of object stand for: upright bodies of one cross-section.

One table for who builds such objects (the simulator) and for who draws one where another was (the video editor).
Source: our choice.
"""

from dataclasses import dataclass
from math import cos, pi, radians, sin

OBJECT_HEIGHT = 0.056
"""Metres; all kinds are equally high, so that the grasp height is half of it for every object on the table."""


@dataclass(frozen=True)
class UprightShape:
    """A cross-section, the same from bottom to top. All lengths are in metres, of an object of usual size."""

    inradius: float
    """From the axis to each side, along the side's normal."""
    sides: int
    """Flat sides at equal angles; 0: round."""
    turn: float = 0.0
    """The direction of the first side's normal when the object's yaw is 0, radians."""

    @property
    def normals(self) -> tuple[float, ...]:
        """Directions of the sides' normals at yaw 0, radians."""
        return tuple(self.turn + 2 * pi * side / self.sides for side in range(self.sides))

    @property
    def outradius(self) -> float:
        """From the axis to what is farthest from it."""
        return self.inradius / cos(pi / self.sides) if self.sides else self.inradius

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Corners of the cross-section at yaw 0, counter-clockwise."""
        angles = [normal + pi / self.sides for normal in self.normals]
        return tuple((self.outradius * cos(angle), self.outradius * sin(angle)) for angle in angles)


SHAPES: dict[str, UprightShape] = {
    "cube": UprightShape(inradius=0.028, sides=4),
    "cylinder": UprightShape(inradius=0.030, sides=0),
    "prism": UprightShape(inradius=0.019, sides=3, turn=radians(30)),
}
"""By kind. A sphere is none of them, and never becomes one of them."""
