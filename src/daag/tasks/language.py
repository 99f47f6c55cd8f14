"""What can be said in each world: its kinds of object, its colours and the relations that hold there."""

from dataclasses import dataclass

from daag.errors import UnknownNameError
from daag.tasks.objects import BOARD_KINDS, GRID_KINDS, ROOM_KINDS, STACKING_KINDS, Look, all_looks
from daag.tasks.palette import COLOURS
from daag.tasks.relations import Relation


@dataclass(frozen=True)
class Language:
    """The nouns, adjectives and relations of one world."""

    name: str
    kinds: tuple[str, ...]
    colours: tuple[str, ...]
    relations: tuple[Relation, ...]

    @property
    def looks(self) -> tuple[Look, ...]:
        """Every colour with every kind, in a fixed order."""
        return all_looks(self.kinds, self.colours)


STACKING = Language("rgb-stacking", STACKING_KINDS, tuple(COLOURS), ("on", "next to"))
BOARD = Language(
    "language-table",
    BOARD_KINDS,
    ("red", "blue", "green", "yellow"),
    ("touching", "left of", "above", "apart from", "in", "pointed at"),
)
ROOM = Language("room", ROOM_KINDS, tuple(COLOURS), ("in front",))
GRID = Language(
    "grid", GRID_KINDS, ("red", "green", "blue", "purple", "yellow", "grey"), ("in front",)
)  # MiniGrid and BabyAI

LANGUAGES: dict[str, Language] = {language.name: language for language in (STACKING, BOARD, ROOM, GRID)}


def language_of(name: str) -> Language:
    """A world's language by the world's name.

    Raises:
        UnknownNameError: no such world.
    """
    if name not in LANGUAGES:
        raise UnknownNameError("language", name, LANGUAGES)
    return LANGUAGES[name]
