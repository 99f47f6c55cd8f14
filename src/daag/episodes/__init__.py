"""Episodes and the buffers that hold them."""

from daag.episodes.episode import Achievement, Episode, Origin, Provenance, WorldState, content_hash
from daag.episodes.lifelong import LifelongBuffer
from daag.episodes.salvage import Salvaged, salvage
from daag.episodes.segment import cut
from daag.episodes.store import EpisodeStore
from daag.episodes.task_buffer import BatchShares, TaskBuffer, TaskBufferConfig

__all__ = [
    "Achievement",
    "BatchShares",
    "Episode",
    "EpisodeStore",
    "LifelongBuffer",
    "Origin",
    "Provenance",
    "Salvaged",
    "TaskBuffer",
    "TaskBufferConfig",
    "WorldState",
    "content_hash",
    "cut",
    "salvage",
]
