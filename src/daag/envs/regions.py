"""Where the table, the floor or the walls are seen: regions of a scene that an edit can repaint as it does objects.

A world records which pixels are whose for objects only. What it was drawn from tells the rest: the geoms of a region.
"""

from dataclasses import replace

import mujoco
import numpy as np
from jaxtyping import Int16

from daag.envs.camera import RayCastCamera
from daag.envs.scene_model import SceneModel
from daag.envs.worlds import scene_model_of
from daag.episodes import Episode
from daag.errors import EditError
from daag.tasks import EditPlan


def with_regions(episode: Episode, plan: EditPlan) -> Episode:
    """The episode with the regions that a plan repaints among its masks, as if each were an object.

    Args:
        episode: of one of daag's worlds, with a `world_state`; any other where the plan names no region, or only such as
            its masks hold already.
        plan: what is to be repainted.

    Returns:
        An episode that shares all else with the source; the source itself where there is nothing to add.

    Raises:
        EditError: the episode has no world state or no masks, or its world has no such region.
    """
    names = [edit.source for edit in plan.edits if edit.of_region and edit.source not in episode.objects]
    if not names:
        return episode
    if episode.world_state is None or episode.segmentation is None:
        raise EditError(
            f"episode {episode.id!r} does not say where the {names[0]} is seen: a simulator's masks and world state do; of "
            "others see daag.diffusion.regions.with_level_region"
        )
    model_class = scene_model_of(episode.env_id)
    check_regions(model_class, plan)
    scene_model = model_class.build(model_class.scene_class.from_json(episode.world_state.scene))
    ids = {max(episode.object_names, default=0) + 1 + number: name for number, name in enumerate(names)}
    seen = _seen(scene_model, episode.world_state.qpos, episode.frames.shape[1:3], ids)
    segmentation = np.where(episode.segmentation == 0, seen, episode.segmentation)
    return replace(episode, segmentation=segmentation, object_names=dict(episode.object_names) | ids)


def check_regions(model_class: type[SceneModel], plan: EditPlan) -> None:
    """Check that a world has the regions that a plan repaints.

    Raises:
        EditError: it has not.
    """
    missing = [
        edit.source for edit in plan.edits if edit.of_region and edit.source not in model_class.regions
    ]
    if missing:
        raise EditError(
            f"this world has no {' and no '.join(missing)} to repaint; it has: {', '.join(model_class.regions)}"
        )


def _seen(
    scene_model: SceneModel, qpos: np.ndarray, shape: tuple[int, int], ids: dict[int, str]
) -> Int16[np.ndarray, "N H W"]:
    """The id of the region that each pixel shows; 0 for all else."""
    model, surfaces = scene_model.model, scene_model.surfaces
    marks = np.zeros(model.ngeom, dtype=np.int16)
    for key, name in ids.items():
        marks[[model.geom(geom).id for geom in scene_model.regions[name]]] = key
    marked = replace(surfaces, object_id=marks)
    data, frames = mujoco.MjData(model), []
    height, width = shape
    for row in qpos:
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        camera = RayCastCamera(scene_model.camera_at(row), width, height, "fast")
        frames.append(camera.render(model, data, marked, scene_model.scene.light).segmentation)
    return np.stack(frames)
