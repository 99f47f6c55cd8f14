"""What a Lance dataset says of itself if it is a store of episodes, and of which version."""

import lance
import numpy as np
import pyarrow as pa

from daag.episodes.codec import SCHEMA_VERSION, schema
from daag.errors import LifelongBufferError

FORMAT = "daag episodes"
"""What a store's metadata calls it."""


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
    """Note in a store of an older version that it holds what that version could not read. Its rows stay as they are."""
    metadata = {key.decode(): value.decode() for key, value in (dataset.schema.metadata or {}).items()}
    if int(metadata["schema_version"]) < SCHEMA_VERSION:
        dataset.update_schema_metadata({**metadata, "schema_version": str(SCHEMA_VERSION)}, replace=True)


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
