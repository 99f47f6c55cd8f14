"""What furniture is built of, and which objects stand on it.  Source: our choice."""

from daag.tasks.solids import Built, box

ON_FURNITURE: tuple[str, ...] = ("mug", "ball", "box", "book", "plant")
"""Kinds that stand on furniture too; the others are too large."""

FURNITURE: dict[str, Built] = {
    "table": Built(
        (
            box(0.4, 0.32, 0.03, (0.0, 0.0, 0.39)),
            *(box(0.035, 0.035, 0.18, (x, y, 0.18)) for x in (-0.33, 0.33) for y in (-0.25, 0.25)),
        ),
        (0.4, 0.32),
        0.42,
    ),
    "shelf": Built(
        (
            box(0.42, 0.2, 0.03, (0.0, 0.0, 0.5)),
            box(0.42, 0.2, 0.03, (0.0, 0.0, 0.2)),
            *(box(0.03, 0.2, 0.25, (x, 0.0, 0.25)) for x in (-0.42, 0.42)),
        ),
        (0.45, 0.2),
        0.53,
    ),
    "sofa": Built(
        (
            box(0.6, 0.3, 0.15, (0.0, -0.05, 0.15)),
            box(0.6, 0.08, 0.32, (0.0, 0.25, 0.32)),
            *(box(0.08, 0.3, 0.22, (x, -0.05, 0.22)) for x in (-0.6, 0.6)),
        ),
        (0.68, 0.34),
        0.3,
    ),
    "bed": Built(
        (
            box(0.5, 0.75, 0.12, (0.0, 0.0, 0.16)),
            box(0.5, 0.05, 0.3, (0.0, 0.75, 0.3)),
            box(0.3, 0.14, 0.04, (0.0, 0.5, 0.32)),
        ),
        (0.5, 0.8),
        0.28,
    ),
}
"""By name. Backs point along y, and stand against a wall."""
