"""Where things are in a LeRobotDataset of version 3, and what its features are called.  https://huggingface.co/lerobot

meta/info.json, meta/stats.json, meta/tasks.parquet
meta/episodes/chunk-000/file-000.parquet    one row per episode
data/chunk-000/file-000.parquet             one row per step
videos/NAME/chunk-000/file-000.mp4          where the pictures are videos
meta/daag.parquet                           the record beside it, see `sidecar`
"""

from typing import Literal

VERSION = "v3.0"
SIDECAR = "meta/daag.parquet"
INFO = "meta/info.json"
STATISTICS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEOS = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_PER_CHUNK = 1000

ACTION = "action"
STATE = "observation.state"
REWARD = "next.reward"
DONE = "next.done"
SUCCESS = "next.success"
PICTURES = "observation.images."

Pixels = Literal["images", "lossless-video", "lossy-video"]
"""How pictures are kept: PNG images, or H.264, which changes them where it is lossy."""
