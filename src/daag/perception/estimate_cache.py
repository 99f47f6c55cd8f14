"""What was estimated of an episode, on disk: no episode is looked at twice by the same models.

An entry is one file, found by a key that hashes frames and names, in a folder named after the models and their settings. It
is written as a whole, under a name of its own first, so a process may die at any moment and several may fill one cache. An
entry that is damaged is as good as none: it is made again.  Source: our choice.
"""

import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from daag.errors import DaagWarning

Arrays = Mapping[str, np.ndarray]


class EstimateCache:
    """Arrays by key; the last few in main memory, all on disk.

    Args:
        directory: of the caches of all models; is made when the first entry is written. None: main memory only.
        models: hash of the models and settings that made the entries.
        remembered: how many entries are kept in main memory.
    """

    def __init__(self, directory: Path | None, models: str, remembered: int = 4) -> None:
        self.directory = None if directory is None else directory / models
        self._remembered = remembered
        self._recent: dict[str, Arrays] = {}

    def get(self, key: str, fits: Callable[[Arrays], bool], make: Callable[[], Arrays]) -> Arrays:
        """The entry of a key; made, and kept, if there is none that fits.

        Args:
            key: a file's name without its ending.
            fits: whether an entry that was read has the arrays that are expected of it.
            make: makes it anew.
        """
        arrays = self._recent.pop(key, None)
        if arrays is None:
            arrays = self._read(key, fits)
        if arrays is None:
            arrays = make()
            self._write(key, arrays)
        self._recent[key] = arrays
        for old in list(self._recent)[: -self._remembered]:
            del self._recent[old]
        return arrays

    def _read(self, key: str, fits: Callable[[Arrays], bool]) -> Arrays | None:
        path = self._path(key)
        if path is None or not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            if fits(arrays):
                return arrays
            reason = f"it holds {', '.join(sorted(arrays)) or 'nothing'} of other shapes"
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            reason = str(error)
        warnings.warn(f"{path} is damaged and is made again: {reason}", DaagWarning, stacklevel=2)
        return None

    def _write(self, key: str, arrays: Arrays) -> None:
        path = self._path(key)
        if path is None:
            return
        unfinished = path.with_name(f"{key}.{os.getpid()}.unfinished")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
            unfinished.replace(path)
        except OSError as error:  # a full or read-only disk costs time later, and nothing else
            with suppress(OSError):
                unfinished.unlink()
            warnings.warn(
                f"{path} cannot be written, so it will be made again: {error}", DaagWarning, stacklevel=2
            )

    def _path(self, key: str) -> Path | None:
        return None if self.directory is None else self.directory / f"{key}.npz"
