"""Where the rows of a store stand, while others append to it and tidy up.  Source: our choice (docs/episodes.md)."""

from collections.abc import Sequence
from typing import NamedTuple

import lance
import pyarrow as pa

from daag.episodes.codec import READ, Row
from daag.episodes.storage import ThreadLock, named_errors
from daag.errors import LifelongBufferError

ATTEMPTS_TO_READ = 2
"""How often a read is tried, since another process may tidy up in its midst."""


class Stored(NamedTuple):
    """Of one row."""

    offset: int
    checksum: str


class StoredRows:
    """A Lance dataset and what is known of its rows: their ids, places and checksums.

    Args:
        dataset: any version of it; `refresh` goes on to the newest.
    """

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self.dataset, self.path = dataset, str(dataset.uri)
        self.lock = ThreadLock()  # Lance refuses to be asked anything while another thread refreshes it
        self._entries: dict[str, Stored] = {}
        self._num_rows, self._last_id = 0, ""
        self._indexed_version = 0  # of none: the ids are read when they are first asked for

    @property
    def index(self) -> dict[str, Stored]:
        """Where every id stands that was known at the last look, or that is there at the first."""
        if not self._indexed_version:
            self.refresh()
        return self._entries

    def refresh(self) -> None:
        """Take note of what was appended or forgotten since, by this process or by others."""
        with self.lock, named_errors(f"read the episode store at {self.path}", damaged=True):
            self.dataset.checkout_latest()
            if self.dataset.version == self._indexed_version:
                return
            # The last row that is known is read again. Compacting keeps the order of rows and appending adds to its end,
            # so that it stands elsewhere only if a row was taken away; then all places are read anew.
            known = max(self._num_rows - 1, 0)
            moved = self.dataset.count_rows() < self._num_rows
            new = self.dataset.to_table(columns=["id", "checksum"], offset=0 if moved else known)
            if self._num_rows and not moved and new["id"][0].as_py() != self._last_id:
                moved, new = True, self.dataset.to_table(columns=["id", "checksum"])
            if moved:
                self._entries, known = {}, 0
            self._num_rows = known + new.num_rows
            ids, checksums = new["id"].to_pylist(), new["checksum"].to_pylist()
            for offset, (id, digest) in enumerate(zip(ids, checksums, strict=True), known):
                self._entries.setdefault(id, Stored(offset, digest))
            self._last_id = ids[-1] if ids else ""
            self._indexed_version = self.dataset.version

    def read(self, ids: Sequence[str]) -> list[Row]:
        """What some rows hold, all but what only scans need, in the order of the ids.

        Raises:
            LifelongBufferError: one of them is damaged, which is named, or is no longer there.
        """
        try:
            rows = self._take(ids)
        except LifelongBufferError as error:
            if len(ids) == 1:
                raise LifelongBufferError(f"episode {ids[0]!r} is damaged on disk: {error}") from error
            return [row for id in ids for row in self.read([id])]
        for id, row in zip(ids, rows, strict=True):
            if row["id"] != id:
                raise LifelongBufferError(
                    f"episode {id!r} is damaged on disk: found {row['id']!r} in its place"
                )
        return rows

    def _take(self, ids: Sequence[str]) -> list[Row]:
        for attempt in range(ATTEMPTS_TO_READ):
            with self.lock:
                # Another process may have compacted, and so removed the files of the version that was open, or may have
                # taken rows away, and so moved others.
                self.refresh()
                missing = [id for id in ids if id not in self.index]
                if missing:
                    raise LifelongBufferError(f"{missing[0]!r} is no longer in {self.path}")
                try:
                    with named_errors(f"read {len(ids)} episodes from {self.path}", damaged=True):
                        offsets = [self.index[id].offset for id in ids]
                        table = self.dataset.take(offsets, columns=list(READ))
                        rows: list[Row] = table.to_pylist()
                        return rows
                except LifelongBufferError:
                    if attempt == ATTEMPTS_TO_READ - 1:
                        raise
        raise AssertionError("unreachable")

    def scan(
        self, columns: list[str], where: str | None, nearest: dict[str, object] | None = None
    ) -> pa.Table:
        """Some columns of the rows that a filter lets through, or of those nearest to a vector, as Lance takes it.

        Raises:
            LifelongBufferError: the filter cannot be understood.
        """
        try:
            with self.lock:
                return self.dataset.to_table(
                    columns=columns, filter=where, nearest=nearest, prefilter=nearest is not None
                )
        except (OSError, ValueError, RuntimeError) as error:
            names = [field.name for field in self.dataset.schema if not pa.types.is_large_binary(field.type)]
            raise LifelongBufferError(
                f"could not select episodes where {where!r}; expected SQL over the columns {', '.join(names)}: {error}"
            ) from error
