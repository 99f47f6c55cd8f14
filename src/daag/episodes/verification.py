"""Read everything once, and name what is damaged. What is not stays readable, and a store is never changed by this."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import lance

from daag.episodes.codec import decode
from daag.episodes.episode import Episode
from daag.episodes.storage import named_errors, what_is_at
from daag.episodes.store import ROWS_PER_READ
from daag.episodes.store_format import check_schema
from daag.episodes.versions import read_row, readable_versions, version_numbers
from daag.errors import LifelongBufferError


@dataclass(frozen=True)
class Damage:
    """An episode that cannot be read."""

    offset: int
    """Its place in the order of appending, from 0."""
    id: str
    """Empty where not even that can be read."""
    reason: str
    saved: bool
    """Whether an older version still has it whole, so that `salvage` brings it back."""

    @property
    def name(self) -> str:
        """What to call it."""
        return repr(self.id) if self.id else f"number {self.offset}, whose id cannot be read"


@dataclass(frozen=True)
class Verification:
    """What `verify` found."""

    num_episodes: int
    damaged: tuple[Damage, ...]
    duplicates: tuple[str, ...]
    """Ids that are stored twice, as two writers at the same moment can do; the first one is what is read."""
    newest_unreadable: int
    """How many of the newest versions cannot be read at all; 0 in a sound store. What they added is not counted above."""

    @property
    def sound(self) -> bool:
        """Whether every episode can be read."""
        return not self.damaged and not self.newest_unreadable


def verify(path: str | Path, progress: Callable[[int, int], None] | None = None) -> Verification:
    """Read and check every episode of a store, even of one that `EpisodeStore.open` refuses because it is damaged.

    Args:
        path: of the store.
        progress: is told how many episodes are checked, of how many.

    Raises:
        LifelongBufferError: there is no store, one of a newer daag, or one of which nothing can be read.
    """
    found = what_is_at(path)
    if found != "a Lance dataset":
        raise LifelongBufferError(f"expected an episode store at {path}, found {found}; is the path right?")
    versions, num_unreadable = _versions(path)
    check_schema(versions[0].schema, str(path), None)
    with named_errors(f"count the episodes of {path}", damaged=True):
        num_rows = versions[0].count_rows()
    places: dict[str, int] = {}
    duplicates: list[str] = []
    damaged: list[Damage] = []
    for start in range(0, num_rows, ROWS_PER_READ):
        offsets = range(start, min(start + ROWS_PER_READ, num_rows))
        for offset, (id, reason) in zip(offsets, _check(versions[0], offsets, places), strict=True):
            if reason:
                whole = read_row(versions, offset, _finder(versions, places), id)
                damaged.append(Damage(offset, id, reason, whole is not None))
            if id and places.get(id) != offset:
                duplicates.append(id)
        if progress is not None:
            progress(offsets[-1] + 1, num_rows)
    return Verification(num_rows, tuple(damaged), tuple(duplicates), num_unreadable)


def _versions(path: str | Path) -> tuple[list[lance.LanceDataset], int]:
    """The readable versions, newest first, and how many newer ones are not."""
    if "://" in str(path):
        with named_errors(f"open the episode store at {path}", damaged=True):
            return [lance.dataset(str(path))], 0
    versions = readable_versions(path)
    if not versions:
        raise LifelongBufferError(f"none of the versions in {path} can be read; restore it from a backup")
    return versions, version_numbers(path).index(versions[0].version)


def _check(
    dataset: lance.LanceDataset, offsets: Sequence[int], places: dict[str, int]
) -> list[tuple[str, str]]:
    """The id of each row, and why it cannot be read; both may be empty. Notes where each id stands first."""
    try:
        with named_errors("read them", damaged=True):
            rows = dataset.take(list(offsets)).to_pylist()
    except LifelongBufferError as error:
        if len(offsets) > 1:
            return [_check(dataset, [offset], places)[0] for offset in offsets]
        return [(_id_at(dataset, offsets[0]), str(error))]
    results = []
    find_source = _finder([dataset], places)
    for offset, row in zip(offsets, rows, strict=True):
        reason = ""
        places.setdefault(row["id"], offset)
        try:
            decode(row, find_source)
        except LifelongBufferError as error:
            reason = str(error)
        results.append((row["id"], reason))
    return results


def _finder(versions: list[lance.LanceDataset], places: dict[str, int]) -> Callable[[str], Episode]:
    """Reads the source of an episode, which stands before it."""

    @cache
    def find_source(id: str) -> Episode:
        found = None if id not in places else read_row(versions, places[id], _no_source, id)
        if found is None:
            raise LifelongBufferError(f"its source {id!r} is damaged or missing")
        return found[1]

    return find_source


def _no_source(id: str) -> Episode:
    raise LifelongBufferError(f"{id!r} is the source of a source")


def _id_at(dataset: lance.LanceDataset, offset: int) -> str:
    """The column of ids may be whole where another is not."""
    try:
        with named_errors("read it"):
            return str(dataset.take([offset], columns=["id"])["id"][0].as_py())
    except LifelongBufferError:
        return ""
