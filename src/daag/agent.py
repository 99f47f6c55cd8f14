"""The agent: finetune, extract, explore.  Source: docs/paper.md; every setting is our choice.

`Agent.learn` is the loop of the method, top to bottom. Its parts are made elsewhere and passed in.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

import gymnasium
import numpy as np

from daag.episodes import Achievement, BatchShares, Episode, LifelongBuffer, TaskBuffer
from daag.errors import ConfigError, RewardDetectorError
from daag.hindsight import Augmentation, Failures, Hindsight, prepare_lesson
from daag.llm.planner import Planner
from daag.llm.retrieval import nearest_captions
from daag.play import Moment, Played, play
from daag.policies import Learner, Policy
from daag.rewards.detector import RewardDetector, similarity
from daag.rewards.labelled_pairs import LabelledPairs
from daag.rewards.labelling import label
from daag.tasks import Subgoal, Task

RewardSource = Literal["detector", "environment", "both"]
Env = gymnasium.Env[Any, Any]


@dataclass(frozen=True)
class AgentConfig:
    """How long and how much. All our choice."""

    max_episodes: int = 40
    """Real episodes per task at most."""

    fit_after: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 130, 200)
    """After how many of a task's episodes the policy is trained."""

    updates_per_fit: int = 60
    """Gradient steps of each training."""

    stop_after: int = 3
    """A task counts as learnt when so many successive trials of the policy succeed by the agent's own signal."""

    extract_at_most: int = 40
    """How many episodes of the past are looked at for a new subgoal."""

    ask_about_at_most: int = 40
    """How many captions of the past, those nearest to a new subgoal, the planner compares with it."""

    reward: RewardSource = "detector"
    """Who says that a subgoal is reached: the detector, the environment, or either."""

    shares: BatchShares = BatchShares()
    """How training batches are mixed."""

    def __post_init__(self) -> None:
        if (
            self.max_episodes < 1
            or self.updates_per_fit < 0
            or self.stop_after < 1
            or min(self.extract_at_most, self.ask_about_at_most) < 0
        ):
            raise ConfigError("max_episodes and stop_after must be at least 1, the other counts at least 0")


@dataclass(frozen=True)
class Progress:
    """How far a task has come; enough to go on from."""

    episodes: int = 0
    """Real episodes so far."""
    successes: int = 0
    """Successive trials that succeeded, by the agent's own signal, up to now."""
    fitted_at: int = -1
    """After how many episodes the policy was last trained."""

    def learnt(self, stop_after: int) -> bool:
        """Whether enough trials in a row succeeded."""
        return self.successes >= stop_after

    def after(self, trial: bool, reached: bool) -> "Progress":
        """The progress after one more episode. Exploring neither adds to the row of successes nor breaks it."""
        successes = self.successes if not trial else self.successes + 1 if reached else 0
        return Progress(self.episodes + 1, successes, self.fitted_at)


@dataclass(frozen=True, eq=False)
class Event:
    """Something that happened while learning, for whoever logs, draws and saves."""

    kind: Literal["finetune", "extract", "episode", "fit", "learnt"]
    values: Mapping[str, object]
    """Numbers and words by name."""
    progress: Progress
    """From here learning can go on."""
    augmentation: Augmentation | None = None
    """What hindsight made of the episodes concerned."""


Finetune = Callable[[RewardDetector, LabelledPairs, LabelledPairs, int], RewardDetector]
"""Detector, pairs of the new task, pairs of the old ones, and a seed, to another detector; or to the same one where
nothing was gained. Raises RewardDetectorError where the pairs are too few."""


@runtime_checkable
class Explorer(Protocol):
    """Decides which episodes try the policy, and acts in those that do not."""

    def is_trial(self, episode_index: int) -> bool:
        """Whether an episode is played by the policy alone; depends on the count of episodes and nothing else."""

    def explore(self, proposals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A random action, float32 (A,), towards proposals, float32 (K, 2) table metres."""


@dataclass
class Agent:
    """An agent with a memory. `learn` yields events as it goes, so that callers can log, draw and save.

    Args:
        planner: splits instructions, proposes edits.
        detector: labels, stops, switches subgoals.
        hindsight: makes experience of episodes.
        learner: trains the policy.
        explorer: acts where the policy does not.
        lifelong: every episode of every task.
        task_buffer: what the policy learns from.
        config: how long and how much.
        seed: of everything random.
        run_name: prefix of all episode ids.
        finetune: teaches the detector a new task; None keeps it as it is.
    """

    planner: Planner
    detector: RewardDetector
    hindsight: Hindsight
    learner: Learner
    explorer: Explorer
    lifelong: LifelongBuffer
    task_buffer: TaskBuffer
    config: AgentConfig = field(default_factory=AgentConfig)
    seed: int = 0
    run_name: str = "run"
    finetune: Finetune | None = None

    def __post_init__(self) -> None:
        # The memory is searched by the first detector's vectors for life: a finetuned one speaks another language.
        self._encode = self.detector.embed_texts

    def use_detector(self, detector: RewardDetector) -> None:
        """Label, stop and judge by another detector from now on."""
        self.detector = detector
        self.hindsight = replace(self.hindsight, detector=detector)

    @property
    def policy(self) -> Policy:
        """The policy as learnt so far."""
        return self.learner.policy

    def learn(
        self, task: Task, env: Env, task_index: int = 0, start: "Progress | None" = None
    ) -> Iterator[Event]:
        """Learn one task, after all that was learnt before.

        Args:
            task: what to achieve.
            env: where; its episodes should not end on success, which is for the agent to notice.
            task_index: its number in the sequence; part of all seeds and ids.
            start: where an interrupted run stood; None starts the task.
        """
        subgoals = self.planner.decompose(task.instruction)
        progress = start
        failures = self._recall_failures(task_index, progress.episodes if progress is not None else 0)
        if progress is None:
            extracted = Augmentation()
            past = self._remember(subgoals, task_index, extracted)
            if self.finetune is not None and past:
                yield Event("finetune", self._finetune(self.finetune, past, subgoals, task_index), Progress())
            extracted += self._extract(past, subgoals)
            self.task_buffer.extend(extracted.episodes)
            progress = Progress()
            yield Event("extract", {"instruction": task.instruction}, progress, extracted)
        while True:
            if self._fit_is_due(progress, subgoals):
                metrics = self._fit(subgoals, task_index, progress.episodes, failures)
                progress = replace(progress, fitted_at=progress.episodes)
                yield Event("fit", {"episodes": progress.episodes, **metrics}, progress)
            if self._finished(progress):
                break
            trial = self.explorer.is_trial(progress.episodes) and self._knows(subgoals)
            played = self._play(env, task, subgoals, task_index, progress.episodes, trial)
            episode = self._label(played.episode, subgoals)
            self.lifelong.append([episode], [self._vector(episode)])
            if failures is not None:
                failures.extend([episode])
            augmentation = self.hindsight.augment(episode, subgoals, self.seed)
            self.task_buffer.extend(augmentation.episodes)
            reached = played.num_reached == len(subgoals)
            progress = progress.after(trial, reached)
            values = {
                "episodes": progress.episodes,
                "trial": trial,
                "steps": episode.num_steps,
                "reached": reached,
                "success": played.success,
                "achieved": [found.description for found in episode.achievements],
            }
            yield Event("episode", values, progress, augmentation)
        learnt = progress.learnt(self.config.stop_after)
        yield Event("learnt", {"episodes": progress.episodes, "learnt": learnt}, progress)

    def evaluate(self, task: Task, env: Env, seeds: Sequence[int], give_up_below: float = 0.0) -> float:
        """The share of scenes in which the policy alone achieves a task, by the world's truth.

        Args:
            task: what to achieve.
            env: where.
            seeds: of the scenes.
            give_up_below: stop early, after 20 scenes or more, when this share can no longer be reached; what is
                returned then is the share of the scenes tried, and below it.
        """
        subgoals = self.planner.decompose(task.instruction)
        rng = np.random.default_rng(0)

        def choose(moment: Moment, goal: Subgoal) -> np.ndarray:
            return self.policy.act(moment.observation, goal.instruction, rng)

        outcomes: list[bool] = []
        for seed in seeds:
            played = play(env, f"evaluation/{seed}", task.instruction, subgoals, seed, choose, self._reached)
            outcomes.append(played.success)
            failures = len(outcomes) - sum(outcomes)
            if len(outcomes) >= 20 and failures > (1.0 - give_up_below) * len(seeds):
                break
        return float(np.mean(outcomes))

    def _remember(self, subgoals: Sequence[Subgoal], task_index: int, notes: Augmentation) -> list[Episode]:
        """Episodes of earlier tasks that achieved a subgoal, in whatever words, then those nearest to it.

        Of all captions in memory the planner is asked about the nearest alone, many at once.
        """
        found: dict[str, None] = {}
        before = f"id NOT LIKE '{self.run_name}/{task_index}/%'"  # a resumed run must not meet its own future
        rows, at_most = self.lifelong.store.columns(("achieved",), before), self.config.extract_at_most
        captions = list(dict.fromkeys(caption for row in rows for caption in row["achieved"]))
        for goal in subgoals:
            nearest = nearest_captions(
                goal.description, captions, self._encode, self.config.ask_about_at_most
            )
            same: set[str] = set()
            with notes.counting_failures():
                same.update(self.planner.resembling(goal.description, nearest))
            ids = [row["id"] for row in rows if not same.isdisjoint(row["achieved"])]
            ids += [
                id for id, _ in self.lifelong.nearest(self._encode([goal.description])[0], at_most, before)
            ]
            found |= dict.fromkeys(list(dict.fromkeys(ids))[:at_most])
        return self.lifelong.get(found)

    def _recall_failures(self, task_index: int, episodes: int) -> Failures | None:
        """The failures up to now; None where the learner has no use for them."""
        if not self.learner.learns_from_failures:
            return None
        failures = Failures(self.planner, self.hindsight.config.relabel)
        task = f"{self.run_name}/{task_index}/"  # a resumed run must not meet its own future
        past = [id for id in self.lifelong.ids() if not id.startswith(task) or id < f"{task}{episodes:05d}"]
        failures.extend(self.lifelong.get(past[-failures.at_most :]))
        return failures

    def _finetune(
        self, finetune: Finetune, past: Sequence[Episode], subgoals: Sequence[Subgoal], task_index: int
    ) -> dict[str, object]:
        """Teach the detector the new task on repainted frames of old ones."""
        lesson = prepare_lesson(self.hindsight, past, subgoals, self.seed)
        new, old = lesson.pairs
        values: dict[str, object] = {
            "pairs": len(new), "repainted": lesson.num_repainted, "rejected": lesson.num_rejected,
            "unanswered": lesson.num_unanswered,
        }  # fmt: skip
        before = self.detector.hash
        try:
            self.use_detector(finetune(self.detector, new, old, _seed(self.seed, task_index, 3)))
        except (
            RewardDetectorError
        ) as error:  # too few pairs: the detector stays as it is, and the log says why
            values["reason"] = str(error)
        return {**values, "changed": self.detector.hash != before}

    def _extract(self, past: Sequence[Episode], subgoals: Sequence[Subgoal]) -> Augmentation:
        """What was already done that shows, or could look like, a success here?"""
        result = Augmentation()
        for episode in past:
            result += self.hindsight.augment(episode, subgoals, self.seed)
        return result

    def _play(
        self, env: Env, task: Task, subgoals: Sequence[Subgoal], task_index: int, index: int, trial: bool
    ) -> Played:
        rng = np.random.default_rng((self.seed, task_index, index, 1))

        def choose(moment: Moment, goal: Subgoal) -> np.ndarray:
            if trial:
                return self.policy.act(moment.observation, goal.instruction, rng)
            return self.explorer.explore(moment.proposals, rng)

        reached = self._reached if trial else _never
        scene_seed = _seed(self.seed, task_index, index) % 2**31
        episode_id = f"{self.run_name}/{task_index}/{index:05d}"
        return play(env, episode_id, task.instruction, subgoals, scene_seed, choose, reached)

    def _reached(self, moment: Moment, goal: Subgoal) -> bool:
        if self.config.reward != "detector" and moment.reward > 0:
            return True
        if self.config.reward == "environment":
            return False
        frame = self.detector.embed_frames(moment.observation.rgb[None])
        score = similarity(frame, self.detector.embed_texts([goal.description]))[0, 0]
        return bool(score >= self.detector.success_threshold(goal.description))

    def _label(self, episode: Episode, subgoals: Sequence[Subgoal]) -> Episode:
        """The episode with what it achieved, by the agent's own signal."""
        episode = self.hindsight.perception.name_objects(episode)
        found: list[Achievement] = []
        if self.config.reward != "environment":
            found += label(episode, self.planner.describe(episode.objects), self.detector)
        if self.config.reward != "detector":
            known = {achievement.description for achievement in found}
            rewarded = np.flatnonzero(episode.rewards > 0) + 1
            last = subgoals[-1].description
            if len(rewarded) and last not in known:
                end = int(rewarded[0])
                found.append(Achievement(last, max(end - 1, 0), end, 1.0))
        return replace(
            episode, achievements=tuple(sorted(found, key=lambda each: (each.end, each.description)))
        )

    def _vector(self, episode: Episode) -> np.ndarray | None:
        """Where retrieval finds an episode: the mean embedding of what it achieved."""
        if not episode.achievements:
            return None
        vectors = self._encode([achievement.description for achievement in episode.achievements])
        mean = vectors.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    def _knows(self, subgoals: Sequence[Subgoal]) -> bool:
        """Whether there is anything to learn the task from."""
        return any(goal.instruction in self.task_buffer.instructions for goal in subgoals)

    def _finished(self, progress: Progress) -> bool:
        return progress.episodes >= self.config.max_episodes or progress.learnt(self.config.stop_after)

    def _fit_is_due(self, progress: Progress, subgoals: Sequence[Subgoal]) -> bool:
        due = progress.episodes in self.config.fit_after or self._finished(progress)
        due |= progress.episodes == 0 and self._knows(subgoals)
        return due and progress.fitted_at < progress.episodes and len(self.task_buffer) > 0

    def _fit(
        self, subgoals: Sequence[Subgoal], task_index: int, episodes: int, failures: Failures | None
    ) -> dict[str, object]:
        current = [goal.instruction for goal in subgoals]

        def draw(batch_size: int, rng: np.random.Generator) -> list[tuple[Episode, int]]:
            return self.task_buffer.sample(batch_size, rng, self.config.shares, current)

        seed = _seed(self.seed, task_index, episodes, 2)
        failed = failures.sample if failures is not None else None
        metrics = self.learner.fit(draw, self.config.updates_per_fit, seed, failed)
        return {**metrics, "task_buffer": self.task_buffer.counts()}


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _never(moment: Moment, goal: Subgoal) -> bool:  # noqa: ARG001 - the signature of Reached
    return False
