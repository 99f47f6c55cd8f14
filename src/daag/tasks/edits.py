"""What may be asked of the video editor: which objects or regions change their look, and into what."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from daag.errors import EditError
from daag.tasks.palette import SHADES

Operation = Literal["modify", "replace", "exchange"]

REGIONS: tuple[str, ...] = ("table", "board", "floor", "walls")
"""What is no object and can be repainted all the same, by its name in the worlds."""

FINISHES: dict[str, float] = {"matte": 0.0, "shiny": 0.4}
"""How glossy a surface is, of which an edit says so: the strength of its highlight, in [0, 1].  Source: our choice."""


@dataclass(frozen=True)
class ObjectEdit:
    """The new look of one object, or of a region of the scene."""

    operation: Operation
    """`modify`: the colour, material or pattern changes. `replace`: the kind changes, to one of similar geometry.
    `exchange`: another object of the scene had the new look, and gives it up in the same plan."""

    source: str
    """The object's name in the scene, "green cube"; or one of `REGIONS`, "table"."""

    target: str
    """The name that fits it after the edit, "red cube"; a word for its finish may come first, "shiny red cube". Of a region
    the colour and the region, "green table"."""

    @property
    def of_region(self) -> bool:
        """Whether a region is edited, and no object."""
        return self.source in REGIONS

    @property
    def region_colour(self) -> str:
        """The word of `SHADES` that an edited region takes: "green" of "green table".

        Raises:
            EditError: what stands before the region is no such word. Editors that paint what they are told in words may
                know more.
        """
        assert self.of_region
        colour = self.name.removesuffix(self.source).strip()
        if colour not in SHADES:
            raise EditError(
                f"expected one colour of {', '.join(SHADES)} for the {self.source}, as in '{self.source} -> green "
                f"{self.source}', got: {self.target}"
            )
        return colour

    @property
    def finish(self) -> str | None:
        """One of `FINISHES`; None where the finish stays."""
        word = self.target.split()[0]
        return word if word in FINISHES else None

    @property
    def name(self) -> str:
        """What the object is called after the edit: `target` without the finish, which names do not tell."""
        return self.target.removeprefix(self.finish or "").strip()

    @property
    def kinds(self) -> tuple[str, str]:
        """What the object is before and after the edit: "cube", "cylinder"."""
        return self.source.split()[-1], self.target.split()[-1]

    @property
    def changes_kind(self) -> bool:
        """Whether the object gets another shape, so that its old geometry must not steer the edit."""
        before, after = self.kinds
        return self.operation == "replace" or before != after


@dataclass(frozen=True)
class EditPlan:
    """Edits to be made together; they are simultaneous, so two objects can trade looks.

    Raises:
        EditError: no edits, an object edited twice, two objects given one look, an edit that changes nothing, or a region
        that is to become something else.
    """

    edits: tuple[ObjectEdit, ...]

    instruction: str = field(default="", compare=False)
    """The planner's sentence for editors that take instructions; editors that take captions make theirs of `edits`."""

    def __post_init__(self) -> None:
        sources = [edit.source for edit in self.edits]
        targets = [edit.name for edit in self.edits]
        if not self.edits:
            raise EditError("an edit plan needs at least one edit, got none")
        if len(set(sources)) < len(sources) or len(set(targets)) < len(targets):
            raise EditError(f"each object may be edited once and each look given once, got: {self.sentence}")
        if any(edit.source == edit.target for edit in self.edits):
            raise EditError(f"an edit must change the look, got: {self.sentence}")
        for edit in self.edits:
            if edit.of_region and (edit.kinds[1] != edit.source or edit.finish):
                raise EditError(
                    f"of the {edit.source} the colour can change, as in '{edit.source} -> green {edit.source}', got: "
                    f"{edit.target}"
                )

    @property
    def renaming(self) -> dict[str, str]:
        """Each edited object's name before, and its name after."""
        return {edit.source: edit.name for edit in self.edits}

    @property
    def sentence(self) -> str:
        """The plan in words, "green cube -> red cube (modify)"."""
        return ", ".join(f"{edit.source} -> {edit.target} ({edit.operation})" for edit in self.edits)

    def check_against(self, objects: Sequence[str]) -> None:
        """Check that the plan fits a scene.

        Args:
            objects: the names of the scene's objects.

        Raises:
            EditError: an edited object is not in the scene, or the scene would hold two objects of one name.
        """
        missing = [edit.source for edit in self.edits if edit.source not in objects and not edit.of_region]
        if missing:
            raise EditError(f"the scene has no {' and no '.join(missing)}; it has: {', '.join(objects)}")
        after = [self.renaming.get(name, name) for name in objects]
        if len(set(after)) < len(after):
            raise EditError(
                f"after '{self.sentence}' the scene would hold two objects of one name: {', '.join(after)}"
            )


def parse_changes(changes: Sequence[str]) -> EditPlan:
    """Read a plan as one writes it down: "red cube -> green cube", "red cube -> shiny red cube", "table -> green table", or
    "red cube <-> blue cube" for two that trade looks.

    Args:
        changes: at least one; they are made together.

    Raises:
        EditError: none was given, one is not of either form or names nothing on one side, or together they are no plan.
    """
    looks: list[tuple[str, str]] = []
    for change in changes:
        both = "<->" in change
        names = [" ".join(name.split()) for name in change.split("<->" if both else "->")]
        if len(names) != 2 or not all(names):
            raise EditError(
                f"expected a change such as 'red cube -> green cube', or 'red cube <-> blue cube' to exchange two looks, got "
                f"{change!r}"
            )
        looks += [(names[0], names[1]), (names[1], names[0])] if both else [(names[0], names[1])]
    sources = [before for before, _ in looks]
    return EditPlan(
        tuple(ObjectEdit(_operation(before, after, sources), before, after) for before, after in looks)
    )


def _operation(before: str, after: str, sources: Sequence[str]) -> Operation:
    if after in sources and after != before:
        return "exchange"
    return "replace" if before.split()[-1] != after.split()[-1] else "modify"
