"""A camera that casts rays: RGB, depth, normals and segmentation in one go, without OpenGL.

`mj_multiRay` finds what every ray hits, how far away, and the surface's normal there; a second call, from the light
towards the hits, finds the shadows. A default picture has 2 x 2 samples per pixel, but the first sample of every pixel
is cast alone at first. Only where those around a pixel disagree (another object, a bend, a shadow's edge) are the
others cast too; elsewhere the pixel shows one plane, and what its samples would show follows. A fast picture has one
sample and no shadows; a camera that stands still draws of it anew only what may show something that moved. Source: our choice.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, sqrt
from typing import Literal, NamedTuple

import mujoco
import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int8, Int16, Int32, Int64, UInt8

from daag.envs.movement import Movement
from daag.envs.shading import Light, Surfaces, dot, shade
from daag.errors import ConfigError

BEND = 1e-4
"""Distance between two unit normals from which on they belong to different planes."""

EDGE_ON = 0.05
"""Cosine between a ray and a surface's normal below which the surface is seen edge on."""

Quality = Literal["default", "fast"]
"""`default`: 2 x 2 rays per pixel and hard shadows. `fast`: one ray per pixel, no shadows."""


@dataclass(frozen=True, eq=False)
class View:
    """The four images of one moment."""

    rgb: UInt8[np.ndarray, "H W 3"]
    depth: Float16[np.ndarray, "H W"]
    """Metres along the camera's axis, at the middle of each pixel; 0 where nothing was hit."""
    normals: Int8[np.ndarray, "H W 3"]
    """Unit normals in camera coordinates (x right, y down, z forward) times 127; 0 where nothing was hit."""
    segmentation: Int16[np.ndarray, "H W"]
    """The id that `Surfaces.object_id` gives to the geom; 0 for everything else."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        return all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self._images(), other._images(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def _images(self) -> tuple[np.ndarray, ...]:
        return self.rgb, self.depth, self.normals, self.segmentation


class _Pixels(NamedTuple):
    """The four images of P pixels, as `View` has them."""

    rgb: UInt8[np.ndarray, "P 3"]
    depth: Float16[np.ndarray, "P"]
    normals: Int8[np.ndarray, "P 3"]
    segmentation: Int16[np.ndarray, "P"]


@dataclass(frozen=True)
class CameraPose:
    """Where a camera stands, where it looks and how wide. Metres and degrees; world z is up.

    Raises:
        ConfigError: a number is not finite, the angle is not between 0 and 180 degrees, or the camera looks straight up or
            down, or nowhere, so that nothing says where its picture's top is.
    """

    position: tuple[float, float, float]
    look_at: tuple[float, float, float]
    fovy_degrees: float = 40.0

    def __post_init__(self) -> None:
        if not all(map(isfinite, (*self.position, *self.look_at))) or not 0.0 < self.fovy_degrees < 180.0:
            raise ConfigError(f"expected finite metres, and an angle between 0 and 180 degrees, got {self}")
        if self.position[:2] == self.look_at[:2]:
            raise ConfigError(
                f"expected a camera that does not look straight up or down, got {self}; move its position a millimetre aside, "
                "away from what shall be the picture's top"
            )

    @property
    def rotation(self) -> Float64[np.ndarray, "3 3"]:
        """Columns: the camera's x (right), y (down) and z (forward) in world coordinates."""
        forward = np.subtract(self.look_at, self.position)
        forward = forward / sqrt(forward @ forward)
        # The cross products of `forward` with up, and with `right`: np.cross takes as long as a third of the rays.
        ahead_x, ahead_y, ahead_z = (float(part) for part in forward)
        right = np.array([ahead_y, -ahead_x, 0.0])
        right /= sqrt(right @ right)
        right_x, right_y = float(right[0]), float(right[1])
        return np.array(
            [
                [right_x, -ahead_z * right_y, ahead_x],
                [right_y, ahead_z * right_x, ahead_y],
                [0.0, ahead_x * right_y - ahead_y * right_x, ahead_z],
            ]
        )

    def pixel_to_plane(self, width: int, height: int, plane_z: float) -> Float32[np.ndarray, "3 3"]:
        """The homography from pixels to a horizontal plane.

        Args:
            width: of the picture, in pixels.
            height: of the picture, in pixels.
            plane_z: height of the plane in metres.

        Returns:
            H, float32 (3, 3): H @ (x, y, 1) = w * (X, Y, 1), pixel centres at .5, X and Y in metres.
        """
        rays = self.rotation @ _pixel_to_ray(width, height, self.fovy_degrees)
        drop = plane_z - self.position[2]
        to_plane = np.array(
            [[drop, 0.0, self.position[0]], [0.0, drop, self.position[1]], [0.0, 0.0, 1.0]], dtype=np.float64
        )
        # A ray (a, b, c) meets the plane at position + (a, b) * drop / c: homogeneous (a, b, c) does the division.
        return np.asarray(to_plane @ rays, dtype=np.float32)


class _Hits(NamedTuple):
    """What R rays met."""

    rays: Float64[np.ndarray, "R 3"]
    """Directions of length 1 along the camera's axis, so that MuJoCo's distances are depths."""
    geom: Int32[np.ndarray, "R"]
    """-1 where there was nothing."""
    depth: Float64[np.ndarray, "R"]
    """Metres; 0 where there was nothing."""
    normal: Float32[np.ndarray, "R 3"]
    """World coordinates; 0 where there was nothing."""
    lit: Bool[np.ndarray, "R"]
    """Whether the light reaches the hit; always so without shadows."""

    def at(self, index: np.ndarray) -> "_Hits":
        """Some of them."""
        return _Hits(*(part[index] for part in self))

    def joined_by(self, others: "_Hits") -> "_Hits":
        """These, then others."""
        return _Hits(*map(np.concatenate, zip(self, others, strict=True)))


class RayCastCamera:
    """Renders a MuJoCo model from one pose. Keeps its ray directions, and the last fast picture.

    Geoms may be moved by joints, mocap bodies, or in the model; whose shape or colour is changed needs a new camera.

    Raises:
        ConfigError: the picture's size is not positive, or the quality is unknown.
    """

    def __init__(
        self, pose: CameraPose, width: int = 64, height: int = 64, quality: Quality = "default"
    ) -> None:
        if width < 1 or height < 1:
            raise ConfigError(f"expected a picture of at least 1 x 1 pixels, got {width} x {height}")
        if quality not in ("default", "fast"):
            raise ConfigError(f"expected quality 'default' or 'fast', got {quality!r}")
        self.pose, self.width, self.height, self.quality = pose, width, height, quality
        self._origin = np.array(pose.position, dtype=np.float64)
        axes = pose.rotation
        to_world, self._rotation = axes.T, axes.astype(np.float32)
        centers, samples, grid = _rays(width, height, pose.fovy_degrees)
        self._middles = np.ascontiguousarray(centers @ to_world)
        if quality == "fast":
            focal = 1.0 / _pixel_to_ray(width, height, pose.fovy_degrees)[0, 0]
            self._movement = Movement(self._origin, axes, focal, width, height)
            self._last: tuple[Surfaces, Light, _Pixels] | None = None
            return
        self._centers = self._middles.astype(np.float32)
        self._samples = samples @ to_world
        self._offsets = (self._samples[:, 0] - self._middles[0]).astype(np.float32)
        self._grid = np.ascontiguousarray(grid @ to_world)
        # The first samples of a pixel, its right, its lower and its diagonal neighbour enclose its other samples. So
        # the grid of first samples has a column and a row more than the picture.
        self._grid_shape = (height + 1, width + 1)
        self._first = np.arange(len(grid)).reshape(self._grid_shape)[:height, :width].ravel()

    def render(self, model: mujoco.MjModel, data: mujoco.MjData, surfaces: Surfaces, light: Light) -> View:
        """Draw the scene as `data` has it (after `mj_forward` or `mj_kinematics`)."""
        if self.quality == "fast":
            return self._render_fast(model, data, surfaces, light)
        grid = self._cast(model, data, light, self._grid)
        mixed = self._mixed(grid)
        flat, several = np.flatnonzero(~mixed), np.flatnonzero(mixed)
        geom, rays, depth, normal = (
            part[self._first] for part in (grid.geom, grid.rays, grid.depth, grid.normal)
        )
        rgb = np.empty((3, len(geom)), dtype=np.float32)
        rgb[:, flat] = self._shade_flat(grid.at(self._first[flat]), flat, surfaces, light)
        if len(several):
            others = self._cast(model, data, light, self._samples[1:, several].reshape(-1, 3))
            samples = grid.at(self._first[several]).joined_by(others)
            rgb[:, several] = self._shade(samples, surfaces, light).reshape(3, -1, len(several)).mean(axis=1)
            # Geometry cannot be averaged: a pixel takes it from a sample that hit what most of its samples hit.
            ids = surfaces.ids_of(samples.geom).reshape(-1, len(several))
            votes = (ids[:, None] == ids[None]).sum(axis=1)
            chosen = votes.argmax(axis=0) * len(several) + np.arange(len(several))
            images = (
                (geom, samples.geom),
                (rays, samples.rays),
                (depth, samples.depth),
                (normal, samples.normal),
            )
            for image, part in images:
                image[several] = part[chosen]
            # Where they are divided the middle decides; else every outline would lie a little to one side.
            divided = several[votes.max(axis=0) * 2 <= len(votes)]
            rays[divided] = self._centers[divided]
            geom[divided], depth[divided], normal[divided] = _multi_ray(
                model, data, self._origin, np.ascontiguousarray(rays[divided])
            )
        depth = np.where(geom < 0, 0.0, depth) * self._to_centers(rays, normal)
        return self._view(self._pixels(rgb, geom, depth, normal, surfaces))

    def _pixels(
        self,
        rgb: Float32[np.ndarray, "3 P"],
        geom: Int32[np.ndarray, "P"],
        depth: Float64[np.ndarray, "P"],
        normal: Float64[np.ndarray, "P 3"] | Float32[np.ndarray, "P 3"],
        surfaces: Surfaces,
    ) -> _Pixels:
        levels = rgb * np.float32(255.0)
        np.rint(np.minimum(np.maximum(levels, 0, out=levels), 255, out=levels), out=levels)
        normals = normal @ self._rotation
        normals *= 127.0
        return _Pixels(
            rgb=np.ascontiguousarray(levels.astype(np.uint8).T),
            depth=depth.astype(np.float16),
            normals=np.rint(normals, out=normals).astype(np.int8),
            segmentation=surfaces.ids_of(geom),
        )

    def _view(self, pixels: _Pixels) -> View:
        return View(*(image.reshape(self.height, self.width, *image.shape[1:]) for image in pixels))

    def unproject(
        self, depth: Float16[np.ndarray, "H W"], pixels: Int64[np.ndarray, "K"]
    ) -> Float64[np.ndarray, "K 3"]:
        """World coordinates, in metres, of what some pixels show; the camera's own position where depth is 0.

        Args:
            depth: of the whole picture, as `View` has it.
            pixels: which, counted row by row.
        """
        along = depth.ravel().take(pixels).astype(np.float64)
        return np.asarray(self._origin + self._middles.take(pixels, axis=0) * along[:, None])

    def _render_fast(
        self, model: mujoco.MjModel, data: mujoco.MjData, surfaces: Surfaces, light: Light
    ) -> View:
        """Draw only what may have changed since the last picture."""
        moved, last = self._movement.since_last(model, data), self._last
        if moved is None or last is None or last[0] is not surfaces or last[1] != light:
            pixels = self._draw_fast(model, data, surfaces, light, self._middles)
        else:
            pixels = last[2]
            drawn = self._draw_fast(model, data, surfaces, light, self._middles[moved])
            for known, new in zip(pixels, drawn, strict=True):
                known[moved] = new
        self._last = surfaces, light, pixels
        return self._view(_Pixels(*(image.copy() for image in pixels)))

    def _draw_fast(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        surfaces: Surfaces,
        light: Light,
        rays: Float64[np.ndarray, "R 3"],
    ) -> _Pixels:
        hits = self._cast(model, data, light, rays)
        return self._pixels(self._shade(hits, surfaces, light), hits.geom, hits.depth, hits.normal, surfaces)

    def _cast(
        self, model: mujoco.MjModel, data: mujoco.MjData, light: Light, rays: Float64[np.ndarray, "R 3"]
    ) -> _Hits:
        geom, depth, normal = _multi_ray(model, data, self._origin, rays)
        depth[geom < 0] = 0.0
        lit = np.ones(len(rays), dtype=bool)
        if self.quality == "default":
            origin = np.array(light.position, dtype=np.float64)
            towards = self._origin + rays * depth[:, None] - origin
            _, reach, _ = _multi_ray(model, data, origin, towards)
            lit = reach > 1.0 - 2e-3  # nothing nearer than the hit itself, up to 2 mm per metre
        return _Hits(rays, geom, depth, normal.astype(np.float32), lit)

    def _mixed(self, grid: _Hits) -> Bool[np.ndarray, "P"]:
        """Which pixels may show more than one plane, or a shadow's edge."""
        seen = (grid.geom * 2 + grid.lit).reshape(self._grid_shape)
        normal = grid.normal.reshape(*self._grid_shape, 3)
        across, down = normal[:, 1:] - normal[:, :-1], normal[1:] - normal[:-1]
        right = (seen[:, 1:] != seen[:, :-1]) | (np.einsum("hwc,hwc->hw", across, across) > BEND**2)
        below = (seen[1:] != seen[:-1]) | (np.einsum("hwc,hwc->hw", down, down) > BEND**2)
        return (right[1:] | right[:-1] | below[:, 1:] | below[:, :-1]).ravel()

    def _to_centers(
        self, rays: Float64[np.ndarray, "P 3"], normals: Float32[np.ndarray, "P 3"]
    ) -> Float64[np.ndarray, "P"]:
        """How much farther the plane that each ray hit is along the middle of the ray's pixel."""
        along, at_center = (np.einsum("pc,pc->p", normals, which) for which in (rays, self._centers))
        # Seen edge on, a plane may be anywhere.
        steep = np.abs(at_center) > EDGE_ON * np.linalg.norm(self._centers, axis=1)
        return np.divide(along, at_center, out=np.ones(len(rays)), where=steep)

    def _shade(self, hits: _Hits, surfaces: Surfaces, light: Light) -> Float32[np.ndarray, "3 R"]:
        rays, normals = _rows(hits.rays), _rows(hits.normal)
        points = self._origin.astype(np.float32)[:, None] + rays * hits.depth.astype(np.float32)
        brightness = np.ones(len(hits.geom), dtype=np.float32)
        for geom, texture in surfaces.textures.items():
            there = np.flatnonzero(hits.geom == geom)
            brightness[there] = texture.at(*(points[axis, there] for axis in texture.axes))
        return shade(surfaces, light, hits.geom, points, normals, rays, brightness, hits.lit)

    def _shade_flat(
        self, hits: _Hits, pixels: np.ndarray, surfaces: Surfaces, light: Light
    ) -> Float32[np.ndarray, "3 R"]:
        """Colours of pixels that show one plane: the light is that of their centre, the texture of all samples."""
        # A plane through a hit at depth d of ray r, with normal n, has depth d * (n . r) / (n . s) along ray s.
        normals, rays = _rows(hits.normal), _rows(self._centers[pixels])
        rise = hits.depth.astype(np.float32) * dot(normals, _rows(hits.rays))
        slope = np.where(hits.geom >= 0, dot(normals, rays), np.float32(1.0))
        points = self._origin.astype(np.float32)[:, None] + rays * (rise / slope)
        brightness = np.ones(len(pixels), dtype=np.float32)
        for geom, texture in surfaces.textures.items():
            there = np.flatnonzero(hits.geom == geom)
            # To the centre's ray add the way to each sample's, the same in every pixel; one row per sample.
            depths = rise[there] / (slope[there] + self._offsets @ normals[:, there])
            along = (
                np.float32(self.pose.position[axis])
                + (rays[axis, there] + self._offsets[:, axis, None]) * depths
                for axis in texture.axes
            )
            brightness[there] = texture.at(*along).mean(axis=0)
        return shade(surfaces, light, hits.geom, points, normals, rays, brightness, hits.lit)


@lru_cache(maxsize=8)
def _rays(
    width: int, height: int, fovy_degrees: float
) -> tuple[Float64[np.ndarray, "P 3"], Float64[np.ndarray, "S P 3"], Float64[np.ndarray, "G 3"]]:
    """Rays in camera coordinates, row by row: pixels' middles, pixels' samples, and the grid of first samples.

    A camera that moves has the same rays at every moment, only turned.
    """
    offsets = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)]
    to_ray = _pixel_to_ray(width, height, fovy_degrees)

    def through(columns: int, rows: int, x: float, y: float) -> Float64[np.ndarray, "R 3"]:
        grid_y, grid_x = np.meshgrid(np.arange(rows) + y, np.arange(columns) + x, indexing="ij")
        return np.stack([grid_x, grid_y, np.ones_like(grid_x)], axis=-1).reshape(-1, 3) @ to_ray.T

    return (
        through(width, height, 0.5, 0.5),
        np.stack([through(width, height, *offset) for offset in offsets]),
        through(width + 1, height + 1, *offsets[0]),
    )


def _multi_ray(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    origin: Float64[np.ndarray, "3"],
    rays: Float64[np.ndarray, "R 3"],
) -> tuple[Int32[np.ndarray, "R"], Float64[np.ndarray, "R"], Float64[np.ndarray, "R 3"]]:
    """What each ray hits (-1: nothing), how many of its lengths away, and the unit normal there."""
    count = len(rays)
    geom, normal = np.empty(count, dtype=np.int32), np.empty((count, 3))
    distance = np.empty(count)
    farthest = mujoco.mjMAXVAL
    mujoco.mj_multiRay(
        model, data, origin, rays.ravel(), None, 1, -1, geom, distance, normal.ravel(), count, farthest
    )
    return geom, distance, normal


def _rows(vectors: Float64[np.ndarray, "R 3"] | Float32[np.ndarray, "R 3"]) -> Float32[np.ndarray, "3 R"]:
    """Vectors with their coordinates first."""
    return np.ascontiguousarray(vectors.T, dtype=np.float32)


def _pixel_to_ray(width: int, height: int, fovy_degrees: float) -> Float64[np.ndarray, "3 3"]:
    """From pixel (x, y, 1) to a ray in camera coordinates whose third component is 1."""
    per_pixel = 2.0 * np.tan(np.radians(fovy_degrees) / 2.0) / height
    return np.array(
        [[per_pixel, 0.0, -per_pixel * width / 2], [0.0, per_pixel, -per_pixel * height / 2], [0.0, 0.0, 1.0]]
    )
