"""Embeddings of frames on disk: no frame is encoded twice by one vision tower.

An entry is found by the hash of a frame's pixels and by the hash of all that an embedding depends on, which is the folder
that it lies in. So a detector whose vision tower was finetuned, or whose frames are brought to size otherwise, has
entries of its own, and finds none of the old one's; another calibration, or another text tower, finds all of them.

Files are written once, as a whole, under a name of their own. So a process may die at any moment, and several may fill one
cache; what two of them add at once is stored twice and read once.  Source: our choice.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float32, UInt8

from daag.errors import ConfigError, ModelError
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity

KEY_BYTES = 32
"""Of SHA-256."""

SETTINGS_FILE, KEYS, VECTORS = "settings.json", ".keys.npy", ".vectors.npy"


class EmbeddingCache:
    """A detector's `embed_frames` that remembers. Use it in a `with`, or call `flush` at the end.

    An entry of an embedded detector takes 128 KB, one of a CLIP with one vector for a picture about 2 KB.

    Args:
        directory: of the caches of all detectors; is made if missing.
        detector: whose embeddings these are.
        frames_per_file: so many new ones are gathered before a file is written.

    Raises:
        ConfigError: no frames per file.
        ModelError: the directory holds something else under this detector's name.
    """

    def __init__(self, directory: Path, detector: ClipDetector, frames_per_file: int = 1024) -> None:
        if frames_per_file < 1:
            raise ConfigError(f"expected at least one frame per file, got {frames_per_file}")
        self.detector = detector
        self.directory = directory / detector.image_hash
        self.num_encoded = 0
        """Frames that the vision tower was given since this was made."""
        self._frames_per_file = frames_per_file
        self._pending: dict[bytes, Float32[np.ndarray, "V L D"]] = {}
        self._keys: list[UInt8[np.ndarray, "N 32"]] = []
        self._files: list[np.ndarray] = []
        """Vectors, memory-mapped: what was read once is the system's to keep."""
        self._place: dict[bytes, tuple[int, int]] = {}
        self._read: set[str] = set()
        self._shape = detector.embed_frames(np.zeros((1, 8, 8, 3), dtype=np.uint8)).shape[1:]
        self._check_settings()
        self.refresh()

    def embed_frames(self, frames: np.ndarray) -> Float32[np.ndarray, "N V L D"]:
        """As the detector's own; only frames that are not known are encoded, each once.

        Args:
            frames: uint8, shape (N, H, W, 3), any size.

        The last bits of an embedding depend on the batch that it was made in, and stay those of the first.

        Raises:
            RewardDetectorError: frames of another dtype or layout.
        """
        keys = [frame_key(frame) for frame in frames]
        new = {key: index for index, key in enumerate(keys) if key not in self}
        if new or not keys:
            vectors = self.detector.embed_frames(frames[sorted(new.values())])
            self.num_encoded += len(vectors)
            order = sorted(new, key=new.__getitem__)
            self._pending.update(zip(order, vectors, strict=True))
        result = np.empty((len(keys), *self._shape), dtype=np.float32)
        for row, key in zip(result, keys, strict=True):
            row[:] = self._get(key)
        if len(self._pending) >= self._frames_per_file:
            self.flush()
        return result

    def scores(
        self, descriptions: Collection[str]
    ) -> Iterator[tuple[UInt8[np.ndarray, "N 32"], Float32[np.ndarray, "N M"]]]:
        """Scores of everything that is kept: a text embedding for each description, and a product for each file.

        Yields:
            For each file the keys of its frames (see `frame_key`) and their scores.
        """
        self.flush()
        texts = self.detector.embed_texts(list(descriptions))
        for keys, vectors in zip(self._keys, self._files, strict=True):
            yield keys, similarity(np.asarray(vectors), texts)

    def flush(self) -> None:
        """Write what is not yet written."""
        if not self._pending:
            return
        keys, vectors = list(self._pending), np.stack(list(self._pending.values()))
        name = hashlib.sha256(b"".join(keys) + os.urandom(8)).hexdigest()[:24]
        # The keys come last: a file of vectors without its keys is not there.
        table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, KEY_BYTES)
        for ending, array in ((VECTORS, vectors), (KEYS, table)):
            unfinished = self.directory / f"{name}{ending}.unfinished"
            with unfinished.open("wb") as file:
                np.save(file, array)
            unfinished.replace(self.directory / f"{name}{ending}")
        self._pending.clear()
        self.refresh()

    def refresh(self) -> None:
        """Take note of what others have added.

        Raises:
            ModelError: a file is damaged.
        """
        for path in sorted(self.directory.glob(f"*{KEYS}")):
            name = path.name.removesuffix(KEYS)
            if name in self._read:
                continue
            try:
                keys = np.load(path)
                vectors = np.load(self.directory / f"{name}{VECTORS}", mmap_mode="r")
            except (OSError, ValueError) as error:
                raise ModelError(f"{path} or its vectors are damaged: {error}; remove both") from error
            if keys.shape != (len(vectors), KEY_BYTES) or vectors.shape[1:] != self._shape:
                raise ModelError(
                    f"expected keys {KEY_BYTES} bytes long and vectors {self._shape} beside {path}, got "
                    f"{keys.shape} and {vectors.shape}; remove both"
                )
            for row, key in enumerate(keys):
                self._place.setdefault(key.tobytes(), (len(self._files), row))
            self._keys.append(keys)
            self._files.append(vectors)
            self._read.add(name)

    def __len__(self) -> int:
        """How many frames are known."""
        return len(self._place) + len(self._pending)

    def __contains__(self, key: object) -> bool:
        """Whether the frame with this key is known."""
        return key in self._place or key in self._pending

    def __enter__(self) -> "EmbeddingCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def _get(self, key: bytes) -> Float32[np.ndarray, "V L D"]:
        if key in self._pending:
            return self._pending[key]
        file, row = self._place[key]
        return np.asarray(self._files[file][row])

    def _check_settings(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / SETTINGS_FILE
        settings = {"image_hash": self.detector.image_hash, "shape": list(self._shape)}
        if not file.exists():
            unfinished = self.directory / f"{SETTINGS_FILE}.{os.getpid()}"
            unfinished.write_text(json.dumps(settings) + "\n")
            unfinished.replace(file)
        try:
            found = json.loads(file.read_text())
        except ValueError:
            found = None
        if found != settings:
            raise ModelError(f"expected {settings} in {file}, got {found}; remove the folder")


def frame_key(frame: np.ndarray) -> bytes:
    """SHA-256 of a frame's shape and pixels."""
    digest = hashlib.sha256(repr((frame.dtype.str, frame.shape)).encode())
    digest.update(np.ascontiguousarray(frame).tobytes())
    return digest.digest()


def forget(directory: Path, image_hashes: Collection[str]) -> int:
    """Remove the entries of some detectors, and of no others.

    Args:
        directory: of the caches of all detectors.
        image_hashes: of those that are not wanted any more.

    Returns:
        How many had any.
    """
    gone = [directory / name for name in image_hashes if (directory / name / SETTINGS_FILE).is_file()]
    for folder in gone:
        shutil.rmtree(folder)
    return len(gone)
