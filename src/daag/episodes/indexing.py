"""Indices over a store's columns, built once they pay.  Source: our choice, measured (benchmarks/memory.py).

Below the sizes here, reading a whole column is as quick as asking an index. What is appended after an index was built is
found without it, until the next compaction takes it in.
"""

import lance

from daag.episodes.store_format import vector_size_of

ROWS_BEFORE_INDEX = 4_096
"""From so many episodes on, the columns that are asked for by value are indexed."""

VECTORS_BEFORE_INDEX = 16_384
"""From so many episodes on, vectors are found through an index too, which is approximate."""

ROWS_PER_PARTITION = 256
"""How many vectors are compared in each partition that is looked into."""

PARTITIONS_SEARCHED = 32
"""How many of the partitions nearest to a vector are looked into."""

COLUMNS = {
    "achieved": "LABEL_LIST",
    "instruction": "BITMAP",
    "env_id": "BITMAP",
    "origin": "BITMAP",
    "source_id": "BTREE",
    "stored": "BTREE",
}
"""Which columns, and what kind of index fits their values."""


def index_if_it_pays(dataset: lance.LanceDataset) -> None:
    """Build the indices that a store of this size should have, and bring those that it has up to date.

    Args:
        dataset: the newest version of the store.
    """
    indexed = {name for index in dataset.describe_indices() for name in index.field_names}
    if indexed:
        dataset.optimize.optimize_indices()
    num_rows = dataset.count_rows()
    if num_rows >= ROWS_BEFORE_INDEX:
        for name, kind in COLUMNS.items():
            if name in dataset.schema.names and name not in indexed:
                dataset.create_scalar_index(name, kind)
    if num_rows >= VECTORS_BEFORE_INDEX and vector_size_of(dataset.schema) and "vector" not in indexed:
        partitions = max(1, num_rows // ROWS_PER_PARTITION)
        dataset.create_index("vector", "IVF_FLAT", metric="cosine", num_partitions=partitions)
