"""How the store of episodes grows: drawing and finding at two sizes, and what an edit takes on disk.

    python benchmarks/memory.py --out benchmarks/results

Drawing and finding are timed on stores of episodes of 32 steps, the two sizes taking turns, nothing cached but what the
system caches. Processor time, not wall time, so that other work on the machine does not count. What is asked for has the
same answer's size in both: sixteen episodes. Ten times more steps than in the larger store are reckoned by extending the
line through the two measured sizes (cost = a + b * steps).

The bytes of an edit are those by which a store on disk grows, real episodes and the edits of the embedded editor, with the
source beside the edits (differences) and without (whole copies); reading both is timed too.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import gymnasium
import numpy as np
import tyro

from daag.assembly import load_detector, make_explorer, make_hindsight, make_planner
from daag.envs import EpisodeRecorder, register
from daag.episodes import (
    Achievement,
    Episode,
    EpisodeStore,
    LifelongBuffer,
    StoreSampler,
    Wanted,
    statistics,
)
from daag.experiments.results import Results

STEPS = 32
TARGET_GROWTH = 1.3
"""How many times as long drawing may take in the larger store."""
TARGET_BYTES = 0.15
"""What an edit may take of a whole copy."""
ANSWER = 16
"""Episodes that show what is searched for, in either store."""
VECTOR = 512
VECTORS = 64
"""Different vectors; the episodes' are these with some noise, as descriptions come in groups of similar ones."""


@dataclass(frozen=True)
class MemoryConfig:
    """How much to measure, and where to write."""

    out: Path = Path("benchmarks/results")
    small: int = 10_000
    """Steps in the smaller store."""
    large: int = 1_000_000
    """Steps in the larger one."""
    rounds: int = 5
    batches: int = 20
    """In each round."""
    edits: int = 20
    """Real episodes that are edited; 0 leaves that part out."""


def make_episode(number: int, rare: bool = False) -> Episode:
    """A small episode with a moving square; its task is one of eight, what it achieved too, or else what is rare."""
    rng = np.random.default_rng(number)
    frames = np.full((STEPS + 1, 16, 16, 3), 90, dtype=np.uint8)
    for step in range(STEPS + 1):
        frames[step, 4:8, step % 12 : step % 12 + 4] = number % 256
    tasks = [f"task {index}" for index in range(8)]
    return Episode(
        id=f"bench/{number:07d}",
        env_id="benchmark",
        instruction=tasks[number % 8],
        seed=number,
        frames=frames,
        observation_index=np.arange(STEPS + 1, dtype=np.int32),
        actions=rng.random((STEPS, 4), dtype=np.float32),
        rewards=np.zeros(STEPS, dtype=np.float32),
        terminated=False,
        truncated=True,
        achievements=(Achievement("rare" if rare else tasks[(number // 8) % 8], 0, STEPS, 0.5),),
    )


def make_vectors(count: int, seed: int) -> list[np.ndarray]:
    """Vectors in groups."""
    groups = np.random.default_rng(0).standard_normal((VECTORS, VECTOR))
    rng = np.random.default_rng([1, seed])
    noise = 0.3 * rng.standard_normal((count, VECTOR))
    return list((groups[rng.integers(VECTORS, size=count)] + noise).astype(np.float32))


def fill(path: Path, num_steps: int) -> EpisodeStore:
    """A compacted store of so many steps."""
    store = EpisodeStore.create(path, vector_size=VECTOR)
    count = num_steps // STEPS
    every = count // ANSWER
    for start in range(0, count, 256):
        numbers = range(start, min(start + 256, count))
        episodes = [
            make_episode(number, number % every == 0 and number < every * ANSWER) for number in numbers
        ]
        store.append(episodes, make_vectors(len(episodes), start))
    store.compact()
    return store


def recall(store: EpisodeStore, queries: list[np.ndarray]) -> float:
    """How many of the nearest the index finds."""
    buffer = LifelongBuffer(store)
    shares = []
    for query in queries:
        there = {id for id, _ in buffer.nearest(query, ANSWER, exact=True)}
        shares.append(len(there & {id for id, _ in buffer.nearest(query, ANSWER)}) / ANSWER)
    return float(np.mean(shares))


def milliseconds(run: Callable[[], object], count: int) -> float:
    """Processor time of a call, all threads together."""
    begun = time.process_time()
    for _ in range(count):
        run()
    return (time.process_time() - begun) / count * 1e3


def measure_growth(results: Results, config: MemoryConfig) -> None:
    """Draw and find in a small store and a large one, in turns."""
    with tempfile.TemporaryDirectory() as place:
        times: dict[str, dict[str, list[float]]] = {}
        paths = {}
        for name, size in (("small", config.small), ("large", config.large)):
            paths[name] = Path(place) / name
            fill(paths[name], size)
        stores = {name: EpisodeStore.open(path) for name, path in paths.items()}
        samplers = {name: StoreSampler(store, cached_episodes=0) for name, store in stores.items()}
        sought = Wanted(instruction="task 0", achieved="rare", since=datetime(2020, 1, 1, tzinfo=UTC)).sql
        for sampler in samplers.values():
            sampler.steps(256)  # the first touch of a file is the system's
        for _ in range(config.rounds):
            for name, path in paths.items():
                store, sampler, buffer = stores[name], samplers[name], LifelongBuffer(stores[name])
                found = times.setdefault(name, {})
                (query,) = make_vectors(1, 10**9)
                for metric, run, count in (
                    ("ms_per_batch_of_256_steps", lambda s=sampler: s.steps(256), config.batches),
                    ("ms_to_find_by_description", lambda s=store: s.ids(Wanted(achieved="rare").sql), 5),
                    ("ms_to_find_by_task_and_time", lambda s=store: s.ids(sought), 5),
                    ("ms_to_find_nearest", lambda b=buffer, q=query: b.nearest(q, ANSWER), 5),
                    (
                        "ms_to_find_nearest_exactly",
                        lambda b=buffer, q=query: b.nearest(q, ANSWER, exact=True),
                        2,
                    ),
                    ("ms_to_open", lambda p=path: EpisodeStore.open(p), 3),
                    ("ms_to_open_and_count", lambda p=path: len(EpisodeStore.open(p)), 1),
                ):
                    found.setdefault(metric, []).append(milliseconds(run, count))
        for name, size in (("small", config.small), ("large", config.large)):
            for metric, values in times[name].items():
                results.add(f"{size} steps", metric, values)
                print(f"{size} steps: {metric} {np.median(values):.2f}")
        found = recall(stores["large"], make_vectors(8, 10**9 + 1))
    results.notes["share of the 16 nearest that the index finds in the larger store"] = found
    print(f"the index finds {found:.0%} of the nearest")
    small, large = (
        {metric: float(np.median(values)) for metric, values in times[name].items()}
        for name in ("small", "large")
    )
    for metric in small:
        slope = (large[metric] - small[metric]) / (config.large - config.small)
        larger = large[metric] + slope * 9 * config.large
        results.notes[f"{metric}, large over small"] = large[metric] / small[metric]
        results.notes[f"{metric}, reckoned for {10 * config.large} steps"] = larger
        print(
            f"{metric}: {large[metric] / small[metric]:.2f} times; {larger:.2f} at {10 * config.large} steps"
        )
    metric = "ms_per_batch_of_256_steps"
    growth = large[metric] / small[metric]
    results.check("drawing, large over small", growth, TARGET_GROWTH, at_least=False)
    print(f"drawing takes {growth:.2f} times as long (target at most {TARGET_GROWTH})")


def stacking_episodes(count: int) -> list[Episode]:
    """Real episodes of one step of exploration each, in which something was achieved."""
    register()
    env = gymnasium.make("daag/RGBStacking-v0", motion_frames=8, terminate_on_success=False)
    explorer = make_explorer("rgb-stacking")
    found: list[Episode] = []
    seed = 0
    while len(found) < count:
        observation, info = env.reset(seed=seed)
        recorder = EpisodeRecorder("daag/RGBStacking-v0", seed, observation, info)
        action = explorer.explore(info["proposals"], np.random.default_rng(seed))
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        on = [fact for fact in info["facts"] if " is on " in fact]
        if on:
            episode = recorder.finish(f"bench/{seed}")
            found.append(_achieving(episode, on[0]))
        seed += 1
    return found


def _achieving(episode: Episode, description: str) -> Episode:
    return replace(episode, achievements=(Achievement(description, 0, 1, 0.8),))


def bytes_grown(place: Path, sources: list[Episode], edits: list[Episode]) -> int:
    """How much a store on disk grows by edits: the data of the edits in one file, as compaction leaves them."""
    store = EpisodeStore.create(place, vector_size=None)
    if sources:
        store.append(sources)
    before = statistics(store).num_bytes
    store.append(edits)
    after = statistics(store).num_bytes
    assert before is not None and after is not None
    return after - before


def measure_edits(results: Results, config: MemoryConfig) -> None:
    """Edit real episodes, and store the edits both ways."""
    detector, planner = load_detector("ready"), make_planner()
    hindsight = make_hindsight("hea", planner, detector)
    results.models = {"detector": detector.hash, "editor": hindsight.editor.hash if hindsight.editor else ""}
    goals = planner.decompose("stack the red cube on the blue cube")
    sources = stacking_episodes(config.edits)
    edits = [
        each
        for source in sources
        for each in hindsight.augment(source, goals, seed=0).episodes
        if each.provenance.origin == "edited"
    ]
    if not edits:
        raise SystemExit("no edit was accepted: ask for more with --edits")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        # Each edit is stored with the others; what a commit costs on its own is shared among them.
        difference = bytes_grown(place / "differences", sources, edits) / len(edits)
        whole = bytes_grown(place / "whole", [], edits) / len(edits)
        ids = [edit.id for edit in edits]
        reading: dict[str, list[float]] = {"differences": [], "whole": []}
        for _ in range(config.rounds):
            for name, times in reading.items():
                store = EpisodeStore.open(place / name)
                store.get(ids[:1])
                times.append(milliseconds(lambda s=store: s.get(ids), 3) / len(ids))  # type: ignore[misc]
    results.add("edit as a difference", "ms_to_read", reading["differences"])
    results.add("edit as a whole copy", "ms_to_read", reading["whole"])
    slower = float(np.median(reading["differences"]) / np.median(reading["whole"]))
    results.notes["reading an edit, difference over whole copy"] = slower
    print(f"reading an edit takes {slower:.2f} times as long as reading a whole copy")
    results.add("edit as a difference", "bytes_on_disk", [difference])
    results.add("edit as a whole copy", "bytes_on_disk", [whole])
    results.notes["edits"] = (
        f"{len(edits)} that hindsight accepted, for one task, of the first {config.edits} exploring episodes in which something came to be on something"
    )
    results.check("edit, difference over whole copy", difference / whole, TARGET_BYTES, at_least=False)
    print(f"{len(edits)} edits: {difference:.0f} bytes each, {whole:.0f} whole: {difference / whole:.1%}")


def main(config: MemoryConfig) -> None:
    """Measure, and write `speed-memory.json`."""
    command = (
        f"python benchmarks/memory.py --small {config.small} --large {config.large} --rounds {config.rounds} "
        f"--batches {config.batches} --edits {config.edits} --out {config.out}"
    )
    results = Results("speed", "memory", command, "full", {}, list(range(config.rounds)))
    if config.edits:
        measure_edits(results, config)
    measure_growth(results, config)
    print(results.write(config.out))


if __name__ == "__main__":
    main(tyro.cli(MemoryConfig))
