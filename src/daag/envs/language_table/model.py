"""A board scene as a MuJoCo model: a board, blocks on free joints, and a pusher on planar position servos."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from jaxtyping import Float64

from daag.envs.language_table.predicates import true_facts
from daag.envs.language_table.scene import BOARD_HALF_EXTENT, LanguageTableScene
from daag.envs.scene import Scene, SceneObject
from daag.envs.scene_model import SceneModel
from daag.envs.shading import Surfaces, Texture
from daag.tasks import Fact
from daag.tasks.outlines import BLOCK_HEIGHT, OUTLINES, Outline

EFFECTOR_JOINTS = ("x", "y")
"""The first two joints of every model, so that `qpos[:2]` is the effector and `qpos[2 + 7 * i:]` block i."""

EFFECTOR_RADIUS = 0.011
"""Metres."""

_HALF_HEIGHT = BLOCK_HEIGHT / 2

# About the vertical a block turns as a solid of its size does. To tip one takes a hundred times as much, so that a fast pusher
# slides blocks instead of knocking them over.
_INERTIAL = '<inertial pos="0 0 0" mass="0.2" diaginertia="0.005 0.005 0.00007"/>'


@dataclass(frozen=True, eq=False)
class LanguageTableModel(SceneModel):
    """A compiled board scene."""

    scene_class: ClassVar[type[Scene]] = LanguageTableScene
    regions: ClassVar[Mapping[str, tuple[str, ...]]] = {"board": ("board",), "table": ("table",)}

    scene: LanguageTableScene
    model: mujoco.MjModel
    surfaces: Surfaces

    @classmethod
    def build(cls, scene: Scene) -> "LanguageTableModel":
        """Compile a scene. All blocks start at the origin; the caller sets qpos."""
        assert isinstance(scene, LanguageTableScene)
        meshes = "".join(_meshes(index, item) for index, item in enumerate(scene.objects))
        bodies = "".join(_body(index, item) for index, item in enumerate(scene.objects))
        model = mujoco.MjModel.from_xml_string(_MODEL_XML.format(meshes=meshes, bodies=bodies, **_SIZES))
        return cls(scene, model, _surfaces(scene, model))

    def free_joint(self, index: int) -> slice:
        """Where block `index` (from 0) stands in qpos, x, y, z and a quaternion: all blocks move."""
        start = len(EFFECTOR_JOINTS) + 7 * index
        return slice(start, start + 7)

    def hand_at(self, qpos: np.ndarray) -> Float64[np.ndarray, "3"]:
        """The effector's axis, half as high as the blocks."""
        return np.array([*effector_of(qpos), _HALF_HEIGHT])

    def lay(
        self, data: mujoco.MjData, effector: Float64[np.ndarray, "2"], poses: Float64[np.ndarray, "N 3"]
    ) -> None:
        """Put the effector and all blocks somewhere, flat on the board.

        Args:
            data: of the model; positions, and what follows from them, are written.
            effector: x and y, metres.
            poses: x and y in metres and yaw in radians of each block.
        """
        data.qpos[: len(EFFECTOR_JOINTS)] = data.ctrl[:] = effector
        for index, (x, y, yaw) in enumerate(poses):
            lying = [x, y, BLOCK_HEIGHT / 2, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
            data.qpos[self.free_joint(index)] = lying
        mujoco.mj_forward(self.model, data)

    def overlaps(self, data: mujoco.MjData, deepest: float = 0.0) -> bool:
        """Whether two blocks, or a block and the effector, are in each other by more than some metres."""
        moving = self.model.geom_bodyid > 0
        return any(
            moving[contact.geom1] and moving[contact.geom2] and contact.dist <= -deepest
            for contact in data.contact
        )

    def facts(self, qpos: np.ndarray) -> frozenset[Fact]:
        """Every relation of the board that holds."""
        looks = [item.look for item in self.scene.objects]
        return true_facts(looks, block_centers(qpos), effector_of(qpos))


def effector_of(qpos: np.ndarray) -> Float64[np.ndarray, "2"]:
    """Where the effector's axis is, metres."""
    return qpos[: len(EFFECTOR_JOINTS)].copy()


def block_centers(qpos: np.ndarray) -> Float64[np.ndarray, "N 2"]:
    """Where the blocks' centres are, metres."""
    return qpos[len(EFFECTOR_JOINTS) :].reshape(-1, 7)[:, :2].copy()


def _meshes(index: int, item: SceneObject) -> str:
    """What is seen, with its notches; and for physics, which knows convex bodies only, its pieces."""
    outline = OUTLINES[item.look.kind]
    if item.look.kind == "cube":
        return ""
    seen = _numbers(_solid(item.scale * outline.points))
    faces = " ".join(str(corner) for face in outline.faces for corner in face)
    meshes = [f'<mesh name="block{index}" vertex="{seen}" face="{faces}" inertia="exact"/>']
    for number, piece in enumerate(_pieces(outline)):
        corners = _numbers(_solid(item.scale * outline.points[list(piece)]))
        meshes.append(f'<mesh name="piece{index}_{number}" vertex="{corners}"/>')
    return "".join(meshes)


def _body(index: int, item: SceneObject) -> str:
    """A plane can touch a block's hull only, so the geom that is seen rests on the board; its pieces meet other blocks."""
    side = float(np.abs(OUTLINES["cube"].corners).max()) * item.scale
    shape = (
        f'type="box" size="{side:.6f} {side:.6f} {_HALF_HEIGHT}"'
        if item.look.kind == "cube"
        else f'type="mesh" mesh="block{index}"'
    )
    pieces = _pieces(OUTLINES[item.look.kind])
    role = "resting" if pieces else "whole"
    hidden = "".join(
        f'<geom type="mesh" mesh="piece{index}_{number}" class="piece"/>' for number in range(len(pieces))
    )
    return (
        f'<body name="block{index}"><freejoint/>{_INERTIAL}'
        f'<geom name="block{index}" {shape} class="{role}"/>{hidden}</body>'
    )


def _pieces(outline: Outline) -> tuple[tuple[int, ...], ...]:
    """None for an outline that is convex as it is."""
    return outline.pieces if len(outline.pieces) > 1 else ()


def _solid(points: Float64[np.ndarray, "K 2"]) -> Float64[np.ndarray, "V 3"]:
    return np.concatenate(
        [np.column_stack([points, np.full(len(points), z)]) for z in (-_HALF_HEIGHT, _HALF_HEIGHT)]
    )


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values.ravel())


def _surfaces(scene: LanguageTableScene, model: mujoco.MjModel) -> Surfaces:
    count = model.ngeom
    albedo = np.full((count, 3), 0.13, dtype=np.float32)  # the effector's dark grey
    gloss = np.zeros(count, dtype=np.float32)
    object_id = np.zeros(count, dtype=np.int16)
    board, table = model.geom("board").id, model.geom("table").id
    albedo[board], albedo[table] = scene.board, scene.table
    for index, item in enumerate(scene.objects):
        geoms = np.flatnonzero(model.geom_bodyid == model.body(f"block{index}").id)
        albedo[geoms], gloss[geoms], object_id[geoms] = item.albedo, item.gloss, index + 1
    return Surfaces(albedo, gloss, object_id, {board: Texture(scene.texture())})


_SIZES = {
    "half_x": BOARD_HALF_EXTENT[0],
    "half_y": BOARD_HALF_EXTENT[1],
    "lid": BLOCK_HEIGHT + 0.0005,
    "radius": EFFECTOR_RADIUS,
}

# Who meets whom: 1 is for blocks among each other, 2 for the effector, 4 for the board and its walls. Rays pass through
# what is fully transparent. The walls stand on the board's edges, and the effector passes them; the last is a lid that
# keeps blocks from tipping when they are jammed.
_MODEL_XML = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.005" integrator="implicitfast" cone="elliptic" impratio="5"/>
  <size memory="4M"/>
  <default>
    <geom condim="3" solref="0.01 1" friction="0.2 0.005 0.0001"/>
    <default class="resting"><geom contype="4" conaffinity="0"/></default>
    <default class="whole"><geom contype="5" conaffinity="3"/></default>
    <default class="piece"><geom contype="1" conaffinity="3" rgba="0 0 0 0"/></default>
    <default class="wall">
      <geom type="plane" size="1 1 1" contype="0" conaffinity="4" rgba="0 0 0 0" priority="1" friction="0.1 0 0"/>
    </default>
  </default>
  <asset>{meshes}</asset>
  <worldbody>
    <geom name="table" type="plane" size="2 2 0.1" pos="0 0 -0.002" contype="0" conaffinity="0"/>
    <geom name="board" type="plane" size="{half_x} {half_y} 0.1" contype="0" conaffinity="4" priority="1"
          friction="0.9 0.005 0.0001"/>
    <geom class="wall" pos="-{half_x} 0 0" zaxis="1 0 0"/>
    <geom class="wall" pos="{half_x} 0 0" zaxis="-1 0 0"/>
    <geom class="wall" pos="0 -{half_y} 0" zaxis="0 1 0"/>
    <geom class="wall" pos="0 {half_y} 0" zaxis="0 -1 0"/>
    <geom class="wall" pos="0 0 {lid}" zaxis="0 0 -1" friction="0 0 0"/>
    <body name="effector">
      <joint name="x" type="slide" axis="1 0 0"/>
      <joint name="y" type="slide" axis="0 1 0"/>
      <geom name="effector" type="cylinder" size="{radius} 0.034" pos="0 0 0.037" mass="0.15" contype="2" conaffinity="0"
            priority="1" friction="0.3 0.005 0.0001"/>
    </body>
    {bodies}
  </worldbody>
  <actuator>
    <position name="x" joint="x" kp="1200" kv="27" forcerange="-8 8"/>
    <position name="y" joint="y" kp="1200" kv="27" forcerange="-8 8"/>
  </actuator>
</mujoco>
"""
