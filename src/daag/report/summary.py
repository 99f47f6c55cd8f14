"""What came of each task, in numbers and in a sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from daag.report.record import Evaluation, Fit, Made, Played, Record


@dataclass(frozen=True)
class TaskSummary:
    """One task of a run."""

    number: int
    """From 1."""
    instruction: str
    begun: bool
    learnt: bool | None
    """By the agent’s own signal; None: not decided yet."""
    played: tuple[Played, ...]
    fits: tuple[Fit, ...]
    curve: tuple[Evaluation, ...]
    """On the first held-out scenes, after each training."""
    final: Evaluation | None
    """On all held-out scenes, after the task."""
    env_steps: int
    reward_labels: int
    """How many of the environment's rewards the agent read."""
    made: Made
    """By hindsight, from memory and from this task's own episodes."""

    @property
    def num_episodes(self) -> int:
        """Real episodes so far."""
        return len(self.played)

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval (Wilson's) of the final success rate; (0, 1) without an evaluation."""
        return (0.0, 1.0) if self.final is None else wilson(self.final.success_rate, self.final.scenes)

    @property
    def verdict(self) -> str:
        """The outcome in a sentence."""
        if not self.begun:
            return "Not begun yet."
        episodes = count(self.num_episodes, "real episode")
        if self.learnt is None:
            return f"Under way: {episodes} so far."
        how = (
            f"Learnt after {episodes}"
            if self.learnt
            else f"Not learnt by the agent’s own judgement in {episodes}"
        )
        if self.final is None:
            return f"{how}; not evaluated yet."
        low, high = self.interval
        return (
            f"{how}; on {self.final.scenes} held-out scenes the policy succeeds in {self.final.success_rate:.0%} "
            f"(95% interval {low:.0%} to {high:.0%}), by the world’s truth."
        )


def summarise(record: Record) -> tuple[TaskSummary, ...]:
    """Sum up every task of a run, those not begun included."""
    return tuple(_summarise_task(record, index) for index in range(len(record.config.tasks)))


def headline(tasks: Sequence[TaskSummary]) -> str:
    """What a reader in a hurry should know: how much quicker the later tasks went than the first."""
    done = [task for task in tasks if task.learnt is not None]
    if not done:
        return "No task is finished yet."
    first, later = done[0], done[1:]
    opening = f"The first task took {count(first.num_episodes, 'real episode')}"
    if not first.learnt:
        opening += ", all it was given, and was not learnt by the agent’s own judgement"
    if not later:
        return f"{opening}."
    needs = [_need(task, first) for task in later]
    comparison = f"{opening}; the {'later ones' if len(later) > 1 else 'next one'} took {_join(needs)}."
    return comparison if first.learnt else f"{comparison} So the shares are upper bounds."


def wilson(rate: float, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a success rate; honest at 0 % and 100 % too."""
    if trials < 1:
        return 0.0, 1.0
    centre = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def add_up(parts: Iterable[Made]) -> Made:
    """The sum of what hindsight made."""
    parts = list(parts)
    return Made(
        real=sum(part.real for part in parts),
        relabelled=sum(part.relabelled for part in parts),
        edited=sum(part.edited for part in parts),
        proposed=sum(part.proposed for part in parts),
        rejected=sum(part.rejected for part in parts),
        reasons=_add_counts(part.reasons for part in parts),
        declined=_add_counts(part.declined for part in parts),
    )


def count(number: int, noun: str) -> str:
    """ "1 episode", "2 episodes"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _summarise_task(record: Record, index: int) -> TaskSummary:
    played = tuple(line for line in record.played if line.task == index)
    extracts = [line for line in record.extracts if line.task == index]
    evaluations = [line for line in record.evaluations if line.task == index]
    finals = [line for line in evaluations if line.final]
    outcomes = [line.learnt for line in record.learnt if line.task == index]
    env_steps = sum(line.steps for line in played)
    return TaskSummary(
        number=index + 1,
        instruction=record.config.tasks[index],
        begun=bool(extracts or played or evaluations),
        learnt=outcomes[-1] if outcomes else None,
        played=played,
        fits=tuple(line for line in record.fits if line.task == index),
        curve=tuple(line for line in evaluations if not line.final),
        final=finals[-1] if finals else None,
        env_steps=env_steps,
        # Every step ends in a reward, and an agent that listens to the environment reads them all.
        reward_labels=0 if record.config.reward == "detector" else env_steps,
        made=add_up([*(line.augmentation for line in extracts), *(line.augmentation for line in played)]),
    )


def _need(task: TaskSummary, first: TaskSummary) -> str:
    share = (
        f" ({task.num_episodes / first.num_episodes:.0%} of the first one’s)" if first.num_episodes else ""
    )
    return f"{task.num_episodes}{share}{'' if task.learnt else ' without being learnt'}"


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _add_counts(parts: Iterable[object]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        assert isinstance(part, dict)
        for name, number in part.items():
            total[name] = total.get(name, 0) + number
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
