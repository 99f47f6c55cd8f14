"""Steps of a store, decoded into memory-mapped arrays: a cache to draw single steps from, rebuilt from the store at will.

The store packs an episode as one piece, so that one step of it costs as much to read as all of them. Who draws steps one
by one, many times each, builds this once; it is the raw size of the pictures, and holds nothing that the store does not.
Source: our choice.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Int64, UInt8

from daag.episodes.episode import Episode
from daag.episodes.store import EpisodeStore
from daag.errors import LifelongBufferError

DESCRIPTION = "steps.json"
"""Written last: a directory without it is no cache."""

FORMAT = "daag decoded steps 1"


class Steps(NamedTuple):
    """Some steps, each with what was seen before and after it."""

    observations: UInt8[np.ndarray, "N H W 3"]
    next_observations: UInt8[np.ndarray, "N H W 3"]
    actions: Float32[np.ndarray, "N A"]
    rewards: Float32[np.ndarray, "N"]
    instructions: Int32[np.ndarray, "N"]
    """Which of `DecodedSteps.instructions`."""
    episodes: Int32[np.ndarray, "N"]
    """Which of `DecodedSteps.ids`."""


@dataclass(frozen=True, eq=False)
class DecodedSteps:
    """Every step of some episodes, in files that are mapped into memory. Make one with `build` or `open`."""

    path: Path
    ids: tuple[str, ...]
    """The episodes, in the order of their steps."""
    instructions: tuple[str, ...]
    where: str | None
    """Which of the store's episodes they are."""
    observations: UInt8[np.ndarray, "O H W 3"]
    """Of all episodes, T + 1 of each."""
    actions: Float32[np.ndarray, "S A"]
    rewards: Float32[np.ndarray, "S"]
    step_index: Int64[np.ndarray, "S"]
    """Which observation each step starts from; the next one is what it led to."""
    step_episode: Int32[np.ndarray, "S"]
    step_instruction: Int32[np.ndarray, "S"]

    @classmethod
    def build(cls, store: EpisodeStore, path: str | Path, where: str | None = None) -> "DecodedSteps":
        """Decode what a store holds now.

        Args:
            store: read only.
            path: of the cache, on a local disk; an older cache there is replaced once the new one is whole.
            where: SQL over the store's columns, for fewer than all; see `EpisodeStore.ids`.

        Raises:
            LifelongBufferError: no episodes, pictures or actions of different sizes, something else is at `path`, no
                room, or a damaged episode.
        """
        target = Path(path)
        if target.exists() and not (target / DESCRIPTION).exists() and any(target.iterdir()):
            raise LifelongBufferError(f"expected nothing or an older cache at {target}, found other files")
        rows = store.columns(("num_steps", "instruction"), where)
        if not rows:
            raise LifelongBufferError(
                f"expected episodes to decode in {store.path} where {where}, found none"
            )
        lengths = [row["num_steps"] for row in rows]
        instructions = list(dict.fromkeys(row["instruction"] for row in rows))
        ids = [row["id"] for row in rows]
        building = target.with_name(f"{target.name}.building-{os.getpid()}")
        try:
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir(parents=True)
            _decode(store, ids, lengths, building)
            number = {text: index for index, text in enumerate(instructions)}
            tasks = np.array([number[row["instruction"]] for row in rows], np.int32)
            np.save(building / "step_instruction.npy", np.repeat(tasks, lengths))
            np.save(building / "step_episode.npy", np.repeat(np.arange(len(ids), dtype=np.int32), lengths))
            # An episode has one observation more than steps.
            starts = np.arange(sum(lengths)) + np.repeat(np.arange(len(ids)), lengths)
            np.save(building / "step_index.npy", starts)
            description = {"format": FORMAT, "ids": ids, "instructions": instructions, "where": where}
            (building / DESCRIPTION).write_text(json.dumps(description))
            shutil.rmtree(target, ignore_errors=True)
            building.rename(target)
        except OSError as error:
            raise LifelongBufferError(f"could not write a cache at {target}: {error}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return cls.open(target)

    @classmethod
    def open(cls, path: str | Path) -> "DecodedSteps":
        """Map a cache that `build` made.

        Raises:
            LifelongBufferError: there is none, or it is damaged.
        """
        place = Path(path)
        try:
            description = json.loads((place / DESCRIPTION).read_text())
            if description["format"] != FORMAT:
                raise ValueError(f"of format {description['format']!r}")
            names = ("observations", "actions", "rewards", "step_index", "step_episode", "step_instruction")
            # As plain arrays: to index NumPy's own class of mapped ones takes several times as long.
            arrays: dict[str, Any] = {
                name: np.asarray(np.load(place / f"{name}.npy", mmap_mode="r")) for name in names
            }
        except (OSError, ValueError, KeyError) as error:
            raise LifelongBufferError(
                f"no cache that can be read at {place} ({error}); build it anew"
            ) from error
        words = (tuple(description["ids"]), tuple(description["instructions"]))
        return cls(place, *words, description["where"], **arrays)

    def is_current(self, store: EpisodeStore) -> bool:
        """Whether these are still the store's episodes."""
        return tuple(store.ids(self.where)) == self.ids

    @property
    def num_bytes(self) -> int:
        """What it takes on the disk."""
        return sum(file.stat().st_size for file in self.path.iterdir())

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.rewards)

    def __getitem__(self, steps: Int64[np.ndarray, "N"] | Sequence[int]) -> Steps:
        """Copy out some steps, by number, in the order asked for."""
        chosen = np.asarray(steps, dtype=np.int64)
        first = self.step_index[chosen]
        return Steps(
            self.observations[first],
            self.observations[first + 1],
            self.actions[chosen],
            self.rewards[chosen],
            self.step_instruction[chosen],
            self.step_episode[chosen],
        )

    def steps_of(self, ids: Sequence[str]) -> Int64[np.ndarray, "N"]:
        """The numbers of all steps of some episodes, in the order asked for.

        Raises:
            LifelongBufferError: an episode is not among them.
        """
        missing = [id for id in ids if id not in self._places]
        if missing:
            raise LifelongBufferError(f"{self.path} does not hold {', '.join(missing[:5])}; build it anew")
        chosen = [np.arange(*self._places[id]) for id in ids]
        return np.concatenate(chosen) if chosen else np.empty(0, np.int64)

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """The first step of each episode, and the first of the next."""
        ends = np.cumsum(np.bincount(self.step_episode, minlength=len(self.ids))).tolist()
        return dict(zip(self.ids, zip([0, *ends[:-1]], ends, strict=True), strict=True))

    def sample(self, count: int, rng: np.random.Generator) -> Steps:
        """Draw steps evenly, with replacement."""
        return self[rng.integers(len(self), size=count)]


def _decode(store: EpisodeStore, ids: Sequence[str], lengths: Sequence[int], place: Path) -> None:
    """Write observations, actions and rewards of all episodes, one after the other."""
    total, maps, first = sum(lengths), {}, None
    step = 0
    for number, episode in enumerate(store.read(ids)):
        if first is None:
            first = episode
            shapes = {
                "observations": ((total + len(ids), *episode.frames.shape[1:]), np.uint8),
                "actions": ((total, episode.actions.shape[1]), np.float32),
                "rewards": ((total,), np.float32),
            }
            for name, (shape, dtype) in shapes.items():
                maps[name] = np.lib.format.open_memmap(place / f"{name}.npy", "w+", dtype, shape)
        _check_alike(episode, first)
        last = step + episode.num_steps
        maps["observations"][step + number : last + number + 1] = episode.observations
        maps["actions"][step:last] = episode.actions
        maps["rewards"][step:last] = episode.rewards
        step = last
    for each in maps.values():
        each.flush()


def _check_alike(episode: Episode, first: Episode) -> None:
    for name in ("frames", "actions"):
        ours, theirs = getattr(episode, name).shape[1:], getattr(first, name).shape[1:]
        if ours != theirs:
            raise LifelongBufferError(
                f"episode {episode.id!r} has {name} of {ours}, episode {first.id!r} of {theirs}; a cache holds those of "
                "one size: choose by `where`"
            )
