"""TorchRL's part of `benchmarks/store_speed.py`; runs in an environment with torchrl.

    python torchrl_side.py DIRECTORY EPISODES ROUNDS

Steps in a `LazyMemmapStorage`, tasks as numbers, vectors in a memory-mapped tensor of their own, since the storage has no
place for what belongs to an episode. An append is durable once the storage was dumped, which is what is timed, eight times;
without, after a kill nothing of it opens.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from tensordict import TensorDict
from torchrl.data import LazyMemmapStorage
from workload import STEPS, TASKS, VECTOR, Recorded, Times, measure, recorded, size_of, tell

NUM_DUMPS = 8


class TorchRL:
    """Steps one after the other."""

    def __init__(self, storage: LazyMemmapStorage, vectors: torch.Tensor, place: Path) -> None:
        self.storage, self.vectors, self.place, self.count = storage, vectors, place, 0

    def append(self, episode: Recorded) -> None:
        """Into mapped memory; durable after `close` only."""
        self.storage.set(range(self.count * STEPS, (self.count + 1) * STEPS), as_steps(episode))
        self.vectors[self.count] = torch.from_numpy(episode.vector)
        self.count += 1

    def close(self) -> None:
        self.storage.dumps(self.place / "dumped")

    def steps(self, episodes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return self.storage[torch.from_numpy(episodes * STEPS + steps)]["picture"].numpy()

    def episodes(self, numbers: np.ndarray) -> list[np.ndarray]:
        rows = torch.from_numpy(np.asarray(numbers))[:, None] * STEPS + torch.arange(STEPS)
        found = self.storage[rows.flatten()]["picture"].numpy()
        return list(found.reshape(-1, STEPS, *found.shape[1:]))

    def of_task(self, task: str) -> list[np.ndarray]:
        tasks = self.storage[:]["task"][::STEPS]
        return self.episodes(torch.nonzero(tasks == int(task.split()[1])).flatten().numpy())

    def nearest(self, vector: np.ndarray, k: int) -> list[np.ndarray]:
        scores = torch.nn.functional.cosine_similarity(self.vectors, torch.from_numpy(vector)[None])
        return self.episodes(scores.topk(k).indices.numpy())


def as_steps(episode: Recorded) -> TensorDict:
    """The steps of an episode as TorchRL keeps them."""
    return TensorDict(
        {
            "picture": torch.from_numpy(episode.pictures[:-1]),
            "depth": torch.from_numpy(episode.depth[:-1]),
            "segmentation": torch.from_numpy(episode.segmentation[:-1]),
            "action": torch.from_numpy(episode.actions),
            "reward": torch.from_numpy(episode.rewards),
            "task": torch.full((STEPS,), episode.number % TASKS),
        },
        batch_size=[STEPS],
    )


def main(directory: Path, count: int, rounds: int) -> None:
    """Measure, with the dumps on their own."""
    place = directory / "torchrl"
    made: list[TorchRL] = []

    def make() -> TorchRL:
        place.mkdir()
        storage = LazyMemmapStorage(count * STEPS, scratch_dir=place / "scratch")
        vectors = torch.from_file(str(place / "vectors"), shared=True, size=count * VECTOR).view(
            count, VECTOR
        )
        made.append(TorchRL(storage, vectors, place))
        return made[0]

    def open_again() -> TorchRL:
        storage = LazyMemmapStorage(count * STEPS)
        storage.loads(place / "dumped")
        vectors = torch.from_file(str(place / "vectors"), shared=True, size=count * VECTOR).view(
            count, VECTOR
        )
        return TorchRL(storage, vectors, place)

    found = measure(make, open_again, place, count, rounds)
    # The scratch directory is memory's, the dump is what lasts.
    found["bytes_per_episode"] = [(size_of(place / "dumped") + size_of_vectors(place)) / count]
    found["ms_per_append_not_durable"] = found.pop("ms_per_append")
    times = Times()
    for number in range(NUM_DUMPS):
        steps = as_steps(recorded(number))

        def append(number: int = number, steps: TensorDict = steps) -> None:
            made[0].storage.set(range(number * STEPS, (number + 1) * STEPS), steps)
            made[0].close()

        times.time("ms_per_append", append)
    tell(found | times.per_run)


def size_of_vectors(place: Path) -> int:
    """Of the vectors' own file."""
    return (place / "vectors").stat().st_size


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]))
