"""What a store holds, per world and task, and what it takes on disk. Reads no picture."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daag.episodes.store import EpisodeStore


@dataclass(frozen=True)
class Holding:
    """The episodes of one instruction in one world."""

    env_id: str
    instruction: str
    num_episodes: int
    num_steps: int
    num_frames: int
    origins: Mapping[str, int]
    """Origin ("real", "relabelled", "edited") to how many."""
    num_achieving: int
    """How many came to show something that the agent has words for, whether asked for or not."""
    num_terminated: int
    """How many ended because the task did, not because time was up."""


@dataclass(frozen=True)
class Statistics:
    """A store as a whole."""

    num_episodes: int
    num_steps: int
    num_frames: int
    num_bytes: int | None
    """On disk, old versions included; None for a store that is not on a local disk."""
    num_files: int | None
    num_versions: int
    vector_size: int | None
    origins: Mapping[str, int]
    worlds: Mapping[str, int]
    achieved: Mapping[str, int]
    """Description to the number of episodes that came to show it, most frequent first."""

    @property
    def bytes_per_episode(self) -> float | None:
        """None where there is nothing to divide, or nothing to divide by."""
        return self.num_bytes / self.num_episodes if self.num_bytes and self.num_episodes else None


def holdings(store: EpisodeStore, where: str | None = None) -> list[Holding]:
    """What is in a store, one entry per world and instruction, in the order of their names.

    Args:
        store: read only.
        where: SQL over the typed columns; see `EpisodeStore.ids`.

    Raises:
        LifelongBufferError: the filter cannot be understood.
    """
    names = ("env_id", "instruction", "origin", "num_steps", "num_frames", "achieved", "terminated")
    groups: dict[tuple[str, str], list[dict[str, object]]] = {}
    for row in store.columns(names, where):
        groups.setdefault((row["env_id"], row["instruction"]), []).append(row)
    return [
        Holding(
            env_id,
            instruction,
            num_episodes=len(rows),
            num_steps=sum(int(str(row["num_steps"])) for row in rows),
            num_frames=sum(int(str(row["num_frames"])) for row in rows),
            origins=Counter(str(row["origin"]) for row in rows),
            num_achieving=sum(bool(row["achieved"]) for row in rows),
            num_terminated=sum(bool(row["terminated"]) for row in rows),
        )
        for (env_id, instruction), rows in sorted(groups.items())
    ]


def statistics(store: EpisodeStore) -> Statistics:
    """Count a store as a whole."""
    rows = store.columns(("env_id", "origin", "num_steps", "num_frames", "achieved"))
    files = None if "://" in store.path else [path for path in Path(store.path).rglob("*") if path.is_file()]
    achieved = Counter(text for row in rows for text in set(row["achieved"]))
    return Statistics(
        num_episodes=len(rows),
        num_steps=sum(row["num_steps"] for row in rows),
        num_frames=sum(row["num_frames"] for row in rows),
        num_bytes=None if files is None else sum(path.stat().st_size for path in files),
        num_files=None if files is None else len(files),
        num_versions=store.num_versions,
        vector_size=store.vector_size,
        origins=Counter(row["origin"] for row in rows),
        worlds=Counter(row["env_id"] for row in rows),
        achieved=dict(sorted(achieved.items(), key=lambda item: (-item[1], item[0]))),
    )
