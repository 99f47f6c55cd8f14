"""Square crops around an object: what the diffusion model sees.

An object covers a small part of a frame. A crop around it costs a fraction of the frame and shows more of it. A crop
has the model's native size; where the mask does not fit, a larger square is cut and resized.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Int8, UInt8
from torch.nn import functional

from daag.diffusion.intrinsics import SHADING_RANGE, Intrinsics, decompose
from daag.errors import EditError

Geometry = Literal["full", "natural", "outside", "none"]
"""How much of the geometry a crop shows: all of it, and then its colours are flat, shading and edges being known; depth
and normals, and the frame's own colours; of these only what is outside the mask (the kind changes inside); none."""

GEOMETRY_CHANNELS = 6
"""Depth, three components of the normal, matte, shading."""

MIN_SIDE = 32
"""Pixels of the frame that a crop shows at least, where the model takes as many."""

DEPTH_RANGE = 0.1
"""Relative depth that spans the depth condition: 10 % nearer than the object is -1, 10 % farther is 1."""


@dataclass(frozen=True)
class CropWindow:
    """A square in a frame. It may stick out where the frame is smaller than the square."""

    top: int
    left: int
    side: int

    def rows(self, height: int) -> np.ndarray:
        """Row indices, int (side,), clipped to the frame, so that what sticks out repeats the border."""
        return np.clip(np.arange(self.top, self.top + self.side), 0, height - 1)

    def columns(self, width: int) -> np.ndarray:
        """Column indices, int (side,), clipped to the frame."""
        return np.clip(np.arange(self.left, self.left + self.side), 0, width - 1)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The window's content, (side, side, ...), of an image (H, W, ...)."""
        return image[self.rows(image.shape[0])[:, None], self.columns(image.shape[1])]

    def paste(
        self, frame: UInt8[np.ndarray, "H W 3"], content: UInt8[np.ndarray, "A A 3"]
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The frame with this content in the window; what sticks out is dropped."""
        height, width = frame.shape[:2]
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.side, height), min(self.left + self.side, width)
        pasted = frame.copy()
        pasted[top:bottom, left:right] = content[
            top - self.top : bottom - self.top, left - self.left : right - self.left
        ]
        return pasted


@dataclass(frozen=True, eq=False)
class Crop:
    """One object in one frame, A x A pixels of it. The models' resolution, S x S, it has only while it is painted."""

    window: CropWindow
    rgb: UInt8[np.ndarray, "A A 3"]
    """Flat colours where all geometry is shown, else the frame's."""
    mask: Bool[np.ndarray, "A A"]
    """What may be repainted."""
    geometry: Float32[np.ndarray, "6 A A"]
    """Depth relative to the object in [-1, 1], unit normal, matte, shading in [-1, 1]; 0 where not shown."""
    outside_only: bool
    """Whether the model is to see the geometry outside the mask only."""
    intrinsics: Intrinsics | None
    """Matte and shading, in the frame's resolution, of the window; None where the colours are the frame's."""
    source: UInt8[np.ndarray, "A A 3"]
    """The window's content before any edit, in the frame's resolution."""

    @property
    def content(self) -> bytes:
        """Equal for crops that look alike to the model, and for no others."""
        shown = self.rgb.tobytes() + self.mask.tobytes() + self.geometry.tobytes()
        return blake2b(shown, digest_size=16).digest()

    def rgb_at(self, size: int) -> UInt8[np.ndarray, "S S 3"]:
        """`rgb` in the models' resolution."""
        return self.rgb if len(self.rgb) == size else resize_rgb(self.rgb, size)

    def mask_at(self, size: int) -> Bool[np.ndarray, "S S"]:
        """`mask` in the models' resolution."""
        return self.mask if len(self.mask) == size else _resize_mask(self.mask, size)

    def geometry_at(self, size: int) -> Float32[np.ndarray, "6 S S"]:
        """`geometry` in the models' resolution."""
        shown = self.geometry if len(self.mask) == size else _resize_nearest(self.geometry, size)
        return shown * ~self.mask_at(size) if self.outside_only else shown

    def colour(self, painted: UInt8[np.ndarray, "S S 3"]) -> Float32[np.ndarray, "3"]:
        """The flat colour that the object was painted in, grey levels; the mask's where the matte is not known."""
        content = resize_rgb(painted, self.window.side) if self.window.side != len(painted) else painted
        covered = self.intrinsics.matte > 0.9 if self.intrinsics is not None else None
        if covered is None or not covered.any():
            return np.median(painted[self.mask_at(len(painted))], axis=0).astype(np.float32)
        return np.median(content[covered], axis=0).astype(np.float32)

    def over(self, frame: UInt8[np.ndarray, "H W 3"], behind: Float32[np.ndarray, "H W 3"]) -> "Crop":
        """The same crop before another background: `frame`, of which the object leaves `behind`."""
        assert self.intrinsics is not None
        intrinsics = replace(self.intrinsics, behind=self.window.cut(behind))
        return replace(self, intrinsics=intrinsics, source=self.window.cut(frame))

    def brightened(self, by: Float32[np.ndarray, "H W"]) -> "Crop":
        """The same crop with so many grey levels more on the object, whatever its colour."""
        assert self.intrinsics is not None
        behind = self.intrinsics.behind + (self.intrinsics.matte * self.window.cut(by))[..., None]
        return replace(self, intrinsics=replace(self.intrinsics, behind=behind))

    def paste(
        self, frame: UInt8[np.ndarray, "H W 3"], painted: UInt8[np.ndarray, "S S 3"]
    ) -> UInt8[np.ndarray, "H W 3"]:
        """The frame with a repainted crop in the window, shading and edges put back.

        Where another object's repaint has changed the background meanwhile, that change shows through.
        """
        content = painted if self.window.side == len(painted) else resize_rgb(painted, self.window.side)
        if self.intrinsics is not None:
            since = self.window.cut(frame).astype(np.float32) - self.source
            through = self.intrinsics.restore(content) + (1.0 - self.intrinsics.matte[..., None]) * since
            content = np.clip(np.rint(through), 0, 255).astype(np.uint8)
        return self.window.paste(frame, content)


def window_around(mask: Bool[np.ndarray, "H W"], crop_size: int, margin: int = 2) -> CropWindow:
    """The square around a mask: of side `crop_size`, or larger where the mask and a margin do not fit.

    Models of large crops see twice the mask's extent, enlarged: latents of eight pixels could not hold a small object.

    Raises:
        EditError: the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise EditError("cannot crop around an empty mask: the object is not visible; skip the frame")
    extent = int(max(rows[-1] - rows[0], columns[-1] - columns[0])) + 1 + 2 * margin
    side = max(min(crop_size, max(MIN_SIDE, 2 * extent)), extent)

    def start(first: int, last: int, limit: int) -> int:
        centred = (first + last + 1 - side) // 2
        return min(max(centred, 0), limit - side) if limit >= side else (limit - side) // 2

    return CropWindow(
        top=start(int(rows[0]), int(rows[-1]), mask.shape[0]),
        left=start(int(columns[0]), int(columns[-1]), mask.shape[1]),
        side=side,
    )


def cut_crop(
    rgb: UInt8[np.ndarray, "H W 3"],
    mask: Bool[np.ndarray, "H W"],
    own: Bool[np.ndarray, "H W"],
    depth: Float16[np.ndarray, "H W"],
    normals: Int8[np.ndarray, "H W 3"],
    crop_size: int,
    geometry: Geometry = "full",
    reference: float | None = None,
    intrinsics: Intrinsics | None = None,
    highlight: Float32[np.ndarray, "H W"] | None = None,
    coverage: Float32[np.ndarray, "H W"] | None = None,
) -> Crop:
    """Cut one object out of one frame.

    Args:
        rgb: the frame.
        mask: what may be repainted.
        own: the object's visible pixels; its depth is the reference of the depth condition.
        depth: metres; 0 where nothing was hit.
        normals: unit normals in camera coordinates times 127.
        crop_size: S, in pixels.
        geometry: how much of depth, normals, matte and shading is shown.
        reference: brightness in [0, 1] that shading is relative to; by default the object's own.
        intrinsics: of the whole frame, where they are known; by default read from the picture.
        highlight: what is read by, see `decompose`.
        coverage: likewise.

    Raises:
        EditError: the mask is empty.
    """
    window = window_around(mask, crop_size)
    source, masked, visible = window.cut(rgb), window.cut(mask), window.cut(own)
    colours = source
    conditions = np.zeros((GEOMETRY_CHANNELS, window.side, window.side), dtype=np.float32)
    if geometry != "none":
        conditions[0] = _relative_depth(window.cut(depth), float(np.median(depth[own])))
        conditions[1:4] = np.moveaxis(window.cut(normals), -1, 0) / np.float32(127.0)
    if geometry == "full":
        if intrinsics is not None:
            intrinsics = intrinsics.cut(window.cut)
        else:
            shine, share = (None if known is None else window.cut(known) for known in (highlight, coverage))
            intrinsics = decompose(colours, visible, reference, shine, share)
        colours = np.where(masked[..., None], intrinsics.flat, colours)
        conditions[4], conditions[5] = intrinsics.matte, intrinsics.shading / SHADING_RANGE
    return Crop(window, colours, masked, conditions, geometry == "outside", intrinsics, source)


def resize_rgb(image: UInt8[np.ndarray, "A B 3"], side: int) -> UInt8[np.ndarray, "S S 3"]:
    """Resize to (side, side), bilinear, with low-pass filtering where it shrinks."""
    tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    resized = functional.interpolate(
        tensor, (side, side), mode="bilinear", antialias=True, align_corners=False
    )
    return resized[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()


def _resize_mask(mask: Bool[np.ndarray, "A A"], side: int) -> Bool[np.ndarray, "S S"]:
    """A resized pixel is masked as soon as any part of it is: what may change must be hidden from the model."""
    resized = functional.adaptive_max_pool2d(torch.from_numpy(mask.astype(np.float32))[None], side)
    return resized[0].numpy() > 0


def _resize_nearest(image: Float32[np.ndarray, "C A A"], side: int) -> Float32[np.ndarray, "C S S"]:
    pick = (np.arange(side) + 0.5) * image.shape[1] // side
    pick = pick.astype(np.int64)
    return np.ascontiguousarray(image[:, pick[:, None], pick])


def _relative_depth(depth: Float16[np.ndarray, "A A"], reference: float) -> Float32[np.ndarray, "A A"]:
    metres = depth.astype(np.float32)
    relative = np.where(metres > 0, (metres - reference) / (DEPTH_RANGE * max(reference, 1e-6)), 1.0)
    return np.clip(relative, -1.0, 1.0).astype(np.float32)
