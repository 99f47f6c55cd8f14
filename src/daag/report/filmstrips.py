"""Films of edits: the source, what was masked, the edit, and what a perfect edit would have been.

Which accepted edits are shown is decided by a rule, never by how they look: the edits are grouped by instruction and
kinds of edit, and the groups take turns, each giving its first edit, then its last, then those between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from daag.episodes import Episode, EpisodeStore, Provenance
from daag.errors import DaagError
from daag.report.pictures import TINTS, data_uri, masks_over, row_of
from daag.report.wording import CHECKS, check_words, score_words
from daag.tasks import EditPlan, ObjectEdit

NUM_FILMSTRIPS = 6
NUM_FRAMES = 6
"""Of a segment, evenly spread, first and last included."""
EPISODES_PER_READ = 16
CONSIDERED = 240
"""At most so many edits are looked at, evenly spread over the run."""


Rerender = Callable[[Episode, np.ndarray, EditPlan], UInt8[np.ndarray, "N H W 3"]]
"""(episode, frame_index, plan) -> those frames as the simulator would show them after the edit. Only the caller knows
the world."""


@dataclass(frozen=True)
class Strip:
    """Some frames in a row."""

    label: str
    uri: str
    alt: str
    width: int
    """Pixels, before the page enlarges it."""


@dataclass(frozen=True)
class Check:
    """One check of the gates."""

    words: str
    score: str
    passed: bool


@dataclass(frozen=True)
class Filmstrip:
    """One edit, ready to be shown."""

    title: str
    """The instruction, or the target, that the edit was made for."""
    achieved: str
    """What the source came to show; empty where it is not known."""
    plan: str
    tints: tuple[tuple[str, str], ...]
    """(CSS colour, "green cube becomes red cube") of each mask."""
    strips: tuple[Strip, ...]
    checks: tuple[Check, ...]
    note: str = ""
    """Why a row is missing."""


@dataclass(frozen=True)
class AcceptedEdits:
    """A sample of the accepted edits, and how many there are."""

    total: int
    filmstrips: tuple[Filmstrip, ...]
    models: dict[str, tuple[str, ...]]
    """Role ("detector", "editor", "planner") to the hashes of the models that took part."""
    problem: str = ""
    """Why edits are missing that should be there."""


def accepted_edits(run: Path, rerender: Rerender | None) -> AcceptedEdits:
    """Choose accepted edits of a run, and turn them into films. What cannot be read is told, not raised."""
    if not (run / "task_buffer.lance").exists():
        return AcceptedEdits(0, (), {})
    try:
        buffer = EpisodeStore.open(run / "task_buffer.lance")
        ids = buffer.ids("origin = 'edited'")
        chosen, models = _choose(buffer, ids)
        sources = _read_sources(run / "lifelong.lance", chosen)
        films = tuple(_film(each, sources.get(each.provenance.source_id), rerender) for each in chosen)
    except DaagError as error:
        return AcceptedEdits(0, (), {}, str(error))
    return AcceptedEdits(len(ids), films, models)


def spread(keys: Sequence[object], number: int) -> list[int]:
    """Which items to show: items of one key form a group, and the groups take turns.

    Args:
        keys: one per item.
        number: how many at most.

    Returns:
        Indices by group; within a group the first, then the last, then those between, earliest first.
    """
    groups: dict[object, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    queues = [group[:1] + group[:0:-1][:1] + group[1:-1] for group in groups.values()]
    chosen: list[int] = []
    for turn in range(max((len(queue) for queue in queues), default=0)):
        chosen += [queue[turn] for queue in queues if turn < len(queue)]
    return sorted(chosen[:number], key=lambda index: (list(groups).index(keys[index]), index))


def checks_of(scores: dict[str, float], verdicts: dict[str, bool]) -> tuple[Check, ...]:
    """What the gates measured and decided, in plain words; what failed comes first, then the order of the gates."""
    order = {name: number for number, name in enumerate(CHECKS)}
    names = sorted(verdicts, key=lambda name: (verdicts[name], order.get(name, len(order))))
    return tuple(Check(check_words(name), score_words(name, scores), verdicts[name]) for name in names)


def strip(label: str, frames: UInt8[np.ndarray, "N H W 3"], alt: str) -> Strip:
    """Frames in a row, with what a reader who cannot see them should know."""
    row = row_of(frames)
    words = f"{label}, {len(frames)} frames from first to last: {alt}"
    return Strip(label, data_uri(row), words, row.shape[1])


def _choose(buffer: EpisodeStore, ids: Sequence[str]) -> tuple[list[Episode], dict[str, tuple[str, ...]]]:
    if len(ids) > CONSIDERED:
        ids = [ids[index] for index in np.linspace(0, len(ids) - 1, CONSIDERED).astype(int)]
    keys: list[object] = []
    models: dict[str, dict[str, None]] = {}
    for start in range(0, len(ids), EPISODES_PER_READ):
        for episode in buffer.get(ids[start : start + EPISODES_PER_READ]):
            operations = sorted({operation for operation, _, _ in episode.provenance.plan})
            keys.append((episode.instruction, *operations))
            for role, hash in episode.provenance.models.items():
                models.setdefault(role, {})[hash] = None
    chosen = buffer.get([ids[index] for index in spread(keys, NUM_FILMSTRIPS)])
    return chosen, {role: tuple(hashes) for role, hashes in sorted(models.items())}


def _read_sources(path: Path, edited: Sequence[Episode]) -> dict[str, Episode]:
    if not path.exists():
        return {}
    store = EpisodeStore.open(path)
    wanted = {episode.provenance.source_id for episode in edited}
    return {episode.id: episode for episode in store.get(id for id in sorted(wanted) if id in store)}


def _film(edited: Episode, source: Episode | None, rerender: Rerender | None) -> Filmstrip:
    provenance = edited.provenance
    plan = _plan(provenance)
    shown = np.unique(np.linspace(0, len(edited.frames) - 1, NUM_FRAMES).round().astype(int))
    strips = [strip("edited", edited.frames[shown], f"the same frames repainted, {plan.sentence}.")]
    notes, achieved = [], ""
    if source is None:
        notes.append("The source episode is not in the lifelong buffer, so only the edit can be shown.")
    else:
        start, end = provenance.segment
        frames = int(source.observation_index[start]) + shown
        achieved = ", ".join(found.description for found in source.achievements if found.end == end)
        strips.insert(
            0, strip("source", source.frames[frames], f"what the camera saw; {achieved or 'as played'}.")
        )
        if source.segmentation is not None:
            masks = [source.segmentation[frames] == _id_of(source, edit.source) for edit in plan.edits]
            alt = f"the same frames in grey, with the masks of {' and '.join(edit.source for edit in plan.edits)}."
            strips.insert(1, strip("mask", masks_over(source.frames[frames], masks), alt))
        oracle, problem = _oracle(source, frames, plan, rerender)
        if oracle is not None:
            strips.append(
                strip("oracle", oracle, "the same frames drawn again by the simulator with the new looks.")
            )
        notes.append(problem)
    return Filmstrip(
        title=edited.instruction,
        achieved=achieved,
        plan=plan.sentence,
        tints=tuple(
            (f"rgb{TINTS[number % len(TINTS)]}", f"{edit.source} becomes {edit.target}")
            for number, edit in enumerate(plan.edits)
        ),
        strips=tuple(strips),
        checks=checks_of(dict(provenance.scores), dict(provenance.verdicts)),
        note=" ".join(note for note in notes if note),
    )


def _oracle(
    source: Episode, frames: np.ndarray, plan: EditPlan, rerender: Rerender | None
) -> tuple[np.ndarray | None, str]:
    if rerender is None:
        return None, "No oracle row: this report was written without a simulator to draw the scene again."
    if source.world_state is None:
        return None, "No oracle row: this world cannot draw a scene again."
    try:
        return rerender(source, frames, plan), ""
    except DaagError as error:
        return None, f"No oracle row: {error}"


def _plan(provenance: Provenance) -> EditPlan:
    return EditPlan(tuple(ObjectEdit(*edit) for edit in provenance.plan))  # type: ignore[arg-type]


def _id_of(episode: Episode, name: str) -> int:
    return next((key for key, known in episode.object_names.items() if known == name), -1)
