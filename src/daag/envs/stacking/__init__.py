"""The RGB Stacking world."""

from daag.envs.stacking.env import GRASP_HEIGHT, RGBStackingEnv
from daag.envs.stacking.expert import StackingExpert
from daag.envs.stacking.model import StackingModel
from daag.envs.stacking.scene import WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT, StackingScene

__all__ = [
    "GRASP_HEIGHT",
    "WORKSPACE_CENTER",
    "WORKSPACE_HALF_EXTENT",
    "RGBStackingEnv",
    "StackingExpert",
    "StackingModel",
    "StackingScene",
]
