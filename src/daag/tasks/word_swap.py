"""Descriptions that differ from a given one in one word, or in the order of its objects: its hard negatives."""

from collections.abc import Iterator
from dataclasses import replace

from daag.errors import LanguageError
from daag.tasks.language import LANGUAGES, Language
from daag.tasks.objects import Look
from daag.tasks.relations import RELATIONS, Fact


def word_swaps(description: str, language: Language | None = None) -> tuple[str, ...]:
    """Every feasible description that changes one colour, one kind, the place or the relation, or exchanges the objects.

    Args:
        description: a description as `Fact.description` writes it.
        language: where the other words come from; by default the first world's in which the description can be said.

    Returns:
        Other descriptions, sorted, without repetition.

    Raises:
        LanguageError: the description is not of that form.
    """
    fact = Fact.parse(description)
    swaps = {
        swap for swap in _changed(fact, language or _language_of(fact)) if swap != fact and swap.feasible
    }
    return tuple(sorted(swap.description for swap in swaps))


def _language_of(fact: Fact) -> Language:
    """The first language that has a fact's words."""
    fitting = (
        language
        for language in LANGUAGES.values()
        if fact.relation in language.relations and set(fact.looks) <= set(language.looks)
    )
    found = next(fitting, None)
    if found is None:
        raise LanguageError(f"no world has all the words of {fact.description!r}")
    return found


def _changed(fact: Fact, language: Language) -> Iterator[Fact]:
    for look in _neighbours(fact.subject, language):
        if look != fact.target:
            yield replace(fact, subject=look)
    for place in RELATIONS[fact.relation].places if fact.place else ():
        yield replace(fact, place=place)
    if fact.target is None:
        return
    for look in _neighbours(fact.target, language):
        if look != fact.subject:
            yield replace(fact, target=look)
    for relation in language.relations:
        if RELATIONS[relation].takes_target:
            yield Fact(relation, fact.subject, fact.target)
            yield Fact(relation, fact.target, fact.subject)


def _neighbours(look: Look, language: Language) -> Iterator[Look]:
    """Looks of another colour or of another kind."""
    yield from (Look(colour, look.kind) for colour in language.colours)
    yield from (Look(look.colour, kind) for kind in language.kinds)
