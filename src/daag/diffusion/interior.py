"""Change an object's kind in a room through which an eye walks: the new body, the light on it, and what it bares.

The object stands where it stood and turns with nothing: the new body keeps one turn in the room. As lamp and object both
keep their place, how bright a surface of it is depends on what it faces in the room and on nothing else; that is read
from the old body in all frames at once. Where the old body was and the new one is not, floor, walls and furniture are
continued from around (`backdrop`). Beyond that, shadows stay those of the old body. Source: our choice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Shaped, UInt8
from scipy.optimize import least_squares

from daag.diffusion.backdrop import MARGIN, Backdrop, backdrop_of
from daag.diffusion.compositing import box_mask, dilate, tight_mask
from daag.diffusion.editor import Conditions
from daag.diffusion.eyes import Eye, eyes_of
from daag.diffusion.intrinsics import Intrinsics, inner, octaves
from daag.diffusion.poses import Pose
from daag.diffusion.proxies import Proxy
from daag.diffusion.reshaping import BOX_GROWTH, Reshaped
from daag.diffusion.solids import cast_solid, height_of, shadowed
from daag.diffusion.stage import continued
from daag.diffusion.standing import stand
from daag.tasks import REGIONS, ROOM, SOLIDS, Built, EditPlan

GROWTH_SHARE = 0.6
"""Of the breadth and height of the box around the old body, by which the new one may reach out of it: a plant is so much
higher than a mug."""

NEARER_METRES = 0.03
"""What is nearer than the new body by so much, and is no object, is in front of it."""

_SKY = 0.25
"""How much more of the light from everywhere falls on what faces up than on what faces sideways."""

_TOLERANCE = 0.03
"""Of brightness in [0, 1]: pixels that are farther off, in shadow or shining, count less and less."""

_SHARPNESS = 24
"""Of highlights: the exponent of Blinn and Phong."""

_NEAR_GLOSS, _GLOSSY = 0.2, 0.04
"""Standard deviation of gloss, as brightness in [0, 1], and from which on an object counts as glossy."""

_ABOVE_METRES = 0.004
"""How far above a surface its shade is looked for."""

_MOST_PIXELS = 600


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
        reference: float,
    ) -> list[Reshaped | None]:
        """Give an object another kind's shape in all frames.

        Args:
            frames: the source.
            conditions: their geometry.
            object_id: of the object.
            kind: what it becomes.
            reference: brightness in [0, 1] whose shading is 0.

        Returns:
            For each frame the new shape, or None where it cannot be told.
        """
        before, after = SOLIDS[conditions.kinds[object_id]], SOLIDS[kind]
        poses = stand(self.eyes, conditions, object_id, before)
        light = self._light(frames, conditions, object_id)
        turn: float | None = None
        shapes: list[Reshaped | None] = [None] * len(frames)
        # What shows most of the object decides on a turn that the old body did not show.
        sizes = (conditions.segmentation == object_id).sum(axis=(1, 2))
        for index in map(int, np.argsort(-sizes, kind="stable")):
            old, eye = poses[index], self.eyes[index]
            if old is None:
                continue
            if turn is None:
                turn = old.yaw + eye.heading if before.sides else eye.heading
            base = old.top - old.scale * height_of(before)
            new = replace(old, top=base + old.scale * height_of(after), yaw=turn - eye.heading)
            change = _Change(object_id, (old, before), (new, after), eye, light.seen_by(eye))
            shapes[index] = _reshaped(frames[index], conditions, index, change, reference)
        return shapes

    def _light(
        self, frames: UInt8[np.ndarray, "N H W 3"], conditions: Conditions, object_id: int
    ) -> "SurfaceLight":
        """How bright an object's surfaces are in [0, 1] (largest channel), by what they face."""
        facing, to_eye, bright = [], [], []
        for frame, depth, normals, segmentation, eye in zip(
            frames, conditions.depth, conditions.normals, conditions.segmentation, self.eyes, strict=True
        ):
            own = segmentation == object_id
            if own.any():
                inside = inner(own)
                points, turned = eye.camera.surface(depth, normals, inside)
                facing.append(turned @ eye.to_room.T)
                to_eye.append(-_unit(points) @ eye.to_room.T)
                bright.append(frame[inside].max(axis=-1) / 255.0)
        return SurfaceLight.fit(np.concatenate(facing), np.concatenate(to_eye), np.concatenate(bright))


@dataclass(frozen=True, eq=False)
class SurfaceLight:
    """The brightness of an object that keeps its place in a lamp's light, by what its surfaces face."""

    around: float
    """Of what faces sideways, away from the lamp."""
    lamp: Float64[np.ndarray, "3"]
    """Towards the lamp, in the room's axes, as long as what faces it is brighter."""
    gloss: float = 0.0
    """Brightness of the lamp's mirror image."""

    def on(
        self, normals: Float64[np.ndarray, "*N 3"], lit: Shaped[np.ndarray, "*N"] | bool = True
    ) -> Float64[np.ndarray, "*N"]:
        """Brightness of surfaces with these unit normals, whether or not the lamp reaches them."""
        facing = np.maximum(normals @ self.lamp, 0.0)
        return np.asarray(self.around * (1.0 + _SKY * normals[..., 2]) + lit * facing)

    def shine(
        self, normals: Float64[np.ndarray, "*N 3"], to_eye: Float64[np.ndarray, "*N 3"]
    ) -> Float64[np.ndarray, "*N"]:
        """How much of the lamp mirror-like surfaces with these unit normals show to an eye in these directions, in [0, 1]."""
        towards = _unit(self.lamp)
        mirrored = np.maximum((normals * _unit(towards + to_eye)).sum(axis=-1), 0.0)
        return np.asarray((normals @ towards > 0) * mirrored**_SHARPNESS)

    def seen_by(self, eye: Eye) -> "SurfaceLight":
        """The same light in the table coordinates of an eye's camera."""
        return replace(self, lamp=eye.to_room.T @ self.lamp)

    @classmethod
    def fit(
        cls,
        normals: Float64[np.ndarray, "K 3"],
        to_eye: Float64[np.ndarray, "K 3"],
        bright: Float64[np.ndarray, "K"],
    ) -> "SurfaceLight":
        """The light that explains the brightness of surfaces; where they do not tell, it comes from above."""
        every = max(1, len(bright) // _MOST_PIXELS)
        normals, to_eye, bright = normals[::every], to_eye[::every], bright[::every]
        usual = float(np.median(bright)) / 1.5

        def residuals(values: np.ndarray) -> np.ndarray:
            light = cls(float(values[0]), values[1:4])
            unusual = (values[:4] - begin) / (0.5 * max(usual, 0.02))
            explained = light.on(normals)
            for gloss in values[4:]:
                explained = np.minimum(explained + gloss * light.shine(normals, to_eye), 1.0)
            return np.concatenate([(explained - bright) / _TOLERANCE, unusual, values[4:] / _NEAR_GLOSS])

        begin = usual * np.array([1.0, 0.0, 0.0, 1.0])
        matte = least_squares(residuals, begin, loss="cauchy", max_nfev=30).x
        glossy = least_squares(residuals, np.append(matte, _NEAR_GLOSS), loss="cauchy", max_nfev=30).x
        found = glossy if glossy[4] > _GLOSSY else np.append(matte, 0.0)
        # Some light comes from everywhere.
        return cls(max(float(found[0]), 1e-3), found[1:4], float(min(found[4], 1.0)))


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
    frame: UInt8[np.ndarray, "H W 3"],
    conditions: Conditions,
    position: int,
    change: _Change,
    reference: float,
) -> Reshaped:
    """One frame with the new body."""
    segmentation, depth, normals = (
        part[position] for part in (conditions.segmentation, conditions.depth, conditions.normals)
    )
    camera = change.eye.camera
    own = segmentation == change.object_id
    old = tight_mask(segmentation, depth, change.object_id)
    proxy = cast_solid(camera, *change.new)
    surface, facing = proxy.surface
    nearer = (segmentation == 0) & (depth > 0) & (depth < surface - NEARER_METRES)
    reach = box_mask(segmentation, depth, change.object_id, (grown(own),) * 4)
    hides = proxy.hit & (reach & ~nearer)
    matte = hides.mean(axis=0, dtype=np.float32)
    new, seen = matte >= 0.5, matte > 0
    bare = (old & ~new)[..., None]
    brightness = _lit(proxy, change).sum(axis=0) / np.maximum(proxy.hit.sum(axis=0), 1)
    highlight = np.zeros(own.shape)
    if change.light.gloss > 0.0:
        highlight = 255.0 * _shine(proxy, change).sum(axis=0) / np.maximum(proxy.hit.sum(axis=0), 1)
    shading = octaves(continued(brightness[..., None], seen, reach=1)[..., 0], reference)
    backdrop = _backdrop(frame, conditions, position, old, change)
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


def _lit(proxy: Proxy, change: _Change) -> Float64[np.ndarray, "4 H W"]:
    """How bright the new body is at each sample, which may lie in its own shade; 0 where samples miss it."""
    hit = proxy.hit
    facing = proxy.normals[hit]
    points = change.eye.camera.rays[hit] * proxy.depth[hit][:, None] + _ABOVE_METRES * facing
    brightness = np.zeros(hit.shape)
    brightness[hit] = change.light.on(facing, ~shadowed(points, change.light.lamp, *change.new))
    return brightness


def _shine(proxy: Proxy, change: _Change) -> Float64[np.ndarray, "4 H W"]:
    """Brightness of the lamp's mirror image at each sample of the new body."""
    hit = proxy.hit
    facing = proxy.normals[hit]
    rays = change.eye.camera.rays[hit]
    points = rays * proxy.depth[hit][:, None] + _ABOVE_METRES * facing
    shine = np.zeros(hit.shape)
    open_to_lamp = ~shadowed(points, change.light.lamp, *change.new)
    shine[hit] = change.light.gloss * open_to_lamp * change.light.shine(facing, -_unit(rays))
    return shine


def _backdrop(
    frame: UInt8[np.ndarray, "H W 3"],
    conditions: Conditions,
    position: int,
    old: Bool[np.ndarray, "H W"],
    change: _Change,
) -> Backdrop:
    """The frame without the old body, in the shadow of the new one; both inside `old` only."""
    lamp, near = change.light.lamp, dilate(old, MARGIN + 1)
    shade = np.zeros_like(old)
    points = change.eye.camera.unproject(conditions.depth[position])
    shade[near] = shadowed(points[near], lamp, *change.old)
    backdrop = backdrop_of(frame, conditions, position, change.eye, old, ~dilate(shade))
    facing = backdrop.normals[old]
    dark = shadowed(backdrop.points[old] + _ABOVE_METRES * facing, lamp, *change.new)
    gain = change.light.on(facing, ~dark) / change.light.on(facing)
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


def _unit(vectors: Float64[np.ndarray, "*N 3"]) -> Float64[np.ndarray, "*N 3"]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def grown(own: Bool[np.ndarray, "H W"]) -> int:
    """By how many pixels a new body may reach out of the box around an object's pixels."""
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    return int(np.ceil(GROWTH_SHARE * max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)))
