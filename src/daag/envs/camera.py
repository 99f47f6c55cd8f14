"""A camera that casts rays: RGB, depth, normals and segmentation in one go, without OpenGL.

One call of `mj_multiRay` finds what every ray hits, how far away, and the surface's normal there; a second one,
from the light towards the hit points, finds the shadows. Shading is a few NumPy operations over the hits:
ambient light from above, a diffuse and a glossy term, no gamma (so that pixels are linear in albedo).
Source: our choice; the rendering equation's textbook Blinn-Phong form.
"""

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from jaxtyping import Float, Float16, Float32, Float64, Int8, Int16, UInt8

from daag.errors import ConfigError

Quality = Literal["default", "fast"]
"""`default`: 2 x 2 rays per pixel and hard shadows. `fast`: one ray per pixel, no shadows."""


@dataclass(frozen=True, eq=False)
class View:
    """The four images of one moment."""

    rgb: UInt8[np.ndarray, "H W 3"]
    depth: Float16[np.ndarray, "H W"]
    """Metres along the camera's axis; 0 where the ray hit nothing."""
    normals: Int8[np.ndarray, "H W 3"]
    """Unit normals in camera coordinates (x right, y down, z forward) times 127; 0 where nothing was hit."""
    segmentation: Int16[np.ndarray, "H W"]
    """The id that `Surfaces.object_id` gives to the geom; 0 for everything else."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        return all(np.array_equal(mine, theirs) for mine, theirs in zip(self._images(), other._images(), strict=True))

    __hash__ = None  # type: ignore[assignment]

    def _images(self) -> tuple[np.ndarray, ...]:
        return self.rgb, self.depth, self.normals, self.segmentation


@dataclass(frozen=True)
class CameraPose:
    """Where a camera stands, where it looks and how wide. Metres and degrees; world z is up."""

    position: tuple[float, float, float]
    look_at: tuple[float, float, float]
    fovy_degrees: float = 40.0

    @property
    def rotation(self) -> Float64[np.ndarray, "3 3"]:
        """Columns: the camera's x (right), y (down) and z (forward) in world coordinates."""
        forward = np.subtract(self.look_at, self.position)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward], axis=1)

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


@dataclass(frozen=True)
class Light:
    """A point light and the light that comes from everywhere. Strengths add up to at most 1, so nothing clips."""

    position: tuple[float, float, float]
    ambient: float = 0.45
    diffuse: float = 0.55

    def __post_init__(self) -> None:
        if min(self.ambient, self.diffuse) < 0 or self.ambient + self.diffuse > 1.0 + 1e-6:
            raise ConfigError(
                f"ambient and diffuse must be >= 0 and add up to at most 1, got {self.ambient} and {self.diffuse}"
            )


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What each geom of a model looks like; one row per geom."""

    albedo: Float32[np.ndarray, "G 3"]
    """RGB in [0, 1]."""
    gloss: Float32[np.ndarray, "G"]
    """Strength of the highlight, 0 (matte) to 1."""
    object_id: Int16[np.ndarray, "G"]
    """What segmentation shows; 0 for everything that is not an object."""
    texture: Float32[np.ndarray, "K K"]
    """Brightness factors, tiled over geom `textured_geom` by its world x and y."""
    textured_geom: int
    texture_metres: float = 0.5
    """Side length of one tile."""
    background: tuple[float, float, float] = (0.55, 0.6, 0.65)
    """RGB where a ray hits nothing."""


class RayCastCamera:
    """Renders a MuJoCo model from one pose. Keeps its ray directions; everything else is passed in.

    Raises:
        ConfigError: the picture's size is not positive, or the quality is unknown.
    """

    def __init__(self, pose: CameraPose, width: int = 64, height: int = 64, quality: Quality = "default") -> None:
        if width < 1 or height < 1:
            raise ConfigError(f"expected a picture of at least 1 x 1 pixels, got {width} x {height}")
        if quality not in ("default", "fast"):
            raise ConfigError(f"expected quality 'default' or 'fast', got {quality!r}")
        self.pose, self.width, self.height, self.quality = pose, width, height, quality
        self._side = 2 if quality == "default" else 1
        self._origin = np.array(pose.position, dtype=np.float64)
        directions = _ray_grid(pose, width, height, self._side)
        self._lengths = np.linalg.norm(directions, axis=1)
        # Rays have length 1 along the camera's axis, so that MuJoCo's distances are depths.
        self._rays = np.ascontiguousarray(directions)
        self._views = (-directions / self._lengths[:, None]).astype(np.float32)

    def render(self, model: mujoco.MjModel, data: mujoco.MjData, surfaces: Surfaces, light: Light) -> View:
        """Draw the scene as `data` has it (after `mj_forward` or `mj_kinematics`)."""
        geom, depth, normal = self._cast(model, data)
        hit = geom >= 0
        points = self._origin + self._rays * np.where(hit, depth, 0.0)[:, None]
        normal32 = normal.astype(np.float32)
        lit = self._visible_from_light(model, data, points, light) if self.quality == "default" else None
        rgb = self._shade(geom, hit, points.astype(np.float32), normal32, lit, surfaces, light)
        return self._assemble(geom, hit, depth, normal32, rgb, surfaces)

    def unproject(self, depth: Float16[np.ndarray, "H W"]) -> Float64[np.ndarray, "H W 3"]:
        """World coordinates, in metres, of what each pixel shows; the camera's own position where depth is 0."""
        to_ray = self.pose.rotation @ _pixel_to_ray(self.width, self.height, self.pose.fovy_degrees)
        y, x = np.meshgrid(np.arange(self.height) + 0.5, np.arange(self.width) + 0.5, indexing="ij")
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ to_ray.T
        return np.asarray(self._origin + rays * depth.astype(np.float64)[..., None])

    def _cast(
        self, model: mujoco.MjModel, data: mujoco.MjData
    ) -> tuple[np.ndarray, Float64[np.ndarray, "R"], Float64[np.ndarray, "R 3"]]:
        count = len(self._rays)
        geom = np.empty(count, dtype=np.int32)
        depth = np.empty(count, dtype=np.float64)
        normal = np.empty(count * 3, dtype=np.float64)
        mujoco.mj_multiRay(
            model, data, self._origin, self._rays.ravel(), None, 1, -1, geom, depth, normal, count, mujoco.mjMAXVAL
        )
        return geom, depth, normal.reshape(count, 3)

    def _visible_from_light(
        self, model: mujoco.MjModel, data: mujoco.MjData, points: Float64[np.ndarray, "R 3"], light: Light
    ) -> np.ndarray:
        origin = np.array(light.position, dtype=np.float64)
        count = len(points)
        geom = np.empty(count, dtype=np.int32)
        reach = np.empty(count, dtype=np.float64)
        towards = np.ascontiguousarray(points - origin)
        mujoco.mj_multiRay(
            model, data, origin, towards.ravel(), None, 1, -1, geom, reach, None, count, mujoco.mjMAXVAL
        )
        return np.asarray(reach > 1.0 - 2e-3)  # nothing nearer than the point itself, up to 2 mm per metre

    def _shade(
        self,
        geom: np.ndarray,
        hit: np.ndarray,
        points: Float32[np.ndarray, "R 3"],
        normal: Float32[np.ndarray, "R 3"],
        lit: np.ndarray | None,
        surfaces: Surfaces,
        light: Light,
    ) -> Float32[np.ndarray, "R 3"]:
        albedo = surfaces.albedo[geom]
        textured = np.flatnonzero(geom == surfaces.textured_geom)
        size = len(surfaces.texture)
        cell = (points[textured, :2] * (size / surfaces.texture_metres)).astype(np.int64) % size
        albedo[textured] *= surfaces.texture[cell[:, 0], cell[:, 1]][:, None]
        to_light = np.asarray(light.position, dtype=np.float32) - points
        to_light /= np.sqrt(np.einsum("rc,rc->r", to_light, to_light))[:, None]
        cosine = np.maximum(np.einsum("rc,rc->r", normal, to_light), 0.0)
        strength = light.ambient * (0.8 + 0.2 * normal[:, 2])
        diffuse = light.diffuse * cosine
        if lit is not None:
            diffuse = diffuse * lit
        rgb = albedo * (strength + diffuse)[:, None]
        glossy = np.flatnonzero(hit & (surfaces.gloss[geom] > 0))
        if len(glossy):
            halfway = to_light[glossy] + self._views[glossy]
            halfway /= np.sqrt(np.einsum("rc,rc->r", halfway, halfway))[:, None]
            shine = np.maximum(np.einsum("rc,rc->r", normal[glossy], halfway), 0.0) ** 24
            shine *= surfaces.gloss[geom[glossy]] * (diffuse[glossy] > 0)
            rgb[glossy] += shine[:, None].astype(np.float32)
        rgb[~hit] = surfaces.background
        return np.asarray(rgb, dtype=np.float32)

    def _assemble(
        self,
        geom: np.ndarray,
        hit: np.ndarray,
        depth: Float[np.ndarray, "R"],
        normal: Float32[np.ndarray, "R 3"],
        rgb: Float32[np.ndarray, "R 3"],
        surfaces: Surfaces,
    ) -> View:
        samples, pixels = self._side**2, self.width * self.height
        colour = rgb.reshape(samples, pixels, 3).mean(axis=0)
        labels = np.where(hit, surfaces.object_id[geom], 0).reshape(samples, pixels)
        # Geometry cannot be averaged: each pixel takes it from a ray that hit what most of its rays hit.
        votes = (labels[:, None] == labels[None]).sum(axis=1)
        chosen = votes.argmax(axis=0) * pixels + np.arange(pixels)
        in_camera = normal[chosen] @ self.pose.rotation.astype(np.float32)
        in_camera[~hit[chosen]] = 0.0
        shape = (self.height, self.width)
        return View(
            rgb=np.clip(np.rint(colour * 255.0), 0, 255).astype(np.uint8).reshape(*shape, 3),
            depth=np.where(hit, depth, 0.0)[chosen].astype(np.float16).reshape(shape),
            normals=np.rint(in_camera * 127.0).astype(np.int8).reshape(*shape, 3),
            segmentation=labels.ravel()[chosen].astype(np.int16).reshape(shape),
        )


def _pixel_to_ray(width: int, height: int, fovy_degrees: float) -> Float64[np.ndarray, "3 3"]:
    """From pixel (x, y, 1) to a ray in camera coordinates whose third component is 1."""
    per_pixel = 2.0 * np.tan(np.radians(fovy_degrees) / 2.0) / height
    return np.array(
        [[per_pixel, 0.0, -per_pixel * width / 2], [0.0, per_pixel, -per_pixel * height / 2], [0.0, 0.0, 1.0]]
    )


def _ray_grid(pose: CameraPose, width: int, height: int, side: int) -> Float64[np.ndarray, "R 3"]:
    """Rays in world coordinates, (side**2 * height * width, 3): all first samples of the pixels, then all second ones."""
    offsets = (np.arange(side) + 0.5) / side
    grids = []
    for dy in offsets:
        for dx in offsets:
            y, x = np.meshgrid(np.arange(height) + dy, np.arange(width) + dx, indexing="ij")
            grids.append(np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3))
    to_ray = pose.rotation @ _pixel_to_ray(width, height, pose.fovy_degrees)
    return np.concatenate(grids) @ to_ray.T
