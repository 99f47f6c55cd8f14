"""A LeRobotDataset of version 3, daag's or anybody's, as episodes; read without the lerobot package."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from daag.episodes.episode import Episode
from daag.episodes.exchange import lerobot_layout as layout
from daag.episodes.exchange.recording import Recording, episode_of
from daag.episodes.exchange.sidecar import Sidecar
from daag.episodes.exchange.target import inside
from daag.episodes.exchange.video import read_video
from daag.errors import ExchangeError

Columns = dict[str, Any]
"""A row of the table of episodes."""


def import_lerobot(
    path: Path,
    instruction: str = "",
    picture: str = "",
    state: str = "",
    env_id: str = "",
    name: str = "",
) -> Iterator[Episode]:
    """Read a LeRobotDataset of version 3, one episode at a time.

    Without the record that daag writes beside it, an episode's last action is left out, since the format does not keep
    what it led to, and an episode counts as terminated where `next.success` or, without that, `next.done` says so.

    Args:
        path: the data set's directory, the one that holds `meta`.
        instruction: what its episodes were to do, where the data set does not say.
        picture: the camera, "observation.images.front" or just "front"; needed only where there are several.
        state: the feature that is the state; `observation.state` where it is left out.
        env_id: the world; the data set's robot type where it is left out.
        name: prefix of the episodes' ids; the directory's name where it is left out.

    Raises:
        ExchangeError: it is none or of another version, something is missing or damaged, videos have another frame
            rate, or which camera to take is not clear.
    """
    dataset = _DataSet(path, instruction, picture, state, env_id, name)
    sidecar = Sidecar.beside(path / layout.SIDECAR)
    for row in dataset.episodes():
        recording = dataset.recording(row)
        yield episode_of(recording) if sidecar is None else sidecar.complete(recording)


class _DataSet:
    def __init__(
        self, path: Path, instruction: str, picture: str, state: str, env_id: str, name: str
    ) -> None:
        self._path, self._instruction = path, instruction
        info = _read_json(path / layout.INFO)
        version = str(info.get("codebase_version", "none"))
        if not version.startswith("v3."):
            raise ExchangeError(
                f"{path}: expected a LeRobotDataset of version 3, got {version}; lerobot's own converter brings older "
                "ones up to date"
            )
        try:
            self._features: dict[str, Any] = dict(info["features"])
            self._fps = int(info["fps"])
            self._data_path, self._video_path = str(info["data_path"]), info.get("video_path")
        except (KeyError, TypeError, ValueError) as error:
            raise ExchangeError(f"{path / layout.INFO} lacks {error}; the data set is damaged") from error
        self._camera = self._choose_camera(picture)
        self._state = state or layout.STATE
        if state and state not in self._features:
            raise ExchangeError(f"{path} has no feature {state!r}; there are {', '.join(self._features)}")
        self._name = name or path.name
        self._env_id = env_id or str(info.get("robot_type") or self._name)
        self._tasks = self._read_tasks()

    def episodes(self) -> Iterator[Columns]:
        """The rows of the table of episodes, without its statistics."""
        files = sorted((self._path / "meta" / "episodes").glob("*/*.parquet"))
        if not files:
            raise ExchangeError(
                f"{self._path} has no table of episodes under meta/episodes; was it recorded to its end?"
            )
        with _named_errors(f"the table of episodes of {self._path}"):
            table = pads.dataset([str(file) for file in files])
            names = [column for column in table.schema.names if not column.startswith("stats/")]
            rows = table.to_table(columns=names).to_pylist()
        yield from sorted(rows, key=lambda row: int(row["episode_index"]))

    def recording(self, row: Columns) -> Recording:
        """Read one episode."""
        index = int(row["episode_index"])
        steps = self._steps(row, index)
        num_steps = steps.num_rows
        if num_steps == 0 or num_steps != int(row["length"]):
            raise ExchangeError(
                f"episode {index} of {self._path}: expected {row['length']} steps and at least one, got {num_steps}"
            )
        if layout.ACTION not in steps.column_names:
            raise ExchangeError(f"episode {index} of {self._path} has no column {layout.ACTION!r}")
        rewards = _numbers(steps, layout.REWARD)
        ended = _numbers(steps, layout.SUCCESS)
        if ended is None:
            ended = _numbers(steps, layout.DONE)
        terminated = bool(ended is not None and ended[-1].any())
        return Recording(
            index=index,
            name=f"{self._name}/{index:05d}",
            env_id=self._env_id,
            instruction=self._task(steps, row) or self._instruction,
            camera=self._camera.removeprefix(layout.PICTURES),
            observations=self._pictures(steps, row, index),
            actions=_matrix(steps, layout.ACTION, index),
            rewards=np.zeros(num_steps, np.float32) if rewards is None else rewards.reshape(num_steps),
            terminated=terminated,
            truncated=not terminated,
            state=_matrix(steps, self._state, index) if self._state in steps.column_names else None,
        )

    def _choose_camera(self, asked: str) -> str:
        cameras = [
            key for key, feature in self._features.items() if feature.get("dtype") in ("image", "video")
        ]
        found = (
            [key for key in cameras if asked in (key, key.removeprefix(layout.PICTURES))]
            if asked
            else cameras
        )
        if len(found) != 1:
            wanted = f"a camera called {asked!r}" if asked else "one camera"
            raise ExchangeError(
                f"{self._path}: expected {wanted}, got {', '.join(cameras) or 'none'}; name the one to take with --picture"
            )
        return found[0]

    def _read_tasks(self) -> dict[int, str]:
        path = self._path / layout.TASKS
        if not path.exists():
            return {}
        with _named_errors(str(path)):
            table = pq.read_table(path)
        # pandas calls an index without a name so.
        sentences = next((name for name in ("task", "__index_level_0__") if name in table.column_names), None)
        if sentences is None or "task_index" not in table.column_names:
            raise ExchangeError(f"{path}: expected columns task and task_index, got {table.column_names}")
        return dict(zip(table["task_index"].to_pylist(), table[sentences].to_pylist(), strict=True))

    def _task(self, steps: pa.Table, row: Columns) -> str:
        if "task_index" in steps.column_names:
            return str(self._tasks.get(steps["task_index"][0].as_py(), ""))
        return str((row.get("tasks") or [""])[0])

    def _steps(self, row: Columns, index: int) -> pa.Table:
        place = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        path = inside(self._path, self._data_path.format(**place))
        with _named_errors(f"episode {index}, {path}"):
            return pq.read_table(path, filters=[("episode_index", "==", index)])

    def _pictures(self, steps: pa.Table, row: Columns, index: int) -> UInt8[np.ndarray, "T H W 3"]:
        if self._features[self._camera]["dtype"] == "video":
            key = f"videos/{self._camera}"
            if self._video_path is None or row.get(f"{key}/from_timestamp") is None:
                raise ExchangeError(f"episode {index} of {self._path} names no video for {self._camera}")
            place = {"chunk_index": row[f"{key}/chunk_index"], "file_index": row[f"{key}/file_index"]}
            path = inside(self._path, str(self._video_path).format(video_key=self._camera, **place))
            first = round(float(row[f"{key}/from_timestamp"]) * self._fps)
            return read_video(path, first, steps.num_rows, self._fps)
        if self._camera not in steps.column_names:
            raise ExchangeError(f"episode {index} of {self._path} has no column {self._camera!r}")
        pictures = [self._picture(cell, index) for cell in steps[self._camera].to_pylist()]
        if len({picture.shape for picture in pictures}) != 1:
            raise ExchangeError(f"episode {index} of {self._path}: its pictures differ in size")
        return np.stack(pictures)

    def _picture(self, cell: Columns, index: int) -> np.ndarray:
        try:
            content = cell["bytes"]
            file = io.BytesIO(content) if content is not None else inside(self._path, str(cell["path"]))
            with Image.open(file) as image:
                if image.mode != "RGB":
                    raise ExchangeError(
                        f"episode {index} of {self._path}: expected RGB pictures, got mode {image.mode}; "
                        "take another camera with --picture"
                    )
                return np.asarray(image)
        except (OSError, UnidentifiedImageError, TypeError, KeyError) as error:
            raise ExchangeError(
                f"episode {index} of {self._path}: a picture cannot be read: {error}"
            ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ExchangeError(
            f"expected a LeRobotDataset with a {layout.INFO}, but: {error}; is the path right?"
        ) from error


@contextmanager
def _named_errors(what: str) -> Iterator[None]:
    """Whatever Arrow raises becomes an `ExchangeError` that names what was read."""
    try:
        yield
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ExchangeError(
            f"{what} cannot be read: {error}; the data set is damaged or incomplete"
        ) from error


def _numbers(steps: pa.Table, name: str) -> np.ndarray | None:
    """A column of numbers, or of lists of numbers, as float32 (T, ...), or None where there is none."""
    if name not in steps.column_names:
        return None
    column = steps[name].combine_chunks()
    while isinstance(column, pa.FixedSizeListArray | pa.ListArray | pa.LargeListArray):
        column = column.flatten()
    values = column.to_numpy(zero_copy_only=False).astype(np.float32)
    return values.reshape(steps.num_rows, -1) if len(values) % steps.num_rows == 0 else values[:0]


def _matrix(steps: pa.Table, name: str, index: int) -> np.ndarray:
    values = _numbers(steps, name)
    if values is None or len(values) != steps.num_rows:
        raise ExchangeError(
            f"episode {index}: expected as many numbers in every {name!r}, got lists of different lengths"
        )
    return np.ascontiguousarray(values)
