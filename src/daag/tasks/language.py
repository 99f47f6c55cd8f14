"""What can be said in each world: its kinds of object, its colours and the relations that hold there."""

from dataclasses import dataclass

from daag.errors import LanguageError, UnknownNameError
from daag.tasks.objects import BOARD_KINDS, GRID_KINDS, ROOM_KINDS, STACKING_KINDS, Look, all_looks
from daag.tasks.outlines import OUTLINES
from daag.tasks.palette import COLOURS
from daag.tasks.relations import Fact, Relation
from daag.tasks.shapes import SHAPES


@dataclass(frozen=True)
class Language:
    """The nouns, adjectives and relations of one world."""

    name: str
    kinds: tuple[str, ...]
    colours: tuple[str, ...]
    relations: tuple[Relation, ...]
    alike_kinds: tuple[str, ...] = ()
    """Kinds of like size and stance, whose bodies may take each other's place; every other kind stays what it is."""

    @property
    def looks(self) -> tuple[Look, ...]:
        """Every colour with every kind, in a fixed order."""
        return all_looks(self.kinds, self.colours)

    def alike(self, before: str, after: str) -> bool:
        """Whether an object of one kind may be repainted into one of another kind."""
        return before == after or {before, after} <= set(self.alike_kinds)

    def check(self, fact: Fact) -> None:
        """Check that a fact can be said here.

        Raises:
            LanguageError: it names a relation, a colour or a kind of another world.
        """
        if fact.relation not in self.relations or not set(fact.looks) <= set(self.looks):
            raise LanguageError(
                f"{fact.description!r} cannot be said in the world '{self.name}': its relations are "
                f"{', '.join(self.relations)}, its colours {', '.join(self.colours)}, its kinds {', '.join(self.kinds)}"
            )


STACKING = Language("rgb-stacking", STACKING_KINDS, tuple(COLOURS), ("on", "next to"), tuple(SHAPES))
BOARD = Language(
    "language-table",
    BOARD_KINDS,
    ("red", "blue", "green", "yellow"),
    ("touching", "left of", "above", "apart from", "in", "pointed at"),
    tuple(OUTLINES),
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
