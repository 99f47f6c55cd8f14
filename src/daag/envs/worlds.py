"""daag's own worlds by name: what `gymnasium.make` calls them, and how a recorded scene becomes a model again."""

from dataclasses import dataclass
from importlib import import_module

import gymnasium

from daag.envs.scene_model import SceneModel
from daag.errors import UnknownNameError

RGB_STACKING = "daag/RGBStacking-v0"
ROOM = "daag/Room-v0"
LANGUAGE_TABLE = "daag/LanguageTable-v0"


@dataclass(frozen=True)
class _Entry:
    """Where a world's code is; imported when it is first needed."""

    module: str
    env: str
    scene_model: str


_ENTRIES: dict[str, _Entry] = {
    RGB_STACKING: _Entry("daag.envs.stacking", "RGBStackingEnv", "StackingModel"),
    LANGUAGE_TABLE: _Entry("daag.envs.language_table", "LanguageTableEnv", "LanguageTableModel"),
    ROOM: _Entry("daag.envs.room", "RoomEnv", "RoomModel"),
}


def register() -> None:
    """Make daag's worlds known to `gymnasium.make`."""
    for env_id, entry in _ENTRIES.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(id=env_id, entry_point=f"{entry.module}:{entry.env}")


def scene_model_of(env_id: str) -> type[SceneModel]:
    """The class of a world's compiled scenes.

    Raises:
        UnknownNameError: the world is none of daag's own.
    """
    if env_id not in _ENTRIES:
        raise UnknownNameError("world with an oracle", env_id, _ENTRIES)
    entry = _ENTRIES[env_id]
    found: type[SceneModel] = getattr(import_module(entry.module), entry.scene_model)
    return found
