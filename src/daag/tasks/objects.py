"""How objects are named: a colour word and a kind, "red cube"."""

from dataclasses import dataclass

from daag.errors import LanguageError
from daag.tasks.palette import COLOURS

KINDS: tuple[str, ...] = ("cube", "cylinder", "prism", "sphere")
"""Kinds of object in the stacking world. A prism stands on one of its triangular ends."""

CARRYING_KINDS: tuple[str, ...] = ("cube", "cylinder", "prism")
"""Kinds that can be stacked, and on which others can be stacked."""


@dataclass(frozen=True, order=True)
class Look:
    """What an object looks like. Within a scene no two objects share a look, so it is also its name."""

    colour: str
    kind: str

    def __post_init__(self) -> None:
        if self.colour not in COLOURS or self.kind not in KINDS:
            raise LanguageError(
                f"expected a colour of {', '.join(COLOURS)} and a kind of {', '.join(KINDS)}, "
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


def all_looks(kinds: tuple[str, ...] = KINDS) -> tuple[Look, ...]:
    """Every colour with every one of `kinds`, in a fixed order."""
    return tuple(Look(colour, kind) for kind in kinds for colour in COLOURS)
