"""Where objects are seen on a plane: what a world may propose to exploration without reading the truth."""

import numpy as np
from jaxtyping import Float32

from daag.envs.camera import RayCastCamera, View

TOP_LAYER = 0.01
"""Metres below an object's highest visible point that still count as its top."""


def seen_on_table(view: View, camera: RayCastCamera, num_objects: int) -> Float32[np.ndarray, "K 2"]:
    """Table positions of the objects that a picture shows: the middle of each object's highest visible points.

    Args:
        view: the picture; its segmentation and depth are used.
        camera: what drew it.
        num_objects: how many there are; their ids in the segmentation are 1, 2, ...

    Returns:
        x and y in metres, one row per object, always as many as objects: a hidden one's repeats another's. No rows if all are
        hidden.
    """
    pixels = np.flatnonzero(view.segmentation)
    points, ids = camera.unproject(view.depth, pixels), view.segmentation.ravel()[pixels]
    middles = []
    for object_id in range(1, num_objects + 1):
        seen = points[ids == object_id]
        if len(seen):
            height = seen[:, 2]
            top = seen[height >= height.max() - TOP_LAYER, :2]
            middles.append(np.add.reduce(top) / len(top))
    # As many rows as objects: vector environments want the same shape from all environments.
    rows = [middles[index % len(middles)] for index in range(num_objects)] if middles else []
    return np.array(rows, dtype=np.float32).reshape(-1, 2)
