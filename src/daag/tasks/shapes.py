"""The shapes that kinds of object stand for: upright bodies of one cross-section.

One table for who builds such objects (the simulator) and for who draws one where another was (the video editor). A word
may stand for another shape in another world, such as "cube": so the tables come in families, one for each world's objects.
Source: our choice.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import cos, pi, radians, sin

from daag.tasks.outlines import OUTLINES, Outline

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
    height: float = OBJECT_HEIGHT

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

    @property
    def half_planes(self) -> tuple[tuple[tuple[float, float], ...], ...]:
        """The sides of its one piece: the direction of a side's normal, radians, and how far along it the side lies, metres;
        empty for a round one."""
        return (tuple((normal, self.inradius) for normal in self.normals),) if self.sides else ()


Shape = UprightShape | Outline
"""What stands upright: both say `height`, `outradius`, `half_planes` and `sides`, how many turns look alike."""

SHAPES: dict[str, UprightShape] = {
    "cube": UprightShape(inradius=0.028, sides=4),
    "cylinder": UprightShape(inradius=0.030, sides=0),
    "prism": UprightShape(inradius=0.019, sides=3, turn=radians(30)),
}
"""By kind, of what is stacked. A sphere is none of them, and never becomes one of them."""

FAMILIES: tuple[Mapping[str, Shape], ...] = (SHAPES, OUTLINES)
"""Kinds whose bodies may take each other's place: what is stacked, and the blocks of a board."""


def family_of(kinds: Collection[str]) -> Mapping[str, Shape]:
    """The family that a scene's kinds belong to: the one that has most of them; empty where none has any."""
    best = max(FAMILIES, key=lambda family: len(set(kinds) & set(family)))
    return best if set(kinds) & set(best) else {}
