"""A scene as a MuJoCo model: what every world's model can say of itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import mujoco
import numpy as np

from daag.envs.camera import CameraPose
from daag.envs.scene import Scene
from daag.envs.shading import Surfaces
from daag.tasks import Fact


class SceneModel(ABC):
    """A compiled scene. A world's own says how to build it, where its camera is, and what is true."""

    scene_class: ClassVar[type[Scene]]
    regions: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """What can be repainted besides objects: a field of the scene that holds its albedo, and the geoms that show it."""

    scene: Scene
    model: mujoco.MjModel
    surfaces: Surfaces

    @classmethod
    @abstractmethod
    def build(cls, scene: Scene) -> "SceneModel":
        """Compile a scene of `scene_class`. Objects that move start at the origin; whoever simulates sets qpos."""

    @abstractmethod
    def facts(self, qpos: np.ndarray) -> frozenset[Fact]:
        """Everything that holds, float64 (Q,) positions of all joints. For measuring, and for the world's own reward."""

    def camera_at(self, qpos: np.ndarray) -> CameraPose:  # noqa: ARG002 - for cameras that move
        """Where the camera is."""
        return self.scene.camera

    def free_joint(self, index: int) -> slice | None:  # noqa: ARG002 - for objects that move
        """Where object `index` (from 0) stands in qpos, x, y, z and a quaternion; None for one that never moves."""
        return None

    def hand_at(self, qpos: np.ndarray) -> np.ndarray | None:  # noqa: ARG002 - for worlds in which things are pushed
        """Where what pushes things about meets them, x, y and z in metres; None where nothing does."""
        return None
