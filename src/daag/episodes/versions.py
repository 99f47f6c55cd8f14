"""The versions of a store that can still be read, and a row out of the newest that has it whole."""

from collections.abc import Callable
from pathlib import Path

import lance

from daag.episodes.codec import Row, decode
from daag.episodes.episode import Episode
from daag.episodes.storage import named_errors
from daag.errors import LifelongBufferError


def readable_versions(path: str | Path) -> list[lance.LanceDataset]:
    """Every version whose list of files can be read, newest first.

    Args:
        path: of a store on a local disk, damaged or not.
    """
    versions = []
    for number in version_numbers(path):
        try:
            with named_errors(f"read version {number} of {path}"):
                versions.append(lance.dataset(str(path), version=number))
        except LifelongBufferError:
            continue
    return versions


def version_numbers(path: str | Path) -> list[int]:
    """The numbers of all versions that are listed, readable or not, newest first."""
    # Lance names their files by what is left to 2**64 - 1.
    manifests = (Path(path) / "_versions").glob("*.manifest")
    return sorted((2**64 - 1 - int(manifest.stem) for manifest in manifests), reverse=True)


def read_row(
    versions: list[lance.LanceDataset], offset: int, find_source: Callable[[str], Episode], id: str = ""
) -> tuple[Row, Episode] | None:
    """The row at an offset, from the newest version that has it undamaged.

    In all versions it is the same, but for those from before something was forgotten.

    Args:
        versions: newest first.
        offset: of the row.
        find_source: gives the episode that another was made of, by id.
        id: what must be found there, where that is known.

    Returns:
        The row and its episode, checked against its checksum, or None where no version has it undamaged.
    """
    for dataset in versions:
        try:
            with named_errors(f"read row {offset}"):
                row: Row = dataset.take([offset]).to_pylist()[0]
            if not id or row["id"] == id:
                return row, decode(row, find_source)
        except (LifelongBufferError, IndexError):
            continue
    return None
