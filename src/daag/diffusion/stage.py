"""What stands still in an episode, camera and lamp, and what the picture would hold were one of the objects another.

Source: our choice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, UInt8

from daag.diffusion.compositing import dilate
from daag.diffusion.editor import Conditions
from daag.diffusion.intrinsics import inner
from daag.diffusion.lighting import Light, fit_light
from daag.diffusion.proxies import Pose, TableCamera, cast, locate, shaded

MARGIN = 8
"""Pixels around an object from which the table behind it is continued."""

LIT_PERCENTILE = 60
"""Of an object's pixels, by brightness over what the light makes of their normals: most are lit, some in the shade."""


@dataclass(frozen=True, eq=False)
class Body:
    """An upright object."""

    kind: str
    pose: Pose
    colour: Float64[np.ndarray, "3"]
    """Grey levels where only light from everywhere falls on it, seen sideways."""


@dataclass(frozen=True, eq=False)
class Stage:
    """Camera and light of an episode."""

    camera: TableCamera
    light: Light

    @classmethod
    def of(cls, frames: UInt8[np.ndarray, "N H W 3"], conditions: Conditions) -> "Stage | None":
        """Read them from some frames; None where too little of a table is seen in all of them."""
        for depth, normals, segmentation in zip(
            conditions.depth, conditions.normals, conditions.segmentation, strict=True
        ):
            camera = TableCamera.of(depth, normals, segmentation)
            if camera is not None:
                light = fit_light(frames, conditions.segmentation, conditions.normals, camera.to_table)
                return cls(camera, light)
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
                    found[-1][object_id] = Body(kind, pose, self.colour(frame, normals, own))
        return found

    def colour(
        self,
        frame: UInt8[np.ndarray, "H W 3"],
        normals: Int8[np.ndarray, "H W 3"],
        own: Bool[np.ndarray, "H W"],
    ) -> Float64[np.ndarray, "3"]:
        """An object's grey levels where only light from everywhere falls on it, seen sideways."""
        inside = inner(own)
        expected = self.light.on(normals[inside] / 127.0 @ self.camera.to_table.T)
        return np.asarray(np.percentile(frame[inside] / expected[:, None], LIT_PERCENTILE, axis=0))

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
        bare = self.camera.table_depth[window]
        points = self.camera.unproject(self.camera.table_depth)[window]
        lit = table[window] & ~dilate(self._shaded(points, before))
        up = np.array([0.0, 0.0, 1.0])
        shade = float(self.light.on(up, 0.0) / self.light.on(up))
        dark = self._shaded(points, [*others, instead])
        picture = continued(frame[window], lit, reach=3 * MARGIN) * np.where(dark, shade, 1.0)[..., None]
        nearest = bare
        for body in others:
            proxy = cast(self.camera, body.pose, body.kind)
            depth = proxy.depth[window]
            seen = (proxy.coverage[window] >= 0.5) & (depth < nearest)
            if not seen.any():
                continue
            surface = self.camera.unproject(proxy.depth)[window]
            reached = ~self._shaded(surface, [other for other in (*others, instead) if other is not body])
            brightness = self.light.on(proxy.normals[window] @ self.camera.to_table.T, reached)
            picture = np.where(seen[..., None], body.colour * brightness[..., None], picture)
            nearest = np.where(seen, depth, nearest)
        full = frame.astype(np.float32)
        full[window] = np.where(where[window][..., None], np.clip(picture, 0.0, 255.0), full[window])
        return full

    def _shaded(
        self, points: Float64[np.ndarray, "A B 3"], bodies: Iterable[Body]
    ) -> Bool[np.ndarray, "A B"]:
        found = np.zeros(points.shape[:2], dtype=bool)
        for body in bodies:
            found |= shaded(points, body.pose, body.kind, self.light.direction)
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
