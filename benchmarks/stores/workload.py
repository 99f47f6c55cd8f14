"""The same episodes and the same questions for every store, and how their answers are timed. Needs NumPy only.

An episode has 32 steps; at each of its 33 moments a picture of 64 x 64 with depth and segmentation, as a simulator with a
still camera renders them: a textured background, three shaded squares that move. The number of the episode and of the
moment are written into the first pixel, so that every answer can be checked.
"""

import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

STEPS, SIZE, TASKS, VECTOR = 32, 64, 8, 512


@dataclass(frozen=True)
class Recorded:
    """What every store is asked to keep."""

    number: int
    pictures: np.ndarray  # uint8 (33, 64, 64, 3)
    depth: np.ndarray  # float16 (33, 64, 64)
    segmentation: np.ndarray  # uint8 (33, 64, 64)
    actions: np.ndarray  # float32 (32, 4)
    rewards: np.ndarray  # float32 (32,)
    task: str
    vector: np.ndarray  # float32 (512,)


def recorded(number: int) -> Recorded:
    """An episode; everything about it follows from its number."""
    rng = np.random.default_rng(number)
    background = np.random.default_rng(number % 4).integers(60, 120, (SIZE, SIZE, 3), dtype=np.uint8)
    pictures = np.repeat(background[None], STEPS + 1, axis=0)
    depth = np.repeat(
        np.linspace(1, 2, SIZE * SIZE, dtype=np.float16).reshape(1, SIZE, SIZE), STEPS + 1, axis=0
    )
    segmentation = np.zeros((STEPS + 1, SIZE, SIZE), np.uint8)
    for thing in range(3):
        places = (8 + np.cumsum(rng.integers(-2, 3, (STEPS + 1, 2)), axis=0) + 16 * thing).clip(2, SIZE - 14)
        shade = (rng.integers(60, 255, 3) * np.linspace(0.7, 1.0, 12)[:, None, None]).astype(np.uint8)
        for moment, (y, x) in enumerate(places):
            pictures[moment, y : y + 12, x : x + 12] = shade
            depth[moment, y : y + 12, x : x + 12] = 0.9
            segmentation[moment, y : y + 12, x : x + 12] = thing + 1
    for moment in range(STEPS + 1):
        pictures[moment, 0, 0] = (number // 256, number % 256, moment)
    return Recorded(
        number,
        pictures,
        depth,
        segmentation,
        rng.random((STEPS, 4), dtype=np.float32),
        np.eye(STEPS, dtype=np.float32)[-1],
        f"task {number % TASKS}",
        rng.standard_normal(VECTOR).astype(np.float32),
    )


class Kept(Protocol):
    """A store as the benchmark sees it. What a store cannot do it has no method for."""

    def append(self, episode: Recorded) -> None:
        """Keep an episode; when this returns it should survive the death of the process."""

    def steps(self, episodes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The pictures of single steps, with their actions and rewards read too."""

    def episodes(self, numbers: np.ndarray) -> list[np.ndarray]:
        """The pictures of whole episodes, with all else that was kept read too."""

    def of_task(self, task: str) -> list[np.ndarray]:
        """As `episodes`, of all whose task is this."""


def checked(pictures: np.ndarray, numbers: np.ndarray, moments: np.ndarray) -> None:
    """Fail if these are not the pictures that were asked for."""
    expected = np.stack([numbers // 256, numbers % 256, moments], axis=1)
    assert np.array_equal(pictures[:, 0, 0], expected), "a wrong picture"


def size_of(path: Path) -> int:
    """Bytes on the disk; of sparse files, those that are there."""
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file())


class Times:
    """Milliseconds of processor time, of this process with all its threads and children, by the name of the question."""

    def __init__(self) -> None:
        self.per_run: dict[str, list[float]] = {}

    def time(self, name: str, ask: Callable[[], object], per: int = 1) -> None:
        """Ask once, and note what that took, divided by `per`."""
        begun = _processor_seconds()
        ask()
        self.per_run.setdefault(name, []).append((_processor_seconds() - begun) / per * 1e3)


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(
    make: Callable[[], Kept], open_again: Callable[[], Kept], path: Path, count: int, rounds: int
) -> dict[str, object]:
    """Ask a store everything.

    Args:
        make: begins an empty store.
        open_again: opens what was kept, after the writer closed it.
        path: what it takes on the disk is counted here.
        count: how many episodes it is to keep.
        rounds: how often each question is asked.

    Returns:
        Milliseconds per run of each question, and bytes per episode.
    """
    times = Times()
    writer = make()
    for number in range(count):
        episode = recorded(number)
        times.time("ms_per_append", lambda e=episode: writer.append(e))
    if hasattr(writer, "close"):
        writer.close()
    found: dict[str, object] = {"bytes_per_episode": [size_of(path) / count]}
    for _ in range(rounds):
        times.time("ms_to_open", open_again)
    kept = open_again()
    rng = np.random.default_rng(0)
    for repeat in range(rounds + 1):  # the first time everything is cold: not noted
        noted = times if repeat else Times()
        numbers, steps = rng.integers(count, size=256), rng.integers(STEPS, size=256)
        noted.time("ms_for_256_steps", lambda n=numbers, s=steps: checked(kept.steps(n, s), n, s))
        chosen = rng.integers(count, size=16)
        noted.time("ms_for_16_episodes", lambda n=chosen: _checked_episodes(kept.episodes(n), n))
        task = int(rng.integers(TASKS))
        expected = np.arange(task, count, TASKS)
        noted.time(
            "ms_for_episodes_of_a_task",
            lambda t=task, e=expected: _checked_episodes(kept.of_task(f"task {t}"), e),
        )
        if hasattr(kept, "nearest"):
            number = int(rng.integers(count))
            vector = recorded(number).vector
            noted.time(
                "ms_for_16_nearest",
                lambda v=vector, n=number: _checked_episodes(kept.nearest(v, 16)[:1], np.array([n])),
            )
    return found | times.per_run


def _checked_episodes(found: list[np.ndarray], numbers: np.ndarray) -> None:
    assert len(found) == len(numbers), (len(found), len(numbers))
    for pictures, number in zip(found, numbers, strict=True):
        moments = np.arange(len(pictures))
        checked(pictures, np.full(len(pictures), number), moments)


def tell(found: dict[str, object]) -> None:
    """Hand the result to the benchmark, as the last line that is printed."""
    print(json.dumps(found))
