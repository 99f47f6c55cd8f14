"""What a Lance dataset says of itself if it is a store of episodes, and of which version."""

import json

import lance
import numpy as np
import pyarrow as pa

from daag.episodes.codec import SCHEMA_VERSION, TIMES, schema
from daag.errors import LifelongBufferError

FORMAT = "daag episodes"
"""What a store's metadata calls it."""

ATTEMPTS_TO_UPDATE = 5
"""How often a store is brought up to date anew because another process was quicker."""


def new_schema(vector_size: int | None) -> pa.Schema:
    """The columns of a new store, with what it says of itself."""
    return schema(vector_size).with_metadata({"format": FORMAT, "schema_version": str(SCHEMA_VERSION)})


def check_schema(found: pa.Schema, path: str, vector_size: int | None) -> None:
    """Check that a Lance dataset is a store that this daag can read.

    Args:
        found: the dataset's columns.
        path: for messages.
        vector_size: what its vectors' length must be; None accepts any.

    Raises:
        LifelongBufferError: it is something else, of a newer daag, or has other vectors.
    """
    metadata = {key.decode(): value.decode() for key, value in (found.metadata or {}).items()}
    if metadata.get("format") != FORMAT or not metadata.get("schema_version", "").isdigit():
        raise LifelongBufferError(
            f"expected an episode store at {path}, found a Lance dataset of something else, "
            f"with columns {', '.join(found.names[:8])}; is the path right?"
        )
    version = int(metadata["schema_version"])
    if version > SCHEMA_VERSION:
        raise LifelongBufferError(
            f"{path} was written by a newer daag: expected schema version {SCHEMA_VERSION} or older, got {version}; "
            "upgrade daag to read it"
        )
    size = vector_size_of(found)
    if vector_size is not None and size != vector_size:
        raise LifelongBufferError(
            f"expected vectors of length {vector_size} in {path}, which was created for {size}; "
            "open it with the text tower that it was made with, or start another store"
        )


def vector_size_of(found: pa.Schema) -> int | None:
    """The length of a store's vectors, or None if it has none."""
    return int(found.field("vector").type.list_size) if "vector" in found.names else None


def bring_up_to_date(dataset: lance.LanceDataset) -> None:
    """Make a store of an older version one of this version, with the columns that it lacks. What its rows hold stays.

    Another process may do the same at the same moment, or may have died half-way.

    Args:
        dataset: the newest version of the store; afterwards the one that is up to date.
    """
    for attempt in range(ATTEMPTS_TO_UPDATE):
        try:
            # The version first: whoever does not know the columns must not append any more.
            _note_version(dataset)
            _add_missing_columns(dataset)
            return
        except (OSError, RuntimeError):  # someone else committed in between
            if attempt == ATTEMPTS_TO_UPDATE - 1:
                raise
            dataset.checkout_latest()


def is_up_to_date(found: pa.Schema) -> bool:
    """Whether a store, which `check_schema` let through, is of this version and has all of its columns."""
    return int(found.metadata[b"schema_version"]) == SCHEMA_VERSION and set(TIMES) <= set(found.names)


def _note_version(dataset: lance.LanceDataset) -> None:
    metadata = {key.decode(): value.decode() for key, value in (dataset.schema.metadata or {}).items()}
    if int(metadata["schema_version"]) < SCHEMA_VERSION:
        dataset.update_schema_metadata({**metadata, "schema_version": str(SCHEMA_VERSION)}, replace=True)


def _add_missing_columns(dataset: lance.LanceDataset) -> None:
    if "stored" not in dataset.schema.names:
        dataset.add_columns(pa.field("stored", TIMES["stored"]))
    if "achieved_at" not in dataset.schema.names:
        filled = pa.schema([pa.field("achieved_at", TIMES["achieved_at"])])
        add = lance.batch_udf(output_schema=filled)(_when_achieved)
        dataset.add_columns(add, read_columns=["achievements"])


def _when_achieved(batch: pa.RecordBatch) -> pa.RecordBatch:
    ends = [[each["end"] for each in json.loads(text)] for text in batch["achievements"].to_pylist()]
    return pa.record_batch([pa.array(ends, TIMES["achieved_at"])], ["achieved_at"])


def check_vector(id: str, vector: np.ndarray | None, vector_size: int | None, path: str) -> None:
    """Check that a vector can be kept with an episode.

    Args:
        id: the episode's.
        vector: None is always fine.
        vector_size: of the store; None where it has no vectors.
        path: the store's, for messages.

    Raises:
        LifelongBufferError: it has another length than the store's, is zero or not finite, or the store has none.
    """
    if vector is None:
        return
    if vector_size is None:
        raise LifelongBufferError(f"episode {id!r} came with a vector, but {path} was created without")
    if vector.shape != (vector_size,):
        raise LifelongBufferError(
            f"episode {id!r}: expected a vector of length {vector_size}, as {path} was created, "
            f"got shape {vector.shape}; is this the text tower that the store was made with?"
        )
    if not np.isfinite(vector).all() or not vector.any():
        raise LifelongBufferError(
            f"episode {id!r}: expected a finite vector other than zero; pass None for none"
        )
