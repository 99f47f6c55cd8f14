"""What a simulator can say of one moment beside what its own picture shows: names, masks and geometry."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np

from daag.errors import SceneError

_FORMS = {
    "segmentation": (np.int16, ()),
    "depth": (np.float16, ()),
    "normals": (np.int8, (3,)),
    "rgb": (np.uint8, (3,)),
}
"""dtype of each image, and the axes behind height and width."""

FLAT_DEPTH_METRES = 1.0
"""Depth of a picture that has none. Any number would do: editors compare depths and measure nothing by them."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One moment of a world, as a `SceneReader` has it.

    Readers are written by those who know the simulator, so all forms are checked here.

    Raises:
        SceneError: images of another dtype or shape, or of different sizes, ids without a name, or two objects of one name.
    """

    names: tuple[str, ...]
    """Every object of the scene, "red cube", seen at this moment or not; the same at every moment of an episode."""
    segmentation: np.ndarray | None = None
    """int16 (H, W); id i + 1 where `names[i]` is seen, 0 everywhere else."""
    depth: np.ndarray | None = None
    """float16 (H, W); metres along the camera's axis, 0 where nothing was hit."""
    normals: np.ndarray | None = None
    """int8 (H, W, 3); unit normals in camera coordinates (x right, y down, z forward) times 127, 0 where nothing was hit."""
    rgb: np.ndarray | None = None
    """uint8 (H, W, 3); a picture of the reader's own, to be used in place of the environment's."""

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise SceneError(
                f"expected objects with different names, got {', '.join(self.names)}; give those that look alike one id"
            )
        sizes = {}
        for name, (dtype, behind) in _FORMS.items():
            image = getattr(self, name)
            if image is None:
                continue
            if image.dtype != dtype or image.ndim < 2 or image.shape[2:] != behind:
                wanted = ", ".join(map(str, ("H", "W", *behind)))
                raise SceneError(
                    f"expected {name} as {np.dtype(dtype)} ({wanted}), got {image.dtype} {image.shape}; convert it in the reader"
                )
            sizes[name] = image.shape[:2]
        if len(set(sizes.values())) > 1:
            raise SceneError(f"expected images of one height and width, got {sizes}")
        if self.segmentation is not None and self.segmentation.size:
            low, high = int(self.segmentation.min()), int(self.segmentation.max())
            if low < 0 or high > len(self.names):
                raise SceneError(
                    f"expected ids 0 (no object) to {len(self.names)}, one for each of {self.names}, got {low} to {high}"
                )

    @classmethod
    def flat(cls, names: tuple[str, ...], segmentation: np.ndarray) -> "Reading":
        """A picture without depth: everything lies in one plane that faces the camera.

        That is true of drawings, such as a grid's from above. Of a photograph it is not, and an editor that is told so
        paints objects flat.

        Args:
            names: every object of the scene.
            segmentation: int16 (H, W), id i + 1 where `names[i]` is seen.
        """
        normals = np.zeros((*segmentation.shape, 3), dtype=np.int8)
        normals[..., 2] = -127  # towards the camera, whose z points into the picture
        depth = np.full(segmentation.shape, FLAT_DEPTH_METRES, dtype=np.float16)
        return cls(names, segmentation, depth, normals)


@runtime_checkable
class SceneReader(Protocol):
    """Reads an environment's simulator."""

    def read(self, env: gymnasium.Env[Any, Any]) -> Reading:
        """What is true of the present moment.

        Args:
            env: the environment, after `reset` or `step`; its simulator is behind `env.unwrapped`.
        """
