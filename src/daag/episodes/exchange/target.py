"""A directory that appears whole or not at all, and paths that stay inside one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daag.errors import ExchangeError


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Write into a directory beside `path`, which takes its name once all is written.

    Raises:
        ExchangeError: something is at `path`, or it cannot be written.
    """
    if path.exists():
        raise ExchangeError(f"expected nothing at {path}, where the data set is to go; choose another path")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        unfinished.rename(path)
    except OSError as error:
        raise ExchangeError(
            f"could not write the data set {path}: {error}; is there room, and may it be written?"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def inside(root: Path, relative: str) -> Path:
    """A path that a data set names, if it stays within the data set.

    Raises:
        ExchangeError: it leads out of `root`.
    """
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ExchangeError(
            f"the data set at {root} names a file outside itself, {relative!r}; it is damaged or malicious"
        )
    return path
