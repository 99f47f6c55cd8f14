"""Draw episodes, and steps of episodes, from a store: weighted, reproducible by seed, at a cost that does not grow with it.

The weights of all episodes are worked out once, from columns without pictures; a draw is then a search in their running
sum, and reads only the episodes drawn. Source: our choice.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from daag.episodes.episode import Episode
from daag.episodes.store import EpisodeStore
from daag.errors import ConfigError, LifelongBufferError


@dataclass(frozen=True)
class SamplingWeights:
    """How often an episode is drawn. All of them count the same by default."""

    half_life: float | None = None
    """An episode that so many others followed counts half as much as the newest; None: age does not count."""

    balance_tasks: bool = False
    """Whether each task of each world counts the same, however many episodes it has."""

    edited: float | None = None
    """Share of draws, in [0, 1], that are edited episodes; None: as many as there are. Where one of the two kinds is
    missing, the other takes its share."""

    def __post_init__(self) -> None:
        if self.half_life is not None and not self.half_life > 0.0:
            raise ConfigError(f"half_life is a number of episodes above 0, or None, got {self.half_life}")
        if self.edited is not None and not 0.0 <= self.edited <= 1.0:
            raise ConfigError(f"the share of edited episodes must be in [0, 1], got {self.edited}")


class StoreSampler:
    """Draws from the episodes that a store held when the sampler was made, or last refreshed.

    What others append meanwhile is not drawn until `refresh`; what is drawn is always whole. Equal stores, arguments and
    seeds give equal draws.

    Args:
        store: read only.
        weights: how often an episode is drawn.
        where: SQL over the store's columns, to draw from fewer than all; see `EpisodeStore.ids`.
        seed: of all draws.
        cached_episodes: how many decoded episodes are kept in memory, those not asked for longest go first.

    Raises:
        LifelongBufferError: there is nothing to draw from, or the filter cannot be understood.
    """

    def __init__(
        self,
        store: EpisodeStore,
        weights: SamplingWeights | None = None,
        where: str | None = None,
        seed: int = 0,
        cached_episodes: int = 256,
    ) -> None:
        self._store, self._weights, self._where = store, weights or SamplingWeights(), where
        self._rng = np.random.default_rng(seed)
        self._cache: OrderedDict[str, Episode] = OrderedDict()
        self._cached_episodes = cached_episodes
        self.refresh()

    def refresh(self) -> None:
        """Take note of what was appended since; draws go on from where the random numbers are.

        Raises:
            LifelongBufferError: there is nothing to draw from.
        """
        rows = self._store.columns(("env_id", "instruction", "origin"), self._where)
        if not rows:
            raise LifelongBufferError(
                f"expected episodes to draw from in {self._store.path} where {self._where}, found none of its "
                f"{len(self._store)}"
            )
        weights = np.ones(len(rows))
        if self._weights.half_life is not None:
            weights = 0.5 ** (np.arange(len(rows))[::-1] / self._weights.half_life)
        edited = np.array([row["origin"] == "edited" for row in rows])
        if self._weights.balance_tasks:
            tasks = [(row["env_id"], row["instruction"]) for row in rows]
            number = {task: index for index, task in enumerate(dict.fromkeys(tasks))}
            groups = np.array([number[task] for task in tasks])
            # Within each kind, so that the share of edited ones, which comes last, leaves tasks balanced.
            for kind in (edited, ~edited) if self._weights.edited is not None else (edited | True,):
                weights[kind] /= np.bincount(groups[kind], weights[kind], len(number))[groups[kind]]
        if self._weights.edited is not None and edited.any() and not edited.all():
            weights[edited] *= self._weights.edited / weights[edited].sum()
            weights[~edited] *= (1.0 - self._weights.edited) / weights[~edited].sum()
        self._ids = [str(row["id"]) for row in rows]
        self._cumulative: Float64[np.ndarray, N] = np.cumsum(weights)

    def __len__(self) -> int:
        """How many episodes may be drawn."""
        return len(self._ids)

    def episodes(self, count: int) -> list[Episode]:
        """Draw whole episodes, with replacement.

        Args:
            count: how many, at least 0.
        """
        return self._get([self._ids[index] for index in self._draw(count)])

    def steps(self, count: int, episodes: int = 16) -> list[tuple[Episode, int]]:
        """Draw steps: first some episodes, then steps evenly from among theirs.

        Reading an episode costs as much as reading one step of it; so a batch takes its steps from a block of episodes.
        Over many batches every step of an episode comes as often as its episode's weight says.

        Args:
            count: how many steps, with replacement.
            episodes: from how many episodes, at least 1; as many as `count` makes all steps independent.

        Returns:
            (episode, t) pairs: from observation t, `episode.actions[t]` led on.
        """
        if episodes < 1:
            raise ConfigError(f"expected steps of at least one episode, got {episodes}")
        block = self.episodes(episodes)
        chosen = [block[index] for index in self._rng.integers(len(block), size=count)]
        return [(episode, int(self._rng.integers(episode.num_steps))) for episode in chosen]

    def batches(self, count: int, episodes: int = 16) -> Iterator[list[tuple[Episode, int]]]:
        """Draw batches of steps for ever, each made in the background while the one before is used.

        The batches are those that as many calls of `steps` would give. One batch has been drawn ahead when iterating
        stops, so that draws after that are other ones.

        Args:
            count: steps in a batch.
            episodes: as for `steps`.
        """
        with ThreadPoolExecutor(1, "daag-sampler") as background:
            ahead = background.submit(self.steps, count, episodes)
            while True:
                ready = ahead.result()
                ahead = background.submit(self.steps, count, episodes)
                yield ready

    def _draw(self, count: int) -> Sequence[int]:
        if count < 0:
            raise ConfigError(f"expected to draw at least 0 episodes, got {count}")
        points = self._rng.random(count) * self._cumulative[-1]
        # The sum may round so that a point lies on its very end.
        found = np.searchsorted(self._cumulative, points, side="right").clip(max=len(self._ids) - 1)
        return [int(index) for index in found]

    def _get(self, ids: Sequence[str]) -> list[Episode]:
        wanted = dict.fromkeys(ids)
        missing = [id for id in wanted if id not in self._cache]
        read = dict(zip(missing, self._store.get(missing), strict=True))
        episodes = {id: read[id] if id in read else self._cache[id] for id in wanted}
        for id, episode in episodes.items():
            self._cache[id] = episode
            self._cache.move_to_end(id)
        while len(self._cache) > self._cached_episodes:
            self._cache.popitem(last=False)
        return [episodes[id] for id in ids]
