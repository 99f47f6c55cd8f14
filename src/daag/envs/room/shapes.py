"""What the room's objects and furniture are built of: boxes, balls and rods, in metres.  Source: our choice.

An object is larger than life, so that it reads at 64 pixels from across the room. It stands on its origin, and is of one
colour all over.
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


def _box(x: float, y: float, z: float, at: tuple[float, float, float], yaw: float = 0.0) -> Part:
    return Part("box", (x, y, z), at, (0.0, 0.0, yaw))


OBJECTS: dict[str, Built] = {
    "mug": Built(
        (
            Part("cylinder", (0.14, 0.16), (0.0, 0.0, 0.16)),
            Part("capsule", (0.03, 0.07), (0.24, 0.0, 0.16)),
            Part("capsule", (0.03, 0.05), (0.19, 0.0, 0.24), (0.0, 1.57, 0.0)),
            Part("capsule", (0.03, 0.05), (0.19, 0.0, 0.08), (0.0, 1.57, 0.0)),
        ),
        (0.16, 0.16),
    ),
    "ball": Built((Part("sphere", (0.19,), (0.0, 0.0, 0.19)),), (0.18, 0.18)),
    "box": Built(
        (_box(0.17, 0.17, 0.15, (0.0, 0.0, 0.15)), _box(0.19, 0.19, 0.03, (0.0, 0.0, 0.31))), (0.18, 0.18)
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
            _box(0.21, 0.21, 0.025, (0.0, 0.0, 0.29)),
            _box(0.21, 0.025, 0.2, (0.0, 0.185, 0.5)),
            *(_box(0.025, 0.025, 0.14, (x, y, 0.14)) for x in (-0.18, 0.18) for y in (-0.18, 0.18)),
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
    ),
}
"""By kind."""

ON_FURNITURE: tuple[str, ...] = ("mug", "ball", "box", "book", "plant")
"""Kinds that stand on furniture too; the others are too large."""

FURNITURE: dict[str, Built] = {
    "table": Built(
        (
            _box(0.4, 0.32, 0.03, (0.0, 0.0, 0.39)),
            *(_box(0.035, 0.035, 0.18, (x, y, 0.18)) for x in (-0.33, 0.33) for y in (-0.25, 0.25)),
        ),
        (0.4, 0.32),
        0.42,
    ),
    "shelf": Built(
        (
            _box(0.42, 0.2, 0.03, (0.0, 0.0, 0.5)),
            _box(0.42, 0.2, 0.03, (0.0, 0.0, 0.2)),
            *(_box(0.03, 0.2, 0.25, (x, 0.0, 0.25)) for x in (-0.42, 0.42)),
        ),
        (0.45, 0.2),
        0.53,
    ),
    "sofa": Built(
        (
            _box(0.6, 0.3, 0.15, (0.0, -0.05, 0.15)),
            _box(0.6, 0.08, 0.32, (0.0, 0.25, 0.32)),
            *(_box(0.08, 0.3, 0.22, (x, -0.05, 0.22)) for x in (-0.6, 0.6)),
        ),
        (0.68, 0.34),
        0.3,
    ),
    "bed": Built(
        (
            _box(0.5, 0.75, 0.12, (0.0, 0.0, 0.16)),
            _box(0.5, 0.05, 0.3, (0.0, 0.75, 0.3)),
            _box(0.3, 0.14, 0.04, (0.0, 0.5, 0.32)),
        ),
        (0.5, 0.8),
        0.28,
    ),
}
"""By name. Backs point along y, and stand against a wall."""
