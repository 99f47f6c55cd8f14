"""Merging the small files of a store, and dropping its old versions.  Source: our choice, measured (benchmarks/memory.py)."""

import lance

from daag.episodes.indexing import index_if_it_pays

ROWS_PER_FRAGMENT = 1024
"""Files with fewer rows are merged; fuller ones are left alone, so that compacting costs the same at any size."""

ROWS_PER_LARGE_FRAGMENT = 16 * ROWS_PER_FRAGMENT
"""Every so often the full files are merged once more: a draw of episodes touches fewer files, and costs the same however
many episodes there are. Each episode is written three times in all: appended, merged, and merged again."""

FULL_BEFORE_MERGING = 16
"""So many full files are merged."""

RETAINED_VERSIONS = 16
"""How many versions stay readable after compacting: for readers at work, and for `salvage`."""


def count_small(dataset: lance.LanceDataset) -> int:
    """How many files are waiting to be merged."""
    return sum(fragment.count_rows() < ROWS_PER_FRAGMENT for fragment in dataset.get_fragments())


def compact(dataset: lance.LanceDataset) -> None:
    """Merge small files, drop old versions, and build or extend the indices that pay; readers at work keep theirs."""
    sizes = [fragment.count_rows() for fragment in dataset.get_fragments()]
    full = sum(ROWS_PER_FRAGMENT <= size < ROWS_PER_LARGE_FRAGMENT for size in sizes)
    rows = ROWS_PER_LARGE_FRAGMENT if full >= FULL_BEFORE_MERGING else ROWS_PER_FRAGMENT
    dataset.optimize.compact_files(target_rows_per_fragment=rows)
    index_if_it_pays(dataset)
    dataset.cleanup_old_versions(retain_versions=RETAINED_VERSIONS)


def compact_all(dataset: lance.LanceDataset) -> None:
    """Give back the space of rows that were deleted: no older version stays."""
    dataset.optimize.compact_files(
        target_rows_per_fragment=ROWS_PER_FRAGMENT, materialize_deletions_threshold=0.0
    )
    index_if_it_pays(dataset)
    dataset.cleanup_old_versions(retain_versions=1)
