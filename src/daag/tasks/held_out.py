"""The combinations that no model of ours has met in a caption. Every task of every experiment comes from here."""

from daag.errors import LanguageError
from daag.tasks.relations import Fact

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


def is_held_out(fact: Fact) -> bool:
    """Whether a fact belongs to the combinations kept from pretraining."""
    colours = (fact.subject.colour, fact.target.colour)
    if fact.relation == "next to":
        return frozenset(colours) in HELD_OUT_NEXT_TO_COLOURS
    return colours in HELD_OUT_ON_COLOURS or (fact.subject.kind, fact.target.kind) in HELD_OUT_ON_KINDS


def caption_is_held_out(caption: str) -> bool:
    """Whether a caption describes a held-out combination. A caption that relates nothing does not."""
    try:
        return is_held_out(Fact.parse(caption))
    except LanguageError:
        return False
