"""An episode as a row of a table: what is asked for in typed columns, arrays packed, the rest as JSON.

No field is left out and no bit is changed: `decode(encode(episode))` has equal arrays, dtypes and metadata.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from daag.episodes.compression import compress, compress_difference, decompress, is_difference
from daag.episodes.episode import Achievement, Episode, Provenance, WorldState
from daag.errors import DaagError, LifelongBufferError

SCHEMA_VERSION = 3
"""Of the table's columns and of what stands in them. A store with a higher one was written by a newer daag. Since 2, an
episode that was made of another may be stored as the difference from it; since 3 there are the columns of `TIMES`, and
differences are packed more tightly."""

ARRAYS = (
    "frames",
    "observation_index",
    "actions",
    "rewards",
    "state",
    "depth",
    "normals",
    "segmentation",
    "pixel_to_table",
)
"""Fields of `Episode` that are arrays; each is a column of packed bytes, null where the episode has none."""

METADATA: dict[str, pa.DataType] = {
    "id": pa.string(),
    "env_id": pa.string(),
    "instruction": pa.string(),
    "origin": pa.string(),
    "source_id": pa.string(),
    "achieved": pa.list_(pa.string()),
    "num_steps": pa.int32(),
    "num_frames": pa.int32(),
    "seed": pa.int64(),
    "terminated": pa.bool_(),
    "truncated": pa.bool_(),
    "camera": pa.string(),
    "object_names": pa.string(),
    "achievements": pa.string(),
    "provenance": pa.string(),
    "scene": pa.string(),
    "schema_version": pa.int32(),
}
"""Columns that can be asked for, and their types. `object_names`, `achievements`, `provenance` and `scene` are JSON."""

TIMES: dict[str, pa.DataType] = {
    "stored": pa.timestamp("us", tz="UTC"),
    "achieved_at": pa.list_(pa.int32()),
}
"""Columns for finding by time, which follow from other things and are no part of an episode's checksum: when it was stored,
null where that was before schema version 3, and the observation at which each of `achieved` came about."""

READ = (*METADATA, *ARRAYS, "qpos", "checksum")
"""The columns that `decode` needs. The others cost as much again to read where the rows are spread over many files."""

Row = dict[str, Any]
"""Column name to value, as `schema` types them."""


def schema(vector_size: int | None) -> pa.Schema:
    """The columns of a table of episodes.

    Args:
        vector_size: length of the vectors that episodes are retrieved by, or None for a table without any.
    """
    columns = [pa.field(name, type, nullable=name == "scene") for name, type in METADATA.items()]
    columns += [pa.field(name, type) for name, type in TIMES.items()]
    columns += [pa.field(name, pa.large_binary()) for name in (*ARRAYS, "qpos")]
    columns += [pa.field("checksum", pa.string(), nullable=False)]
    if vector_size is not None:
        columns.append(pa.field("vector", pa.list_(pa.float32(), vector_size)))
    return pa.schema(columns)


def encode(
    episode: Episode, vector: Float32[np.ndarray, "D"] | None = None, source: Episode | None = None
) -> Row:
    """Turn an episode into a row.

    Args:
        episode: any episode; its seed must fit 64 bits.
        source: the episode that it was made of, which must then be at hand when it is decoded. None: the row is whole.
        vector: what it is retrieved by; not part of its checksum, since it depends on a model and may be renewed.

    Raises:
        LifelongBufferError: a seed beyond 64 bits, or an array that does not hold numbers.
    """
    if not -(2**63) <= episode.seed < 2**63:
        raise LifelongBufferError(
            f"episode {episode.id!r}: expected a seed that fits 64 bits, got {episode.seed}"
        )
    row = _metadata(episode)
    row |= _packed(episode, source)
    if _differs_in_qpos(row) and _scene(source) == row["scene"]:
        row["scene"] = None  # the source's
    row["checksum"] = checksum(row)
    row["stored"] = datetime.now(UTC)
    row["achieved_at"] = [int(achievement.end) for achievement in episode.achievements]
    if vector is not None:
        row["vector"] = vector.tolist()
    return row


def decode(row: Row, find_source: Callable[[str], Episode] | None = None) -> Episode:
    """Turn a row back into the episode, with arrays of its own.

    Args:
        row: of the table.
        find_source: gives the episode of an id; called where the row is a difference.

    Raises:
        LifelongBufferError: the row, or the source that it differs from, is damaged or missing; the message names the
            episode.
    """
    if checksum(row) != row["checksum"]:
        raise LifelongBufferError(
            f"episode {row['id']!r} is damaged on disk: its content has another checksum"
        )
    try:
        source = None if is_whole(row) else _found(row, find_source)
        theirs = {} if source is None else _arrays(source)
        arrays = {
            name: None if row[name] is None else decompress(row[name], theirs.get(name))
            for name in (*ARRAYS, "qpos")
        }
        qpos = arrays.pop("qpos")
        names = json.loads(row["object_names"])
        return Episode(
            **{name: row[name] for name in ("id", "env_id", "instruction", "seed", "camera")},
            **{name: row[name] for name in ("terminated", "truncated")},
            **arrays,  # type: ignore[arg-type]  # the columns' names are the fields'
            object_names={int(key): name for key, name in names.items()},
            world_state=None if qpos is None else _world_state(row["scene"], source, qpos),
            achievements=tuple(Achievement(**fields) for fields in json.loads(row["achievements"])),
            provenance=_read_provenance(json.loads(row["provenance"])),
        )
    except (DaagError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LifelongBufferError(f"episode {row['id']!r} cannot be read: {error}") from error


def is_whole(row: Row) -> bool:
    """Whether a row can be decoded without its source."""
    return not any(row[name] is not None and is_difference(row[name]) for name in (*ARRAYS, "qpos"))


def checksum(row: Row) -> str:
    """SHA-256 of a row's columns, without the checksum itself and the vector."""
    digest = hashlib.sha256(_json({name: row[name] for name in METADATA}).encode())
    for name in (*ARRAYS, "qpos"):
        blob: bytes | None = row[name]
        # The length keeps apart what would look alike when the columns are read one after the other.
        digest.update(f"{name} {'null' if blob is None else len(blob)} ".encode())
        digest.update(blob or b"")
    return digest.hexdigest()


def same_content(first: Episode, second: Episode) -> bool:
    """Whether two episodes agree in every field, and in every bit of every array."""
    if _metadata(first) != _metadata(second):
        return False
    pairs = zip(_arrays(first).values(), _arrays(second).values(), strict=True)
    return all(a is b or (a is not None and b is not None and _same_bits(a, b)) for a, b in pairs)


def _same_bits(first: np.ndarray, second: np.ndarray) -> bool:
    return (first.dtype, first.shape) == (second.dtype, second.shape) and first.tobytes() == second.tobytes()


def _packed(episode: Episode, source: Episode | None) -> dict[str, bytes | None]:
    """Every array of an episode, packed; as a difference where there is a source that has the like."""
    starts: dict[str, int] = {}
    if source is not None and 0 <= episode.provenance.segment[0] < len(source.observation_index):
        observation = episode.provenance.segment[0]
        frame = int(source.observation_index[observation])
        starts = dict.fromkeys(("frames", "depth", "normals", "segmentation", "qpos"), frame)
        starts |= {"state": observation, "pixel_to_table": 0}
    theirs = {} if source is None else _arrays(source)
    packed: dict[str, bytes | None] = {}
    for name, array in _arrays(episode).items():
        other, blob = theirs.get(name), None
        if array is not None and other is not None and name in starts:
            blob = compress_difference(array, other, starts[name])
        packed[name] = compress(array) if blob is None and array is not None else blob
    return packed


def _found(row: Row, find_source: Callable[[str], Episode] | None) -> Episode:
    if find_source is None:
        raise LifelongBufferError(f"it is the difference from {row['source_id']!r}, which is not at hand")
    return find_source(row["source_id"])


def _differs_in_qpos(row: Row) -> bool:
    return row["qpos"] is not None and is_difference(row["qpos"])


def _world_state(scene: str | None, source: Episode | None, qpos: np.ndarray) -> WorldState:
    scene = _scene(source) if scene is None else scene
    if scene is None:
        raise LifelongBufferError("its source has no scene")
    return WorldState(scene=scene, qpos=qpos)


def _scene(episode: Episode | None) -> str | None:
    return None if episode is None or episode.world_state is None else episode.world_state.scene


def _arrays(episode: Episode) -> dict[str, np.ndarray | None]:
    """Every array of an episode by its column."""
    arrays: dict[str, np.ndarray | None] = {name: getattr(episode, name) for name in ARRAYS}
    arrays["qpos"] = None if episode.world_state is None else episode.world_state.qpos
    return arrays


def _metadata(episode: Episode) -> Row:
    """Every column that is not an array, as plain Python values."""
    return {
        "id": episode.id,
        "env_id": episode.env_id,
        "instruction": episode.instruction,
        "origin": episode.provenance.origin,
        "source_id": episode.provenance.source_id,
        "achieved": [achievement.description for achievement in episode.achievements],
        "num_steps": episode.num_steps,
        "num_frames": len(episode.frames),
        "seed": int(episode.seed),
        "terminated": bool(episode.terminated),
        "truncated": bool(episode.truncated),
        "camera": episode.camera,
        "object_names": _json({str(int(key)): name for key, name in episode.object_names.items()}),
        "achievements": _json([_write_achievement(achievement) for achievement in episode.achievements]),
        "provenance": _json(_write_provenance(episode.provenance)),
        "scene": None if episode.world_state is None else episode.world_state.scene,
        "schema_version": SCHEMA_VERSION,
    }


def _write_achievement(achievement: Achievement) -> Row:
    return {
        "description": achievement.description,
        "start": int(achievement.start),
        "end": int(achievement.end),
        "score": float(achievement.score),
    }


def _write_provenance(provenance: Provenance) -> Row:
    return {
        "origin": provenance.origin,
        "source_id": provenance.source_id,
        "segment": [int(index) for index in provenance.segment],
        "plan": [list(edit) for edit in provenance.plan],
        "models": dict(provenance.models),
        "seed": int(provenance.seed),
        "scores": {name: float(score) for name, score in provenance.scores.items()},
        "verdicts": {name: bool(verdict) for name, verdict in provenance.verdicts.items()},
        # Not where there is none, so that what was stored before it was known is packed as it was.
        **({"instruction": provenance.instruction} if provenance.instruction else {}),
    }


def _read_provenance(fields: Row) -> Provenance:
    start, end = fields.pop("segment")
    plan = tuple((operation, source, target) for operation, source, target in fields.pop("plan"))
    return Provenance(segment=(start, end), plan=plan, **fields)


def _json(value: object) -> str:
    """Canonical, so that equal values have equal checksums."""
    return json.dumps(value, sort_keys=True)
