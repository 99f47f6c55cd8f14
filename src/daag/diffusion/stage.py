"""What stands still in an episode, camera and lamp, and what the picture would hold were one of the objects another.

Source: our choice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int8, UInt8

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.intrinsics import inner
from daag.diffusion.lighting import Light, fit_light
from daag.diffusion.proxies import Pose, TableCamera, cast, locate, shaded

MARGIN = 8
"""Pixels around an object from which the table behind it is continued."""

LIGHT_FRAMES = 4
"""Frames, spread over the episode, from which the light is read."""

GLOSSY = 10.0
"""Grey level of a highlight from which on an object counts as glossy."""

LIT_PERCENTILE = 60
"""Of an object's pixels, by brightness over what the light makes of their normals: most are lit, some in the shade."""


@dataclass(frozen=True, eq=False)
class Body:
    """An upright object."""

    kind: str
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

    @classmethod
    def of(cls, frames: UInt8[np.ndarray, "N H W 3"], conditions: Conditions) -> "Stage | None":
        """Read them from some frames; None where too little of a table is seen in all of them."""
        for depth, normals, segmentation in zip(
            conditions.depth, conditions.normals, conditions.segmentation, strict=True
        ):
            camera = TableCamera.of(depth, normals, segmentation)
            if camera is not None:
                few = np.unique(np.linspace(0, len(frames) - 1, LIGHT_FRAMES).round().astype(int))
                points = np.stack([camera.unproject(one) for one in conditions.depth[few]])
                light, gloss = fit_light(
                    frames[few],
                    conditions.segmentation[few],
                    conditions.normals[few],
                    points,
                    camera.to_table,
                )
                return cls(camera, light, gloss)
        return None

    def bodies(self, frames: UInt8[np.ndarray, "N H W 3"], conditions: Conditions) -> list[dict[int, Body]]:
        """The objects of each frame that stand upright, by id."""
        found: list[dict[int, Body]] = []
        for frame, segmentation, depth, normals in zip(
            frames, conditions.segmentation, conditions.depth, conditions.normals, strict=True
        ):
            found.append({})
            for object_id, kind in conditions.kinds.items():
                own = segmentation == object_id
                pose = locate(self.camera, depth, normals, own, kind)
                if pose is not None:
                    colour = self.colour(frame, depth, normals, own, object_id)
                    found[-1][object_id] = Body(kind, pose, colour, self.gloss.get(object_id, 0.0))
        return found

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

    def background(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        table: Bool[np.ndarray, "H W"],
        before: Sequence[Body],
        others: Sequence[Body],
        instead: Body,
        where: Bool[np.ndarray, "H W"],
    ) -> Float32[np.ndarray, "H W 3"]:
        """What is seen behind an object: the table and the other objects, in the shadows that fall there now.

        Args:
            frame: the picture.
            table: where it shows the bare table.
            before: all bodies, as they are in the picture.
            others: the bodies that are to be seen, all but the one in question.
            instead: what is put in its place; throws a shadow and is not drawn.
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
        nearest = bare[window]
        for body in others:
            proxy = cast(self.camera, body.pose, body.kind)
            depth = proxy.depth[window]
            seen = (proxy.coverage[window] >= 0.5) & (depth < nearest)
            if not seen.any():
                continue
            surface = self.camera.unproject(proxy.depth)[window]
            reached = ~self._shaded(surface, [other for other in (*others, instead) if other is not body])
            facing = proxy.normals[window] @ self.camera.to_table.T
            brightness = self.light.on(surface, facing, reached)[..., None]
            highlight = (body.gloss * reached * self.light.shine(surface, facing))[..., None]
            picture = np.where(seen[..., None], body.colour * brightness + highlight, picture)
            nearest = np.where(seen, depth, nearest)
        full = frame.astype(np.float32)
        full[window] = np.where(where[window][..., None], np.clip(picture, 0.0, 255.0), full[window])
        return full

    def _shaded(
        self, points: Float64[np.ndarray, "A B 3"], bodies: Iterable[Body]
    ) -> Bool[np.ndarray, "A B"]:
        found = np.zeros(points.shape[:2], dtype=bool)
        for body in bodies:
            above = np.array([body.pose.x, body.pose.y, body.pose.top])
            found |= shaded(points, body.pose, body.kind, self.light.towards(above))
        return found


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
