"""Change an object's kind: where the new body is seen, how the light falls on it, and what comes to light behind it.

The new body's silhouette and normals come from `daag.diffusion.proxies`. Its shading is what the light of the scene makes
of them, and in the shade it stays in the shade. What the old body hid and the new one does not is put together from the
table around it, the other objects, and the shadows that fall there now. The diffusion model then paints flat colours, as
it does for a change of colour. Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int8, Shaped, UInt8

from daag.diffusion.compositing import box_mask, dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.fingers import Fingers
from daag.diffusion.gripper import NEARER_METRES, Gripper, bared, gripper_at, gripper_pixels
from daag.diffusion.intrinsics import Intrinsics, octaves
from daag.diffusion.poses import Pose
from daag.diffusion.proxies import Proxy, cast
from daag.diffusion.pusher import PUSHER
from daag.diffusion.stage import Body, Stage, continued, lit
from daag.tasks import Shape

BOX_GROWTH = 3
"""Pixels by which the new body may reach out of the box around the old one; what would lie farther out is cut off."""


@dataclass(frozen=True, eq=False)
class Reshaped:
    """One frame as it is once the object has its new shape, its colour apart."""

    mask: Bool[np.ndarray, "H W"]
    """What may change: where the old body was, with its rim, and where the new one is."""
    own: Bool[np.ndarray, "H W"]
    """The new body's pixels."""
    depth: Float16[np.ndarray, "H W"]
    normals: Int8[np.ndarray, "H W 3"]
    intrinsics: Intrinsics
    """Of the new body; `flat` is the source's picture, for the model sees no colours inside the mask, and `behind` waits
    for the other objects' new colours."""
    hides: Bool[np.ndarray, "4 H W"]
    """The samples of each pixel that the new body covers; the matte is their share."""
    highlight: Float32[np.ndarray, "H W"]
    """Grey levels that the lamp's mirror image adds to the new body."""
    pose: Pose
    """Of the object."""
    gripper: Gripper | None = None
    """At the object; None in a room."""


def reshape(
    frames: UInt8[np.ndarray, "N H W 3"],
    conditions: Conditions,
    stage: Stage,
    bodies: Sequence[dict[int, Body]],
    object_id: int,
    kinds: dict[int, str],
    strength: float,
    reference: float,
) -> list[Reshaped | None]:
    """Give an object another kind's shape in all frames.

    Args:
        frames: the source.
        conditions: their geometry.
        stage: their camera and light.
        bodies: what stands upright in each frame, by id.
        object_id: of the object.
        kinds: what it and the others are after all edits, by id.
        strength: of the object, see `strength_of`.
        reference: brightness in [0, 1] whose shading is 0.

    Returns:
        For each frame the new shape, or None where it cannot be told: the kind has no shape of its own, the object lies
        on its side, or too little of it is seen.
    """
    known = stage.shapes
    if kinds[object_id] not in known:
        return [None] * len(frames)
    shapes: list[Reshaped | None] = []
    gripper = gripper_pixels(conditions.segmentation, conditions.depth, stage.camera)
    fingers = Fingers.of(gripper, conditions.segmentation, conditions.depth, stage.camera)
    yaw = 0.0
    for position, frame in enumerate(frames):
        if object_id not in bodies[position]:
            shapes.append(None)
            continue
        pose = bodies[position][object_id].pose.nearest_turn(known[conditions.kinds[object_id]], yaw)
        placed = {
            key: body if key == PUSHER else replace(body, shape=known[kinds[key]])
            for key, body in bodies[position].items()
            if key == PUSHER or kinds[key] in known
        }
        placed[object_id] = replace(placed[object_id], pose=pose)
        before = known[conditions.kinds[object_id]]
        shape = _reshaped(
            frame, conditions, position, stage, object_id, before, placed, strength, reference, fingers
        )
        yaw = pose.yaw
        shapes.append(shape)
    return shapes


def _reshaped(
    frame: UInt8[np.ndarray, "H W 3"],
    conditions: Conditions,
    position: int,
    stage: Stage,
    object_id: int,
    before: Shape,
    placed: dict[int, Body],
    strength: float,
    reference: float,
    fingers: Fingers,
) -> Reshaped:
    """One frame, with what stands upright in it in its new shapes."""
    camera = stage.camera
    pose = placed[object_id].pose
    others = [body for key, body in placed.items() if key != object_id]
    segmentation, depth, normals = (
        part[position] for part in (conditions.segmentation, conditions.depth, conditions.normals)
    )
    proxy = cast(camera, pose, placed[object_id].shape)
    surface, facing = proxy.surface
    own = segmentation == object_id
    old = bared(segmentation, depth, object_id, camera)
    gloss = stage.gloss.get(object_id, 0.0)
    reached: Shaped[np.ndarray, "... H W"]
    if PUSHER in placed:  # one of the bodies
        gripper, reached = Gripper.absent(frame), stage.reached(proxy, others)
    else:
        # Bends run through pixels as outlines do: each sample is lit for itself.
        was = cast(camera, pose, before)
        shade, full = (
            strength * brightness + gloss / 255.0 * shine
            for brightness, shine in (_seen(stage, was, np.full(own.shape, share)) for share in (0.0, 1.0))
        )
        reached = lit(frame, own & was.hit.all(axis=0), shade, full, _open_above(was, own, depth))
        seen_before = shade + reached * (full - shade)
        gripper = gripper_at(frame, segmentation, depth, object_id, camera, seen_before, fingers)
    reach = box_mask(segmentation, depth, object_id, (BOX_GROWTH,) * 4)
    nearer = (segmentation == 0) & (depth > 0) & (depth < surface - NEARER_METRES)
    nearer |= (gripper.behind > 0) & (gripper.behind < surface - NEARER_METRES)
    hides = proxy.hit & (reach & ~nearer)
    for other in others:
        hides &= proxy.depth <= cast(camera, other.pose, other.shape).depth
    covered = hides.mean(axis=0, dtype=np.float32)
    new = covered >= 0.5
    bare = old & ~new
    brightness, shine = _seen(stage, proxy, reached)
    seen = covered > 0
    shading = octaves(continued(strength * brightness[..., None], seen, reach=1)[..., 0], reference)
    turned = np.where(new[..., None], np.rint(facing @ camera.to_table * 127.0).astype(np.int8), normals)
    up = np.rint(camera.to_table[2] * 127.0).astype(np.int8)
    return Reshaped(
        mask=old | seen,
        own=new if new.any() else old,
        depth=np.where(new, surface, np.where(bare, camera.table_depth, depth)).astype(np.float16),
        normals=np.where(bare[..., None], up, turned).astype(np.int8),
        intrinsics=Intrinsics(
            covered * (1.0 - gripper.before),
            np.where(dilate(seen), shading, 0.0).astype(np.float32),
            frame,
            frame.astype(np.float32),
        ),
        hides=hides,
        highlight=(gloss * shine).astype(np.float32),
        pose=pose,
        gripper=gripper,
    )


def behind(
    frame: UInt8[np.ndarray, "H W 3"],
    conditions: Conditions,
    position: int,
    stage: Stage,
    object_id: int,
    shape: Reshaped,
    before: dict[int, Body],
    after: dict[int, Body],
) -> Float32[np.ndarray, "H W 3"]:
    """What the picture holds besides the new body's colour: the source, where the old body was, what is behind it, and the
    new body's highlight.

    Args:
        frame: the source, with the other objects' edits.
        conditions: of all frames.
        position: of this one.
        stage: camera and light.
        object_id: of the object.
        shape: its new shape.
        before: the frame's bodies.
        after: the same as they are after all edits, the object's own included.
    """
    segmentation, depth = conditions.segmentation[position], conditions.depth[position]
    old = bared(segmentation, depth, object_id, stage.camera)
    others = [body for key, body in after.items() if key != object_id]
    gripper = shape.gripper
    assert gripper is not None
    held = np.where((gripper.behind > 0)[..., None], gripper.colour, frame)
    picture = stage.background(
        held,
        segmentation,
        depth,
        gripper.behind,
        list(before.values()),
        others,
        after[object_id],
        shape.hides,
        old,
    )
    nearer, matte = gripper.before[..., None], shape.intrinsics.matte[..., None]
    return np.asarray(
        picture * (1.0 - nearer - matte) + gripper.colour * nearer + shape.highlight[..., None] * matte
    )


def strength_of(
    frames: UInt8[np.ndarray, "N H W 3"], conditions: Conditions, stage: Stage, object_id: int
) -> float:
    """An object's brightness in [0, 1] (largest channel) where only light from everywhere falls on it, seen sideways."""
    colours = [
        stage.colour(frame, depth, normals, own, object_id).max() / 255.0
        for frame, depth, normals, own in zip(
            frames, conditions.depth, conditions.normals, conditions.segmentation == object_id, strict=True
        )
        if own.any()
    ]
    return float(np.median(colours))


def _seen(
    stage: Stage, proxy: Proxy, reached: Shaped[np.ndarray, "... H W"]
) -> tuple[Shaped[np.ndarray, "H W"], Shaped[np.ndarray, "H W"]]:
    """How bright a white body is in each pixel, and how much of the lamp it mirrors, see `Stage.appearance`: at a bend, half
    of what two surfaces are."""
    bright, shine = stage.appearance(proxy, reached)
    count = np.maximum(proxy.hit.sum(axis=0), 1)
    return bright.sum(axis=0) / count, shine.sum(axis=0) / count


def _open_above(was: Proxy, own: Bool[np.ndarray, "H W"], depth: Float16[np.ndarray, "H W"]) -> float:
    """Whether the lamp is likely to reach a body's top, 1 or 0: what hides the most of it from the camera, the palm of a
    gripper, is above it, and keeps the light from it as well."""
    surface, facing = was.surface
    top = (surface > 0) & (facing[..., 2] > 0.9)
    hidden = top & ~own & (depth > 0) & (depth < surface - NEARER_METRES)
    return float(2 * hidden.sum() <= top.sum())
