"""The Language Table world."""

from daag.envs.language_table.env import MAX_MOVE, LanguageTableEnv
from daag.envs.language_table.expert import BoardExpert
from daag.envs.language_table.model import LanguageTableModel
from daag.envs.language_table.scene import BOARD_HALF_EXTENT, EFFECTOR_REACH, PLACES, LanguageTableScene

__all__ = [
    "BOARD_HALF_EXTENT",
    "EFFECTOR_REACH",
    "MAX_MOVE",
    "PLACES",
    "BoardExpert",
    "LanguageTableEnv",
    "LanguageTableModel",
    "LanguageTableScene",
]
