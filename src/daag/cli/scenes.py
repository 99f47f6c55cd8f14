"""Which scenes commands try policies in."""

from daag.lifelong import EVALUATION_SEED


def held_out_seeds(count: int) -> list[int]:
    """Scenes that no run explores in or is evaluated on while it learns."""
    return [EVALUATION_SEED + 900_000 + scene for scene in range(count)]
