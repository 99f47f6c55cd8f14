"""The combinations that no model of ours has met in a caption. Every task of every experiment comes from here."""

from daag.errors import LanguageError
from daag.tasks.relations import RELATIONS, Fact

HELD_OUT_ON_COLOURS: frozenset[tuple[str, str]] = frozenset(
    {
        ("red", "blue"),
        ("green", "yellow"),
        ("blue", "green"),
        ("yellow", "red"),
        ("orange", "purple"),
        ("purple", "white"),
        ("white", "orange"),
        ("black", "yellow"),
    }
)
"""(upper colour, lower colour), for objects of any kind: no training caption says "red ... on ... blue"."""

HELD_OUT_ON_KINDS: frozenset[tuple[str, str]] = frozenset({("prism", "cylinder")})
"""(upper kind, lower kind), in any colours."""

HELD_OUT_NEXT_TO_COLOURS: frozenset[frozenset[str]] = frozenset(
    {frozenset({"red", "green"}), frozenset({"blue", "yellow"}), frozenset({"purple", "black"})}
)
"""Colours of two objects beside each other, in either order."""


HELD_OUT_BOARD_COLOURS: frozenset[tuple[str, str]] = frozenset(
    {("red", "blue"), ("green", "yellow"), ("blue", "green"), ("yellow", "red")}
)
"""(subject's colour, target's colour) of two blocks on the board, for blocks of any kind; in either order where the relation
has none."""

HELD_OUT_ON_THE_BOARD: frozenset[tuple[str, str]] = frozenset({("red", "moon"), ("blue", "pentagon")})
"""(colour, kind) of a block that lies in a named place, or is pointed at."""

HELD_OUT_IN_FRONT: frozenset[tuple[str, str]] = frozenset(
    {
        *(("red", kind) for kind in ("ball", "chair")),
        *(("green", kind) for kind in ("mug", "book")),
        *(("blue", kind) for kind in ("lamp", "box")),
        *(("yellow", kind) for kind in ("plant", "ball")),
        ("orange", "chair"),
        ("purple", "mug"),
        ("white", "box"),
        ("black", "lamp"),
    }
)
"""(colour, kind) of an object that one stands before, wherever it is."""


def is_held_out(fact: Fact) -> bool:
    """Whether a fact belongs to the combinations kept from pretraining."""
    subject = (fact.subject.colour, fact.subject.kind)
    if fact.relation == "in front":
        return subject in HELD_OUT_IN_FRONT
    if fact.target is None:
        return subject in HELD_OUT_ON_THE_BOARD
    colours = (fact.subject.colour, fact.target.colour)
    if fact.relation == "next to":
        return frozenset(colours) in HELD_OUT_NEXT_TO_COLOURS
    if fact.relation == "on":
        kinds = (fact.subject.kind, fact.target.kind)
        return colours in HELD_OUT_ON_COLOURS or kinds in HELD_OUT_ON_KINDS
    symmetric = RELATIONS[fact.relation].symmetric
    return colours in HELD_OUT_BOARD_COLOURS or (symmetric and colours[::-1] in HELD_OUT_BOARD_COLOURS)


def caption_is_held_out(caption: str) -> bool:
    """Whether a caption describes a held-out combination. A caption that relates nothing does not."""
    try:
        return is_held_out(Fact.parse(caption))
    except LanguageError:
        return False
