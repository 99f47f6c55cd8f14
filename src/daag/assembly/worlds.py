"""Worlds by name, and what the assembly must know of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import gymnasium

from daag.agent import Env
from daag.envs import LANGUAGE_TABLE, RGB_STACKING, ROOM, register
from daag.envs.language_table import MAX_MOVE
from daag.envs.room import ACTIONS
from daag.envs.stacking import WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT
from daag.episodes import TaskBufferConfig
from daag.errors import UnknownNameError
from daag.llm import Planner
from daag.policies import (
    ActionSpace,
    Moves,
    Numbered,
    ReachingConfig,
    Reader,
    Workspace,
    object_arrangement,
    object_sightings,
)
from daag.rewards.detector import RewardDetector
from daag.tasks import CARRYING_KINDS

EnvName = Literal["rgb-stacking", "room", "language-table"]


@dataclass(frozen=True)
class WorldSpec:
    """What the assembly must know of a world."""

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    records_motion: bool = False
    """Whether its steps are long enough to record frames in between."""
    workspace: Workspace | None = None
    """What actions are scaled by, where they are clicks on a table."""
    actions: ActionSpace | None = None
    """What can be done, where it takes many small steps."""
    reader: Callable[[Planner, RewardDetector], Reader] = object_sightings
    """What a policy of small steps is told."""
    learning: ReachingConfig = ReachingConfig()
    """How a policy of small steps is learnt."""
    segment_steps: int | None = None
    """How many steps before an achievement led to it; see `HindsightConfig`."""
    buffer: TaskBufferConfig = TaskBufferConfig(discount=1.0)


_WORLDS: dict[str, WorldSpec] = {
    "rgb-stacking": WorldSpec(
        RGB_STACKING,
        {"kinds": CARRYING_KINDS},
        records_motion=True,
        workspace=Workspace(WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT),
        segment_steps=1,
        buffer=TaskBufferConfig(),
    ),
    "room": WorldSpec(ROOM, {"actions": ACTIONS[:3]}, actions=Numbered(3, mirror=(0, 2, 1))),
    "language-table": WorldSpec(
        LANGUAGE_TABLE,
        actions=Moves(2, MAX_MOVE),
        reader=object_arrangement,
        segment_steps=25,
        learning=ReachingConfig(discount=0.93, batch_size=128, updates=20),
    ),
}


def make_env(
    name: str,
    motion_frames: int = 8,
    num_objects: int = 4,
    terminate_on_success: bool = False,
    **settings: Any,
) -> Env:
    """A world by name; by default episodes do not end on success, which is for the agent to notice.

    Args:
        name: of the world.
        motion_frames: recorded in each step, where steps are long enough.
        num_objects: in each scene.
        terminate_on_success: whether episodes end when the task is achieved.
        settings: the world's own, such as `control` or `look`.

    Raises:
        UnknownNameError: no such world.
    """
    spec = spec_of(name)
    register()
    motion = {"motion_frames": motion_frames} if spec.records_motion else {}
    return gymnasium.make(
        spec.env_id,
        **{**spec.kwargs, **motion, **settings},
        num_objects=num_objects,
        terminate_on_success=terminate_on_success,
    )


def env_name_of(env_id: str) -> EnvName | None:
    """What the command line calls a world that an episode names, "daag/Room-v0"; None for a world of somebody else's."""
    return next((name for name in get_args(EnvName) if _WORLDS[name].env_id == env_id), None)


def spec_of(name: str) -> WorldSpec:
    """What is known of a world.

    Raises:
        UnknownNameError: no such world.
    """
    if name not in _WORLDS:
        raise UnknownNameError("world", name, _WORLDS)
    return _WORLDS[name]
