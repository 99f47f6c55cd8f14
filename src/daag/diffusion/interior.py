"""Change an object's kind in a room through which an eye walks: the new body, the light on it, and what it bares.

The object stands where it stood and turns with nothing: the new body keeps one turn in the room. Lamp and object both keep
their place; where the lamp is, all that the frames show of the room says together (`room_light`), and how bright and glossy
the object is under it, its own pixels. Where the old body was and the new one is not, floor, walls and furniture are
continued from around, or read from other frames (`backdrop`). Beyond that, shadows stay those of the old body. Source: our
choice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from daag.diffusion.backdrop import Backdrop, backdrop_of
from daag.diffusion.compositing import box_mask, dilate, tight_mask
from daag.diffusion.editor import Conditions
from daag.diffusion.eyes import Eye, eyes_of
from daag.diffusion.intrinsics import Intrinsics, octaves
from daag.diffusion.light import Light, unit
from daag.diffusion.poses import Pose
from daag.diffusion.proxies import Proxy
from daag.diffusion.reshaping import BOX_GROWTH, Reshaped
from daag.diffusion.room_light import Patch, colour_under, lamp_of, patches_of
from daag.diffusion.solids import cast_solid, height_of, shadowed
from daag.diffusion.stage import continued
from daag.diffusion.standing import stand
from daag.diffusion.walk import Walk
from daag.tasks import REGIONS, ROOM, SOLIDS, Built, EditPlan

GROWTH_SHARE = 0.6
"""Of the breadth and height of the box around the old body, by which the new one may reach out of it: a plant is so much
higher than a mug."""

NEARER_METRES = 0.03
"""What is nearer than the new body by so much, and is no object, is in front of it."""

_GLOSSY = 0.04
"""Gloss, as brightness in [0, 1], from which on an object counts as glossy."""

_ABOVE_METRES = 0.004
"""How far above a surface its shade is looked for."""


@dataclass(frozen=True, eq=False)
class Interior:
    """The eye in each of the frames that are edited."""

    eyes: list[Eye]

    @classmethod
    def of(cls, conditions: Conditions, plan: EditPlan) -> "Interior | None":
        """Read it; None where the plan puts no other kind of a room in an object's place, or the frames show too little of a
        floor and of walls: a grid world has balls and boxes, too, on a flat sheet."""
        changed = {kind for edit in plan.edits if edit.changes_kind for kind in edit.kinds}
        if not changed or not changed <= set(ROOM.alike_kinds) or not len(conditions.depth):
            return None
        eyes = eyes_of(conditions.without(REGIONS))
        return cls(eyes) if eyes is not None else None

    def reshape(
        self,
        frames: UInt8[np.ndarray, "N H W 3"],
        conditions: Conditions,
        object_id: int,
        kind: str,
    ) -> list[Reshaped | None]:
        """Give an object another kind's shape in all frames.

        Args:
            frames: the source.
            conditions: their geometry.
            object_id: of the object.
            kind: what it becomes.

        Returns:
            For each frame the new shape, or None where it cannot be told.
        """
        before, after = SOLIDS[conditions.kinds[object_id]], SOLIDS[kind]
        poses = stand(self.eyes, conditions, object_id, before)
        feet = [_foot(pose, before) if pose is not None else None for pose in poses]
        if all(foot is None for foot in feet):
            return [None] * len(frames)
        light = self._light(frames, conditions, object_id, feet)
        walk = Walk(frames, conditions, self.eyes, feet)
        turn: float | None = None
        shapes: list[Reshaped | None] = [None] * len(frames)
        # What shows most of the object decides on a turn that the old body did not show.
        sizes = (conditions.segmentation == object_id).sum(axis=(1, 2))
        for index in map(int, np.argsort(-sizes, kind="stable")):
            old, foot, eye = poses[index], feet[index], self.eyes[index]
            if old is None or foot is None:
                continue
            if turn is None:
                turn = old.yaw + eye.heading if before.sides else eye.heading
            new = replace(old, top=foot[2] + old.scale * height_of(after), yaw=turn - eye.heading)
            change = _Change(object_id, (old, before), (new, after), eye, light.seen_by(eye, foot))
            proxy = cast_solid(eye.camera, *change.new)
            shapes[index] = _reshaped(walk, index, change, proxy)
        return shapes

    def _light(
        self,
        frames: UInt8[np.ndarray, "N H W 3"],
        conditions: Conditions,
        object_id: int,
        feet: list[Float64[np.ndarray, "3"] | None],
    ) -> "SurfaceLight":
        """The light on an object, in the room's axes, from its foot."""
        objects, planes = patches_of(frames, conditions, self.eyes, feet)
        floor = [
            -eye.camera.height - foot[2]
            for eye, foot in zip(self.eyes, feet, strict=True)
            if foot is not None
        ]
        lamp = lamp_of(list(objects.values()), planes, float(np.median(floor)))
        return SurfaceLight.of(lamp, objects[object_id])


@dataclass(frozen=True, eq=False)
class SurfaceLight:
    """The light on an object that keeps its place, and what it makes of it."""

    lamp: Light
    around: float
    """Brightness in [0, 1] (largest channel) of what faces sideways, out of the lamp's light."""
    gloss: float = 0.0
    """Brightness of the lamp's mirror image."""

    @property
    def full(self) -> float:
        """Brightness in [0, 1] of what faces the lamp: that which a model paints, for nothing is brighter than white there,
        and what stands in the shade must not come out lighter than it could be."""
        return self.around * (1.0 + self.lamp.ratio)

    def seen_by(self, eye: Eye, foot: Float64[np.ndarray, "3"]) -> "SurfaceLight":
        """The same light in the table coordinates of an eye's camera, in which the object's foot is there."""
        return replace(self, lamp=replace(self.lamp, position=foot + eye.to_room.T @ self.lamp.position))

    @classmethod
    def of(cls, lamp: Light, patch: Patch) -> "SurfaceLight":
        """What a lamp makes of an object of which frames show this."""
        colour, gloss, _ = colour_under(lamp, patch)
        return cls(lamp, max(float(colour.max()), 1e-3), gloss if gloss > _GLOSSY else 0.0)


@dataclass(frozen=True, eq=False)
class _Change:
    """What happens to an object in one frame."""

    object_id: int
    old: tuple[Pose, Built]
    new: tuple[Pose, Built]
    eye: Eye
    light: SurfaceLight
    """In the camera's table coordinates."""


def _reshaped(
    walk: Walk,
    position: int,
    change: _Change,
    proxy: Proxy,
) -> Reshaped:
    """One frame with the new body."""
    frame, conditions = walk.frames[position], walk.conditions
    segmentation, depth, normals = (
        part[position] for part in (conditions.segmentation, conditions.depth, conditions.normals)
    )
    camera = change.eye.camera
    own = segmentation == change.object_id
    old = tight_mask(segmentation, depth, change.object_id)
    surface, facing = proxy.surface
    nearer = (segmentation == 0) & (depth > 0) & (depth < surface - NEARER_METRES)
    reach = box_mask(segmentation, depth, change.object_id, (grown(own),) * 4)
    hides = proxy.hit & (reach & ~nearer)
    matte = hides.mean(axis=0, dtype=np.float32)
    new, seen = matte >= 0.5, matte > 0
    bare = (old & ~new)[..., None]
    brightness, shine = _lit(proxy, change)
    highlight = 255.0 * shine
    shading = octaves(continued(brightness[..., None], seen, reach=1)[..., 0], change.light.full)
    backdrop = _backdrop(walk, position, old, change)
    shown = np.where(bare, backdrop.normals, facing)
    return Reshaped(
        mask=old | seen,
        own=new if new.any() else old,
        depth=np.where(new, surface, np.where(bare[..., 0], backdrop.depth, depth)).astype(np.float16),
        normals=np.where(
            new[..., None] | bare, np.rint(shown @ camera.to_table * 127.0).astype(np.int8), normals
        ),
        intrinsics=Intrinsics(
            matte,
            np.where(dilate(seen), shading, 0.0).astype(np.float32),
            frame,
            backdrop.picture * (1.0 - matte[..., None]) + (highlight * matte)[..., None].astype(np.float32),
        ),
        hides=hides,
        highlight=highlight.astype(np.float32),
        pose=change.new[0],
    )


def _lit(proxy: Proxy, change: _Change) -> tuple[Float64[np.ndarray, "H W"], Float64[np.ndarray, "H W"]]:
    """How bright the new body is in each pixel, and how bright the lamp's mirror image on it: means of its samples, which may
    lie in its own shade; 0 where they miss it."""
    hit = proxy.hit
    facing, rays = proxy.normals[hit], change.eye.camera.rays[hit]
    points = rays * proxy.depth[hit][:, None] + _ABOVE_METRES * facing
    light, lamp = change.light, change.light.lamp
    lit = ~shadowed(points, lamp.towards(points), *change.new)
    brightness, shine = np.zeros((2, *hit.shape))
    brightness[hit] = light.around * lamp.on(points, facing, lit)
    if light.gloss > 0.0:
        shine[hit] = light.gloss * lit * lamp.shine(points, facing, -unit(rays))
    count = np.maximum(hit.sum(axis=0), 1)
    return brightness.sum(axis=0) / count, shine.sum(axis=0) / count


def _backdrop(walk: Walk, position: int, old: Bool[np.ndarray, "H W"], change: _Change) -> Backdrop:
    """A frame without the old body, in the shadow of the new one; both inside `old` only."""
    lamp = change.light.lamp

    def shaded(points: Float64[np.ndarray, "K 3"]) -> Bool[np.ndarray, "K"]:
        return shadowed(points, lamp.towards(points), *change.old)

    backdrop = backdrop_of(walk, position, old, shaded)
    facing = backdrop.normals[old]
    bared = backdrop.points[old] + _ABOVE_METRES * facing
    dark = shadowed(bared, lamp.towards(bared), *change.new)
    gain = lamp.on(bared, facing, ~dark) / lamp.on(bared, facing)
    backdrop.picture[old] *= gain[:, None].astype(np.float32)
    return backdrop


Growth = int | Callable[[Bool[np.ndarray, "H W"]], int]
"""Pixels by which the box around an object grows on every side; or what tells them from the object's pixels."""


def growths(conditions: Conditions, plan: EditPlan) -> list[Growth | None]:
    """By how much of the picture around it each object of a plan may reach into; None: its pixels and a rim of one.

    Args:
        conditions: of the frames that are edited; whether they show a room decides.
        plan: the edits.
    """
    if Interior.of(conditions, plan) is not None:
        return [grown if edit.changes_kind else None for edit in plan.edits]
    return [BOX_GROWTH if any(edit.changes_kind for edit in plan.edits) else None] * len(plan.edits)


def _foot(pose: Pose, solid: Built) -> Float64[np.ndarray, "3"]:
    """The middle of a body's underside."""
    return np.array([pose.x, pose.y, pose.top - pose.scale * height_of(solid)])


def grown(own: Bool[np.ndarray, "H W"]) -> int:
    """By how many pixels a new body may reach out of the box around an object's pixels."""
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    return int(np.ceil(GROWTH_SHARE * max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)))
