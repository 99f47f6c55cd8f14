"""LeRobotDataset's part of `benchmarks/store_speed.py`; runs in lerobot's own environment.

    python lerobot_side.py DIRECTORY EPISODES ROUNDS

It keeps pictures as PNG (its lossless way), depth as float32 (float16 breaks its statistics), segmentation, actions, rewards
and tasks, and no vectors. What it keeps is durable only once it is finalized.
"""

import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from workload import SIZE, STEPS, Recorded, measure, tell

CAMERA = "observation.images.front"
FEATURES = {
    CAMERA: {"dtype": "image", "shape": (SIZE, SIZE, 3), "names": ["height", "width", "channels"]},
    "observation.depth": {"dtype": "float32", "shape": (SIZE, SIZE), "names": None},
    "observation.segmentation": {"dtype": "uint8", "shape": (SIZE, SIZE), "names": None},
    "action": {"dtype": "float32", "shape": (4,), "names": list("abcd")},
    "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
}


class LeRobot:
    """The real package, driven as its documentation does."""

    def __init__(self, dataset: LeRobotDataset) -> None:
        self.dataset = dataset

    def append(self, episode: Recorded) -> None:
        """Not durable: a kill before `close` loses the session."""
        for step in range(STEPS):
            self.dataset.add_frame(
                {
                    CAMERA: episode.pictures[step],
                    "observation.depth": episode.depth[step].astype(np.float32),
                    "observation.segmentation": episode.segmentation[step],
                    "action": episode.actions[step],
                    "next.reward": episode.rewards[step : step + 1],
                    "task": episode.task,
                }
            )
        self.dataset.save_episode()

    def close(self) -> None:
        self.dataset.finalize()

    def steps(self, episodes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return self._read(episodes * STEPS + steps)

    def episodes(self, numbers: np.ndarray) -> list[np.ndarray]:
        return [self._read(np.arange(number * STEPS, (number + 1) * STEPS)) for number in numbers]

    def of_task(self, task: str) -> list[np.ndarray]:
        tasks = self.dataset.meta.episodes["tasks"]
        return self.episodes(np.array([number for number, found in enumerate(tasks) if task in found]))

    def _read(self, indices: np.ndarray) -> np.ndarray:
        pictures = [self.dataset[int(index)][CAMERA].numpy() for index in indices]
        return np.round(np.stack(pictures).transpose(0, 2, 3, 1) * 255).astype(np.uint8)


if __name__ == "__main__":
    place, count, rounds = Path(sys.argv[1]).resolve() / "lerobot", int(sys.argv[2]), int(sys.argv[3])
    tell(
        measure(
            lambda: LeRobot(LeRobotDataset.create("bench/steps", 10, FEATURES, root=place, use_videos=False)),
            lambda: LeRobot(LeRobotDataset("bench/steps", root=place)),
            place,
            count,
            rounds,
        )
    )
