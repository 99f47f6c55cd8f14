"""An episode as other formats hold it, and how it becomes one of ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, UInt8

from daag.episodes.episode import Episode, Provenance
from daag.errors import EpisodeError, ExchangeError


@dataclass(frozen=True, eq=False)
class Recording:
    """What was read of one episode."""

    index: int
    """Its number within the data set."""
    name: str
    """The id that it gets where the data set knows of none."""
    env_id: str
    instruction: str
    camera: str
    observations: UInt8[np.ndarray, "N H W 3"]
    """Either T + 1, or T where the format does not keep what the last action led to."""
    actions: Float32[np.ndarray, "T A"]
    rewards: Float32[np.ndarray, "T"]
    terminated: bool
    truncated: bool
    state: Float32[np.ndarray, "N S"] | None = None
    seed: int = 0
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Depth, normals or segmentation at the observations, by their names in `Episode`."""


@dataclass(frozen=True)
class Layout:
    """What all episodes of an exported data set must have in common."""

    picture: tuple[int, int]
    """Height and width in pixels."""
    num_actions: int
    state_size: int | None
    camera: str

    @classmethod
    def of(cls, episode: Episode) -> "Layout":
        """The layout of an episode."""
        height, width = episode.frames.shape[1:3]
        size = None if episode.state is None else episode.state.shape[1]
        return cls((height, width), episode.actions.shape[1], size, episode.camera)

    def check(self, episode: Episode) -> None:
        """Check that an episode has this layout.

        Raises:
            ExchangeError: it has another; the message says what differs.
        """
        found = Layout.of(episode)
        for name, ours, theirs in (
            ("pictures of (height, width)", self.picture, found.picture),
            ("numbers in an action", self.num_actions, found.num_actions),
            ("numbers in a state", self.state_size, found.state_size),
            ("camera", self.camera, found.camera),
        ):
            if ours != theirs:
                raise ExchangeError(
                    f"episode {episode.id!r}: a data set of this format holds episodes of one layout, expected "
                    f"{name} {ours!r} as in the first, got {theirs!r}; export them apart, with --where"
                )


def episode_of(recording: Recording) -> Episode:
    """Make an episode of a recording that has no record of ours beside it.

    Where the format does not keep what the last action led to, that action is left out: nothing is made up.

    Raises:
        ExchangeError: it is no episode, such as one without steps or with numbers that are not finite.
    """
    num_steps = len(recording.actions)
    if len(recording.observations) == num_steps:
        num_steps -= 1
    try:
        return Episode(
            id=recording.name,
            env_id=recording.env_id,
            instruction=recording.instruction,
            seed=recording.seed,
            frames=recording.observations,
            observation_index=np.arange(len(recording.observations), dtype=np.int32),
            actions=recording.actions[:num_steps],
            rewards=recording.rewards[:num_steps],
            terminated=recording.terminated,
            truncated=recording.truncated,
            state=recording.state,
            camera=recording.camera,
            provenance=Provenance(),
            **recording.images,  # type: ignore[arg-type]  # their names are the fields'
        )
    except EpisodeError as error:
        raise ExchangeError(
            f"episode {recording.index} of the data set cannot be kept: {error}; leave it out of the data set"
        ) from error
