"""Kill a writer at random moments, and let a reader sample while a writer appends: nothing acknowledged may be lost.

    python benchmarks/store_crashes.py --out benchmarks/results

Each writer is a process of its own: it appends real episodes, one or several at once, appends edits of them (stored as
differences), forgets some, and compacts, in random order, and says after each what is now stored and what no longer is.
After a random time it is killed (SIGKILL). Then the store must open, hold every episode that was acknowledged and none
that was acknowledged as forgotten, and `verify` must find it sound. The next writer goes on with the same store; every
ten kills a new one is begun.
"""

import multiprocessing
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import tyro

from daag.episodes import Episode, EpisodeStore, Provenance, StoreSampler, cut, forget, store, verify
from daag.episodes.codec import same_content

KILLS_PER_STORE = 10
ACTIONS = ("append", "append many", "edit", "forget", "compact")
WEIGHTS = (0.3, 0.15, 0.3, 0.1, 0.15)


@dataclass(frozen=True)
class CrashConfig:
    """How many kills and appends, and where to write."""

    out: Path = Path("benchmarks/results")
    kills: int = 100
    longest_seconds: float = 1.0
    """A writer lives at most so long after its first acknowledgement."""
    appends: int = 1000
    """By the writer whom the reader watches."""
    seed: int = 0


def make_episode(number: int) -> Episode:
    """A small episode; everything about it follows from its number."""
    rng = np.random.default_rng(number)
    frames = np.repeat(rng.integers(0, 256, (1, 16, 16, 3), dtype=np.uint8), 9, axis=0)
    frames[:, 4, :9] = np.eye(9, dtype=np.uint8)[..., None] * 255
    return Episode(
        id=f"crash/{number:06d}",
        env_id="benchmark",
        instruction=f"task {number % 3}",
        seed=number,
        frames=frames,
        observation_index=np.arange(9, dtype=np.int32),
        actions=rng.random((8, 4), dtype=np.float32),
        rewards=np.zeros(8, dtype=np.float32),
        terminated=False,
        truncated=True,
    )


def make_edit(number: int) -> Episode:
    """An edit of the episode of this number."""
    source = make_episode(number)
    provenance = Provenance("edited", source.id, (2, 6), (("modify", "green cube", "red cube"),))
    part = cut(source, 2, 6, "another task", id=f"{source.id}/edit", provenance=provenance)
    frames = part.frames.copy()
    frames[:, 8:12, 8:12] = 255 - frames[:, 8:12, 8:12]
    return replace(part, frames=frames)


def made(id: str) -> Episode:
    """The episode that an id stands for."""
    number = int(id.split("/")[1])
    return make_edit(number) if id.endswith("/edit") else make_episode(number)


def write(path: Path, seed: int, tell: Connection) -> None:
    """Change a store for ever, and tell after each change what is stored since, or no longer."""
    store.COMMITS_BETWEEN_COMPACTIONS = 8  # the writers' own compactions come in too
    rng = np.random.default_rng(seed)
    kept = EpisodeStore.open_or_create(path, vector_size=None)
    number = seed * 10_000
    while True:
        action = rng.choice(ACTIONS, p=WEIGHTS)
        ids = kept.ids()
        if action == "compact":
            kept.compact()
            tell.send(("compact", []))
        elif action == "forget" and len(ids) > 8:
            edited = {id.removesuffix("/edit") for id in ids if id.endswith("/edit")}
            free = [id for id in ids if id not in edited]  # no edit needs them
            chosen = [free[index] for index in rng.choice(len(free), 1)]
            tell.send(("to forget", chosen))
            forget(kept, chosen, "benchmark")
            tell.send(("forgot", chosen))
        elif action == "edit" and ids:
            edit = make_edit(int(ids[rng.integers(len(ids))].split("/")[1]))
            if edit.provenance.source_id in kept and edit.id not in kept:
                kept.append([edit])
                tell.send(("stored", [edit.id]))
        else:
            count = 1 if action == "append" else 4
            episodes = [make_episode(number + index) for index in range(count)]
            kept.append(episodes)
            number += count
            tell.send(("stored", [episode.id for episode in episodes]))


def check(path: Path, stored: set[str], doubtful: set[str], tell: Connection) -> None:
    """Say what is wrong with a store, nothing at best, and what it holds. In a process of its own, as Lance wants it."""
    found = verify(path)
    problems = [f"damaged: {each.name}: {each.reason}" for each in found.damaged]
    problems += [f"stored twice: {id}" for id in found.duplicates]
    problems += ["unreadable versions"] * found.newest_unreadable
    kept = EpisodeStore.open(path)
    problems += [f"lost: {id}" for id in sorted(stored - doubtful - set(kept.ids()))]
    problems += [f"changed: {each.id}" for each in kept if not same_content(each, made(each.id))]
    tell.send((problems, set(kept.ids())))


def read(path: Path, stop: Connection, tell: Connection) -> None:
    """Sample until told to stop; count what was drawn, and what was wrong with it."""
    kept = EpisodeStore.open(path)
    sampler = StoreSampler(kept, cached_episodes=0, seed=1)
    problems: list[str] = []
    drawn, sizes = 0, [len(sampler)]
    while not stop.poll():
        for episode in sampler.episodes(8):
            drawn += 1
            if not same_content(episode, made(episode.id)):
                problems.append(f"torn: {episode.id}")
        if len(sampler) != sizes[-1]:
            problems.append("the sample grew by itself")
        sampler.refresh()
        sizes.append(len(sampler))
        if sizes[-1] < sizes[-2]:
            problems.append(f"fewer than before: {sizes[-2:]}")
    tell.send((drawn, len(sizes), sizes[-1], problems))


def kill_series(config: CrashConfig, directory: Path) -> tuple[list[str], dict[str, int]]:
    """Kill writers; return what was wrong, and counts."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["daag.episodes", "tyro"])
    rng = np.random.default_rng(config.seed)
    problems: list[str] = []
    counts = {"kills": 0, "acknowledged": 0, "unfinished": 0}
    counts |= {f"kills during {name}": 0 for name in ("append or compact", "forget")}
    stored: set[str] = set()
    gone: set[str] = set()
    for kill in range(config.kills):
        path = directory / f"store-{kill // KILLS_PER_STORE}"
        if kill % KILLS_PER_STORE == 0:
            stored, gone = set(), set()
        ours, theirs = processes.Pipe(duplex=False)
        writer = processes.Process(target=write, args=(path, config.seed * 10_000 + kill, theirs))
        writer.start()
        theirs.close()
        told = [ours.recv()]
        time.sleep(rng.uniform(0.0, config.longest_seconds))
        writer.kill()
        writer.join()
        with suppress(EOFError):
            while True:
                told.append(ours.recv())
        doubtful: set[str] = set()
        for event, ids in told:
            if event == "stored":
                stored |= set(ids)
            elif event == "to forget":
                doubtful = set(ids)
            elif event == "forgot":
                stored -= set(ids)
                gone |= set(ids)
                doubtful = set()
        counts["kills"] += 1
        counts["acknowledged"] += sum(event != "to forget" for event, _ in told)
        counts["kills during forget" if doubtful else "kills during append or compact"] += 1
        ours, theirs = processes.Pipe(duplex=False)
        checker = processes.Process(target=check, args=(path, stored, doubtful, theirs))
        checker.start()
        theirs.close()
        found, held = ours.recv()
        checker.join()
        # An edit may be made again; the number of a real episode is never used twice.
        found += [f"came back: {id}" for id in sorted(held & gone) if not id.endswith("/edit")]
        problems += [f"kill {kill}: {each}" for each in found]
        counts["unfinished"] += len(held - stored)  # stored, but killed before it could say so
        stored = held
    return problems, counts


def reader_and_writer(config: CrashConfig, directory: Path) -> tuple[list[str], dict[str, int]]:
    """Append one by one while another process samples; return what was wrong, and counts."""
    processes = multiprocessing.get_context("forkserver")
    path = directory / "shared"
    kept = EpisodeStore.create(path, vector_size=None)
    kept.append([make_episode(0)])
    (our_stop, their_stop), (ours, theirs) = processes.Pipe(), processes.Pipe(duplex=False)
    reader = processes.Process(target=read, args=(path, their_stop, theirs))
    reader.start()
    theirs.close()
    for number in range(1, config.appends + 1):
        kept.append([make_episode(number)])
    our_stop.send("done")
    try:
        drawn, refreshes, last, problems = ours.recv()
    except EOFError:
        drawn, refreshes, last, problems = 0, 0, 0, ["the reader failed"]
    reader.join()
    if len(EpisodeStore.open(path)) != config.appends + 1:
        problems = [*problems, "the writer lost episodes"]
    return problems, {
        "appended": config.appends,
        "drawn": drawn,
        "refreshes": refreshes,
        "seen at last": last,
    }


def main(config: CrashConfig) -> None:
    """Run both, and write `crashes-store.json`."""
    from daag.experiments.results import Results  # here, so that no writer waits for torch

    command = f"python benchmarks/store_crashes.py --kills {config.kills} --appends {config.appends}"
    results = Results("crashes", "store", command, "full", {}, [config.seed])
    with tempfile.TemporaryDirectory() as place:
        begun = time.monotonic()
        problems, counts = kill_series(config, Path(place))
        print(counts, *problems, sep="\n")
        results.notes["kill -9"] = counts | {"problems": problems[:20]}
        results.check("problems after kills", len(problems), 0, at_least=False)
        problems, counts = reader_and_writer(config, Path(place))
        print(counts, *problems, sep="\n")
        results.notes["reader beside a writer"] = counts | {"problems": problems[:20]}
        results.check("problems of a reader beside a writer", len(problems), 0, at_least=False)
        print(f"{time.monotonic() - begun:.0f} s")
    print(results.write(config.out))


if __name__ == "__main__":
    main(tyro.cli(CrashConfig))
