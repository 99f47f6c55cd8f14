"""Where episodes are stored, seen from outside: what is at a path, and what to try when the storage fails."""

import errno
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lance

from daag.errors import LifelongBufferError

if sys.platform != "win32":
    import fcntl

LOCK = "_writing.lock"
"""The file within a store that `writing` locks."""


def what_is_at(path: str | Path) -> str:
    """What a path or URI leads to: "nothing", "a Lance dataset", "a file" or "a directory of other files".

    Raises:
        LifelongBufferError: it may not be looked into.
    """
    if "://" in str(path):
        try:
            lance.dataset(str(path))
        except (OSError, ValueError) as error:
            if "not found" in str(error).lower():
                return "nothing"
        return "a Lance dataset"
    place = Path(path)
    try:
        if not place.exists():
            return "nothing"
        if not place.is_dir():
            return "a file"
        entries = {entry.name for entry in place.iterdir()}
        if any((place / "_versions").glob("*.manifest")):
            return "a Lance dataset"
    except OSError as error:
        raise LifelongBufferError(
            f"could not look into {path}: {error}; {_remedy(str(error), False)}"
        ) from error
    # A process killed while creating a store leaves these behind, with nothing acknowledged in them.
    return "nothing" if entries <= {"_versions", "_transactions", "data"} else "a directory of other files"


class ThreadLock:
    """A reentrant lock that can be pickled; what comes out of the pickle is another lock, for another process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type["ThreadLock"], tuple[()]]:
        return ThreadLock, ()


@contextmanager
def writing(path: str, alone: bool = False) -> Iterator[None]:
    """Hold a store for writing: many may append at once, and who removes something is alone.

    A lock of the system on a file in the store, which is free again when its holder dies. A store elsewhere than on a
    local disk, and systems without such locks, have none: there nobody should append while something is removed.

    Args:
        path: of the store.
        alone: whether to wait until nobody else holds it, and to keep others waiting.
    """
    if "://" in path:
        yield
        return
    if sys.platform == "win32":
        yield
        return
    with named_errors(f"write to {path}"):
        handle = os.open(Path(path) / LOCK, os.O_RDONLY | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def store_within(place: str | Path) -> str:
    """The store at a path or URI, or the one within the directory of a run or of a job over a data set."""
    for name in ("lifelong.lance", "episodes.lance"):
        if "://" not in str(place) and (Path(place) / name).exists():
            return str(Path(place) / name)
    return str(place)


@contextmanager
def named_errors(doing: str, damaged: bool = False) -> Iterator[None]:
    """Turn whatever Lance raises into a `LifelongBufferError`.

    Args:
        doing: what was being done, "append 3 episodes to runs/demo/lifelong".
        damaged: whether damage is the likeliest cause where the message names no other.
    """
    try:
        yield
    except BaseException as error:
        # Lance's Rust panics on some damaged files; the panic is no `Exception`, and has no importable class.
        panicked = type(error).__name__ == "PanicException"
        if not panicked and not isinstance(error, OSError | ValueError | RuntimeError):
            raise
        raise LifelongBufferError(f"could not {doing}: {_remedy(str(error), damaged)} ({error})") from error


def _remedy(message: str, damaged: bool) -> str:
    """What to try, by the system's error number in a message of Lance ("os error 28") or Python ("[Errno 28]")."""
    found = re.search(r"os error (\d+)|\[Errno (\d+)\]", message)
    number = int(found.group(1) or found.group(2)) if found else 0
    if number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return "the disk is full or a size limit is reached; free some room and try again"
    if number in (errno.EPERM, errno.EACCES, errno.EROFS):
        return "no permission; check who owns the directory and whether it may be written"
    if damaged:
        return "its files are truncated or damaged; daag.episodes.salvage copies what can still be read"
    return "the storage failed; check it and try again"
