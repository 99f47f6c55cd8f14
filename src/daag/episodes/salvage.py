"""Rescue what can still be read of a damaged store."""

from pathlib import Path
from typing import NamedTuple

import lance
import numpy as np

from daag.episodes.episode import Episode
from daag.episodes.storage import named_errors, what_is_at
from daag.episodes.store import ROWS_PER_READ, EpisodeStore
from daag.episodes.versions import read_row, readable_versions
from daag.errors import LifelongBufferError


class Salvaged(NamedTuple):
    """What `salvage` did."""

    store: EpisodeStore
    """The new store, open."""

    num_lost: int
    """How many rows could be read in no version, as far as the newest readable version knows of them."""


def salvage(damaged: str | Path, target: str | Path) -> Salvaged:
    """Copy every readable episode of a damaged store to a new one, in order; the damaged one is left as it is.

    Older versions are read too: they may list files that were written before the damaged ones were made from them.

    Args:
        damaged: a store that `EpisodeStore.open` refuses, or some of whose episodes cannot be read; on a local disk.
        target: where the new store is made.

    Raises:
        LifelongBufferError: nothing of `damaged` can be read, or `target` cannot be written.
    """
    if what_is_at(damaged) != "a Lance dataset":
        raise LifelongBufferError(
            f"expected a damaged episode store at {damaged}, found {what_is_at(damaged)}"
        )
    versions = readable_versions(damaged)
    if not versions:
        raise LifelongBufferError(f"none of the versions in {damaged} can be read; restore it from a backup")
    vector = versions[0].schema.field("vector") if "vector" in versions[0].schema.names else None
    store = EpisodeStore.create(target, vector_size=vector.type.list_size if vector else None)
    num_rows = versions[0].count_rows()
    num_lost = 0
    waiting: dict[str, tuple[Episode, np.ndarray | None]] = {}

    def find_source(id: str) -> Episode:
        # A source stands before what was made of it, so that it is saved by then, if it can be.
        return waiting[id][0] if id in waiting else store.get([id])[0]

    ids = _ids_of(versions[0]) or [""] * num_rows
    for offset in range(num_rows):
        found = read_row(versions, offset, find_source, ids[offset])
        if found is None:
            num_lost += 1
        else:
            row, episode = found
            saved = row.get("vector")
            waiting.setdefault(episode.id, (episode, None if saved is None else np.array(saved, np.float32)))
        if len(waiting) == ROWS_PER_READ or offset == num_rows - 1:
            store.append([each for each, _ in waiting.values()], [each for _, each in waiting.values()])
            waiting.clear()
    return Salvaged(store, num_lost)


def _ids_of(dataset: lance.LanceDataset) -> list[str] | None:
    """The ids of all rows, or None where they cannot be read."""
    try:
        with named_errors("read the ids"):
            ids: list[str] = dataset.to_table(columns=["id"])["id"].to_pylist()
            return ids
    except LifelongBufferError:
        return None
