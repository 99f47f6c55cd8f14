"""The oracle: draw a recorded episode again, with other looks. For simulators only; the upper limit of any editor."""

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np
from jaxtyping import UInt8

from daag.envs.camera import RayCastCamera
from daag.envs.regions import check_regions
from daag.envs.scene import Scene
from daag.envs.scene_model import SceneModel
from daag.envs.worlds import scene_model_of
from daag.episodes import Episode
from daag.errors import EditError
from daag.tasks import FINISHES, SHADES, SHAPES, EditPlan, Fact, Look

Albedos = Mapping[str, Sequence[float] | np.ndarray]
"""Object name after the edit to RGB in [0, 1]."""

Turns = Mapping[str, float]
"""Object name after the edit to radians about the vertical."""


def rerender(
    episode: Episode,
    frame_index: np.ndarray,
    plan: EditPlan | None,
    albedos: Albedos | None = None,
    turns: Turns | None = None,
) -> UInt8[np.ndarray, "N H W 3"]:
    """Draw some frames of an episode as they would have looked, in default quality.

    Args:
        episode: of one of daag's worlds, with a `world_state`.
        frame_index: which of its frames, int, shape (N,).
        plan: which objects look different; None draws the episode as it was.
        albedos: shades of the new looks; by default an exchanged look keeps its owner's shade, and a new one takes
            the middle of its colour word's range.
        turns: by how much objects are turned in all frames; by default not at all. A round object that moves
            shows no turn, so what takes its place stands at this turn itself, however the round one turned.

    Raises:
        EditError: the episode has no world state, or the plan does not fit its scene.
    """
    scene_model, qpos = _edited(episode, frame_index, plan, albedos or {}, turns or {})
    round_before = {edit.name for edit in plan.edits if _is_round(edit.kinds[0])} if plan is not None else ()
    for name, turn in (turns or {}).items():
        pose = scene_model.free_joint(scene_model.scene.names.index(name))
        if pose is not None:
            qpos[:, pose] = _turned(qpos[:, pose], turn, anew=name in round_before)
    return _draw(scene_model, qpos, episode.frames.shape[1:3])


def facts_at(episode: Episode, frame: int, plan: EditPlan | None = None) -> frozenset[Fact]:
    """What is true at one frame of an episode, after an edit if there is one. For measuring only.

    Raises:
        EditError: the episode has no world state, or the plan does not fit its scene.
    """
    scene_model, qpos = _edited(episode, np.array([frame]), plan, {}, {})
    return scene_model.facts(qpos[0])


def _edited(
    episode: Episode, frame_index: np.ndarray, plan: EditPlan | None, albedos: Albedos, turns: Turns
) -> tuple[SceneModel, np.ndarray]:
    if episode.world_state is None:
        raise EditError(
            f"episode {episode.id!r} has no world state; only a simulator's episodes can be drawn again"
        )
    model_class = scene_model_of(episode.env_id)
    scene = model_class.scene_class.from_json(episode.world_state.scene)
    if plan is not None:
        plan.check_against(scene.names)
        check_regions(model_class, plan)
        scene = _change_looks(scene, plan, albedos)
    return model_class.build(scene.turned(turns)), episode.world_state.qpos[frame_index]


def _change_looks(scene: Scene, plan: EditPlan, albedos: Albedos) -> Scene:
    owners = {str(item.look): item.albedo for item in scene.objects}
    looks, regions, gloss = {}, {}, {}
    for edit in plan.edits:
        if edit.of_region:
            regions[edit.source] = albedos.get(edit.name, SHADES[edit.region_colour].middle)
            continue
        look = Look.parse(edit.name)
        looks[edit.source] = (
            look,
            albedos.get(edit.name, owners.get(edit.name, SHADES[look.colour].middle)),
        )
        if edit.finish is not None:
            gloss[edit.name] = FINISHES[edit.finish]
    return scene.with_looks(looks).with_gloss(gloss).with_regions(regions)


def _is_round(kind: str) -> bool:
    return kind in SHAPES and not SHAPES[kind].sides


def _turned(poses: np.ndarray, turn: float, anew: bool) -> np.ndarray:
    """Poses (N, 7), positions and quaternions, turned about each object's own axis; `anew`: from no turn at all."""
    turned = poses.copy()
    about = np.array([np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)])
    for row, quaternion in zip(turned, poses[:, 3:], strict=True):
        before = quaternion.copy()
        if anew:  # what is left of the pose without the turn about its own axis
            back = np.array([quaternion[0], 0.0, 0.0, -quaternion[3]])
            mujoco.mju_mulQuat(before, quaternion, back / max(np.linalg.norm(back), 1e-9))
        mujoco.mju_mulQuat(row[3:], before, about)
    return turned


def _draw(scene_model: SceneModel, qpos: np.ndarray, shape: tuple[int, int]) -> UInt8[np.ndarray, "N H W 3"]:
    height, width = shape
    data = mujoco.MjData(scene_model.model)
    frames = []
    for row in qpos:
        data.qpos[:] = row
        mujoco.mj_kinematics(scene_model.model, data)
        camera = RayCastCamera(scene_model.camera_at(row), width, height)
        frames.append(
            camera.render(scene_model.model, data, scene_model.surfaces, scene_model.scene.light).rgb
        )
    return np.stack(frames)
