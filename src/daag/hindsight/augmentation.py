"""Hindsight experience augmentation: one episode and the current subgoals in, usable experience out.

label -> match -> ask -> edit -> accept. Source: docs/paper.md (the decision rule); gates, relabelling and
provenance are our choice.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from daag.diffusion.editor import VideoEditor
from daag.episodes import Achievement, Episode, Origin, Provenance, cut
from daag.errors import EditError, LanguageError, PlannerError
from daag.hindsight.acceptance import EditedSegment, GateConfig, Verdict, judge_for_policy
from daag.llm.planner import EditProposal, Planner
from daag.perception.perception import ROLE, Perception, Recorded
from daag.rewards.detector import RewardDetector
from daag.tasks import EditPlan, ObjectEdit, Subgoal

MAX_REASON_CHARACTERS = 300
"""Of a failure, as it is counted."""


@dataclass(frozen=True)
class HindsightConfig:
    """Which kinds of hindsight are used. The arms of every comparison differ in these and in the editor only."""

    match: bool = True
    """Whether episodes of other tasks that happen to show a subgoal are used."""

    relabel: bool = True
    """Whether what an episode achieved instead becomes its instruction (hindsight in words)."""

    segment_steps: int | None = 1
    """At most so many steps before an achievement count as having led to it; None: all since the last one. In a
    world whose step is a whole pick and place, one step is the achievement."""

    gate: GateConfig = GateConfig()


@dataclass(frozen=True, eq=False)
class EditAttempt:
    """An edit that was made, and what the gates say of it."""

    segment: EditedSegment
    achievement: Achievement
    """What the source came to show."""
    subgoal: Subgoal
    """What the edit is to show."""
    verdict: Verdict
    seed: int
    """Of the edit."""


@dataclass(eq=False)
class Augmentation:
    """What hindsight made of some episodes."""

    episodes: list[Episode] = field(default_factory=list)
    """Real, relabelled and edited segments, each reaching what its instruction asks."""
    rejections: list[EditAttempt] = field(default_factory=list)
    """Edits that the gates turned down; samples for the report, not data."""
    declined: dict[str, int] = field(default_factory=dict)
    """How often the planner saw no way, by reason."""
    num_proposed: int = 0
    """How many edits the planner proposed."""

    def __iadd__(self, other: "Augmentation") -> "Augmentation":
        self.episodes += other.episodes
        self.rejections += other.rejections
        self.num_proposed += other.num_proposed
        for reason, count in other.declined.items():
            self.declined[reason] = self.declined.get(reason, 0) + count
        return self

    @contextmanager
    def counting_failures(self) -> Iterator[None]:
        """What the planner cannot answer is left undone and counted; the episode stays, and can be asked about later."""
        try:
            yield
        except PlannerError as error:
            reason = _failure(error)
            self.declined[reason] = self.declined.get(reason, 0) + 1


@dataclass(frozen=True)
class Hindsight:
    """Turns labelled episodes into experience for the current subgoals. Pure: equal arguments, equal results."""

    planner: Planner
    detector: RewardDetector
    editor: VideoEditor | None
    """None: pixels are never changed."""
    config: HindsightConfig = HindsightConfig()
    perception: Perception = Recorded()
    """Where masks and geometry of edited objects come from."""

    def augment(self, episode: Episode, subgoals: Sequence[Subgoal], seed: int) -> Augmentation:
        """Make what can be made of one episode.

        Args:
            episode: labelled; its `achievements` say what it came to show.
            subgoals: of the current task.
            seed: of everything random in the edits.

        A planner that cannot answer costs what was asked about, never the episode: that is counted under `declined`.
        """
        result = Augmentation()
        own = False
        with result.counting_failures():
            own = self.planner.decompose(episode.instruction) == tuple(subgoals)
        for achievement in episode.achievements:
            matches: list[Subgoal] = []
            with result.counting_failures():
                matches = [
                    goal
                    for goal in subgoals
                    if self.planner.compare(achievement.description, goal.description)
                ]
            if matches:
                if own or self.config.match:
                    origin: Origin = "real" if own else "relabelled"
                    result.episodes += [
                        self._segment(episode, achievement, goal.instruction, origin, achievement)
                        for goal in matches
                    ]
                continue
            if self.config.relabel:
                with result.counting_failures():
                    result.episodes += self._relabelled(episode, achievement)
            if self.editor is not None:
                for goal in subgoals:
                    with result.counting_failures():
                        result += self._edited(episode, achievement, goal, seed)
        return result

    def proposals(
        self, episode: Episode, subgoals: Sequence[Subgoal]
    ) -> Iterator[tuple[Achievement, Subgoal, EditPlan | None, str]]:
        """What `augment` would edit, without editing: the planner is asked, the editor is not.

        Args:
            episode: labelled.
            subgoals: of the current task.

        Yields:
            (achievement, subgoal, plan, reason) for each achievement that matches no subgoal, and each subgoal; the
            plan is None where the planner sees no way, or could not answer, and the reason says why.
        """
        for achievement in episode.achievements if self.editor is not None else ():
            for goal, proposal in self._proposals(episode, achievement, subgoals):
                yield achievement, goal, proposal.plan, proposal.reason

    def _proposals(
        self, episode: Episode, achievement: Achievement, subgoals: Sequence[Subgoal]
    ) -> list[tuple[Subgoal, EditProposal]]:
        try:
            if any(self.planner.compare(achievement.description, goal.description) for goal in subgoals):
                return []
            return [
                (goal, self.planner.propose_edit(achievement.description, goal, episode.objects))
                for goal in subgoals
            ]
        except PlannerError as error:
            return [(goal, EditProposal(None, _failure(error))) for goal in subgoals]

    def _relabelled(self, episode: Episode, achievement: Achievement) -> list[Episode]:
        try:
            instruction = self.planner.decompose(achievement.description)[0].instruction
        except LanguageError:  # a description that nobody could be asked to bring about
            return []
        return [self._segment(episode, achievement, instruction, "relabelled", achievement)]

    def attempt(
        self, episode: Episode, achievement: Achievement, goal: Subgoal, plan: EditPlan, seed: int
    ) -> EditAttempt:
        """Carry out an edit and judge it.

        Raises:
            EditError: this arm edits nothing, the plan does not fit the episode, or its objects cannot be found in it.
        """
        if self.editor is None:
            raise EditError("this arm never changes pixels; give Hindsight an editor")
        episode = self.perception.complete(episode, plan)
        start, end = self.bounds(achievement)
        first, last = (int(episode.observation_index[index]) for index in (start, end))
        frame_index = np.arange(first, last + 1)
        edit_seed = _stable_seed(episode.id, goal.description, end, seed)
        edited = self.editor.edit(episode, frame_index, plan, edit_seed)
        segment = EditedSegment(episode, frame_index, plan, edited)
        distractors = [
            text for text in self.planner.distractors(goal.description) if text != achievement.description
        ]
        verdict = judge_for_policy(
            segment, goal.description, achievement.description, distractors, self.detector, self.config.gate
        )
        return EditAttempt(segment, achievement, goal, verdict, edit_seed)

    def _edited(self, episode: Episode, achievement: Achievement, goal: Subgoal, seed: int) -> Augmentation:
        proposal = self.planner.propose_edit(achievement.description, goal, episode.objects)
        if proposal.plan is None:
            return Augmentation(declined={proposal.reason: 1})
        result, plan = Augmentation(), proposal.plan
        with result.counting_failures():
            plan = replace(plan, instruction=self.planner.edit_instruction(plan))
        try:
            attempt = self.attempt(episode, achievement, goal, plan, seed)
        except EditError as error:  # such as an object that hides behind others all along: counted, not fatal
            reason = str(error).split(" in none of ")[0].replace(f"episode {episode.id!r}", "the episode")
            result += Augmentation(declined={f"the edit failed: {reason}": 1})
            return result
        result.num_proposed = 1
        if attempt.verdict.accepted:
            result.episodes.append(self._accepted(attempt))
        else:
            result.rejections.append(attempt)
        return result

    def _accepted(self, attempt: EditAttempt) -> Episode:
        """The edited episode, with all that is needed to make it again."""
        assert self.editor is not None
        segment, goal, verdict = attempt.segment, attempt.subgoal, attempt.verdict
        reached = replace(
            attempt.achievement,
            description=goal.description,
            score=verdict.scores.get("target_after", attempt.achievement.score),
        )
        augmented = self._segment(segment.episode, attempt.achievement, goal.instruction, "edited", reached)
        models = {"detector": self.detector.hash, "editor": self.editor.hash, "planner": self.planner.hash}
        estimated = segment.episode.provenance.models.get(ROLE)
        provenance = replace(
            augmented.provenance,
            plan=tuple((edit.operation, edit.source, edit.target) for edit in segment.plan.edits),
            instruction=segment.plan.instruction,
            models=models if estimated is None else {**models, ROLE: estimated},
            seed=attempt.seed,
            scores=verdict.scores,
            verdicts=verdict.verdicts,
        )
        names = {key: segment.plan.renaming.get(name, name) for key, name in augmented.object_names.items()}
        return replace(augmented, frames=segment.edited, object_names=names, provenance=provenance)

    def bounds(self, achievement: Achievement) -> tuple[int, int]:
        """First and last observation of the segment that counts as having led to an achievement."""
        start = achievement.start
        if self.config.segment_steps is not None:
            start = max(start, achievement.end - self.config.segment_steps)
        return start, achievement.end

    def _segment(
        self,
        episode: Episode,
        achievement: Achievement,
        instruction: str,
        origin: Origin,
        reached: Achievement,
    ) -> Episode:
        start, end = self.bounds(achievement)
        segment = cut(
            episode,
            start,
            end,
            instruction,
            id=f"{episode.id}/{origin}-{start}-{end}-{_digest(f'{achievement.description}: {instruction}')}",
            provenance=Provenance(origin=origin, source_id=episode.id, segment=(start, end)),
        )
        return replace(segment, achievements=(replace(reached, start=0, end=end - start),))


def plan_of(episode: Episode) -> EditPlan:
    """The plan by which an edited episode was made, out of its provenance."""
    edits = tuple(ObjectEdit(*edit) for edit in episode.provenance.plan)  # type: ignore[arg-type]
    return EditPlan(edits, episode.provenance.instruction)


def count_reasons(rejections: Iterable[EditAttempt]) -> dict[str, int]:
    """How often each check turned an edit down."""
    counts: dict[str, int] = {}
    for rejection in rejections:
        for reason in rejection.verdict.reasons:
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _stable_seed(*parts: object) -> int:
    return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:8], 16) % 2**31


def _failure(error: PlannerError) -> str:
    return f"the planner failed: {error}"[:MAX_REASON_CHARACTERS]
