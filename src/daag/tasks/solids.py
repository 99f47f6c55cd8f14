"""Solid bodies made of boxes, balls and rods: what the objects of a room are.

One table for who builds such objects (the simulator) and for who draws one where another was (the video editor). All
lengths are in metres, of an object of usual size: larger than life, so that it reads at 64 pixels from across the room.
An object stands on its origin, and is of one colour all over. Source: our choice.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One MuJoCo primitive."""

    shape: str
    """"box", "cylinder", "sphere", "capsule" or "ellipsoid"."""
    size: tuple[float, ...]
    """As MuJoCo wants it: half lengths, or radius and half length."""
    position: tuple[float, float, float]
    euler: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Radians about x, y and z."""


@dataclass(frozen=True)
class Built:
    """An object or a piece of furniture."""

    parts: tuple[Part, ...]
    footprint: tuple[float, float]
    """Half its extent along x and y, metres: what one bumps into."""
    top: float = 0.0
    """Height on which an object can stand, metres; 0 where none can."""
    sides: int = 1
    """So many turns about the vertical look alike; 0: all do."""


def box(x: float, y: float, z: float, at: tuple[float, float, float], yaw: float = 0.0) -> Part:
    """A box of half lengths x, y and z about a point, turned about the vertical by `yaw` radians."""
    return Part("box", (x, y, z), at, (0.0, 0.0, yaw))


SOLIDS: dict[str, Built] = {
    "mug": Built(
        (
            Part("cylinder", (0.14, 0.16), (0.0, 0.0, 0.16)),
            Part("capsule", (0.03, 0.07), (0.24, 0.0, 0.16)),
            Part("capsule", (0.03, 0.05), (0.19, 0.0, 0.24), (0.0, 1.57, 0.0)),
            Part("capsule", (0.03, 0.05), (0.19, 0.0, 0.08), (0.0, 1.57, 0.0)),
        ),
        (0.16, 0.16),
    ),
    "ball": Built((Part("sphere", (0.19,), (0.0, 0.0, 0.19)),), (0.18, 0.18), sides=0),
    "box": Built(
        (box(0.17, 0.17, 0.15, (0.0, 0.0, 0.15)), box(0.19, 0.19, 0.03, (0.0, 0.0, 0.31))),
        (0.18, 0.18),
        sides=4,
    ),
    "book": Built(
        (
            Part("box", (0.13, 0.025, 0.2), (-0.12, 0.03, 0.2), (0.0, 0.0, 0.45)),
            Part("box", (0.13, 0.025, 0.2), (0.12, 0.03, 0.2), (0.0, 0.0, -0.45)),
        ),
        (0.2, 0.12),
    ),
    "plant": Built(
        (
            Part("cylinder", (0.11, 0.09), (0.0, 0.0, 0.09)),
            Part("ellipsoid", (0.06, 0.05, 0.2), (0.0, 0.0, 0.36)),
            Part("ellipsoid", (0.05, 0.04, 0.18), (0.12, 0.0, 0.31), (0.0, 0.7, 0.0)),
            Part("ellipsoid", (0.05, 0.04, 0.18), (-0.12, 0.0, 0.31), (0.0, -0.7, 0.0)),
            Part("ellipsoid", (0.04, 0.05, 0.18), (0.0, 0.12, 0.31), (-0.7, 0.0, 0.0)),
        ),
        (0.14, 0.14),
    ),
    "chair": Built(
        (
            box(0.21, 0.21, 0.025, (0.0, 0.0, 0.29)),
            box(0.21, 0.025, 0.2, (0.0, 0.185, 0.5)),
            *(box(0.025, 0.025, 0.14, (x, y, 0.14)) for x in (-0.18, 0.18) for y in (-0.18, 0.18)),
        ),
        (0.21, 0.21),
    ),
    "lamp": Built(
        (
            Part("cylinder", (0.11, 0.02), (0.0, 0.0, 0.02)),
            Part("cylinder", (0.025, 0.22), (0.0, 0.0, 0.24)),
            Part("cylinder", (0.16, 0.1), (0.0, 0.0, 0.54)),
        ),
        (0.14, 0.14),
        sides=0,
    ),
}
"""By kind, of what stands about in a room."""

LIKE_SIZED: tuple[str, ...] = ("mug", "ball", "box", "book", "plant")
"""Kinds that may take each other's place: closed bodies a third to half a metre wide and high, which stand on the floor and on
furniture alike. Chairs and lamps are larger, stand on the floor only, and show the room through themselves."""
