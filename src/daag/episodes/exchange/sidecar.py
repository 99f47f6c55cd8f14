"""The record beside an exported data set: all that an episode has and the other format has no place for.

One Parquet file, one row per episode: our columns, the frames that the format does not hold (those of the motion, and
the last where the format keeps none), and a hash over all of the episode. With it, what comes back is the same, bit for
bit, or refused by name. Other programs may ignore it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daag.episodes.codec import ARRAYS, METADATA, Row, checksum, decode, encode, schema
from daag.episodes.compression import compress, decompress
from daag.episodes.episode import Episode
from daag.episodes.exchange.recording import Recording
from daag.errors import ExchangeError, LifelongBufferError

FORMAT = "daag exchange"
VERSION = 1

OTHER_PIXELS = "pixels_outside_masks_identical"
"""The verdict that an edited episode bears, as false, once its pixels went through a lossy video."""


class SidecarWriter:
    """Writes the record, row by row.

    Args:
        path: of the file; must not exist.
        identical: whether the format's pixels are the episode's, bit for bit.
        not_carried: what programs without this record do not see, in words.
    """

    def __init__(self, path: Path, identical: bool, not_carried: Sequence[str]) -> None:
        self._identical = identical
        about = {
            "format": FORMAT,
            "version": str(VERSION),
            "pixels_identical": json.dumps(identical),
            "not_carried": json.dumps(list(not_carried)),
        }
        self._schema = _columns().with_metadata(about)
        self._writer = pq.ParquetWriter(path, self._schema, compression="none")

    def add(self, index: int, episode: Episode, num_observations: int) -> None:
        """Record an episode.

        Args:
            index: its number within the data set.
            episode: whole.
            num_observations: how many of its observations, counted from the first, the format holds itself.
        """
        row = encode(episode)
        row["frames"] = compress(episode.frames[_elsewhere(episode, num_observations)])
        row["actions"] = None
        row |= {"episode_index": index, "num_observations": num_observations}
        row["content"] = _digest(episode, self._identical)
        self._writer.write_table(pa.Table.from_pylist([row], schema=self._schema))

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class Sidecar:
    """A record as it was written.

    Args:
        path: of the file.

    Raises:
        ExchangeError: it is damaged, of something else, or of a newer daag.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            table = pq.read_table(path)
            about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
            self.pixels_identical = bool(json.loads(about["pixels_identical"]))
            self.not_carried = tuple(json.loads(about["not_carried"]))
            version = int(about["version"])
            rows = table.to_pylist()
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise ExchangeError(
                f"{path} cannot be read: {error}; remove it to import the data set without provenance"
            ) from error
        if about.get("format") != FORMAT or version > VERSION:
            raise ExchangeError(
                f"{path}: expected {FORMAT} of version {VERSION} or older, got {about.get('format')} {version}; "
                "upgrade daag, or remove the file to import the data set without provenance"
            )
        self._rows: dict[int, Row] = {row["episode_index"]: row for row in rows}

    @classmethod
    def beside(cls, path: Path) -> "Sidecar | None":
        """The record at a path, or None where there is none; raises what the constructor raises."""
        return cls(path) if path.exists() else None

    def __len__(self) -> int:
        return len(self._rows)

    def complete(self, recording: Recording) -> Episode:
        """Put what the format held and what stands here together.

        Raises:
            ExchangeError: the two do not belong together, or one is damaged.
        """
        row = dict(self._rows.get(recording.index, {}))
        remedy = f"remove {self._path} to import the data set without provenance"
        if not row:
            raise ExchangeError(
                f"episode {recording.index} of the data set is not in the record beside it; {remedy}"
            )
        identical, content = self.pixels_identical, row["content"]
        try:
            episode = _put_together(row, recording)
        except (LifelongBufferError, IndexError, ValueError) as error:
            raise ExchangeError(
                f"episode {recording.index} ({row['id']!r}) and the record beside it do not fit: {error}; {remedy}"
            ) from error
        if _digest(episode, identical) != content or not _agrees(episode, recording):
            raise ExchangeError(
                f"episode {recording.index} ({row['id']!r}): its data are not what daag exported; were they changed, "
                f"or damaged? {remedy}"
            )
        return episode if identical else _marked(episode)


def _columns() -> pa.Schema:
    extra = [
        pa.field("episode_index", pa.int64()),
        pa.field("num_observations", pa.int32()),
        pa.field("content", pa.string()),
    ]
    return pa.schema([*schema(None), *extra])


def _elsewhere(episode: Episode, num_observations: int) -> np.ndarray:
    """Which frames the format does not hold."""
    return np.setdiff1d(np.arange(len(episode.frames)), episode.observation_index[:num_observations])


def _put_together(row: Row, recording: Recording) -> Episode:
    here = decompress(row["frames"])
    held = decompress(row["observation_index"])[: row["num_observations"]]
    if len(held) != len(recording.observations):
        raise ValueError(f"expected {len(held)} observations, got {len(recording.observations)}")
    frames = np.empty((row["num_frames"], *recording.observations.shape[1:]), dtype=np.uint8)
    frames[held] = recording.observations
    frames[np.setdiff1d(np.arange(len(frames)), held)] = here
    row["frames"], row["actions"] = compress(frames), compress(recording.actions)
    ours = {name: row[name] for name in (*METADATA, *ARRAYS, "qpos")}
    return decode({**ours, "checksum": checksum(ours)})


def _agrees(episode: Episode, recording: Recording) -> bool:
    """Whether what stands in both places is the same."""
    pairs = [(episode.rewards, recording.rewards)]
    if recording.state is not None and episode.state is not None:
        pairs.append((episode.state[: len(recording.state)], recording.state))
    return all(first.tobytes() == second.tobytes() for first, second in pairs)


def _digest(episode: Episode, with_frames: bool) -> str:
    """SHA-256 of an episode's metadata and of every array, unpacked."""
    row = encode(episode)
    digest = hashlib.sha256(json.dumps({name: row[name] for name in METADATA}, sort_keys=True).encode())
    arrays = {name: getattr(episode, name) for name in ARRAYS if with_frames or name != "frames"}
    arrays["qpos"] = None if episode.world_state is None else episode.world_state.qpos
    for name, array in arrays.items():
        about = "null" if array is None else f"{array.dtype.str} {array.shape}"
        digest.update(f"{name} {about} ".encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _marked(episode: Episode) -> Episode:
    """An edited episode whose pixels are no longer those that were judged says so."""
    provenance = episode.provenance
    if provenance.origin != "edited":
        return episode
    verdicts = {**provenance.verdicts, OTHER_PIXELS: False}
    return replace(episode, provenance=replace(provenance, verdicts=verdicts))
