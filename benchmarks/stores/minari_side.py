"""Minari's part of `benchmarks/store_speed.py`: HDF5, JPEG off, since that changes pixels.

python minari_side.py DIRECTORY EPISODES ROUNDS
"""

import sys
from pathlib import Path

import gymnasium
import numpy as np
from minari.data_collector import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage
from workload import SIZE, STEPS, Recorded, measure, tell

SPACE = gymnasium.spaces.Dict(
    {
        "picture": gymnasium.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8),
        "depth": gymnasium.spaces.Box(-np.inf, np.inf, (SIZE, SIZE), np.float16),
        "segmentation": gymnasium.spaces.Box(0, 255, (SIZE, SIZE), np.uint8),
    }
)


class Minari:
    """Tasks and vectors as metadata of episodes."""

    def __init__(self, storage: MinariStorage) -> None:
        self.storage = storage

    def append(self, episode: Recorded) -> None:
        """The steps first, then what belongs to the episode: its format needs two calls."""
        number = self.storage.total_episodes
        buffer = EpisodeBuffer(
            observations={
                "picture": episode.pictures,
                "depth": episode.depth,
                "segmentation": episode.segmentation,
            },
            actions=episode.actions,
            rewards=list(episode.rewards),
            terminations=[False] * (STEPS - 1) + [True],
            truncations=[False] * STEPS,
            infos={},
        )
        self.storage.update_episodes([buffer])
        self.storage.update_episode_metadata(
            [{"task": episode.task, "vector": episode.vector.tolist()}], [number]
        )

    def steps(self, episodes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        order, place = np.unique(episodes, return_inverse=True)
        found = self.episodes(order)
        return np.stack([found[index][step] for index, step in zip(place, steps, strict=True)])

    def episodes(self, numbers: np.ndarray) -> list[np.ndarray]:
        found = self.storage.get_episodes([int(number) for number in numbers])
        return [episode["observations"]["picture"] for episode in found]

    def of_task(self, task: str) -> list[np.ndarray]:
        about = self.storage.get_episode_metadata(range(self.storage.total_episodes))
        return self.episodes(np.array([n for n, each in enumerate(about) if each["task"] == task]))

    def nearest(self, vector: np.ndarray, k: int) -> list[np.ndarray]:
        about = self.storage.get_episode_metadata(range(self.storage.total_episodes))
        vectors = np.array([each["vector"] for each in about], np.float32)
        scores = vectors @ vector / np.linalg.norm(vectors, axis=1)
        return self.episodes(np.argsort(-scores)[:k])


def main(place: Path, count: int, rounds: int) -> None:
    """Measure."""
    actions = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float32)
    settings = {"data_format": "hdf5", "jpeg_encoding": False}
    found = measure(
        lambda: Minari(MinariStorage.new(place, observation_space=SPACE, action_space=actions, **settings)),
        lambda: Minari(MinariStorage.read(place)),
        place,
        count,
        rounds,
    )
    tell(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() / "minari", int(sys.argv[2]), int(sys.argv[3]))
