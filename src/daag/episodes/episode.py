"""The episode: what an agent saw and did, and where it comes from. Frozen; made once, read by every room."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float16, Float32, Float64, Int8, Int16, Int32, UInt8

from daag.errors import EpisodeError

Origin = Literal["real", "relabelled", "edited"]

DTYPES = {
    "observation_index": np.int32,
    "actions": np.float32,
    "rewards": np.float32,
    "state": np.float32,
    "depth": np.float16,
    "normals": np.int8,
    "segmentation": np.int16,
    "pixel_to_table": np.float32,
}
"""Of an episode's arrays, beside its frames."""


@dataclass(frozen=True)
class Achievement:
    """A description that an episode came to show."""

    description: str
    """What became visible, "the red cube is on the blue cube"."""

    start: int
    """The observation, 0..T-1, from which the steps count that led to it."""

    end: int
    """The first observation, 1..T, that shows it."""

    score: float
    """The detector's cosine similarity in [-1, 1] at `end`; 1.0 where the environment said so."""


@dataclass(frozen=True)
class Provenance:
    """Where an episode comes from, in enough detail to make an edit again."""

    origin: Origin = "real"
    source_id: str = ""
    """The episode that was relabelled or edited; empty for a real one."""
    segment: tuple[int, int] = (0, 0)
    """First and last observation of the source that was used; (0, 0) for a real episode."""
    plan: tuple[tuple[str, str, str], ...] = ()
    """(operation, source, target) of each `ObjectEdit`."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Role ("detector", "editor", "planner") to content hash."""
    seed: int = 0
    """Of the generator that the editor drew from."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """What the gates measured."""
    verdicts: Mapping[str, bool] = field(default_factory=dict)
    """What the gates decided."""
    instruction: str = ""
    """The plan in the planner's words, as the editor was given it; empty for a real or relabelled episode, and where the
    planner had no answer."""


@dataclass(frozen=True)
class WorldState:
    """What a simulator needs to render an episode again. Read only by the oracle and by measurement."""

    scene: str
    """The scene as JSON: objects with their shades and sizes, light, camera, textures."""
    qpos: Float64[np.ndarray, "F Q"]
    """Positions of all joints at every frame."""


@dataclass(frozen=True, repr=False, eq=False)
class Episode:
    """T steps and what was seen around them.

    Raises:
        EpisodeError: lengths, shapes or dtypes do not fit together, or actions or rewards are not finite.
    """

    id: str
    env_id: str
    instruction: str
    seed: int
    frames: UInt8[np.ndarray, "F H W 3"]
    """RGB of the primary camera, F >= T + 1: the observations, and the motion between them."""
    observation_index: Int32[np.ndarray, "O"]
    """Which frames are observations 0..T, shape (O,) with O = T + 1; increasing."""
    actions: Float32[np.ndarray, "T A"]
    """`actions[t]` moves observation t to t + 1."""
    rewards: Float32[np.ndarray, "T"]
    """`rewards[t]` belongs to the same move."""
    terminated: bool
    truncated: bool
    state: Float32[np.ndarray, "O S"] | None = None
    """Proprioception, where there is any."""
    depth: Float16[np.ndarray, "F H W"] | None = None
    """Metres along the camera's axis; 0 where the ray hit nothing."""
    normals: Int8[np.ndarray, "F H W 3"] | None = None
    """Unit normals in camera coordinates (x right, y down, z forward) times 127."""
    segmentation: Int16[np.ndarray, "F H W"] | None = None
    """Ids of `object_names`; 0 is everything else."""
    object_names: Mapping[int, str] = field(default_factory=dict)
    """Id in `segmentation` to name, "red cube"."""
    pixel_to_table: Float32[np.ndarray, "3 3"] | None = None
    """The camera's calibration: homography from pixel (x, y, 1), centres at .5, to table metres at grasp height."""
    camera: str = "front"
    """The primary camera's name."""
    world_state: WorldState | None = None
    achievements: tuple[Achievement, ...] = ()
    """What the agent's own labels say it came to show, in order of `end`."""
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        num_frames, num_steps = len(self.frames), len(self.actions)
        index = self.observation_index
        problems = []
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[-1] != 3:
            problems.append(f"frames must be uint8 (F, H, W, 3), got {self.frames.dtype} {self.frames.shape}")
        for name, dtype in DTYPES.items():
            array = getattr(self, name)
            if array is not None and array.dtype != dtype:
                problems.append(
                    f"{name} must be {np.dtype(dtype)}, got {array.dtype}; convert it with astype"
                )
        if num_steps == 0:
            problems.append("an episode needs at least one step, got none")
        if len(index) != num_steps + 1:
            problems.append(f"{num_steps} actions need {num_steps + 1} observations, got {len(index)}")
        elif num_frames and (np.any(np.diff(index) <= 0) or index[0] < 0 or index[-1] >= num_frames):
            problems.append(
                f"observation_index must increase within 0..{num_frames - 1}, got {index.tolist()}"
            )
        if len(self.rewards) != num_steps:
            problems.append(f"{num_steps} actions need as many rewards, got {len(self.rewards)}")
        if not _are_finite(self.actions) or not _are_finite(self.rewards):
            problems.append("actions and rewards must be finite")
        if self.state is not None and len(self.state) != num_steps + 1:
            problems.append(f"{num_steps + 1} observations need as many states, got {len(self.state)}")
        for name in ("depth", "normals", "segmentation"):
            image = getattr(self, name)
            if image is not None and image.shape[:3] != self.frames.shape[:3]:
                problems.append(f"{name} must be (F, H, W, ...) like the frames, got {image.shape}")
        if self.world_state is not None and len(self.world_state.qpos) != num_frames:
            problems.append(
                f"{num_frames} frames need as many rows of qpos, got {len(self.world_state.qpos)}"
            )
        if problems:
            raise EpisodeError(f"episode {self.id!r}: {'; '.join(problems)}")

    def __repr__(self) -> str:
        return (
            f"Episode({self.id!r}, {self.instruction!r}, steps={self.num_steps}, frames={self.frames.shape}, "
            f"origin={self.provenance.origin}, achievements={[a.description for a in self.achievements]})"
        )

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.actions)

    @property
    def observations(self) -> UInt8[np.ndarray, "O H W 3"]:
        """The frames that are observations."""
        return self.frames[self.observation_index]

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of the scene's objects, in the order of their ids."""
        return tuple(self.object_names[key] for key in sorted(self.object_names))


def _are_finite(array: np.ndarray) -> bool:
    """Whether no number is infinite or none; what are no numbers is another problem."""
    return array.dtype.kind not in "fiub" or bool(np.isfinite(array).all())


def content_hash(episode: Episode) -> str:
    """SHA-256 of everything that is learnt from: frames, actions, rewards, instruction, achievements."""
    digest = hashlib.sha256()
    for array in (episode.frames, episode.observation_index, episode.actions, episode.rewards):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(repr((episode.instruction, episode.achievements)).encode())
    return digest.hexdigest()
