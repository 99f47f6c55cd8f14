"""What the past can teach the detector about a new task: labelled frames of old tasks, repainted to show the new one.

Source: docs/paper.md (the VLM is finetuned on frames that the diffusion model changed to show the new task); which
frames count as true and false is our choice. The gate here never asks the detector about the new description, which
would be circular.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from daag.episodes import Achievement, Episode
from daag.errors import EditError, LanguageError, PlannerError
from daag.hindsight.acceptance import EditedSegment, judge_for_detector
from daag.hindsight.augmentation import Hindsight
from daag.llm import Planner
from daag.rewards.labelled_pairs import LabelledPairs
from daag.rewards.labelling import contradicted_by
from daag.rewards.text_swap import lacks
from daag.tasks import EditPlan, Fact, ObjectEdit, Subgoal

Told = tuple[np.ndarray, str, bool, tuple[str, ...]]
"""Frame, uint8 (H, W, 3), description, whether it is true, and the names of the scene's objects."""


@dataclass
class Lesson:
    """Labelled frames of a new task and of those before it, and how they came about."""

    new: list[Told] = field(default_factory=list)
    old: list[Told] = field(default_factory=list)
    num_repainted: int = 0
    """Moments whose repaint passed the gate."""
    num_rejected: int = 0
    num_unanswered: int = 0
    """What the planner could not answer, and so was left out."""

    @property
    def pairs(self) -> tuple[LabelledPairs, LabelledPairs]:
        """New and old ones, for `daag.rewards.finetuning.finetune`."""
        return _pairs(self.new), _pairs(self.old)


def prepare_lesson(
    hindsight: Hindsight, episodes: Iterable[Episode], subgoals: Sequence[Subgoal], seed: int
) -> Lesson:
    """Collect what past episodes can teach about the subgoals.

    The frame that came to show something is true of it, and the observation before is not: these are the old pairs, or,
    where that something is a subgoal, new ones; never both, since each kind keeps some for choosing the best step. Where
    a repaint would make it one, the repainted frame is a true new pair, and there are two false ones: the frame before the
    repaint, which looks the same but for the objects' looks, and the repainted observation before, in which the objects look
    right and are not yet where they should be. The frame is repainted once more, to show something that differs from the
    subgoal by a word or by the order of its objects, where that makes the subgoal false.

    Args:
        hindsight: asks, edits and judges.
        episodes: labelled.
        subgoals: of the new task.
        seed: of the edits.
    """
    lesson = Lesson()
    for episode in episodes:
        for achievement in episode.achievements:
            before, after = (episode.observations[index] for index in (achievement.end - 1, achievement.end))
            try:
                matched = [
                    goal
                    for goal in subgoals
                    if hindsight.planner.compare(achievement.description, goal.description)
                ]
            except PlannerError:  # whether it is a new pair or an old one is then unknown
                lesson.num_unanswered += 1
                continue
            for description in [goal.description for goal in matched] or [achievement.description]:
                told = lesson.new if matched else lesson.old
                told += [
                    (after, description, True, episode.objects),
                    (before, description, False, episode.objects),
                ]
            for goal in subgoals:
                if goal in matched or hindsight.editor is None:
                    continue
                try:
                    if not _came_before(hindsight, episode, achievement, goal):
                        _repaint(lesson, hindsight, episode, achievement, goal, seed)
                except PlannerError:
                    lesson.num_unanswered += 1
    return lesson


def _came_before(hindsight: Hindsight, episode: Episode, achievement: Achievement, goal: Subgoal) -> bool:
    """Whether the goal may still be true of the frame in question, so that it must not be called false there."""
    return any(
        other.end <= achievement.end and hindsight.planner.compare(other.description, goal.description)
        for other in episode.achievements
    )


def _repaint(
    lesson: Lesson,
    hindsight: Hindsight,
    episode: Episode,
    achievement: Achievement,
    goal: Subgoal,
    seed: int,
) -> None:
    digest = hashlib.sha256(repr((episode.id, goal.description, achievement.end, seed)).encode())
    drawn = int(digest.hexdigest()[:8], 16) % 2**31
    plan = hindsight.planner.propose_edit(achievement.description, goal, episode.objects).plan
    if plan is None:
        return
    index = episode.observation_index[[achievement.end - 1, achievement.end]]
    segment = _edited(lesson, hindsight, episode, index, plan, drawn)
    if segment is None:
        return
    lesson.num_repainted += 1
    renamed = _renamed(episode, plan)
    lesson.new += [
        (segment.edited[1], goal.description, True, renamed),
        (segment.edited[0], goal.description, False, renamed),
        (segment.source[1], goal.description, False, episode.objects),
    ]
    rival = _rival(hindsight.planner, goal, np.random.default_rng(drawn))
    if rival is None:
        return
    plan = hindsight.planner.propose_edit(achievement.description, rival, episode.objects).plan
    if plan is None or not _rules_out(rival, goal, _renamed(episode, plan)):
        return
    segment = _edited(lesson, hindsight, episode, index[1:], plan, drawn)
    if segment is not None:
        renamed = _renamed(episode, plan)
        lesson.new += [
            (segment.edited[0], goal.description, False, renamed),
            (segment.edited[0], rival.description, True, renamed),
        ]


def _edited(
    lesson: Lesson, hindsight: Hindsight, episode: Episode, index: np.ndarray, plan: EditPlan, seed: int
) -> EditedSegment | None:
    """Some frames repainted; None, and counted, where that cannot be or the gate turns it down."""
    assert hindsight.editor is not None
    try:
        episode = hindsight.perception.complete(episode, plan)
        edited = hindsight.editor.edit(episode, index, plan, seed)
    except EditError:
        lesson.num_rejected += 1
        return None
    segment = EditedSegment(episode, index, plan, edited)
    captions = [_captions(edit) for edit in plan.edits]
    if not judge_for_detector(segment, captions, hindsight.detector, hindsight.config.gate).accepted:
        lesson.num_rejected += 1
        return None
    return segment


def _renamed(episode: Episode, plan: EditPlan) -> tuple[str, ...]:
    """The names of the scene's objects after an edit."""
    return tuple(plan.renaming.get(name, name) for name in episode.objects)


def _rival(planner: Planner, goal: Subgoal, rng: np.random.Generator) -> Subgoal | None:
    """Something of the goal's relation that differs by a word, or, every other time, by the order of its objects; None
    where the planner knows nothing of that kind."""
    others = [fact for fact in map(_read, planner.distractors(goal.description)) if fact is not None]
    wanted = _read(goal.description)
    others = [fact for fact in others if wanted is not None and fact.relation == wanted.relation]
    if not others or wanted is None:
        return None
    exchanged = [fact for fact in others if fact.looks == wanted.looks[::-1] and len(fact.looks) == 2]
    choices = exchanged if exchanged and rng.random() < 0.5 else others
    chosen = choices[int(rng.integers(len(choices)))]
    return Subgoal(chosen.description, chosen.instruction)


def _read(description: str) -> Fact | None:
    try:
        return Fact.parse(description)
    except LanguageError:
        return None


def _rules_out(rival: Subgoal, goal: Subgoal, objects: Sequence[str]) -> bool:
    """Whether the goal is surely false where the rival is true, in a scene of these objects."""
    return bool(contradicted_by(rival.description, [goal.description])[0]) or lacks(objects, goal.description)


def _captions(edit: ObjectEdit) -> tuple[str, str]:
    return f"a {edit.target}", f"a {edit.source}"


def _pairs(told: Sequence[Told]) -> LabelledPairs:
    if not told:
        return LabelledPairs(np.zeros((0, 1, 1, 3), dtype=np.uint8), (), np.zeros(0, dtype=bool))
    frames, descriptions, labels, objects = zip(*told, strict=True)
    return LabelledPairs(np.stack(frames), descriptions, np.array(labels), objects)
