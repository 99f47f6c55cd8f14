"""The current-task buffer: segments that reach a subgoal, and how steps are drawn from them.

Source: docs/paper.md (the task-specific buffer). The shares are our choice: at a fixed number of updates, pouring
relabelled and edited episodes into one buffer drowns the few that show the current task.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import get_args

import numpy as np

from daag.episodes.codec import same_content
from daag.episodes.episode import Episode, Origin
from daag.episodes.store import EpisodeStore
from daag.errors import ConfigError, EpisodeError, LifelongBufferError


@dataclass(frozen=True)
class BatchShares:
    """How a batch is divided. A class without episodes gives its share to its sibling."""

    current: float = 0.5
    """Share of steps, in [0, 1], from episodes of the current subgoals; the rest is replay of other instructions.
    Our choice."""

    edited: float = 0.5
    """Share, in [0, 1], of edited episodes within either; the rest is real or relabelled. Our choice."""

    def __post_init__(self) -> None:
        for name, share in (("current", self.current), ("edited", self.edited)):
            if not 0.0 <= share <= 1.0:
                raise ConfigError(f"the share of {name} episodes must be in [0, 1], got {share}")


@dataclass(frozen=True)
class TaskBufferConfig:
    """How steps are drawn within a segment."""

    discount: float = 0.5
    """In (0, 1]. A step that lies n steps before the last is drawn discount**n times as often. Our choice: where one
    step can reach a subgoal, what was done well before has often nothing to do with it."""

    def __post_init__(self) -> None:
        if not 0.0 < self.discount <= 1.0:
            raise ConfigError(f"discount must be in (0, 1], got {self.discount}")


class TaskBuffer:
    """Episodes that each end where their instruction's subgoal is reached: real, relabelled or edited.

    All of them are kept in memory, and on disk too where there is a store. Drawing depends on the order in which they
    came and on `rng` alone, so that a resumed run draws what an uninterrupted one does.

    Args:
        config: how steps are drawn.
        store: where the episodes are kept as well; its episodes are read at once. None keeps them in memory only.
        first: how many of the store's episodes are read; None reads all. A run that goes on from an earlier moment
            reads what it had then, and adds the rest again.
    """

    def __init__(
        self,
        config: TaskBufferConfig | None = None,
        store: EpisodeStore | None = None,
        first: int | None = None,
    ) -> None:
        self.config = config or TaskBufferConfig()
        self.store = store
        self._episodes: dict[str, Episode] = {}
        self._classes: dict[tuple[str, bool], list[Episode]] = {}
        for episode in islice(store or (), first):
            self._add(episode)

    @classmethod
    def open(cls, path: str | Path, config: TaskBufferConfig | None = None) -> "TaskBuffer":
        """A buffer that is kept at `path`: with what is there, or empty where nothing is.

        Raises:
            LifelongBufferError: something else is at `path`, or it cannot be read or written.
        """
        return cls(config, EpisodeStore.open_or_create(path, vector_size=None))

    def extend(self, episodes: Iterable[Episode]) -> None:
        """Add episodes, all of them or none. One that is there already, with the same content, is passed over.

        Args:
            episodes: each cut to the segment that reaches its instruction's subgoal, so that its last reward is 1.

        Raises:
            EpisodeError: an episode does not end in reward 1.
            LifelongBufferError: an id is there with other content, or the store cannot take it.
        """
        new: dict[str, Episode] = {}
        for episode in episodes:
            if episode.rewards[-1] != 1.0:
                raise EpisodeError(
                    f"episode {episode.id!r}: expected one cut to where {episode.instruction!r} is achieved, with "
                    f"last reward 1, got {episode.rewards.tolist()}; use daag.episodes.cut"
                )
            known = self._episodes.get(episode.id) or new.get(episode.id)
            if known is None:
                new[episode.id] = episode
            elif not same_content(known, episode):
                raise LifelongBufferError(
                    f"episode {episode.id!r} is in the task buffer with other content; give the new one another id"
                )
        if self.store is not None:
            self.store.append(list(new.values()))
        for episode in new.values():
            self._add(episode)

    def sample(
        self, batch_size: int, rng: np.random.Generator, shares: BatchShares, current: Collection[str]
    ) -> list[tuple[Episode, int]]:
        """Draw steps to learn from, with replacement.

        The batch is divided by `shares`; fractions of a step are drawn, so that shares hold on average too. Within the
        current episodes every instruction counts the same, so that a rare stage of a task is not drowned by a common
        one; within the others every episode does. Within an episode later steps are likelier (`discount`).

        Args:
            batch_size: how many steps.
            rng: where the randomness comes from.
            shares: how the batch is divided.
            current: the current subgoals' instructions; an episode with one of them is current.

        Returns:
            (episode, t) pairs: from observation t, `episode.actions[t]` led towards `episode.instruction`.

        Raises:
            LifelongBufferError: the buffer is empty.
        """
        if not self._episodes:
            raise LifelongBufferError(
                "expected at least one episode to draw steps from, the task buffer is empty"
            )
        ours = [instruction for instruction in self.instructions if instruction in current]
        others = [instruction for instruction in self.instructions if instruction not in current]
        num_current = _divide(batch_size, shares.current, bool(ours), bool(others), rng)
        parts = [([instruction], count) for instruction, count in _spread(num_current, ours, rng)]
        parts.append((others, batch_size - num_current))
        batch: list[tuple[Episode, int]] = []
        for instructions, count in parts:
            edited, plain = self._pool(instructions, edited=True), self._pool(instructions, edited=False)
            num_edited = _divide(count, shares.edited, bool(edited), bool(plain), rng)
            for pool, size in ((edited, num_edited), (plain, count - num_edited)):
                drawn = [pool[rng.integers(len(pool))] for _ in range(size)]
                batch += [(episode, self._draw_step(episode, rng)) for episode in drawn]
        return batch

    @property
    def instructions(self) -> tuple[str, ...]:
        """Every instruction that some episode achieves, in the order in which they first came."""
        return tuple(dict.fromkeys(instruction for instruction, _ in self._classes))

    def counts(self) -> dict[Origin, int]:
        """How many episodes are real, relabelled and edited."""
        origins = [episode.provenance.origin for episode in self]
        return {origin: origins.count(origin) for origin in get_args(Origin)}

    def __len__(self) -> int:
        return len(self._episodes)

    def __contains__(self, id: object) -> bool:
        return id in self._episodes

    def __iter__(self) -> Iterator[Episode]:
        """The episodes in the order in which they came."""
        return iter(self._episodes.values())

    def __repr__(self) -> str:
        return f"TaskBuffer({self.counts()}, instructions={len(self.instructions)})"

    def _add(self, episode: Episode) -> None:
        self._episodes[episode.id] = episode
        kind = (episode.instruction, episode.provenance.origin == "edited")
        self._classes.setdefault(kind, []).append(episode)

    def _pool(self, instructions: Collection[str], edited: bool) -> list[Episode]:
        return [
            episode
            for (instruction, is_edited), episodes in self._classes.items()
            if instruction in instructions and is_edited == edited
            for episode in episodes
        ]

    def _draw_step(self, episode: Episode, rng: np.random.Generator) -> int:
        last = episode.num_steps - 1
        cumulative = np.cumsum(self.config.discount ** np.arange(last, -1, -1, dtype=np.float64))
        # `rng.choice` with probabilities draws the same, ten times slower.
        return min(int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")), last)


def _divide(count: int, share: float, first: bool, second: bool, rng: np.random.Generator) -> int:
    """How many of `count` go to the first of two classes, of which either may have no episodes."""
    if not (first and second):
        return count if first else 0
    whole = int(count * share)
    return whole + int(rng.random() < count * share - whole)


def _spread(count: int, names: Sequence[str], rng: np.random.Generator) -> list[tuple[str, int]]:
    """`count` over all names as evenly as it goes, the remainder by lot."""
    if not names:
        return []
    whole, rest = divmod(count, len(names))
    lucky = set(rng.permutation(len(names))[:rest].tolist())
    return [(name, whole + int(index in lucky)) for index, name in enumerate(names)]
