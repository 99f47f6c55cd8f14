"""A room as a MuJoCo model: planes, primitives, and an eye that moves on joints without a body of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, hypot, sin
from typing import ClassVar

import mujoco
import numpy as np

from daag.envs.camera import CameraPose
from daag.envs.room.furnish import eye
from daag.envs.room.predicates import HALF_ANGLE, REACH, in_sight, off_ahead
from daag.envs.room.scene import WALL_HEIGHT, RoomScene, Spot
from daag.envs.room.shapes import FURNITURE
from daag.envs.scene import Scene, blotches
from daag.envs.scene_model import SceneModel
from daag.envs.shading import Surfaces, Texture
from daag.tasks import SOLIDS, Built, Fact, Part

JOINTS = ("x", "y", "yaw", "pitch")
"""Of the eye: metres and radians. These are all of qpos; objects and furniture do not move."""

TILE_METRES = 2.0
"""Side of a texture's tile."""


@dataclass(frozen=True, eq=False)
class RoomModel(SceneModel):
    """A compiled room."""

    scene_class: ClassVar[type[Scene]] = RoomScene
    regions: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "floor": ("floor",),
        "walls": tuple(f"wall_{side}" for side in ("front", "back", "left", "right")),
    }

    scene: RoomScene
    model: mujoco.MjModel
    surfaces: Surfaces
    _still: mujoco.MjData
    """Where all bodies are, always."""

    @classmethod
    def build(cls, scene: Scene) -> "RoomModel":
        """Compile a scene. The eye starts at the origin; the caller sets qpos."""
        assert isinstance(scene, RoomScene)
        bodies = [
            _body(f"object{index}", spot, SOLIDS[item.look.kind], item.scale)
            for index, (item, spot) in enumerate(zip(scene.objects, scene.spots, strict=True))
        ]
        bodies += [_body(piece.name, piece.spot, FURNITURE[piece.name], 1.0) for piece in scene.furniture]
        half_x, half_y = scene.half_size
        model = mujoco.MjModel.from_xml_string(
            _MODEL_XML.format(bodies="".join(bodies), x=half_x, y=half_y, z=WALL_HEIGHT, half=WALL_HEIGHT / 2)
        )
        still = mujoco.MjData(model)
        mujoco.mj_kinematics(model, still)
        return cls(scene, model, _surfaces(scene, model), still)

    def camera_at(self, qpos: np.ndarray) -> CameraPose:
        """The eye, at the pose that the joints give."""
        x, y, yaw, pitch = (float(value) for value in qpos)
        return eye(x, y, yaw, pitch)

    def facts(self, qpos: np.ndarray) -> frozenset[Fact]:
        """What the agent stands before: one object at most, with and without the place where it is.

        Of the objects that are near and in sight it is the one nearest to straight ahead.
        """
        x, y = float(qpos[0]), float(qpos[1])
        near = [index for index in range(len(self.scene.objects)) if self.is_near(x, y, index)]
        for index in sorted(near, key=lambda index: off_ahead(qpos, self.scene.spots[index])):
            spot = self.scene.spots[index]
            if off_ahead(qpos, spot) > HALF_ANGLE:
                break
            if self.sees(x, y, index):
                look = self.scene.objects[index].look
                return frozenset({Fact("in front", look), Fact("in front", look, None, spot.place)})
        return frozenset()

    def is_near(self, x: float, y: float, index: int, spare: float = 0.0) -> bool:
        """Whether an object is within reach of a point of the floor, with so many metres to spare."""
        spot, built = self.scene.spots[index], SOLIDS[self.scene.objects[index].look.kind]
        return hypot(spot.x - x, spot.y - y) <= REACH + max(built.footprint) - spare

    def sees(self, x: float, y: float, index: int) -> bool:
        """Whether nothing hides an object from an eye at a point of the floor."""
        return in_sight(self.model, self._still, x, y, self.model.body(f"object{index}").id)


def _body(name: str, spot: Spot, built: Built, scale: float) -> str:
    geoms = "".join(_geom(part, scale) for part in built.parts)
    c, s = cos(spot.yaw / 2), sin(spot.yaw / 2)
    return f'<body name="{name}" pos="{spot.x} {spot.y} {spot.z}" quat="{c} 0 0 {s}">{geoms}</body>'


def _geom(part: Part, scale: float) -> str:
    size, position = (
        " ".join(f"{scale * value:.5f}" for value in values) for values in (part.size, part.position)
    )
    euler = " ".join(map(str, part.euler))
    return f'<geom type="{part.shape}" size="{size}" pos="{position}" euler="{euler}"/>'


def _surfaces(scene: RoomScene, model: mujoco.MjModel) -> Surfaces:
    albedo = np.zeros((model.ngeom, 3), dtype=np.float32)
    gloss = np.zeros(model.ngeom, dtype=np.float32)
    object_id = np.zeros(model.ngeom, dtype=np.int16)
    for index, item in enumerate(scene.objects):
        own = model.geom_bodyid == model.body(f"object{index}").id
        albedo[own], gloss[own], object_id[own] = item.albedo, item.gloss, index + 1
    for piece in scene.furniture:
        albedo[model.geom_bodyid == model.body(piece.name).id] = piece.albedo
    rng = np.random.default_rng(scene.texture_seed)
    wall, floor = blotches(rng, scene.wall_texture), blotches(rng, scene.floor_texture)
    textures = {}
    for name, colour, pattern, axes in (
        ("floor", scene.floor, floor, (0, 1)),
        ("ceiling", scene.ceiling, None, (0, 1)),
        *((f"wall_{side}", scene.walls, wall, (0, 2)) for side in ("front", "back")),
        *((f"wall_{side}", scene.walls, wall, (1, 2)) for side in ("left", "right")),
    ):
        geom = model.geom(name).id
        albedo[geom] = colour
        if pattern is not None:
            textures[geom] = Texture(pattern, TILE_METRES, axes)
    return Surfaces(albedo, gloss, object_id, textures)


_MODEL_XML = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <geom name="floor" type="plane" size="{x} {y} 1"/>
    <geom name="ceiling" type="plane" size="{x} {y} 1" pos="0 0 {z}" euler="3.14159265 0 0"/>
    <geom name="wall_back" type="plane" size="{x} {half} 1" pos="0 -{y} {half}" euler="-1.57079633 0 0"/>
    <geom name="wall_front" type="plane" size="{x} {half} 1" pos="0 {y} {half}" euler="1.57079633 0 0"/>
    <geom name="wall_left" type="plane" size="{half} {y} 1" pos="-{x} 0 {half}" euler="0 1.57079633 0"/>
    <geom name="wall_right" type="plane" size="{half} {y} 1" pos="{x} 0 {half}" euler="0 -1.57079633 0"/>
    <body name="eye">
      <inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>
      <joint name="x" type="slide" axis="1 0 0"/>
      <joint name="y" type="slide" axis="0 1 0"/>
      <joint name="yaw" type="hinge" axis="0 0 1"/>
      <joint name="pitch" type="hinge" axis="0 1 0"/>
    </body>
    {bodies}
  </worldbody>
</mujoco>
"""
