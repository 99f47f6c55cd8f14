"""daag's part of `benchmarks/store_speed.py`: the store, and single steps once more from its decoded cache.

python daag_side.py DIRECTORY EPISODES ROUNDS
"""

import sys
from pathlib import Path

import numpy as np
from workload import STEPS, TASKS, Recorded, Times, checked, measure, tell

from daag.episodes import DecodedSteps, Episode, EpisodeStore, LifelongBuffer, Wanted


class Daag:
    """Episodes as they are."""

    def __init__(self, store: EpisodeStore) -> None:
        self.store = store

    def append(self, episode: Recorded) -> None:
        self.store.append([as_episode(episode)], [episode.vector])

    def close(self) -> None:
        self.store.compact()

    def steps(self, episodes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        order, place = np.unique(episodes, return_inverse=True)
        found = self.episodes(order)
        return np.stack([found[index][step] for index, step in zip(place, steps, strict=True)])

    def episodes(self, numbers: np.ndarray) -> list[np.ndarray]:
        return [episode.frames for episode in self.store.get([f"e{number}" for number in numbers])]

    def of_task(self, task: str) -> list[np.ndarray]:
        ids = self.store.ids(Wanted(instruction=task).sql)
        return [episode.frames for episode in self.store.get(ids)]

    def nearest(self, vector: np.ndarray, k: int) -> list[np.ndarray]:
        return [episode.frames for episode in LifelongBuffer(self.store).retrieve(vector, k)]


def as_episode(episode: Recorded) -> Episode:
    """The same as daag has it."""
    return Episode(
        id=f"e{episode.number}",
        env_id="benchmark",
        instruction=episode.task,
        seed=episode.number,
        frames=episode.pictures,
        observation_index=np.arange(STEPS + 1, dtype=np.int32),
        actions=episode.actions,
        rewards=episode.rewards,
        terminated=True,
        truncated=False,
        depth=episode.depth,
        segmentation=episode.segmentation.astype(np.int16),
    )


def main(directory: Path, count: int, rounds: int) -> None:
    """Measure the store, then its cache."""
    place = directory / "daag"
    found = measure(
        lambda: Daag(EpisodeStore.create(place, vector_size=512)),
        lambda: Daag(EpisodeStore.open(place)),
        place,
        count,
        rounds,
    )
    times, store, built = Times(), EpisodeStore.open(place), []
    times.time("ms_to_build_cache", lambda: built.append(DecodedSteps.build(store, directory / "cache")))
    (cache,) = built
    rng = np.random.default_rng(0)
    for repeat in range(rounds + 1):
        numbers, steps = rng.integers(count, size=256), rng.integers(STEPS, size=256)
        noted = times if repeat else Times()
        noted.time(
            "ms_for_256_steps_from_cache",
            lambda n=numbers, s=steps: checked(cache[n * STEPS + s].observations, n, s),
        )
        task = int(rng.integers(TASKS))

        def of_task(task: int = task) -> None:
            ids = store.ids(Wanted(instruction=f"task {task}").sql)
            pictures = cache[cache.steps_of(ids)].observations
            expected = np.repeat(np.arange(task, count, TASKS), STEPS)
            checked(pictures, expected, np.tile(np.arange(STEPS), len(ids)))

        noted.time("ms_for_episodes_of_a_task_from_cache", of_task)
    tell(found | times.per_run | {"cache_bytes_per_episode": [cache.num_bytes / count]})


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]))
