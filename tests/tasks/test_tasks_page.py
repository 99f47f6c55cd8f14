"""The tables of docs/tasks.md are true."""

from pathlib import Path

from daag.tasks import BOARD, CARRYING_KINDS, COLOURS, GRID, LANGUAGES, RELATIONS, ROOM, STACKING, Fact, Look
from daag.tasks.held_out import (
    HELD_OUT_BOARD_COLOURS,
    HELD_OUT_IN_FRONT,
    HELD_OUT_NEXT_TO_COLOURS,
    HELD_OUT_ON_COLOURS,
    HELD_OUT_ON_KINDS,
    HELD_OUT_ON_THE_BOARD,
)

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()


def rows(header: str) -> list[list[str]]:
    """The cells of the table under a header row."""
    lines = PAGE[PAGE.index(header) :].splitlines()[2:]
    table = lines[: next(index for index, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_palette_is_as_the_page_says():
    def cell(bounds: tuple[float, float], decimals: int) -> str:
        return f"{bounds[0]:.{decimals}f} to {bounds[1]:.{decimals}f}"

    assert rows("| Colour | Hue") == [
        [colour, cell(shades.hue, 3), cell(shades.saturation, 2), cell(shades.value, 2)]
        for colour, shades in COLOURS.items()
    ]


def test_the_kinds_are_as_the_page_says():
    assert rows("| Kind | Stacks") == [
        [
            kind,
            "yes" if kind in CARRYING_KINDS else "no",
            ", ".join(other for other in CARRYING_KINDS if other != kind)
            if kind in CARRYING_KINDS
            else "no other kind",
        ]
        for kind in STACKING.kinds
    ]


def test_the_languages_are_as_the_page_says():
    names = {"STACKING": STACKING, "BOARD": BOARD, "ROOM": ROOM, "GRID": GRID}
    assert rows("| Language | World") == [
        [
            f"`{name}`",
            language.name,
            ", ".join(language.kinds),
            "all eight" if language.colours == tuple(COLOURS) else ", ".join(language.colours),
            ", ".join(language.relations),
            ", ".join(language.alike_kinds) or "none",
        ]
        for name, language in names.items()
    ]
    assert set(names.values()) == set(LANGUAGES.values())


def test_the_relations_are_as_the_page_says():
    red, blue = Look("red", "cube"), Look("blue", "cube")
    facts = []
    for relation, form in RELATIONS.items():
        place = form.places[0] if form.needs_place else ""
        facts.append(Fact(relation, red, blue if form.takes_target else None, place))
    assert rows("| Relation | Description") == [
        [fact.relation, fact.description, fact.instruction] for fact in facts
    ]


def test_the_held_out_combinations_are_as_the_page_says():
    listed = {row[0]: row[1].split(", ") for row in rows("| Relation | Held out")}
    assert {tuple(pair.split(" on ")) for pair in listed["on, by colour"]} == HELD_OUT_ON_COLOURS
    assert {tuple(pair.split(" on ")) for pair in listed["on, by kind"]} == HELD_OUT_ON_KINDS
    assert {
        frozenset(pair.split(" and ")) for pair in listed["next to, by colour"]
    } == HELD_OUT_NEXT_TO_COLOURS
    board = {tuple(pair.split(" and ")) for pair in listed["on the board, by colour"]}
    assert board == HELD_OUT_BOARD_COLOURS
    for row, looks in (
        ("in a place, or pointed at", HELD_OUT_ON_THE_BOARD),
        ("in front", HELD_OUT_IN_FRONT),
    ):
        assert {tuple(name.split()) for name in listed[row]} == looks
