"""Episodes as a LeRobotDataset of version 3, written without the lerobot package, which shares no environment with us.

Its rows are (observation, action) pairs: what the last action led to has no row there. It is in the record beside the
data, with all else that the format does not hold.
"""

import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8
from PIL import Image

from daag.episodes.episode import Episode
from daag.episodes.exchange import lerobot_layout as layout
from daag.episodes.exchange.feature_statistics import FeatureStatistics
from daag.episodes.exchange.lerobot_layout import Pixels
from daag.episodes.exchange.recording import Layout
from daag.episodes.exchange.sidecar import SidecarWriter
from daag.episodes.exchange.target import appearing
from daag.episodes.exchange.video import write_video
from daag.errors import ExchangeError

NOT_CARRIED = (
    "the last observation of each episode, and the frames between the observations",
    "depth, normals, segmentation, names of objects, calibration, world state",
    "achievements, provenance, ids, seeds, whether an episode was terminated or truncated",
)
"""What LeRobot has no place for; it is in the record beside the data."""

_SCALARS: dict[str, str] = {
    layout.REWARD: "float32",
    layout.DONE: "bool",
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


def export_lerobot(episodes: Iterable[Episode], path: Path, fps: int = 10, pixels: Pixels = "images") -> int:
    """Write episodes as a LeRobotDataset of version 3.

    Args:
        episodes: of one layout; held one at a time.
        path: a directory that does not exist yet.
        fps: observations per second; the format needs one, and an episode does not say.
        pixels: how pictures are kept. "lossy-video" is small, and the record beside the data says that the pixels
            outside an edit's masks are then no longer the source's.

    Returns:
        How many were written.

    Raises:
        ExchangeError: no episode, episodes of different layouts, a camera whose name is no file name, something at
            `path`, no room, or PyAV is missing.
    """
    if fps < 1:
        raise ExchangeError(f"expected at least one frame per second, got {fps}")
    with appearing(path) as unfinished:
        writer: _Writer | None = None
        for episode in episodes:
            if writer is None:
                writer = _Writer(unfinished, episode, fps, pixels)
            writer.add(episode)
        if writer is None:
            raise ExchangeError("expected at least one episode to export, got none; is --where right?")
        writer.finish()
        return writer.num_episodes


class _Writer:
    def __init__(self, root: Path, first: Episode, fps: int, pixels: Pixels) -> None:
        if not re.fullmatch(r"[\w-]+", first.camera):
            raise ExchangeError(
                f"episode {first.id!r}: a camera's name becomes a directory's, expected letters, digits, - and _, got "
                f"{first.camera!r}"
            )
        self._root, self._fps, self._pixels = root, fps, pixels
        self._layout = Layout.of(first)
        self._camera = layout.PICTURES + first.camera
        self._sizes = {layout.ACTION: self._layout.num_actions}
        if self._layout.state_size is not None:
            self._sizes[layout.STATE] = self._layout.state_size
        self._features = self._make_features()
        self._tasks: dict[str, int] = {}
        self._rows: list[dict[str, Any]] = []
        self._totals: dict[str, FeatureStatistics] = {}
        self._num_rows = self.num_episodes = 0
        (root / "meta").mkdir()
        self._data = pq.ParquetWriter(self._place(layout.DATA), self._schema(), compression="snappy")
        self._sidecar = SidecarWriter(root / layout.SIDECAR, pixels != "lossy-video", NOT_CARRIED)

    def add(self, episode: Episode) -> None:
        self._layout.check(episode)
        index, num_steps = self.num_episodes, episode.num_steps
        task = self._tasks.setdefault(episode.instruction, len(self._tasks))
        pictures = episode.observations[:-1]
        steps = np.arange(num_steps)
        columns: dict[str, np.ndarray] = {
            layout.ACTION: episode.actions,
            layout.REWARD: episode.rewards,
            layout.DONE: steps == num_steps - 1,
            "timestamp": (steps / self._fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(num_steps, index),
            "index": self._num_rows + steps,
            "task_index": np.full(num_steps, task),
        }
        if episode.state is not None:
            columns[layout.STATE] = episode.state[:-1]
        found = {
            name: FeatureStatistics.of(values) for name, values in {**columns, self._camera: pictures}.items()
        }
        arrays: dict[str, pa.Array] = {name: _arrow(values) for name, values in columns.items()}
        if self._pixels == "images":
            arrays[self._camera] = _png_column(pictures)
        self._data.write_table(pa.Table.from_pydict(arrays, schema=self._schema()))
        self._rows.append(
            {
                "episode_index": index,
                "tasks": [episode.instruction],
                "length": num_steps,
                "data/chunk_index": 0,
                "data/file_index": 0,
                "dataset_from_index": self._num_rows,
                "dataset_to_index": self._num_rows + num_steps,
                **self._write_video(index, pictures),
                **{
                    f"stats/{name}/{key}": value
                    for name, each in found.items()
                    for key, value in each.as_lists().items()
                },
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )
        for name, each in found.items():
            self._totals[name] = self._totals[name].and_of(each) if name in self._totals else each
        self._sidecar.add(index, episode, num_steps)
        self._num_rows += num_steps
        self.num_episodes += 1

    def finish(self) -> None:
        self._data.close()
        self._sidecar.close()
        pq.write_table(pa.Table.from_pylist(self._rows), self._place(layout.EPISODES))
        pq.write_table(_task_table(self._tasks), self._root / layout.TASKS)
        info = {
            "codebase_version": layout.VERSION,
            "robot_type": None,
            "total_episodes": self.num_episodes,
            "total_frames": self._num_rows,
            "total_tasks": len(self._tasks),
            "chunks_size": layout.FILES_PER_CHUNK,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self._fps,
            "splits": {"train": f"0:{self.num_episodes}"},
            "data_path": layout.DATA,
            "video_path": None if self._pixels == "images" else layout.VIDEOS,
            "features": self._features,
        }
        (self._root / layout.INFO).write_text(json.dumps(info, indent=4))
        statistics = {name: each.as_lists() for name, each in self._totals.items()}
        (self._root / layout.STATISTICS).write_text(json.dumps(statistics, indent=4))

    def _write_video(self, index: int, pictures: UInt8[np.ndarray, "T H W 3"]) -> dict[str, object]:
        """A file per episode; what LeRobot must know of it."""
        if self._pixels == "images":
            return {}
        chunk, file = divmod(index, layout.FILES_PER_CHUNK)
        path = self._place(layout.VIDEOS, chunk, file)
        write_video(path, pictures, self._fps, lossless=self._pixels == "lossless-video")
        return {
            f"videos/{self._camera}/chunk_index": chunk,
            f"videos/{self._camera}/file_index": file,
            f"videos/{self._camera}/from_timestamp": 0.0,
            f"videos/{self._camera}/to_timestamp": len(pictures) / self._fps,
        }

    def _place(self, template: str, chunk: int = 0, file: int = 0) -> Path:
        path = self._root / template.format(video_key=self._camera, chunk_index=chunk, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _make_features(self) -> dict[str, dict[str, object]]:
        height, width = self._layout.picture
        features: dict[str, dict[str, object]] = {
            self._camera: {
                "dtype": "image" if self._pixels == "images" else "video",
                "shape": [height, width, 3],
                "names": ["height", "width", "channels"],
            }
        }
        if self._pixels != "images":
            features[self._camera]["info"] = {
                "video.height": height,
                "video.width": width,
                "video.codec": "h264",
                "video.pix_fmt": "gbrp" if self._pixels == "lossless-video" else "yuv420p",
                "video.is_depth_map": False,
                "video.fps": self._fps,
                "video.channels": 3,
                "has_audio": False,
            }
        for name, size in self._sizes.items():
            names = [f"{name.split('.')[-1]}_{number}" for number in range(size)]
            features[name] = {"dtype": "float32", "shape": [size], "names": names}
        for name, dtype in _SCALARS.items():
            features[name] = {"dtype": dtype, "shape": [1], "names": None}
        return features

    def _schema(self) -> pa.Schema:
        """The columns of a step, with the types that the `datasets` library reads its own from."""
        fields: list[pa.Field] = []
        described: dict[str, dict[str, object]] = {}
        for name, feature in self._features.items():
            dtype, size = str(feature["dtype"]), self._sizes.get(name, 1)
            if dtype == "video":
                continue
            if dtype == "image":
                fields.append(pa.field(name, pa.struct({"bytes": pa.binary(), "path": pa.string()})))
                described[name] = {"_type": "Image"}
                continue
            value = pa.type_for_alias(dtype)
            scalar: dict[str, object] = {"dtype": dtype, "_type": "Value"}
            fields.append(pa.field(name, value if size == 1 else pa.list_(value, size)))
            described[name] = (
                scalar if size == 1 else {"feature": scalar, "length": size, "_type": "Sequence"}
            )
        about = json.dumps({"info": {"features": described}})
        return pa.schema(fields, metadata={"huggingface": about})


def _arrow(values: np.ndarray) -> pa.Array:
    """A column of numbers, or of lists of as many each."""
    if values.ndim == 1 or values.shape[1] == 1:
        return pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1]
    )


def _png_column(pictures: UInt8[np.ndarray, "T H W 3"]) -> pa.Array:
    rows = []
    for number, picture in enumerate(pictures):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, format="PNG")
        rows.append({"bytes": file.getvalue(), "path": f"frame-{number:06d}.png"})
    return pa.array(rows, type=pa.struct({"bytes": pa.binary(), "path": pa.string()}))


def _task_table(tasks: dict[str, int]) -> pa.Table:
    """As pandas would write it, whose index is the sentences: LeRobot reads it with pandas."""
    text = {"pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    about = {
        "index_columns": ["task"],
        "column_indexes": [{"name": None, "field_name": None, **text, "metadata": {"encoding": "UTF-8"}}],
        "columns": [
            {
                "name": "task_index",
                "field_name": "task_index",
                "pandas_type": "int64",
                "numpy_type": "int64",
                "metadata": None,
            },
            {"name": "task", "field_name": "task", **text},
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    table = pa.table({"task_index": pa.array(list(tasks.values()), pa.int64()), "task": list(tasks)})
    return table.replace_schema_metadata({"pandas": json.dumps(about)})
