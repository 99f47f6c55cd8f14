"""What stands still in an episode, camera and lamp, and what the picture would hold were one of the objects another.

Source: our choice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int8, Int16, Shaped, UInt8

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.gripper import gripper_pixels
from daag.diffusion.intrinsics import inner
from daag.diffusion.lighting import Light, fit_light
from daag.diffusion.poses import Pose, locate
from daag.diffusion.proxies import Proxy, cast, shaded
from daag.diffusion.settling import settled
from daag.diffusion.shadows import towards_lamp
from daag.diffusion.table_camera import TableCamera
from daag.tasks import SHAPES, EditPlan, Outline, Shape

MARGIN = 8
"""Pixels around an object from which the table behind it is continued."""

EXPLAINED = 0.95
"""Share of an object's pixels that must fit where it stood in another frame, to say that it still stands there."""

SAME_METRES = 0.002
"""By how much the depths of most of them (three in four: bends apart) may differ then."""

GLOSSY = 10.0
"""Grey level of a highlight from which on an object counts as glossy."""

LIT_PERCENTILE = 60
"""Of an object's pixels, by brightness over what the light makes of their normals: most are lit, some in the shade."""


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

    @property
    def flat(self) -> bool:
        """Whether objects are flat blocks, a few pixels wide, of which an outline runs through most pixels: where they lie
        then says more about the outline than colours do."""
        return any(isinstance(shape, Outline) for shape in self.shapes.values())

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
                points = np.stack([camera.unproject(one) for one in conditions.depth])
                words = {key: name.split()[0] for name, key in conditions.object_ids.items()}
                # What is upright says by its sides where the lamp is; a flat block says little.
                flat = any(isinstance(shape, Outline) for shape in shapes.values())
                told = (frames, conditions.segmentation, conditions.depth, camera)
                towards = towards_lamp(*told) if flat else None
                light, gloss = fit_light(
                    frames,
                    conditions.segmentation,
                    conditions.normals,
                    points,
                    camera.to_table,
                    words,
                    towards,
                )
                return cls(camera, light, gloss, shapes)
        return None

    def with_gloss(self, object_id: int, gloss: float) -> "Stage":
        """The same with one object whose highlight has another grey level."""
        return replace(self, gloss={**self.gloss, object_id: gloss})

    def bodies(
        self,
        frames: UInt8[np.ndarray, "N H W 3"],
        conditions: Conditions,
        plan: EditPlan | None = None,
    ) -> list[dict[int, Body]]:
        """The objects of each frame that stand upright, by id.

        Args:
            frames: the source.
            conditions: their geometry.
            plan: flat blocks whose kind it changes get poses that fit the colours at their outline, too.
        """
        exactly = {edit.source for edit in plan.edits if edit.changes_kind} if plan is not None else set()
        exact_ids = {conditions.object_ids[name] for name in exactly}
        found: list[dict[int, Body]] = [{} for _ in frames]
        for object_id, kind in conditions.kinds.items():
            if kind not in self.shapes:
                continue
            shape = self.shapes[kind]
            owns = conditions.segmentation == object_id
            known: list[tuple[Pose, Proxy]] = []
            poses: dict[int, Pose] = {}
            # What shows most of the object comes first: where it stood still, less of it tells no other pose.
            for position in np.argsort(-owns.sum(axis=(1, 2)), kind="stable"):
                own, depth, normals = owns[position], conditions.depth[position], conditions.normals[position]
                if not own.any():
                    break
                pose = next((pose for pose, proxy in known if _explains(proxy, own, depth)), None)
                if pose is None:
                    pose = locate(self.camera, depth, normals, own, shape)
                    if pose is None:
                        continue
                    known.append((pose, cast(self.camera, pose, shape)))
                poses[int(position)] = pose
            if object_id in exact_ids and isinstance(shape, Outline):
                others = (conditions.segmentation > 0) & ~owns
                others |= gripper_pixels(conditions.segmentation, conditions.depth, self.camera)
                poses = settled(self.camera, frames, owns, others, shape, poses)
            for position, pose in poses.items():
                own, depth, normals = owns[position], conditions.depth[position], conditions.normals[position]
                colour = self.colour(frames[position], depth, normals, own, object_id)
                found[position][object_id] = Body(shape, pose, colour, self.gloss.get(object_id, 0.0))
        return found

    def coverage(
        self,
        bodies: Mapping[int, Body],
        object_id: int,
        segmentation: Int16[np.ndarray, "H W"],
        depth: Float16[np.ndarray, "H W"],
    ) -> Float32[np.ndarray, "H W"] | None:
        """How much of each pixel an object covers, in [0, 1], by where it stands and what stands before it.

        Args:
            bodies: of the frame.
            object_id: of the object.
            segmentation: ids.
            depth: metres.

        Returns:
            nan where that does not tell: beside what is nearer than the table and no object (the gripper), and beside
            objects of which no pose is known. None where the object's own pose is not known.
        """
        if object_id not in bodies:
            return None
        proxy = cast(self.camera, bodies[object_id].pose, bodies[object_id].shape)
        hit = proxy.hit.copy()
        for key, other in bodies.items():
            if key != object_id:
                hit &= proxy.depth <= cast(self.camera, other.pose, other.shape).depth
        own = segmentation == object_id
        share = hit.mean(axis=0, dtype=np.float32)
        # A pose is not exact: of a pixel that is the object's it covers half at least, of another half at most.
        share = np.where(own, np.maximum(share, 0.5), np.minimum(share, 0.5))
        unknown = gripper_pixels(segmentation, depth, self.camera)
        unknown |= (segmentation > 0) & ~np.isin(segmentation, list(bodies))
        return np.where(dilate(unknown), np.float32(np.nan), share).astype(np.float32)

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

    def highlight(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        depth: Float16[np.ndarray, "H W"],
        normals: Int8[np.ndarray, "H W 3"],
        own: Bool[np.ndarray, "H W"],
        object_id: int,
    ) -> Float32[np.ndarray, "H W"] | None:
        """Grey levels that the lamp's mirror image adds to an object; None where it is not glossy."""
        gloss = self.gloss.get(object_id, 0.0)
        if gloss < GLOSSY:
            return None
        shine = self.light.shine(*self.camera.surface(depth, normals, own))
        highlight = np.zeros(own.shape, dtype=np.float32)
        # White light: no channel can have less. So what lies in the shade keeps its colour.
        highlight[own] = np.minimum(gloss * shine, frame[own].min(axis=-1))
        return highlight

    def appearance(
        self, proxy: Proxy, reached: Shaped[np.ndarray, "H W"]
    ) -> tuple[Float32[np.ndarray, "4 H W"], Float32[np.ndarray, "4 H W"]]:
        """How bright a white body is at each sample, and how much of the lamp it mirrors; 0 where samples miss it.

        Args:
            proxy: the body.
            reached: whether the lamp's light reaches it in each pixel, or how much of it.
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
        table: Bool[np.ndarray, "H W"],
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
            table: where it shows the bare table.
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
        window = _window(where)
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

    def _shaded(
        self, points: Float64[np.ndarray, "A B 3"], bodies: Iterable[Body]
    ) -> Bool[np.ndarray, "A B"]:
        found = np.zeros(points.shape[:2], dtype=bool)
        for body in bodies:
            above = np.array([body.pose.x, body.pose.y, body.pose.top])
            found |= shaded(points, body.pose, body.shape, self.light.towards(above))
        return found


def _explains(proxy: Proxy, own: Bool[np.ndarray, "H W"], depth: Float16[np.ndarray, "H W"]) -> bool:
    """Whether an object may well stand where a body was cast: all of what is seen of it lies where the body would."""
    at = proxy.hit[:, own]
    if at.any(axis=0).mean() <= EXPLAINED:
        return False
    covered = at.all(axis=0)
    off = np.abs(proxy.depth[:, own][:, covered].mean(axis=0) - depth[own][covered].astype(np.float64))
    return bool(covered.any() and np.quantile(off, 0.75) < SAME_METRES)


def _window(where: Bool[np.ndarray, "H W"]) -> tuple[slice, slice]:
    """The rows and columns around some pixels, with room for the background to be continued from."""
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - MARGIN), int(rows[-1]) + MARGIN + 1),
        slice(max(0, int(columns[0]) - MARGIN), int(columns[-1]) + MARGIN + 1),
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


def _sum_of_neighbours(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])
