"""Descriptions that differ from a given one in one word, or in the order of its objects: its hard negatives."""

from daag.errors import LanguageError
from daag.tasks.objects import KINDS, Look
from daag.tasks.palette import COLOURS
from daag.tasks.relations import Fact, Relation


def word_swaps(description: str) -> tuple[str, ...]:
    """Every feasible description that changes one colour, one kind or the relation, or exchanges the objects.

    Args:
        description: a description as `Fact.description` writes it.

    Returns:
        Other descriptions, sorted, without repetition.

    Raises:
        LanguageError: the description is not of that form.
    """
    fact = Fact.parse(description)
    subject, target = fact.subject, fact.target
    other: Relation = "next to" if fact.relation == "on" else "on"
    candidates: list[tuple[Relation, Look, Look]] = [
        (other, subject, target),
        (other, target, subject),
        (fact.relation, target, subject),
    ]
    for colour in COLOURS:
        candidates.append((fact.relation, Look(colour, subject.kind), target))
        candidates.append((fact.relation, subject, Look(colour, target.kind)))
    for kind in KINDS:
        candidates.append((fact.relation, Look(subject.colour, kind), target))
        candidates.append((fact.relation, subject, Look(target.colour, kind)))
    swaps = set()
    for relation, first, second in candidates:
        try:
            swap = Fact(relation, first, second)
        except LanguageError:  # the change made the two objects one
            continue
        if swap != fact and swap.feasible:
            swaps.add(swap.description)
    return tuple(sorted(swaps))
