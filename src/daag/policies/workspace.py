"""Where a click lands: from pixels to metres on the table to actions in [-1, 1], and back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from daag.errors import ConfigError, EpisodeError


@dataclass(frozen=True)
class Workspace:
    """The box of the table that actions reach: action = (metres - center) / half_extent.

    Raises:
        ConfigError: a half extent is not positive.
    """

    center: tuple[float, float]
    """x and y of its middle, metres."""

    half_extent: tuple[float, float]
    """Half its width along x and along y, metres."""

    def __post_init__(self) -> None:
        if not min(self.half_extent) > 0:
            raise ConfigError(f"the workspace's half_extent must be positive metres, got {self.half_extent}")

    def to_action(self, metres: Float64[np.ndarray, "N 2"]) -> Float32[np.ndarray, "N 2"]:
        """Actions in [-1, 1] for table positions; what lies outside the box is moved to its border."""
        action = (metres - np.array(self.center)) / np.array(self.half_extent)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def to_metres(self, action: Float32[np.ndarray, "N 2"]) -> Float64[np.ndarray, "N 2"]:
        """Table positions in metres for actions."""
        return action.astype(np.float64) * np.array(self.half_extent) + np.array(self.center)


def pixels_to_metres(
    pixels: Float64[np.ndarray, "N 2"], pixel_to_table: Float32[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "N 2"]:
    """Table positions in metres under image points (x, y), in pixels, pixel centres at .5."""
    return _project(pixels, pixel_to_table.astype(np.float64))


def metres_to_pixels(
    metres: Float64[np.ndarray, "N 2"], pixel_to_table: Float32[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "N 2"]:
    """Image points (x, y), in pixels, of table positions in metres.

    Raises:
        EpisodeError: the homography cannot be inverted.
    """
    try:
        table_to_pixel = np.linalg.inv(pixel_to_table.astype(np.float64))
    except np.linalg.LinAlgError as error:
        raise EpisodeError(
            f"pixel_to_table must be an invertible homography, got {pixel_to_table.tolist()}"
        ) from error
    return _project(metres, table_to_pixel)


def _project(
    points: Float64[np.ndarray, "N 2"], homography: Float64[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "N 2"]:
    lifted = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return lifted[:, :2] / lifted[:, 2:]
