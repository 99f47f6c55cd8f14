"""Change an object's kind: where the new body is seen, how the light falls on it, and what comes to light behind it.

The new body's silhouette and normals come from `daag.diffusion.proxies`. Its shading is that of the old one: how bright
a surface was, by its normal, is fitted to the source's pixels in all frames together. What the old body hid and the new
one does not is filled in from the background around it. The diffusion model then paints flat colours, as it does for
a change of colour. Source: our choice.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64, Int8, UInt8

from daag.diffusion.compositing import box_mask, dilate, tight_mask
from daag.diffusion.editor import Conditions
from daag.diffusion.intrinsics import Intrinsics, inner, octaves
from daag.diffusion.proxies import TableCamera, cast, locate

BOX_GROWTH = 3
"""Pixels by which the new body may reach out of the box around the old one; what would lie farther out is cut off."""

_RIDGE = 0.02
"""Weight of "equally bright everywhere" in the fit of the light, relative to all pixels."""


@dataclass(frozen=True, eq=False)
class Reshaped:
    """One frame as it is once the object has its new shape, its colour apart."""

    mask: Bool[np.ndarray, "H W"]
    """What may change: where the old body was, with its rim, and where the new one is."""
    depth: Float16[np.ndarray, "H W"]
    normals: Int8[np.ndarray, "H W 3"]
    intrinsics: Intrinsics
    """Of the new body; `flat` is the source's picture, for the model sees no colours inside the mask."""


def reshape(
    frames: UInt8[np.ndarray, "N H W 3"],
    conditions: Conditions,
    object_id: int,
    kinds: tuple[str, str],
    reference: float,
) -> list[Reshaped | None]:
    """Give an object another kind's shape in all frames.

    Args:
        frames: the source.
        conditions: their geometry.
        object_id: of the object.
        kinds: before and after.
        reference: brightness in [0, 1] whose shading is 0.

    Returns:
        For each frame the new shape, or None where it cannot be told: the kind has no shape of its own, the object lies
        on its side, or too little of it or of the table is seen.
    """
    light = _fit_light(frames, conditions, object_id, reference)
    camera = None
    shapes: list[Reshaped | None] = []
    for frame, segmentation, depth, normals in zip(
        frames, conditions.segmentation, conditions.depth, conditions.normals, strict=True
    ):
        own = segmentation == object_id
        camera = camera or TableCamera.of(depth, normals, segmentation)
        pose = locate(camera, depth, normals, own, kinds[0]) if camera is not None else None
        if camera is None or pose is None:
            shapes.append(None)
            continue
        proxy = cast(camera, pose, kinds[1])
        old = tight_mask(segmentation, depth, object_id)
        reach = box_mask(segmentation, depth, object_id, (BOX_GROWTH,) * 4)
        matte = np.where(reach, proxy.coverage, 0.0).astype(np.float32)
        new = matte >= 0.5
        bare = old & ~new
        brightness = reference * _brightness(light, proxy.normals)
        shading = np.where(dilate(new), octaves(_spread(brightness, new), reference), 0.0)
        background = _fill(frame, ~dilate(own) & (segmentation == 0))
        behind = np.where(old[..., None], background, frame.astype(np.float32)) * (1.0 - matte[..., None])
        facing = np.where(new[..., None], np.rint(proxy.normals * 127.0).astype(np.int8), normals)
        up = np.rint(camera.to_table[2] * 127.0).astype(np.int8)
        shapes.append(
            Reshaped(
                mask=old | (matte > 0),
                depth=np.where(new, proxy.depth, np.where(bare, camera.table_depth(), depth)).astype(
                    np.float16
                ),
                normals=np.where(bare[..., None], up, facing).astype(np.int8),
                intrinsics=Intrinsics(matte, shading.astype(np.float32), frame, behind.astype(np.float32)),
            )
        )
    return shapes


def _fit_light(
    frames: UInt8[np.ndarray, "N H W 3"], conditions: Conditions, object_id: int, reference: float
) -> Float64[np.ndarray, "6"]:
    """How bright the object is, relative to the reference, as a linear function of its normal; and between what."""
    pixels, facing = [], []
    for frame, segmentation, normals in zip(frames, conditions.segmentation, conditions.normals, strict=True):
        inside = inner(segmentation == object_id)
        pixels.append(frame[inside].max(axis=-1) / 255.0)
        facing.append(normals[inside] / 127.0)
    ratio = np.concatenate(pixels) / max(reference, 0.02)
    basis = np.column_stack([np.concatenate(facing), np.ones(len(ratio))])
    mean = float(ratio.mean()) if len(ratio) else 1.0
    pull = np.sqrt(_RIDGE * max(len(ratio), 1)) * np.eye(4)[:3]
    weights, *_ = np.linalg.lstsq(
        np.concatenate([basis, pull]), np.concatenate([ratio - mean, np.zeros(3)]), rcond=None
    )
    weights[3] += mean
    low, high = np.percentile(ratio, [2, 98]) if len(ratio) else (1.0, 1.0)
    return np.array([*weights, low, high])


def _brightness(
    light: Float64[np.ndarray, "6"], normals: Float32[np.ndarray, "H W 3"]
) -> Float64[np.ndarray, "H W"]:
    """Relative to the reference, within what was seen."""
    return np.asarray(np.clip(normals @ light[:3] + light[3], light[4], light[5]))


def _spread(
    values: Float64[np.ndarray, "H W"], inside: Bool[np.ndarray, "H W"]
) -> Float64[np.ndarray, "H W"]:
    """Values continued one pixel beyond where they are known: the mean of known neighbours."""
    total, count = (
        _sum_of_neighbours(np.where(inside, part, 0.0)) for part in (values, np.ones(values.shape))
    )
    return np.asarray(np.where(inside, values, total / np.maximum(count, 1.0)))


def _fill(frame: UInt8[np.ndarray, "H W 3"], known: Bool[np.ndarray, "H W"]) -> Float32[np.ndarray, "H W 3"]:
    """The picture with what is not known continued from around it, ring by ring."""
    picture, known = frame.astype(np.float32), known.copy()
    if not known.any():
        return picture
    for _ in range(max(known.shape)):
        if known.all():
            break
        count = _sum_of_neighbours(known.astype(np.float32))
        total = np.stack(
            [_sum_of_neighbours(np.where(known, picture[..., c], 0.0)) for c in range(3)], axis=-1
        )
        ring = ~known & (count > 0)
        picture[ring] = (total / np.maximum(count, 1.0)[..., None])[ring]
        known |= ring
    return picture


def _sum_of_neighbours(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])
