"""daag's own worlds by name: what `gymnasium.make` calls them, and how a recorded scene becomes a model again."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np

from daag.envs.scene_model import SceneModel
from daag.errors import ConfigError, UnknownNameError
from daag.tasks import Fact

RGB_STACKING = "daag/RGBStacking-v0"
ROOM = "daag/Room-v0"
LANGUAGE_TABLE = "daag/LanguageTable-v0"


@runtime_checkable
class Expert(Protocol):
    """A script that knows where everything is. Made after `reset`, for one episode; for data and for measuring only."""

    def act(self, goal: Fact, /) -> Any:
        """An action of the world's action space that brings a fact nearer."""


@dataclass(frozen=True)
class _Entry:
    """Where a world's code is; imported when it is first needed."""

    module: str
    env: str
    scene_model: str
    expert: str


_ENTRIES: dict[str, _Entry] = {
    RGB_STACKING: _Entry("daag.envs.stacking", "RGBStackingEnv", "StackingModel", "StackingExpert"),
    LANGUAGE_TABLE: _Entry(
        "daag.envs.language_table", "LanguageTableEnv", "LanguageTableModel", "BoardExpert"
    ),
    ROOM: _Entry("daag.envs.room", "RoomEnv", "RoomModel", "RoomExpert"),
}


def register() -> None:
    """Make daag's worlds known to `gymnasium.make`."""
    for env_id, entry in _ENTRIES.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(id=env_id, entry_point=f"{entry.module}:{entry.env}")


def make_expert(
    env: gymnasium.Env[Any, Any], noise: float = 0.0, rng: np.random.Generator | None = None
) -> Expert:
    """The scripted expert of one of daag's own worlds.

    Args:
        env: after `reset`, from `gymnasium.make`.
        noise: how badly it acts; the unit is the expert's own (metres of a click, metres of a move, share of random
            actions).
        rng: where the noise comes from.

    Raises:
        UnknownNameError: the world is none of daag's own.
        ConfigError: the world was not reset yet, the noise is out of range, or the world has actions that its expert does not know.
    """
    entry = _entry(env.spec.id if env.spec is not None else type(env).__name__)
    if not hasattr(env.unwrapped, "_scene_model"):
        raise ConfigError(
            "expected a world with a scene, which its expert looks at, got one before its reset; call reset first"
        )
    found: Expert = getattr(import_module(entry.module), entry.expert)(env.unwrapped, noise, rng)
    return found


def scene_model_of(env_id: str) -> type[SceneModel]:
    """The class of a world's compiled scenes.

    Raises:
        UnknownNameError: the world is none of daag's own.
    """
    entry = _entry(env_id)
    found: type[SceneModel] = getattr(import_module(entry.module), entry.scene_model)
    return found


def _entry(env_id: str) -> _Entry:
    if env_id not in _ENTRIES:
        raise UnknownNameError("world of daag's own", env_id, _ENTRIES)
    return _ENTRIES[env_id]
