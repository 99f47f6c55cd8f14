"""The RGB Stacking world."""

from daag.envs.stacking.env import GRASP_HEIGHT, RGBStackingEnv
from daag.envs.stacking.rerender import facts_at, rerender
from daag.envs.stacking.scene import WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT, Scene, SceneObject

__all__ = [
    "GRASP_HEIGHT",
    "WORKSPACE_CENTER",
    "WORKSPACE_HALF_EXTENT",
    "RGBStackingEnv",
    "Scene",
    "SceneObject",
    "facts_at",
    "rerender",
]
