"""Repaint a region that is no object, such as the table: another colour under the same light, shadows and texture.

The region's shading, its grain included, and how much of an edge pixel it covers are read as an object's are, and kept. Its
new colour is the palette's: the embedded models were taught objects.  Source: our choice.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, UInt8

from daag.diffusion.intrinsics import decompose, reference_brightness
from daag.diffusion.table_camera import TableCamera
from daag.episodes.episode import Episode
from daag.errors import EditError
from daag.tasks import SHADES, EditPlan

LEVEL = ("table", "board", "floor")
"""Regions that geometry tells: the level surface that most is seen of."""

AMBIENT = 0.8
"""Brightness of the new colour at the region's median pixel, relative to its albedo."""


def with_level_region(episode: Episode, plan: EditPlan) -> Episode:
    """The episode with the table or the floor that a plan repaints among its masks, told by depth and normals: what is no
    object and lies in the plane that most of what is turned up lies in. A gripper is nearer.

    Args:
        episode: of any world.
        plan: what is to be repainted.

    Returns:
        An episode that shares all else with the source; the source itself where there is nothing to add.

    Raises:
        EditError: the plan repaints several such regions, or one that is not level, or no such plane is seen.
    """
    names = [edit.source for edit in plan.edits if edit.of_region and edit.source not in episode.objects]
    if not names:
        return episode
    segmentation, depth, normals = episode.segmentation, episode.depth, episode.normals
    if len(names) > 1 or names[0] not in LEVEL or segmentation is None or depth is None or normals is None:
        raise EditError(
            f"where the {' and the '.join(names)} is seen has to be told by a simulator; of an episode without a world state "
            f"one of {', '.join(LEVEL)} can be, by masks, depth and normals. Or have it looked for by its name "
            "(--conditions estimated --object-names)"
        )
    found = np.zeros(segmentation.shape, dtype=bool)
    for index, seen in enumerate(zip(depth, normals, segmentation, strict=True)):
        camera = TableCamera.of(*seen)
        if camera is not None:
            found[index] = (seen[2] == 0) & camera.shows_table(seen[0])
    if not found.any():
        raise EditError(
            f"no level surface is seen in episode {episode.id!r}, so the {names[0]} cannot be told from the rest"
        )
    key = max(episode.object_names, default=0) + 1
    marked = np.where(found, np.int16(key), segmentation)
    return replace(episode, segmentation=marked, object_names={**episode.object_names, key: names[0]})


def repaint_region(
    frames: UInt8[np.ndarray, "N H W 3"], masks: Bool[np.ndarray, "N H W"], colour: str
) -> UInt8[np.ndarray, "N H W 3"]:
    """Give a region another colour.

    Args:
        frames: of one episode.
        masks: where the region is seen; in one frame at least. Nothing else changes.
        colour: a word of `SHADES`.
    """
    most = int(masks.sum(axis=(1, 2)).argmax())
    reference = reference_brightness(frames[most], masks[most])
    flat = np.rint(SHADES[colour].middle * (AMBIENT * 255.0)).astype(np.uint8)
    edited = frames.copy()
    for frame, mask in zip(edited, masks, strict=True):
        if mask.any():
            repainted = decompose(frame, mask, reference).restore(np.broadcast_to(flat, frame.shape))
            frame[mask] = repainted[mask]
    return edited
