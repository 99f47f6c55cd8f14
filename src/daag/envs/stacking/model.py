"""A stacking scene as a MuJoCo model: table, objects on free joints, and a two-finger gripper on position servos."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np

from daag.envs.scene import Scene, SceneObject
from daag.envs.scene_model import SceneModel
from daag.envs.shading import Surfaces, Texture
from daag.envs.stacking.predicates import true_facts
from daag.envs.stacking.scene import StackingScene
from daag.tasks import OBJECT_HEIGHT, SHAPES, Fact

GRIPPER_JOINTS = ("x", "y", "z", "yaw", "left", "right")
"""The first six joints of every model, so that `qpos[:6]` is the gripper and `qpos[6 + 7 * i:]` object i."""

HOME = np.array([0.0, 0.24, 0.30, 0.0, 0.0, 0.0])
"""Where the gripper waits, out of the camera's view: metres, radians, and metres of finger closing."""

FINGER_LENGTH = 0.048
FINGER_OPENING = 0.047
"""Metres from the gripper's axis to each open finger's inner side."""

_HALF_HEIGHT = OBJECT_HEIGHT / 2


@dataclass(frozen=True, eq=False)
class StackingModel(SceneModel):
    """A compiled stacking scene."""

    scene_class: ClassVar[type[Scene]] = StackingScene
    regions: ClassVar[Mapping[str, tuple[str, ...]]] = {"table": ("table",)}

    scene: StackingScene
    model: mujoco.MjModel
    surfaces: Surfaces

    @classmethod
    def build(cls, scene: Scene) -> "StackingModel":
        """Compile a scene. All objects start at the origin; the caller sets qpos."""
        assert isinstance(scene, StackingScene)
        bodies = "".join(_object_xml(index, item) for index, item in enumerate(scene.objects))
        prisms = "".join(
            _prism_mesh(index, item) for index, item in enumerate(scene.objects) if item.look.kind == "prism"
        )
        model = mujoco.MjModel.from_xml_string(_MODEL_XML.format(bodies=bodies, meshes=prisms, **_GRIPPER))
        return cls(scene, model, _surfaces(scene, model))

    def free_joint(self, index: int) -> slice:
        """Where object `index` (from 0) stands in qpos, x, y, z and a quaternion: all objects move."""
        start = len(GRIPPER_JOINTS) + 7 * index
        return slice(start, start + 7)

    def facts(self, qpos: np.ndarray) -> frozenset[Fact]:
        """Every "on" and "next to" that holds."""
        centers = qpos[len(GRIPPER_JOINTS) :].reshape(-1, 7)[:, :3]
        return true_facts([item.look for item in self.scene.objects], centers)


def _prism_mesh(index: int, item: SceneObject) -> str:
    corners = [(item.scale * x, item.scale * y) for x, y in SHAPES["prism"].corners]
    vertices = " ".join(f"{x:.6f} {y:.6f} {z:.6f}" for z in (-_HALF_HEIGHT, _HALF_HEIGHT) for x, y in corners)
    return f'<mesh name="prism{index}" vertex="{vertices}"/>'


def _object_xml(index: int, item: SceneObject) -> str:
    box, round_ = (item.scale * SHAPES[kind].inradius for kind in ("cube", "cylinder"))
    shape = {
        "cube": f'type="box" size="{box} {box} {_HALF_HEIGHT}"',
        "cylinder": f'type="cylinder" size="{round_} {_HALF_HEIGHT}"',
        "prism": f'type="mesh" mesh="prism{index}"',
        "sphere": f'type="sphere" size="{_HALF_HEIGHT}"',
    }[item.look.kind]
    rolling = ' friction="1 0.02 0.002" condim="6"' if item.look.kind == "sphere" else ""
    return (
        f'<body name="object{index}"><freejoint/>'
        f'<geom name="object{index}" mass="0.08" {shape} class="object"{rolling}/></body>'
    )


def _surfaces(scene: StackingScene, model: mujoco.MjModel) -> Surfaces:
    count = model.ngeom
    albedo = np.full((count, 3), 0.22, dtype=np.float32)  # the gripper's grey
    gloss = np.zeros(count, dtype=np.float32)
    object_id = np.zeros(count, dtype=np.int16)
    table = model.geom("table").id
    albedo[table] = scene.table
    for index, item in enumerate(scene.objects):
        geom = model.geom(f"object{index}").id
        albedo[geom], gloss[geom], object_id[geom] = item.albedo, item.gloss, index + 1
    return Surfaces(albedo, gloss, object_id, {table: Texture(scene.texture())})


_GRIPPER = {
    "finger_x": FINGER_OPENING + 0.006,
    "finger_z": -FINGER_LENGTH / 2,
    "finger_half": FINGER_LENGTH / 2,
}

_MODEL_XML = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.004" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <size memory="4M"/>
  <default>
    <default class="object"><geom friction="1 0.02 0.001" condim="4" solref="0.008 1"/></default>
    <default class="finger"><geom friction="1.5 0.02 0.001" condim="4" solref="0.008 1" mass="0.05"/></default>
  </default>
  <asset>{meshes}</asset>
  <worldbody>
    <geom name="table" type="plane" size="2 2 0.1" friction="1 0.02 0.001" condim="4"/>
    <body name="hand" gravcomp="1">
      <joint name="x" type="slide" axis="1 0 0" damping="20"/>
      <joint name="y" type="slide" axis="0 1 0" damping="20"/>
      <joint name="z" type="slide" axis="0 0 1" damping="20"/>
      <joint name="yaw" type="hinge" axis="0 0 1" damping="1"/>
      <geom name="palm" type="box" size="0.06 0.015 0.012" pos="0 0 0.012" mass="0.3" class="finger"/>
      <geom name="wrist" type="cylinder" size="0.014 0.05" pos="0 0 0.07" mass="0.1" class="finger"/>
      <body name="left" gravcomp="1">
        <joint name="left" type="slide" axis="1 0 0" range="0 0.045" damping="5"/>
        <geom name="left" type="box" size="0.006 0.013 {finger_half}" pos="-{finger_x} 0 {finger_z}" class="finger"/>
      </body>
      <body name="right" gravcomp="1">
        <joint name="right" type="slide" axis="-1 0 0" range="0 0.045" damping="5"/>
        <geom name="right" type="box" size="0.006 0.013 {finger_half}" pos="{finger_x} 0 {finger_z}" class="finger"/>
      </body>
    </body>
    {bodies}
  </worldbody>
  <contact>
    <exclude body1="hand" body2="left"/><exclude body1="hand" body2="right"/>
  </contact>
  <actuator>
    <position name="x" joint="x" kp="900" kv="60"/>
    <position name="y" joint="y" kp="900" kv="60"/>
    <position name="z" joint="z" kp="900" kv="60"/>
    <position name="yaw" joint="yaw" kp="20" kv="1"/>
    <position name="left" joint="left" kp="250" kv="10" forcerange="-12 12"/>
    <position name="right" joint="right" kp="250" kv="10" forcerange="-12 12"/>
  </actuator>
</mujoco>
"""
