"""Episodes on disk: one Lance dataset, one row per episode, append-only.  Source: our choice (docs/episodes.md)."""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from daag.episodes.codec import Row, decode, encode, is_whole, same_content
from daag.episodes.compaction import compact, compact_all, count_small
from daag.episodes.episode import Episode
from daag.episodes.finding import quoted
from daag.episodes.indexing import PARTITIONS_SEARCHED
from daag.episodes.rows import StoredRows
from daag.episodes.storage import named_errors, what_is_at, writing
from daag.episodes.store_format import (
    bring_up_to_date,
    check_schema,
    check_vector,
    is_up_to_date,
    new_schema,
    vector_size_of,
)
from daag.errors import ConfigError, DaagWarning, LifelongBufferError

COMMITS_BETWEEN_COMPACTIONS = 64
"""Each commit adds a file, and each commit lists all files: uncompacted, disk use grows with their square."""

ROWS_PER_READ = 32
"""How many episodes are in memory at once while iterating."""


class EpisodeStore:
    """Episodes in the order in which they were appended, each kept with the vector that it is retrieved by.

    When `append` returns, its episodes survive the death of the process (`kill -9`), and a reader never sees half an
    episode. Lance does not fsync, so that a power cut may lose what the system had not yet written: call `sync` where
    that matters. Several processes, and several threads of one, may read and append at once, as long as they append different ids. Do not use a
    store in a forked process (torch's `DataLoader` among them): Lance's threads do not survive the fork; use spawn.
    Make one with `create`, `open`, `open_or_create` or `in_memory`.
    """

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self._rows = StoredRows(dataset)
        self._vector_size = vector_size_of(dataset.schema)
        self._commits_since_compaction = count_small(dataset)

    @classmethod
    def create(cls, path: str | Path, vector_size: int | None) -> "EpisodeStore":
        """Make an empty store.

        Args:
            path: a directory that does not exist yet or is empty, or an object store's URI ("s3://...").
            vector_size: length of the vectors, or None for a store without any.

        Raises:
            ConfigError: `vector_size` is not positive.
            LifelongBufferError: something is there already, or may not be written.
        """
        if vector_size is not None and vector_size < 1:
            raise ConfigError(f"vector_size must be at least 1, or None for no vectors, got {vector_size}")
        found = what_is_at(path)
        if found != "nothing":
            remedy = "open it with EpisodeStore.open" if found == "a Lance dataset" else "choose another path"
            raise LifelongBufferError(f"expected nothing at {path}, found {found}; {remedy}")
        table = new_schema(vector_size).empty_table()
        with named_errors(f"create an episode store at {path}"):
            return cls(lance.write_dataset(table, str(path), mode="create", data_storage_version="2.1"))

    @classmethod
    def open(cls, path: str | Path, vector_size: int | None = None) -> "EpisodeStore":
        """Open a store that `create` made.

        Args:
            path: where it is.
            vector_size: what its vectors' length must be; None accepts any.

        Raises:
            LifelongBufferError: nothing is there, or no store, a damaged one, one of a newer daag, or one whose
                vectors have another length.
        """
        found = what_is_at(path)
        if found == "nothing":
            raise LifelongBufferError(
                f"expected an episode store at {path}, found nothing; use EpisodeStore.create"
            )
        if found != "a Lance dataset":
            raise LifelongBufferError(
                f"expected an episode store at {path}, found {found}; is the path right?"
            )
        with named_errors(f"open the episode store at {path}", damaged=True):
            dataset = lance.dataset(str(path))
        check_schema(dataset.schema, str(path), vector_size)
        return cls(dataset)

    @classmethod
    def open_or_create(cls, path: str | Path, vector_size: int | None) -> "EpisodeStore":
        """Open the store at `path`, or make it where nothing is. Raises what `open` and `create` raise."""
        make = cls.create if what_is_at(path) == "nothing" else cls.open
        return make(path, vector_size)

    @classmethod
    def in_memory(cls, vector_size: int | None) -> "EpisodeStore":
        """A store that is gone with the object, for tests and for trying things out."""
        table = new_schema(vector_size).empty_table()
        return cls(lance.write_dataset(table, "memory://", mode="create", data_storage_version="2.1"))

    @property
    def path(self) -> str:
        """Where the store is: a path or a URI."""
        return self._rows.path

    @property
    def vector_size(self) -> int | None:
        """The length of the vectors, or None if this store has none."""
        return self._vector_size

    def append(
        self,
        episodes: Sequence[Episode],
        vectors: Sequence[Float32[np.ndarray, "D"] | None] | None = None,
    ) -> None:
        """Add episodes in one transaction: all of them are stored, or none.

        An episode that is stored already, with the same content, is passed over: a run that is resumed may append
        again what it appended before it was killed. Vectors do not count as content; the first ones stay.

        Args:
            episodes: with ids of their own.
            vectors: one per episode, finite and not zero, or None for an episode never to be retrieved by vector.

        Raises:
            LifelongBufferError: an id that is stored with other content, a vector of the wrong length, a full disk,
                a missing permission. Nothing of this call is stored then; nothing stored before is touched.
        """
        if vectors is None:
            vectors = [None] * len(episodes)
        if len(vectors) != len(episodes):
            raise LifelongBufferError(f"{len(episodes)} episodes need as many vectors, got {len(vectors)}")
        with self._rows.lock, writing(self.path):
            self._append(episodes, vectors)

    def get(self, ids: Iterable[str]) -> list[Episode]:
        """Read episodes by id, in the order asked for.

        Raises:
            LifelongBufferError: an id is not stored, or its episode is damaged; the message names it.
        """
        wanted = list(ids)
        if any(id not in self._rows.index for id in wanted):
            self._rows.refresh()
        missing = [id for id in wanted if id not in self._rows.index]
        if missing:
            raise LifelongBufferError(
                f"{self.path} holds {len(self)} episodes, but not {', '.join(missing[:5])}"
            )
        return self._read(wanted)

    def read(self, ids: Sequence[str]) -> Iterator[Episode]:
        """Read episodes by id, in the order asked for, a few at a time; raises what `get` does when it comes to it."""
        for start in range(0, len(ids), ROWS_PER_READ):
            yield from self.get(ids[start : start + ROWS_PER_READ])

    def ids(self, where: str | None = None) -> list[str]:
        """The ids of all episodes, or of those that a filter lets through, in the order of appending.

        Args:
            where: SQL over the typed columns, "origin = 'real' AND num_steps < 5" or
                "array_has(achieved, 'the red cube is on the blue cube')".

        Raises:
            LifelongBufferError: the filter cannot be understood.
        """
        self._rows.refresh()
        if where is None:
            return list(self._rows.index)
        found = self._rows.scan(["id"], where)["id"].to_pylist()
        return list(dict.fromkeys(found))

    def columns(self, names: Sequence[str], where: str | None = None) -> list[Row]:
        """Some typed columns of all episodes, or of those that a filter lets through, in the order of appending.

        Args:
            names: of the columns, as filters use them.
            where: as for `ids`.

        Returns:
            One dict from name to value per episode. No picture is read.

        Raises:
            LifelongBufferError: no such column, or the filter cannot be understood.
        """
        self._rows.refresh()
        rows: list[Row] = self._rows.scan(
            ["id", *(name for name in names if name != "id")], where
        ).to_pylist()
        first: dict[str, Row] = {}
        for row in rows:  # two writers may have stored an id twice; the first one counts
            first.setdefault(row["id"], row)
        return list(first.values())

    @property
    def num_versions(self) -> int:
        """How many versions, older ones included, are kept."""
        with self._rows.lock:
            return len(self._rows.dataset.versions())

    def vectors(self, where: str | None = None) -> tuple[list[str], Float32[np.ndarray, "N D"]]:
        """The vectors of all episodes that have one and that a filter lets through, with their ids.

        Raises:
            LifelongBufferError: this store has no vectors, or the filter cannot be understood.
        """
        if self.vector_size is None:
            raise LifelongBufferError(
                f"{self.path} was created without vectors; nothing can be retrieved by one"
            )
        self._rows.refresh()
        table = self._rows.scan(["id", "vector"], where)
        table = table.filter(table["vector"].is_valid())
        flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return table["id"].to_pylist(), flat.astype(np.float32).reshape(-1, self.vector_size)

    def candidates(
        self, vector: Float32[np.ndarray, "D"], k: int, where: str | None = None, exact: bool = False
    ) -> tuple[list[str], Float32[np.ndarray, "N D"]]:
        """The ids and vectors of the episodes nearest to a vector by angle, nearest first, ties in any order.

        Args:
            vector: of the store's length.
            k: at most how many, at least 1.
            where: as for `ids`.
            exact: compare with all vectors, even where there is an index that would do with fewer.

        Raises:
            LifelongBufferError: this store has no vectors, or the filter cannot be understood.
        """
        if self.vector_size is None:
            raise LifelongBufferError(
                f"{self.path} was created without vectors; nothing can be retrieved by one"
            )
        self._rows.refresh()
        nearest = {
            "column": "vector",
            "q": vector,
            "k": k,
            "metric": "cosine",
            "nprobes": PARTITIONS_SEARCHED,
            "use_index": not exact,
        }
        table = self._rows.scan(["id", "vector", "_distance"], where, nearest)
        if not exact and table.num_rows < min(k, len(self)):  # few are let through by the filter
            return self.candidates(vector, k, where, exact=True)
        flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return table["id"].to_pylist(), flat.astype(np.float32).reshape(-1, self.vector_size)

    def compact(self) -> None:
        """Merge small files, drop old versions, and build or extend the indices that pay. `append` does it every so often.

        Raises:
            LifelongBufferError: no room, or no permission; the store stays as it was.
        """
        with self._rows.lock, named_errors(f"compact {self.path}, which stays as it was"):
            compact(self._rows.dataset)
        self._commits_since_compaction = 0

    @contextmanager
    def to_itself(self) -> Iterator[None]:
        """Keep others from appending, this process or another on the same machine; theirs wait."""
        with self._rows.lock, writing(self.path, alone=True):
            yield

    def remove(self, ids: Sequence[str]) -> None:
        """Remove episodes for good, in one transaction, and free their space; use `forget`, which asks and keeps a record.

        Raises:
            LifelongBufferError: no room, or no permission; nothing is removed then, or its space is not yet free.
        """
        with self._rows.lock, named_errors(f"remove {len(ids)} episodes from {self.path}"):
            self._rows.dataset.checkout_latest()
            self._rows.dataset.delete(f"id IN ({', '.join(map(quoted, ids))})")
            self._rows.refresh()
            compact_all(self._rows.dataset)
        self._rows.refresh()

    @property
    def knows_times(self) -> bool:
        """Whether it has the columns of times, as every store has to which this version of daag appended."""
        return is_up_to_date(self._rows.dataset.schema)

    def sync(self) -> None:
        """Wait until everything appended is on the disk itself, so that it survives a power cut too.

        This flushes the whole machine's pending writes; once per task is a good measure.
        """
        os.sync()

    def __len__(self) -> int:
        """The number of episodes, those included that others appended up to the last call."""
        return len(self._rows.index)

    def __contains__(self, id: object) -> bool:
        """Whether an episode of this id is stored."""
        return id in self._rows.index

    def __iter__(self) -> Iterator[Episode]:
        """Read all episodes in the order of appending, a few at a time."""
        return self.read(list(self._rows.index))

    def __repr__(self) -> str:
        return f"EpisodeStore({self.path!r}, episodes={len(self)}, vector_size={self.vector_size})"

    def _append(
        self, episodes: Sequence[Episode], vectors: Sequence[Float32[np.ndarray, "D"] | None]
    ) -> None:
        self._rows.refresh()
        if not is_up_to_date(self._rows.dataset.schema):
            with self._rows.lock, named_errors(f"bring {self.path} up to date"):
                bring_up_to_date(self._rows.dataset)
        new: dict[str, Row] = {}
        sources = self._sources_of(episodes)
        for episode, vector in zip(episodes, vectors, strict=True):
            real = episode.provenance.origin == "real"
            row = encode(episode, vector, None if real else sources.get(episode.provenance.source_id))
            if real:
                sources.setdefault(episode.id, episode)
            if episode.id in self._rows.index or episode.id in new:
                self._check_same(episode, row, new.get(episode.id), sources)
            else:
                check_vector(episode.id, vector, self.vector_size, self.path)
                new[episode.id] = row
        if not new:
            return
        table = pa.Table.from_pylist(list(new.values()), schema=self._rows.dataset.schema)
        appending = f"append {len(new)} episodes to {self.path}, which keeps its {len(self)}"
        with named_errors(appending):
            self._rows.dataset = lance.write_dataset(table, self._rows.dataset, mode="append")
        self._rows.refresh()
        self._commits_since_compaction += 1
        if self._commits_since_compaction >= COMMITS_BETWEEN_COMPACTIONS:
            self._compact_or_warn()

    def _read(self, ids: Sequence[str]) -> list[Episode]:
        rows = self._rows.read(ids)
        wanted = {row["source_id"] for row in rows if not is_whole(row)}
        sources: dict[str, Episode] = {}

        def find_source(id: str) -> Episode:
            if id not in sources:
                if id not in self._rows.index:
                    raise LifelongBufferError(f"its source {id!r} is not in {self.path}")
                sources[id] = decode(self._rows.read([id])[0])
            return sources[id]

        with suppress(LifelongBufferError):  # one that is damaged is an error of what was made of it, below
            at_once = self._rows.read(sorted(wanted & self._rows.index.keys()))
            sources |= {row["id"]: decode(row) for row in at_once}
        return [decode(row, find_source) for row in rows]

    def _sources_of(self, episodes: Sequence[Episode]) -> dict[str, Episode]:
        """The stored real episodes that new ones were made of, as far as they can be read."""
        made = {
            e.provenance.source_id for e in episodes if e.id not in self._rows.index
        } & self._rows.index.keys()
        sources = {}
        for id in sorted(made):
            try:
                (source,) = self._read([id])
            except LifelongBufferError:  # what was made of it is then stored whole
                continue
            if source.provenance.origin == "real":  # only those are always whole
                sources[id] = source
        return sources

    def _check_same(
        self, episode: Episode, row: Row, pending: Row | None, sources: dict[str, Episode]
    ) -> None:
        stored = self._rows.index[episode.id].checksum if pending is None else pending["checksum"]
        if row["checksum"] == stored:
            return
        # Another version of zstd may pack the same content into other bytes.
        other = self.get([episode.id])[0] if pending is None else decode(pending, sources.__getitem__)
        if not same_content(episode, other):
            raise LifelongBufferError(
                f"episode {episode.id!r} is stored in {self.path} with other content, and nothing is ever "
                "overwritten; give the new one another id, or another directory"
            )

    def _compact_or_warn(self) -> None:
        # What was appended is stored; failing to tidy up must not look like failing to append.
        self._commits_since_compaction = 0
        try:
            self.compact()
        except LifelongBufferError as error:
            warnings.warn(f"{error} (will be tried again)", DaagWarning, stacklevel=3)
