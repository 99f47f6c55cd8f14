"""The Room: first-person navigation among furniture."""

from daag.envs.room.env import ACTIONS, RoomEnv
from daag.envs.room.expert import RoomExpert
from daag.envs.room.furnish import STYLES
from daag.envs.room.model import RoomModel
from daag.envs.room.scene import RoomScene

__all__ = ["ACTIONS", "STYLES", "RoomEnv", "RoomExpert", "RoomModel", "RoomScene"]
