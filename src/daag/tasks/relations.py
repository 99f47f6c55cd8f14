"""What can be true in a scene, as a typed fact and as a sentence."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Literal

from daag.errors import LanguageError
from daag.tasks.objects import CARRYING_KINDS, Look

Relation = Literal[
    "on", "next to", "touching", "left of", "above", "apart from", "in", "pointed at", "in front"
]

BOARD_PLACES: tuple[str, ...] = (
    "top left corner",
    "top right corner",
    "bottom left corner",
    "bottom right corner",
    "middle",
)
"""Where on a board a block can lie, as the camera sees it: the top is far away."""

ROOM_PLACES: tuple[str, ...] = tuple(
    f"{preposition} the {furniture}"
    for preposition in ("on", "next to")
    for furniture in ("table", "shelf", "sofa", "bed")
)
"""Where in a room an object can be."""


@dataclass(frozen=True)
class Form:
    """How a relation is said."""

    description: str
    """What is visible, with gaps for the subject, and the target or the place."""
    instruction: str
    """What to do to bring it about, with the same gaps."""
    symmetric: bool = False
    """Whether the two objects may change places. If so they are kept in sorted order."""
    places: tuple[str, ...] = ()
    """What may stand in the gap for the place."""
    excludes: tuple[Relation, ...] = ()
    """Other relations that never hold of the same two objects at once, in whichever order."""

    @property
    def takes_target(self) -> bool:
        """Whether it relates two objects."""
        return "{target}" in self.description

    @property
    def needs_place(self) -> bool:
        """Whether it says nothing without a place."""
        return "{place}" in self.description


RELATIONS: dict[Relation, Form] = {
    "on": Form(
        "the {subject} is on the {target}", "stack the {subject} on the {target}", excludes=("next to",)
    ),
    "next to": Form(
        "the {subject} is next to the {target}",
        "put the {subject} next to the {target}",
        symmetric=True,
        excludes=("on",),
    ),
    "touching": Form(
        "the {subject} is touching the {target}",
        "push the {subject} to the {target}",
        symmetric=True,
        excludes=("apart from",),
    ),
    "left of": Form(
        "the {subject} is to the left of the {target}",
        "push the {subject} to the left of the {target}",
        excludes=("above", "apart from"),
    ),
    "above": Form(
        "the {subject} is above the {target}",
        "push the {subject} above the {target}",
        excludes=("left of", "apart from"),
    ),
    "apart from": Form(
        "the {subject} is apart from the {target}",
        "separate the {subject} from the {target}",
        symmetric=True,
        excludes=("touching", "left of", "above"),
    ),
    "in": Form("the {subject} is in the {place}", "push the {subject} into the {place}", places=BOARD_PLACES),
    "pointed at": Form("the pointer is at the {subject}", "point at the {subject}"),
    "in front": Form("the {subject} is right in front", "go to the {subject}", places=ROOM_PLACES),
}
"""Each relation belongs to one kind of world: "on" and "next to" to stacking, "in front" to worlds that one walks about
in, the others to the board. A relation and its mirror image are one: "right of" is "left of" the other way round."""


@dataclass(frozen=True, order=True)
class Fact:
    """A relation that holds: between two objects, or of one object, or of one object and a place.

    A relation whose form is symmetric keeps its two objects in sorted order. For "in front" the place is optional and says
    which object is meant: "the red ball on the sofa is right in front".
    """

    relation: Relation
    subject: Look
    target: Look | None = None
    place: str = ""

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise LanguageError(f"expected a relation of {', '.join(RELATIONS)}, got {self.relation!r}")
        form = RELATIONS[self.relation]
        if self.subject == self.target:
            raise LanguageError(f"a fact needs two different objects, got {self.subject} twice")
        if form.takes_target != (self.target is not None):
            wanted = "two objects" if form.takes_target else "one object"
            raise LanguageError(f"'{self.relation}' is said of {wanted}, got {self.looks}")
        if (self.place and self.place not in form.places) or (form.needs_place and not self.place):
            places = ", ".join(form.places) or "none"
            raise LanguageError(f"'{self.relation}' takes a place of: {places}; got {self.place!r}")
        if form.symmetric and self.target is not None and self.target < self.subject:
            first, second = self.target, self.subject
            object.__setattr__(self, "subject", first)
            object.__setattr__(self, "target", second)

    @property
    def looks(self) -> tuple[Look, ...]:
        """The objects that it speaks of: one or two."""
        return (self.subject,) if self.target is None else (self.subject, self.target)

    @property
    def pair(self) -> tuple[Look, Look]:
        """The two objects that it relates.

        Raises:
            LanguageError: it speaks of one object only.
        """
        if self.target is None:
            raise LanguageError(f"expected a relation of two objects, got {self.description!r}")
        return self.subject, self.target

    @cached_property
    def description(self) -> str:
        """What is visible: "the red cube is on the blue cube"."""
        return self._said(RELATIONS[self.relation].description)

    @property
    def instruction(self) -> str:
        """What to do: "stack the red cube on the blue cube"."""
        return self._said(RELATIONS[self.relation].instruction)

    @property
    def feasible(self) -> bool:
        """Whether the kinds allow it: only kinds with a flat top carry and are stacked."""
        return self.relation != "on" or {look.kind for look in self.looks} <= set(CARRYING_KINDS)

    def _said(self, form: str) -> str:
        subject = str(self.subject)
        if self.place and "{place}" not in form:
            subject = f"{subject} {self.place}"
        return form.format(subject=subject, target=self.target, place=self.place)

    @classmethod
    def parse(cls, description: str) -> "Fact":
        """Read a description as `Fact.description` writes it.

        Raises:
            LanguageError: the sentence has another form.
        """
        fact = cls._read(description, _PATTERNS)
        if fact is None:
            raise LanguageError(
                f"expected a description like 'the red cube is on the blue cube', got {description!r}"
            )
        return fact

    @classmethod
    def parse_instruction(cls, instruction: str) -> "Fact":
        """Read an instruction as `Fact.instruction` writes it.

        Raises:
            LanguageError: the sentence has another form.
        """
        fact = cls._read(instruction, _INSTRUCTION_PATTERNS)
        if fact is None:
            raise LanguageError(
                f"expected an instruction like 'stack the red cube on the blue cube', got {instruction!r}"
            )
        return fact

    @classmethod
    def _read(cls, sentence: str, patterns: "dict[Relation, re.Pattern[str]]") -> "Fact | None":
        for relation, pattern in patterns.items():
            found = pattern.fullmatch(sentence)
            if found is not None:
                words = found.groupdict(default="")
                target = Look.parse(words["target"]) if "target" in words else None
                return cls(relation, Look.parse(words["subject"]), target, words.get("place", ""))
        return None


def possible_facts(looks: Iterable[Look], relations: Iterable[Relation]) -> tuple[Fact, ...]:
    """Every feasible fact about a scene's objects, without repetition, sorted. No fact has an optional place."""
    each = sorted(looks)
    facts: set[Fact] = set()
    for relation in relations:
        form = RELATIONS[relation]
        if form.takes_target:
            facts |= {Fact(relation, subject, target) for subject, target in permutations(each, 2)}
        else:
            places = form.places if form.needs_place else ("",)
            facts |= {Fact(relation, look, None, place) for look in each for place in places}
    return tuple(sorted(fact for fact in facts if fact.feasible))


def _pattern(form: Form, said: str) -> re.Pattern[str]:
    """What reads a form's description or instruction: names are a colour and a kind, places are those of the form."""
    places = "|".join(form.places)
    name = r"\S+ \S+"
    optional = f"(?: (?P<place>{places}))?" if places and not form.needs_place else ""
    return re.compile(
        said.format(
            subject=rf"(?P<subject>{name}){optional}",
            target=rf"(?P<target>{name})",
            place=f"(?P<place>{places})",
        )
    )


_PATTERNS: dict[Relation, re.Pattern[str]] = {
    relation: _pattern(form, form.description) for relation, form in RELATIONS.items()
}
_INSTRUCTION_PATTERNS: dict[Relation, re.Pattern[str]] = {
    relation: _pattern(form, form.instruction) for relation, form in RELATIONS.items()
}
