"""What stands upright in the frames of an episode: where, and how much of each pixel it covers.

Source: our choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int16, UInt8

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.gripper import gripper_pixels
from daag.diffusion.poses import Pose, locate
from daag.diffusion.proxies import cast
from daag.diffusion.pusher import PUSHER, pusher_pose
from daag.diffusion.settling import settled
from daag.diffusion.stage import Body, Stage
from daag.tasks import EditPlan, Outline, Shape

STILL = 0.02
"""Share of an object's pixels by which two frames may differ that show it standing still."""


def find_bodies(
    stage: Stage,
    frames: UInt8[np.ndarray, "N H W 3"],
    conditions: Conditions,
    plan: EditPlan | None = None,
) -> list[dict[int, Body]]:
    """The objects of each frame that stand upright, by id, and the pusher, if one is known.

    Args:
        stage: camera and light.
        frames: the source.
        conditions: their geometry.
        plan: flat blocks whose kind it changes get poses that fit the colours at their outline, too.
    """
    nearer = gripper_pixels(conditions.segmentation, conditions.depth, stage.camera)
    found = _pushers(stage, frames, conditions, nearer)
    for object_id, kind in conditions.kinds.items():
        if kind not in stage.shapes:
            continue
        poses = _poses(stage, conditions, object_id, stage.shapes[kind], nearer)
        for position, pose in poses.items():
            own, depth, normals = (
                conditions.segmentation[position] == object_id,
                conditions.depth[position],
                conditions.normals[position],
            )
            colour = stage.colour(frames[position], depth, normals, own, object_id)
            gloss = stage.gloss.get(object_id, 0.0)
            found[position][object_id] = Body(stage.shapes[kind], pose, colour, gloss)
    for edit in plan.edits if plan is not None else ():
        shape = stage.shapes.get(edit.kinds[0])
        if edit.changes_kind and isinstance(shape, Outline):
            object_id = conditions.object_ids[edit.source]
            _settle(stage, frames, conditions.segmentation, nearer, found, object_id, shape)
    return found


def share_of(
    stage: Stage,
    bodies: Mapping[int, Body],
    object_id: int,
    segmentation: Int16[np.ndarray, "H W"],
    depth: Float16[np.ndarray, "H W"],
) -> Float32[np.ndarray, "H W"] | None:
    """How much of each pixel an object covers, in [0, 1], by where it stands and what stands before it.

    Args:
        stage: camera and light.
        bodies: of the frame.
        object_id: of the object.
        segmentation: ids.
        depth: metres.

    Returns:
        nan where that does not tell: beside what is nearer than the table and neither object nor body (a gripper), and beside
        objects of which no pose is known. None where the object's own pose is not known.
    """
    if object_id not in bodies:
        return None
    proxy = cast(stage.camera, bodies[object_id].pose, bodies[object_id].shape)
    hit = proxy.hit.copy()
    for key, other in bodies.items():
        if key != object_id:
            hit &= proxy.depth <= cast(stage.camera, other.pose, other.shape).depth
    own = segmentation == object_id
    share = hit.mean(axis=0, dtype=np.float32)
    # A pose is not exact: of a pixel that is the object's it covers half at least, of another half at most.
    share = np.where(own, np.maximum(share, 0.5), np.minimum(share, 0.5))
    unknown = (segmentation > 0) & ~np.isin(segmentation, list(bodies))
    if PUSHER not in bodies:
        unknown |= gripper_pixels(segmentation, depth, stage.camera)
    return np.where(dilate(unknown), np.float32(np.nan), share).astype(np.float32)


def _pushers(
    stage: Stage,
    frames: UInt8[np.ndarray, "N H W 3"],
    conditions: Conditions,
    nearer: Bool[np.ndarray, "N H W"],
) -> list[dict[int, Body]]:
    """The pusher of each frame that shows it."""
    found: list[dict[int, Body]] = [{} for _ in frames]
    if stage.pusher is None:
        return found
    for bodies, frame, own, depth, normals in zip(
        found, frames, nearer, conditions.depth, conditions.normals, strict=True
    ):
        pose = pusher_pose(own, depth, normals, stage.camera, stage.pusher)
        if pose is not None:
            colour = stage.colour(frame, depth, normals, own, PUSHER)
            bodies[PUSHER] = Body(stage.pusher, pose, colour, stage.gloss.get(PUSHER, 0.0))
    return found


def _poses(
    stage: Stage, conditions: Conditions, object_id: int, shape: Shape, nearer: Bool[np.ndarray, "N H W"]
) -> dict[int, Pose]:
    """Where an object stands, by the frame's position."""
    owns = conditions.segmentation == object_id
    covered = ((conditions.segmentation > 0) & ~owns) | nearer
    poses: dict[int, Pose] = {}
    known: list[int] = []
    # What shows most of the object comes first: where it stood still, less of it tells no other pose.
    for position in map(int, np.argsort(-owns.sum(axis=(1, 2)), kind="stable")):
        own, depth, normals = owns[position], conditions.depth[position], conditions.normals[position]
        if not own.any():
            break
        as_in = next((one for one in known if _stands_still(owns, covered, one, position)), None)
        pose = poses[as_in] if as_in is not None else locate(stage.camera, depth, normals, own, shape)
        if pose is None:
            continue
        poses[position] = pose
        if as_in is None:
            known.append(position)
    return poses


def _stands_still(
    owns: Bool[np.ndarray, "N H W"], covered: Bool[np.ndarray, "N H W"], one: int, other: int
) -> bool:
    """Whether an object stands in one frame where it stands in another: what both show of its outline is the same."""
    differ = (owns[one] ^ owns[other]) & ~covered[one] & ~covered[other]
    both = int((owns[one] & owns[other]).sum())
    return both > 0 and int(differ.sum()) <= STILL * both


def _settle(
    stage: Stage,
    frames: UInt8[np.ndarray, "N H W 3"],
    segmentation: Int16[np.ndarray, "N H W"],
    nearer: Bool[np.ndarray, "N H W"],
    found: Sequence[dict[int, Body]],
    object_id: int,
    shape: Outline,
) -> None:
    """Make the poses of a flat block fit the colours at its outline, in place."""
    owns = segmentation == object_id
    others = ((segmentation > 0) & ~owns) | nearer
    poses = {position: bodies[object_id].pose for position, bodies in enumerate(found) if object_id in bodies}
    for position, pose in settled(stage.camera, frames, owns, others, shape, poses).items():
        found[position][object_id] = replace(found[position][object_id], pose=pose)
