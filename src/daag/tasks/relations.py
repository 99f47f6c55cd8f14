"""What can be true of two objects, as a typed fact and as a sentence."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

from daag.errors import LanguageError
from daag.tasks.objects import CARRYING_KINDS, Look

Relation = Literal["on", "next to"]
RELATIONS: tuple[Relation, ...] = ("on", "next to")


@dataclass(frozen=True, order=True)
class Fact:
    """A relation that holds between two objects. "next to" is symmetric and kept in sorted order."""

    relation: Relation
    subject: Look
    target: Look

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise LanguageError(f"expected a relation of {', '.join(RELATIONS)}, got {self.relation!r}")
        if self.subject == self.target:
            raise LanguageError(f"a fact needs two different objects, got {self.subject} twice")
        if self.relation == "next to" and self.target < self.subject:
            first, second = self.target, self.subject
            object.__setattr__(self, "subject", first)
            object.__setattr__(self, "target", second)

    @property
    def description(self) -> str:
        """What is visible: "the red cube is on the blue cube"."""
        return f"the {self.subject} is {self.relation} the {self.target}"

    @property
    def instruction(self) -> str:
        """What to do: "stack the red cube on the blue cube"."""
        verb = "stack" if self.relation == "on" else "put"
        return f"{verb} the {self.subject} {self.relation} the {self.target}"

    @property
    def feasible(self) -> bool:
        """Whether the kinds allow it: only kinds with a flat top carry and are stacked."""
        return self.relation != "on" or {self.subject.kind, self.target.kind} <= set(CARRYING_KINDS)

    @classmethod
    def parse(cls, description: str) -> "Fact":
        """Read a description as `Fact.description` writes it.

        Raises:
            LanguageError: the sentence has another form.
        """
        for relation in RELATIONS:
            subject, separator, target = description.partition(f" is {relation} ")
            if separator and subject.startswith("the ") and target.startswith("the "):
                return cls(relation, Look.parse(subject[4:]), Look.parse(target[4:]))
        raise LanguageError(
            f"expected a description like 'the red cube is on the blue cube', got {description!r}"
        )


def possible_facts(looks: Iterable[Look], relations: tuple[Relation, ...] = RELATIONS) -> tuple[Fact, ...]:
    """Every feasible fact about a scene's objects, without repetition, sorted."""
    pairs = list(permutations(sorted(looks), 2))
    facts = {Fact(relation, subject, target) for relation in relations for subject, target in pairs}
    return tuple(sorted(fact for fact in facts if fact.feasible))
