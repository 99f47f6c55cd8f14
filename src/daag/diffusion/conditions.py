"""What an editor needs to know of an episode's frames, taken from the episode.

Whether its world recorded it or `daag.perception` estimated it from the frames, an editor need not know.
"""

import numpy as np

from daag.diffusion.editor import Conditions
from daag.episodes.episode import Episode
from daag.errors import EditError
from daag.tasks import EditPlan


def conditions_of(episode: Episode, frame_index: np.ndarray, plan: EditPlan) -> Conditions:
    """The geometry of some frames, as the episode has it.

    Args:
        episode: read only.
        frame_index: which of its frames, int, shape (N,).
        plan: must fit the scene.

    Raises:
        EditError: the plan does not fit the scene, the episode lacks geometry, or a frame does not exist.
    """
    plan.check_against(episode.objects)
    unmarked = [edit.source for edit in plan.edits if edit.source not in episode.objects]
    if unmarked:
        raise EditError(
            f"the masks of episode {episode.id!r} do not say where the {' and the '.join(unmarked)} is seen; "
            "daag.envs.with_regions adds it to a simulator's episodes, daag.diffusion.regions.with_level_region to others"
        )
    segmentation, depth, normals = episode.segmentation, episode.depth, episode.normals
    if segmentation is None or depth is None or normals is None:
        present = {"segmentation": segmentation, "depth": depth, "normals": normals}
        missing = [name for name, images in present.items() if images is None]
        raise EditError(
            f"editing needs segmentation, depth and normals; episode {episode.id!r} has no {' and no '.join(missing)}. "
            "Record them with the episode, or have them estimated from its frames (--conditions missing, "
            "daag.perception.Estimated)"
        )
    num_frames = len(episode.frames)
    if len(frame_index) and not 0 <= int(np.min(frame_index)) <= int(np.max(frame_index)) < num_frames:
        raise EditError(
            f"episode {episode.id!r} has frames 0..{num_frames - 1}, asked were {np.asarray(frame_index).tolist()}"
        )
    return Conditions(
        segmentation=segmentation[frame_index],
        object_ids={name: key for key, name in episode.object_names.items()},
        depth=depth[frame_index],
        normals=normals[frame_index],
    )
