"""Which scenes commands try policies in."""

from daag.errors import ConfigError
from daag.lifelong import EVALUATION_SEED


def held_out_seeds(count: int) -> list[int]:
    """Scenes that no run explores in or is evaluated on while it learns.

    Raises:
        ConfigError: there are none.
    """
    if count < 1:
        raise ConfigError(f"expected at least one scene, got {count}; try --scenes 3")
    return [EVALUATION_SEED + 900_000 + scene for scene in range(count)]
