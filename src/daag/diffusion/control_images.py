"""What a ControlNet is shown: pictures of a crop's geometry, as the public ControlNets were trained on them.

    geometry   daag's own: depth, normals, matte and shading, six channels, which the embedded editor takes
    depth      inverse depth, near is bright                          (control_v11f1p_sd15_depth and the like)
    normals    red looks left, green up, blue at the camera           (control_v11p_sd15_normalbae)
    edges      white lines on black                                   (control_v11p_sd15_canny)

All follow from the crop alone by fixed scales, never by the extremes of a picture, so that they do not flicker.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32
from scipy import ndimage
from torch.nn import functional

from daag.diffusion.crops import DEPTH_RANGE, GEOMETRY_CHANNELS, Crop

Image = Float32[np.ndarray, "C S S"]

EDGE_BLUR = 1.0
"""Standard deviation in pixels of the blur before edges are sought, of the frame's pixels where they are enlarged."""
EDGE_THRESHOLDS = (0.04, 0.08)
"""Slope times blur above which an edge goes on, and begins; a step of height h has 0.4 h. They stand for thresholds of 100
and 200 on sums of Sobel, steps of 25 and 50 grey levels, which are customary for Canny's ControlNet."""


def control_image(crop: Crop, condition: str, size: int) -> Image:
    """A picture for one ControlNet, (channels, size, size); in [0, 1] but for "geometry", which is in [-1, 1]."""
    return CONDITIONS[condition][1](crop, size)


def _depth(crop: Crop, size: int) -> Image:
    relative = 1.0 + DEPTH_RANGE * _shape(crop, slice(0, 1), size)
    inverse, (far, near) = 1.0 / relative, (1.0 / (1.0 + DEPTH_RANGE), 1.0 / (1.0 - DEPTH_RANGE))
    return np.repeat((inverse - far) / (near - far), 3, axis=0).astype(np.float32)


def _normals(crop: Crop, size: int) -> Image:
    """From camera coordinates: x right, y down, z away from the camera."""
    return ((1.0 - _shape(crop, slice(1, 4), size)) / 2.0).astype(np.float32)


def _edges(crop: Crop, size: int) -> Image:
    """Outlines and bends: Canny's method on the crop's geometry and, outside the mask, on its colours.

    Inside the mask the colours are those that shall go; their edges would bring them back.
    """
    outside = ~crop.mask_at(size)
    colours = np.moveaxis(crop.rgb_at(size), -1, 0) / np.float32(255.0) * outside
    shape = _shape(crop, slice(0, 4), size) / 2.0
    blur = EDGE_BLUR * max(1.0, size / len(crop.rgb))
    steepest, across = np.zeros((size, size)), np.zeros((2, size, size))
    for picture, where in (
        (colours, ndimage.binary_erosion(outside, iterations=int(2 * blur))),
        (shape, True),
    ):
        for channel in picture:
            slope = np.stack([ndimage.gaussian_filter(channel, blur, order) for order in ((1, 0), (0, 1))])
            strength = np.where(where, np.hypot(*slope) * blur, 0.0)
            steeper = strength > steepest
            steepest, across = np.where(steeper, strength, steepest), np.where(steeper, slope, across)
    return np.repeat(_thin(steepest, across)[None], 3, axis=0).astype(np.float32)


def _thin(strength: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Bool (S, S): ridges of the strength that reach the higher threshold somewhere."""
    weak, strong = EDGE_THRESHOLDS
    direction = across / np.maximum(np.hypot(*across), 1e-9)
    here = np.indices(strength.shape).astype(float)
    sides = [
        ndimage.map_coordinates(strength, here + sign * direction, order=1, mode="nearest")
        for sign in (-1, 1)
    ]
    ridge = (strength >= sides[0]) & (strength > sides[1]) & (strength > weak)
    labels, count = ndimage.label(ridge, structure=np.ones((3, 3)))
    reach = ndimage.maximum(strength, labels, np.arange(count + 1)) > strong
    return np.asarray(reach)[labels] & (labels > 0)


def _shape(crop: Crop, channels: slice, size: int) -> Image:
    """Depth or normals, enlarged smoothly, as a model's estimate is smooth."""
    image = crop.geometry[channels]
    if crop.outside_only:
        image = image * ~crop.mask
    if image.shape[1] == size:
        return image
    resized = functional.interpolate(
        torch.from_numpy(image)[None], (size, size), mode="bilinear", antialias=True, align_corners=False
    )
    return resized[0].numpy()


CONDITIONS: dict[str, tuple[int, Callable[[Crop, int], Image]]] = {
    "geometry": (GEOMETRY_CHANNELS, lambda crop, size: crop.geometry_at(size)),
    "depth": (3, _depth),
    "normals": (3, _normals),
    "edges": (3, _edges),
}
"""What ControlNets can be shown: number of channels, and how it is drawn."""
