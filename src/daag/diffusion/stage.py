"""What stands still in an episode, camera and lamp, and what the picture would hold were one of the objects another.

Source: our choice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int8, Int16, Shaped, UInt8
from scipy.ndimage import distance_transform_edt

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.gripper import gripper_pixels
from daag.diffusion.intrinsics import inner
from daag.diffusion.light import Light
from daag.diffusion.lighting import fit_light
from daag.diffusion.poses import Pose
from daag.diffusion.proxies import Proxy, cast, shaded
from daag.diffusion.pusher import PUSHER, pusher_shape
from daag.diffusion.shadows import towards_lamp
from daag.diffusion.table_camera import TableCamera
from daag.tasks import SHAPES, Outline, Shape, UprightShape

MARGIN = 8
"""Pixels around an object from which the table behind it is continued."""

GLOSSY = 10.0
"""Grey level of a highlight from which on an object counts as glossy."""

LIT_PERCENTILE = 60
"""Of an object's pixels, by brightness over what the light makes of their normals: most are lit, some in the shade."""

LIT_CONTRAST = 0.25
"""By how much brighter than in the shade, relatively, the lamp must make a surface for it to say whether it does."""

LIT_REACH = 12
"""Pixels within which one surface says whether the lamp reaches another."""


@dataclass(frozen=True, eq=False)
class Body:
    """An upright object."""

    shape: Shape
    pose: Pose
    colour: Float64[np.ndarray, "3"]
    """Grey levels where only light from everywhere falls on it, seen sideways."""
    gloss: float = 0.0
    """Grey level of its highlight."""


@dataclass(frozen=True, eq=False)
class Stage:
    """Camera and light of an episode, and how glossy its objects are."""

    camera: TableCamera
    light: Light
    gloss: dict[int, float]
    """Grey level of the highlight of each object, by id."""
    shapes: Mapping[str, Shape]
    """What the kinds of object here look like."""
    pusher: UprightShape | None = None
    """What moves them, where that is an upright rod."""

    @property
    def flat(self) -> bool:
        """Whether objects are flat blocks, a few pixels wide, of which an outline runs through most pixels: where they lie
        then says more about the outline than colours do."""
        return _flat(self.shapes)

    @classmethod
    def of(
        cls,
        frames: UInt8[np.ndarray, "N H W 3"],
        conditions: Conditions,
        shapes: Mapping[str, Shape] = SHAPES,
    ) -> "Stage | None":
        """Read them from some frames; None where too little of a table is seen in all of them."""
        for depth, normals, segmentation in zip(
            conditions.depth, conditions.normals, conditions.segmentation, strict=True
        ):
            camera = TableCamera.of(depth, normals, segmentation)
            if camera is not None:
                return cls._seen_by(camera, frames, conditions, shapes)
        return None

    @classmethod
    def _seen_by(
        cls,
        camera: TableCamera,
        frames: UInt8[np.ndarray, "N H W 3"],
        conditions: Conditions,
        shapes: Mapping[str, Shape],
    ) -> "Stage":
        ids, depth, normals = conditions.segmentation, conditions.depth, conditions.normals
        nearer = gripper_pixels(ids, depth, camera)
        pusher = pusher_shape(nearer, depth, normals, camera)
        words = {key: name.split()[0] for name, key in conditions.object_ids.items()}
        # What is upright says by its sides where the lamp is, and so does a pusher; a flat block says little.
        towards = towards_lamp(frames, ids, depth, camera) if _flat(shapes) else None
        rod = int(ids.max()) + 1
        shown = np.where(nearer, np.int16(rod), ids) if pusher is not None else ids
        points = np.stack([camera.unproject(one) for one in depth])
        light, gloss = fit_light(frames, shown, normals, points, camera.to_table, words, towards)
        if rod in gloss:
            gloss[PUSHER] = gloss.pop(rod)
        return cls(camera, light, gloss, shapes, pusher)

    def with_gloss(self, object_id: int, gloss: float) -> "Stage":
        """The same with one object whose highlight has another grey level."""
        return replace(self, gloss={**self.gloss, object_id: gloss})

    def colour(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        depth: Float16[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        own: Bool[np.ndarray, "H W"],
        object_id: int,
    ) -> Float64[np.ndarray, "3"]:
        """An object's grey levels where only light from everywhere falls on it, seen sideways."""
        inside = inner(own)
        points, facing = self.camera.surface(depth, normals, inside)
        matte = frame[inside] - self.gloss.get(object_id, 0.0) * self.light.shine(points, facing)[:, None]
        expected = self.light.on(points, facing)[:, None]
        return np.asarray(np.percentile(np.maximum(matte, 0.0) / expected, LIT_PERCENTILE, axis=0))

    def shades(
        self,
        depth: Float16[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        own: Bool[np.ndarray, "H W"],
        strength: float,
    ) -> tuple[Float32[np.ndarray, "H W"], Float32[np.ndarray, "H W"]]:
        """How bright an object's pixels are out of the lamp's light, and in it, as `lit` asks for it; 0 elsewhere.

        Args:
            depth: metres.
            normals: unit normals in camera coordinates times 127.
            own: the object's pixels.
            strength: its brightness in [0, 1] where only light from everywhere falls on it, seen sideways.
        """
        points, facing = self.camera.surface(depth, normals, own)
        shade, full = np.zeros((2, *own.shape), dtype=np.float32)
        shade[own], full[own] = (strength * self.light.on(points, facing, share) for share in (0.0, 1.0))
        return shade, full

    def highlight(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        depth: Float16[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        own: Bool[np.ndarray, "H W"],
        object_id: int,
        strength: float,
    ) -> Float32[np.ndarray, "H W"] | None:
        """Grey levels that the lamp's mirror image adds to an object; None where it is not glossy.

        Args:
            frame: the source.
            depth: metres.
            normals: unit normals in camera coordinates times 127.
            own: the object's pixels.
            object_id: its id.
            strength: its brightness in [0, 1] where only light from everywhere falls on it, seen sideways.
        """
        gloss = self.gloss.get(object_id, 0.0)
        if gloss < GLOSSY:
            return None
        shine = np.zeros(own.shape, dtype=np.float32)
        shine[own] = gloss * self.light.shine(*self.camera.surface(depth, normals, own))
        shade, full = self.shades(depth, normals, own, strength)
        at = _window(own, 1)
        share, tells = _told(frame[at], own[at], shade[at], full[at] + shine[at] / 255.0)
        if tells.any():  # in the shade there is none
            _, nearest = distance_transform_edt(~tells, return_indices=True)
            shine[at] *= share[tuple(nearest)]
        return np.minimum(shine, frame.min(axis=-1))  # white light: no channel can have less

    def appearance(
        self, proxy: Proxy, reached: Shaped[np.ndarray, "... H W"]
    ) -> tuple[Float32[np.ndarray, "4 H W"], Float32[np.ndarray, "4 H W"]]:
        """How bright a white body is at each sample, and how much of the lamp it mirrors; 0 where samples miss it.

        Args:
            proxy: the body.
            reached: whether the lamp's light reaches it in each pixel, or at each sample, or how much of it.
        """
        hit = proxy.hit
        points = self.camera.rays[hit] * proxy.depth[hit][:, None]
        light = np.broadcast_to(reached, hit.shape)[hit].astype(np.float64)
        brightness, shine = np.zeros((2, *hit.shape), dtype=np.float32)
        brightness[hit] = self.light.on(points, proxy.normals[hit], light)
        shine[hit] = light * self.light.shine(points, proxy.normals[hit])
        return brightness, shine

    def background(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        segmentation: Int16[np.ndarray, "H W"],
        depth: Float16[np.ndarray, "H W"],
        past: Float32[np.ndarray, "H W"],
        before: Sequence[Body],
        others: Sequence[Body],
        instead: Body,
        hidden: Bool[np.ndarray, "4 H W"],
        where: Bool[np.ndarray, "H W"],
    ) -> Float32[np.ndarray, "H W 3"]:
        """What is seen behind an object: the table and the other objects, in the shadows that fall there now.

        Args:
            frame: the picture.
            segmentation: ids.
            depth: metres.
            past: depth, metres, of what is neither table nor body, where the picture is to show it; elsewhere 0.
            before: all bodies, as they are in the picture.
            others: the bodies that are to be seen, all but the one in question.
            instead: what is put in its place; throws a shadow and is not drawn.
            hidden: the samples of each pixel that it hides. What one body hides of a pixel and what another does add up,
                as long as they hide different samples; shares of a pixel alone do not tell.
            where: the pixels that are asked for.

        Returns:
            Grey levels; elsewhere the picture.
        """
        window = _window(where, MARGIN)
        table = (segmentation == 0) & self.camera.shows_table(depth) & ~dilate(segmentation > 0)
        bare = self.camera.table_depth
        # Above the horizon there is no table; nothing is asked there.
        points = self.camera.unproject(np.where(np.isfinite(bare), bare, 0.0))[window]
        lit = table[window] & ~dilate(self._shaded(points, before))
        up = np.broadcast_to([0.0, 0.0, 1.0], points.shape)
        shade = self.light.on(points, up, 0.0) / self.light.on(points, up)
        dark = self._shaded(points, [*others, instead])
        picture = continued(frame[window], lit, reach=3 * MARGIN) * np.where(dark, shade, 1.0)[..., None]
        held = past[window] > 0
        picture[held] = frame[window][held]
        samples = np.repeat(picture[None], 4, axis=0)
        nearest = np.repeat(np.where(held, past[window], np.inf)[None], 4, axis=0)
        for body in others:
            proxy = cast(self.camera, body.pose, body.shape)
            seen = (slice(None), *window)
            hit = proxy.depth[seen] < nearest
            if not hit.any():
                continue
            surface = self.camera.unproject(proxy.surface[0])
            reached = np.ones(where.shape, dtype=bool)
            shadows = [other for other in (*others, instead) if other is not body]
            reached[window] = ~self._shaded(surface[window], shadows)
            brightness, shine = (part[seen][..., None] for part in self.appearance(proxy, reached))
            samples = np.where(hit[..., None], body.colour * brightness + body.gloss * shine, samples)
            nearest = np.where(hit, proxy.depth[seen], nearest)
        shown = ~hidden[:, window[0], window[1]]
        shown |= ~shown.any(axis=0)
        picture = (samples * shown[..., None]).sum(axis=0) / shown.sum(axis=0)[..., None]
        full = frame.astype(np.float32)
        full[window] = np.where(where[window][..., None], np.clip(picture, 0.0, 255.0), full[window])
        return full

    def reached(self, proxy: Proxy, bodies: Sequence[Body]) -> Bool[np.ndarray, "4 H W"]:
        """Which samples of a body lie in the shadow of none of some others."""
        lit = np.ones(proxy.hit.shape, dtype=bool)
        lit[proxy.hit] = ~self._shaded(self.camera.rays[proxy.hit] * proxy.depth[proxy.hit][:, None], bodies)
        return lit

    def _shaded(self, points: Float64[np.ndarray, "*N 3"], bodies: Iterable[Body]) -> Bool[np.ndarray, "*N"]:
        found = np.zeros(points.shape[:-1], dtype=bool)
        for body in bodies:
            above = np.array([body.pose.x, body.pose.y, body.pose.top])
            found |= shaded(points, body.pose, body.shape, self.light.towards(above))
        return found


def _flat(shapes: Mapping[str, Shape]) -> bool:
    return any(isinstance(shape, Outline) for shape in shapes.values())


def _window(where: Bool[np.ndarray, "H W"], margin: int) -> tuple[slice, slice]:
    """The rows and columns of some pixels, and so many more on each side."""
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def continued(
    picture: np.ndarray, known: Bool[np.ndarray, "H W"], reach: int
) -> Float32[np.ndarray, "H W C"]:
    """A picture (H, W, C) with what is not known continued from around it, ring by ring, up to `reach` rings."""
    picture, known = picture.astype(np.float32), known.copy()
    for _ in range(reach):
        if known.all() or not known.any():
            break
        count = _sum_of_neighbours(known[..., None].astype(np.float32))
        total = _sum_of_neighbours(np.where(known[..., None], picture, np.float32(0.0)))
        ring = ~known & (count[..., 0] > 0)
        picture[ring] = (total / np.maximum(count, 1.0))[ring]
        known |= ring
    return picture


def lit(
    frame: UInt8[np.ndarray, "H W 3"],
    own: Bool[np.ndarray, "H W"],
    shade: Shaped[np.ndarray, "H W"],
    full: Shaped[np.ndarray, "H W"],
    otherwise: float,
) -> Float32[np.ndarray, "H W"]:
    """How much of the lamp's light reached a body, in [0, 1], continued to where another may be.

    A surface that is turned away from the lamp does not say; where none does, it is `otherwise`.

    Args:
        frame: the source.
        own: the body's pixels.
        shade: how bright it would be there out of the lamp's light, in [0, 1] (largest channel).
        full: how bright in that light.
        otherwise: in [0, 1].
    """
    share, tells = _told(frame, own, shade, full)
    known = np.where(tells, share, otherwise)
    return np.asarray(continued(known[..., None], tells, reach=LIT_REACH)[..., 0])


def _told(
    frame: UInt8[np.ndarray, "H W 3"],
    own: Bool[np.ndarray, "H W"],
    shade: Shaped[np.ndarray, "H W"],
    full: Shaped[np.ndarray, "H W"],
) -> tuple[Float32[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
    """How much of the lamp's light reached a body by each of its pixels, see `lit`, and which pixels say so."""
    bright = frame.max(axis=-1) / 255.0
    tells = inner(own) & (full - shade > LIT_CONTRAST * shade)
    share = np.clip((bright - shade) / np.maximum(full - shade, 1e-6), 0.0, 1.0)
    return share.astype(np.float32), tells


def _sum_of_neighbours(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])
