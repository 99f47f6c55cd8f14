"""Episodes and the buffers that hold them."""

from daag.episodes.decoded import DecodedSteps, Steps
from daag.episodes.episode import Achievement, Episode, Origin, Provenance, WorldState, content_hash
from daag.episodes.finding import Wanted
from daag.episodes.inventory import Holding, Statistics, holdings, statistics
from daag.episodes.lifelong import LifelongBuffer
from daag.episodes.retention import Due, Retention, due, forget, forgotten
from daag.episodes.salvage import Salvaged, salvage
from daag.episodes.sampling import SamplingWeights, StoreSampler
from daag.episodes.seen import frames_seen, showing
from daag.episodes.segment import cut
from daag.episodes.store import EpisodeStore
from daag.episodes.task_buffer import BatchShares, TaskBuffer, TaskBufferConfig
from daag.episodes.verification import Damage, Verification, verify

__all__ = [
    "Achievement",
    "BatchShares",
    "Damage",
    "DecodedSteps",
    "Due",
    "Episode",
    "EpisodeStore",
    "Holding",
    "LifelongBuffer",
    "Origin",
    "Provenance",
    "Retention",
    "Salvaged",
    "SamplingWeights",
    "Statistics",
    "Steps",
    "StoreSampler",
    "TaskBuffer",
    "TaskBufferConfig",
    "Verification",
    "Wanted",
    "WorldState",
    "content_hash",
    "cut",
    "due",
    "forget",
    "forgotten",
    "frames_seen",
    "holdings",
    "salvage",
    "showing",
    "statistics",
    "verify",
]
