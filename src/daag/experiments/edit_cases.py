"""Which edits the pixel arms are compared on.

`achieved`: for what came true, the edits that the planner proposes. `looks`: objects that move take other looks, whatever
happened, which needs no label, no planner and no detector.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Int64

from daag.assembly import make_planner
from daag.envs import facts_at
from daag.episodes import Achievement, Episode
from daag.errors import RewardDetectorError
from daag.experiments.config import Selection
from daag.experiments.exploration_data import Explored, explore
from daag.llm import Planner
from daag.rewards.detector import RewardDetector
from daag.tasks import (
    EditPlan,
    Fact,
    Look,
    ObjectEdit,
    Subgoal,
    is_held_out,
    language_of,
    possible_facts,
)

Group = Literal["colour", "exchange", "kind"]

WINDOW = 24
"""Most frames of an edit that no achievement bounds."""

MIN_PIXELS = 12
"""An object that is never larger in the picture is not chosen."""


@dataclass(frozen=True, eq=False)
class EditCase:
    """An edit to be made and measured."""

    episode: Episode
    frame_index: Int64[np.ndarray, "N"]
    plan: EditPlan
    asked: tuple[Achievement, Subgoal] | None
    """What the source came to show and what the edit is to show; None where it was made for neither."""

    @property
    def group(self) -> Group:
        """The kind of edit."""
        return group_of(self.plan)


def group_of(plan: EditPlan) -> Group:
    """A change of kind, whatever else changes; two objects that trade colours; else another colour."""
    if any(edit.changes_kind for edit in plan.edits):
        return "kind"
    before, after = (
        {name.split()[0] for name in names} for names in zip(*plan.renaming.items(), strict=True)
    )
    return "exchange" if len(plan.edits) > 1 and before == after else "colour"


def edit_cases(selection: Selection, env_name: str, num_episodes: int, seed: int) -> Iterator[EditCase]:
    """The edits of some episodes, the same for every arm."""
    if selection == "achieved":
        planner = make_planner(env_name=env_name)
        for explored in explore(env_name, num_episodes, 5000 + seed):
            yield from _achieved(explored, planner, env_name)
        return
    for number, explored in enumerate(explore(env_name, num_episodes, 6000 + seed, scripted=True)):
        rng = np.random.default_rng((seed, number, 11))
        yield from _looks(explored.episode, env_name, rng)


def targets_of(case: EditCase, detector: RewardDetector, planner: Planner) -> list[str]:
    """What the edit's end must show, of what can be said and the detector can tell: what was asked, or all that is true there
    then of the edited objects."""
    if case.asked is not None:
        return [case.asked[1].description]
    after = set(case.plan.renaming.values())
    facts = facts_at(case.episode, int(case.frame_index[-1]), case.plan)
    told = {fact.description for fact in facts if after & {str(look) for look in fact.looks}}
    sayable = planner.describe([case.plan.renaming.get(name, name) for name in case.episode.objects])
    return [description for description in sayable if description in told and _claims(detector, description)]


def _claims(detector: RewardDetector, description: str) -> bool:
    """Whether a detector ever says that something is shown; a threshold of 1 is that of a relation which it cannot tell."""
    try:
        return detector.success_threshold(description) < 1.0
    except RewardDetectorError:
        return False


def _achieved(explored: Explored, planner: Planner, env_name: str) -> Iterator[EditCase]:
    episode = explored.episode
    for achievement in _came_true(explored, planner.describe(episode.objects)):
        asked = _asked(explored, achievement, planner, env_name)
        if asked is not None:
            goal, plan = asked
            yield EditCase(episode, np.arange(0), plan, (achievement, goal))


def _looks(episode: Episode, env_name: str, rng: np.random.Generator) -> Iterator[EditCase]:
    """One edit of each kind, of the objects that move most in the picture."""
    language = language_of(env_name)
    frame_index = _liveliest(episode)
    names = _by_motion(episode, frame_index)
    taken = set(episode.objects)

    def free(looks: Collection[Look]) -> list[Look]:
        return [look for look in looks if str(look) not in taken]

    for name in names[:1]:
        look = Look.parse(name)
        others = free([Look(colour, look.kind) for colour in language.colours])
        if others:
            target = others[int(rng.integers(len(others)))]
            yield _case(episode, frame_index, ObjectEdit("modify", name, str(target)))
        others = free(
            [
                each
                for each in language.looks
                if each.kind != look.kind and language.alike(look.kind, each.kind)
            ]
        )
        if others:
            target = others[int(rng.integers(len(others)))]
            yield _case(episode, frame_index, ObjectEdit("replace", name, str(target)))
    if len(names) > 1:
        traded = _traded(Look.parse(names[0]), [Look.parse(name) for name in names[1:]], taken)
        if traded:
            yield _case(episode, frame_index, *traded)


def _traded(first: Look, others: Collection[Look], taken: Collection[str]) -> tuple[ObjectEdit, ...]:
    """Two objects that trade colours; nothing where no pair of names allows it."""
    for other in others:
        pair = {first: Look(other.colour, first.kind), other: Look(first.colour, other.kind)}
        names = {str(look) for look in pair.values()}
        if first.colour == other.colour or names & (set(taken) - {str(first), str(other)}):
            continue
        operation: Literal["exchange", "modify"] = "exchange" if first.kind == other.kind else "modify"
        return tuple(ObjectEdit(operation, str(before), str(after)) for before, after in pair.items())
    return ()


def _case(episode: Episode, frame_index: np.ndarray, *edits: ObjectEdit) -> EditCase:
    return EditCase(episode, frame_index, EditPlan(edits), None)


def _liveliest(episode: Episode) -> Int64[np.ndarray, "N"]:
    """The window of successive frames in which most pixels change hands between objects."""
    assert episode.segmentation is not None
    moved = (np.diff(episode.segmentation, axis=0) != 0).sum(axis=(1, 2))
    length = min(WINDOW, len(episode.frames))
    sums = np.convolve(moved, np.ones(length - 1), mode="valid")
    start = int(sums.argmax())
    return np.arange(start, start + length)


def _by_motion(episode: Episode, frame_index: np.ndarray) -> list[str]:
    """The objects that are seen well at some time, those first whose pixels change most."""
    assert episode.segmentation is not None
    segmentation = episode.segmentation[frame_index]
    found = []
    for key, name in sorted(episode.object_names.items()):
        mask = segmentation == key
        if mask.sum(axis=(1, 2)).max() >= MIN_PIXELS:
            found.append((-int((mask[1:] ^ mask[:-1]).sum()), name))
    return [name for _, name in sorted(found)]


def _asked(
    explored: Explored, achievement: Achievement, planner: Planner, env_name: str
) -> tuple[Subgoal, EditPlan] | None:
    """What an achievement is to be repainted into: the episode's own task; where that cannot be, such as where mugs stand
    for balls, another held-out task that can."""
    achieved = Fact.parse(achievement.description)
    language = language_of(env_name)
    others = [
        fact
        for fact in possible_facts(language.looks, (achieved.relation,))
        if is_held_out(fact) and fact != explored.goal
    ]
    rng = np.random.default_rng((explored.episode.seed, achievement.end))
    for fact in (explored.goal, *(others[int(index)] for index in rng.permutation(len(others)))):
        goal = Subgoal(fact.description, fact.instruction)
        if planner.compare(achievement.description, goal.description):
            return None  # it shows what was asked
        proposal = planner.propose_edit(achievement.description, goal, explored.episode.objects)
        if proposal.plan is not None:
            return goal, proposal.plan
    return None


def _came_true(explored: Explored, sayable: Collection[str]) -> list[Achievement]:
    """What became true from one observation to the next, of what can be said, and the steps that led to it, as
    `daag.rewards.labelling.label` counts them."""
    found: list[Achievement] = []
    start = previous_end = 0
    for step, (before, after) in enumerate(pairwise(explored.facts)):
        new = sorted((after - before) & set(sayable))
        if new:
            start, previous_end = previous_end, step + 1
        for description in new:
            shown = [index for index in range(step + 1) if description in explored.facts[index]]
            since = max(start, shown[-1] + 1 if shown else 0)
            found.append(Achievement(description, since, step + 1, 1.0))
    return found
