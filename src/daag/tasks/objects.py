"""How objects are named: a colour word and a kind, "red cube"."""

from collections.abc import Iterable
from dataclasses import dataclass

from daag.errors import LanguageError
from daag.tasks.palette import COLOURS, SHADES

STACKING_KINDS: tuple[str, ...] = ("cube", "cylinder", "prism", "sphere")
"""Kinds of object in the stacking world. A prism stands on one of its triangular ends."""

CARRYING_KINDS: tuple[str, ...] = ("cube", "cylinder", "prism")
"""Kinds that can be stacked, and on which others can be stacked."""

BOARD_KINDS: tuple[str, ...] = ("moon", "star", "cube", "pentagon")
"""Blocks on the board of Language Table, named after their outline."""

ROOM_KINDS: tuple[str, ...] = ("mug", "ball", "box", "book", "plant", "chair", "lamp")
"""What stands about in the room."""

GRID_KINDS: tuple[str, ...] = ("ball", "box", "key", "door")
"""What MiniGrid's worlds are made of."""

KINDS: tuple[str, ...] = tuple(dict.fromkeys(STACKING_KINDS + BOARD_KINDS + ROOM_KINDS + GRID_KINDS))
"""All kinds of all worlds."""


@dataclass(frozen=True, order=True)
class Look:
    """What an object looks like. Within a scene no two objects share a look, so it is also its name."""

    colour: str
    kind: str

    def __post_init__(self) -> None:
        if self.colour not in SHADES or self.kind not in KINDS:
            raise LanguageError(
                f"expected a colour of {', '.join(SHADES)} and a kind of {', '.join(KINDS)}, "
                f"got {self.colour!r} and {self.kind!r}"
            )

    def __str__(self) -> str:
        return f"{self.colour} {self.kind}"

    @classmethod
    def parse(cls, name: str) -> "Look":
        """Read "red cube".

        Raises:
            LanguageError: the name is not a known colour word followed by a known kind.
        """
        words = name.split()
        if len(words) != 2:
            raise LanguageError(f"expected an object name like 'red cube', got {name!r}")
        return cls(*words)


def all_looks(kinds: Iterable[str], colours: Iterable[str] = tuple(COLOURS)) -> tuple[Look, ...]:
    """Every one of `colours` with every one of `kinds`, in a fixed order."""
    each = tuple(colours)
    return tuple(Look(colour, kind) for kind in kinds for colour in each)
