"""What a stacking scene consists of besides objects, light and camera: a table.  Source: our choice."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from daag.envs.camera import CameraPose
from daag.envs.scene import TABLE_LIGHT, VARIATIONS, Scene, SceneObject, blotches, table_light
from daag.errors import SceneError
from daag.tasks import Look

WORKSPACE_CENTER = (0.0, 0.0)
WORKSPACE_HALF_EXTENT = (0.14, 0.12)
"""Metres: where objects may stand and where the gripper may pick and place."""

MIN_SPACING = 0.098
"""Metres between the centres of two objects at the start: room for an open finger, and nothing is "next to" yet."""

MIN_OBJECTS, MAX_OBJECTS = 3, 6


@dataclass(frozen=True)
class StackingScene(Scene):
    """Objects on a table.

    Raises:
        SceneError: too few or too many objects, or two of the same look.
    """

    table: tuple[float, float, float]
    """The table's mean albedo."""
    texture_seed: int
    """Of the table's texture."""
    texture_strength: float = field(default=0.1)
    """Relative brightness variation of the texture."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_count(MIN_OBJECTS, MAX_OBJECTS)

    def texture(self) -> np.ndarray:
        """Brightness factors of the table, float32 (96, 96), mean about 1."""
        return blotches(np.random.default_rng(self.texture_seed), self.texture_strength)


def sample_scene(
    rng: np.random.Generator, looks: Sequence[Look], vary: Sequence[str] = VARIATIONS
) -> StackingScene:
    """Draw shades, gloss, sizes, and as far as they vary light, camera and table, for objects of given looks."""
    objects = tuple(SceneObject.sample(look, rng) for look in looks)
    light = table_light(rng)
    jitter = rng.normal(0.0, 0.008, size=6)
    zoom = float(rng.uniform(-0.8, 0.8))
    if "camera" not in vary:
        jitter, zoom = np.zeros(6), 0.0
    camera = CameraPose(
        position=(float(jitter[0]), float(-0.40 + jitter[1]), float(0.50 + jitter[2])),
        look_at=(float(jitter[3]), float(0.0 + jitter[4]), float(0.025 + jitter[5] * 0.5)),
        fovy_degrees=35.5 + zoom,
    )
    brightness = rng.uniform(0.3, 0.75)
    tint = brightness * np.clip(1.0 + rng.normal(0.0, 0.05, size=3), 0.8, 1.2)
    table = (float(tint[0]), float(tint[1]), float(tint[2]))
    texture_seed, texture_strength = int(rng.integers(2**31)), float(rng.uniform(0.03, 0.12))
    if "texture" not in vary:
        table, texture_seed, texture_strength = (0.5, 0.5, 0.5), 0, 0.08
    if "light" not in vary:
        light = TABLE_LIGHT
    return StackingScene(objects, light, camera, table, texture_seed, texture_strength)


def sample_positions(rng: np.random.Generator, num_objects: int, spacing: float = MIN_SPACING) -> np.ndarray:
    """Draw where objects stand.

    Returns:
        Table positions in metres, float64 (num_objects, 2), at least `spacing` apart.

    Raises:
        SceneError: they do not fit; ask for fewer objects or less spacing.
    """
    half = np.array(WORKSPACE_HALF_EXTENT) - 0.012
    for _ in range(200):
        placed: list[np.ndarray] = []
        for _ in range(60 * num_objects):
            candidate = rng.uniform(-half, half)
            if all(np.linalg.norm(candidate - other) >= spacing for other in placed):
                placed.append(candidate)
            if len(placed) == num_objects:
                return np.array(placed) + np.array(WORKSPACE_CENTER)
    raise SceneError(
        f"{num_objects} objects do not fit {spacing:.3f} m apart; ask for fewer objects or less spacing"
    )
