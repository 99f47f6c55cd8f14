"""Decide which objects must change their look so that one fact looks like another.  Source: our choice.

Actions stay as they are, so the relation must be the wanted one already, and only looks are free.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

from daag.errors import SceneError
from daag.llm.planner import EditProposal
from daag.tasks import RELATIONS, EditPlan, Fact, Language, Look, ObjectEdit, Operation

Renaming = dict[Look, Look]
"""Each object that changes its look: before, and after."""


def propose_repaint(
    achieved: Fact, wanted: Fact, objects: Sequence[str], language: Language, *, exchange: bool = True
) -> EditProposal:
    """Say how a scene's objects would have to be repainted for `achieved` to look like `wanted`.

    The objects of `achieved` take the wanted looks. Another object of the scene that has a wanted look gives
    it up in the same plan and takes one that became free. Among the plans that do this, the one with the fewest
    edits, then the fewest changes of kind, then the most direct swaps is chosen. The order of `objects` does not
    matter.

    Args:
        achieved: what the episode shows.
        wanted: what it should show.
        objects: names of the scene's objects.
        language: of the world; says which kinds are alike enough to become one another.
        exchange: whether objects of the scene may trade looks; if not, plans that need it are refused.

    Returns:
        A plan that fits the scene, or None for a plan; either way with a reason.

    Raises:
        SceneError: two objects of the scene share a name.
    """
    if len(set(objects)) < len(objects):
        raise SceneError(f"expected objects with different names, got: {', '.join(sorted(objects))}")
    missing = [str(look) for look in achieved.looks if str(look) not in objects]
    if missing:
        return EditProposal(None, f"the scene has no {' and no '.join(missing)}")
    if achieved.relation != wanted.relation:
        return EditProposal(
            None,
            f"the relation is '{achieved.relation}', not '{wanted.relation}', and no repaint changes a relation",
        )
    if wanted.place and achieved.place != wanted.place:
        return EditProposal(
            None,
            f"'{achieved.description}' does not say '{wanted.place}', and no repaint moves an object",
        )
    # Where the wanted fact leaves the place open, any will do.
    if replace(achieved, place=wanted.place) == wanted:
        return EditProposal(None, f"the episode already shows it: {wanted.description}")
    if not wanted.feasible:
        return EditProposal(None, f"'{wanted.description}' cannot be: only kinds with a flat top carry")
    renamings = [
        renaming
        for renaming in _renamings(achieved, wanted, objects)
        if all(language.alike(before.kind, after.kind) for before, after in renaming.items())
    ]
    if not renamings:
        return EditProposal(
            None,
            "kinds too unlike to be repainted into one another; alike enough in this world are "
            f"{', '.join(language.alike_kinds) or 'none'}",
        )
    plan = _plan(min(renamings, key=_cost))
    if not exchange and any(edit.operation == "exchange" for edit in plan.edits):
        return EditProposal(
            None, f"objects would have to exchange looks, which is turned off: {plan.sentence}"
        )
    return EditProposal(plan, f"repainted, '{achieved.description}' looks like '{wanted.description}'")


def _renamings(achieved: Fact, wanted: Fact, objects: Sequence[str]) -> Iterator[Renaming]:
    """Every way to give the wanted looks to the achieved objects and freed looks to those displaced."""
    sources, targets = achieved.looks, wanted.looks
    freed = [look for look in sources if look not in targets]
    displaced = [look for look in targets if look not in sources and str(look) in objects]
    # Of a symmetric relation either object may become either.
    for assigned in (targets, targets[::-1]) if RELATIONS[wanted.relation].symmetric else (targets,):
        for handed in permutations(freed, len(displaced)):
            pairs = (*zip(sources, assigned, strict=True), *zip(displaced, handed, strict=True))
            yield {before: after for before, after in pairs if before != after}


def _cost(renaming: Renaming) -> tuple[int, int, int, list[tuple[Look, Look]]]:
    """What to keep low, most important first; the last entry makes the choice unique."""
    kind_changes = sum(before.kind != after.kind for before, after in renaming.items())
    swaps = sum(renaming.get(after) == before for before, after in renaming.items())
    return len(renaming), kind_changes, -swaps, sorted(renaming.items())


def _plan(renaming: Renaming) -> EditPlan:
    """The renaming as edits: the pair's own first, as they were given."""
    return EditPlan(
        tuple(
            ObjectEdit(_operation(before, after, renaming), str(before), str(after))
            for before, after in renaming.items()
        )
    )


def _operation(before: Look, after: Look, renaming: Renaming) -> Operation:
    if after in renaming:  # another object of the scene has that look, and gives it up
        return "exchange"
    return "replace" if before.kind != after.kind else "modify"
