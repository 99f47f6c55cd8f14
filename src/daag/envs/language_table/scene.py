"""What a board scene consists of besides blocks, light and camera: a board on a table.  Source: our choice."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from daag.envs.camera import CameraPose
from daag.envs.scene import TABLE_LIGHT, VARIATIONS, Scene, SceneObject, blotches, table_light
from daag.errors import SceneError
from daag.tasks import BOARD, Look

BOARD_HALF_EXTENT = (0.20, 0.16)
"""Metres: half of the board's width (x, to the right) and depth (y, away from the camera). No block leaves it."""

PLACES: dict[str, tuple[float, float]] = {
    "top left corner": (-0.155, 0.115),
    "top right corner": (0.155, 0.115),
    "bottom left corner": (-0.155, -0.115),
    "bottom right corner": (0.155, -0.115),
    "middle": (0.0, 0.0),
}
"""Metres; the top is far from the camera."""

EFFECTOR_REACH = (BOARD_HALF_EXTENT[0] + 0.025, BOARD_HALF_EXTENT[1] + 0.025)
"""Metres: how far from the middle the effector goes. A little beyond the board, so that it gets behind a block there."""

MIN_SPACING = 0.078
"""Metres between the centres of two blocks at the start, unless they start together."""

TOGETHER = 0.062
"""Metres between the centres of two blocks that start together."""

EFFECTOR_SPACING = 0.065
"""Metres between the effector and any block's centre at the start."""

MIN_OBJECTS, MAX_OBJECTS = 2, 8

_START_HALF_EXTENT = np.array(BOARD_HALF_EXTENT) - 0.036


@dataclass(frozen=True)
class LanguageTableScene(Scene):
    """Blocks on a board.

    Raises:
        SceneError: too few or too many blocks, two of the same look, or one of another world's kind.
    """

    board: tuple[float, float, float]
    """The board's mean albedo."""
    table: tuple[float, float, float]
    """The albedo of what the board lies on."""
    texture_seed: int
    """Of the board's texture."""
    texture_strength: float = field(default=0.1)
    """Relative brightness variation of the texture."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_count(MIN_OBJECTS, MAX_OBJECTS, "blocks")
        for item in self.objects:
            if item.look.kind not in BOARD.kinds:
                raise SceneError(f"expected blocks of kind {', '.join(BOARD.kinds)}, got {str(item.look)!r}")

    def texture(self) -> np.ndarray:
        """Brightness factors of the board, float32 (96, 96), mean about 1."""
        return blotches(np.random.default_rng(self.texture_seed), self.texture_strength)


def sample_scene(
    rng: np.random.Generator, looks: Sequence[Look], vary: Sequence[str] = VARIATIONS
) -> LanguageTableScene:
    """Draw shades, gloss, sizes, and as far as they vary light, camera and board, for blocks of given looks."""
    objects = tuple(SceneObject.sample(look, rng) for look in looks)
    light = table_light(rng)
    jitter = rng.normal(0.0, 0.006, size=6)
    zoom = float(rng.uniform(-0.6, 0.6))
    if "camera" not in vary:
        jitter, zoom = np.zeros(6), 0.0
    camera = CameraPose(
        position=(float(jitter[0]), float(-0.29 + jitter[1]), float(0.58 + jitter[2])),
        look_at=(float(jitter[3] * 0.5), float(-0.004 + jitter[4] * 0.5), float(jitter[5] * 0.5)),
        fovy_degrees=41.5 + zoom,
    )
    board, table = _greyish(rng, 0.35, 0.8), _greyish(rng, 0.1, 0.4)
    texture_seed, texture_strength = int(rng.integers(2**31)), float(rng.uniform(0.02, 0.09))
    if "texture" not in vary:
        board, table, texture_seed, texture_strength = (0.6, 0.6, 0.6), (0.3, 0.3, 0.3), 0, 0.06
    if "light" not in vary:
        light = TABLE_LIGHT
    return LanguageTableScene(objects, light, camera, board, table, texture_seed, texture_strength)


def sample_poses(
    rng: np.random.Generator, num_objects: int, together: Collection[tuple[int, int]] = ()
) -> tuple[Float64[np.ndarray, "N 3"], Float64[np.ndarray, "2"]]:
    """Draw where blocks lie, how they are turned, and where the effector stands.

    Args:
        rng: where chance comes from.
        num_objects: how many blocks.
        together: pairs of blocks, by index, that start together; all others are `MIN_SPACING` apart.

    Returns:
        x and y in metres and yaw in radians of each block; x and y of the effector.

    Raises:
        SceneError: they do not fit.
    """
    pairs = {frozenset(pair) for pair in together}
    for _ in range(200):
        placed: list[np.ndarray] = []
        for index in range(num_objects):
            partners = [other for other in range(index) if frozenset((other, index)) in pairs]
            position = _free_position(rng, placed, partners)
            if position is None:
                break
            placed.append(position)
        effector = rng.uniform(-_START_HALF_EXTENT, _START_HALF_EXTENT)
        if len(placed) == num_objects and all(
            np.linalg.norm(effector - other) >= EFFECTOR_SPACING for other in placed
        ):
            yaw = rng.uniform(-np.pi, np.pi, size=(num_objects, 1))
            return np.concatenate([np.array(placed), yaw], axis=1), effector
    raise SceneError(f"{num_objects} blocks with {len(pairs)} pairs together do not fit; ask for fewer")


def _free_position(
    rng: np.random.Generator, placed: Sequence[np.ndarray], partners: Sequence[int]
) -> Float64[np.ndarray, "2"] | None:
    """Where one more block fits among those that are placed; None if that is not found soon."""
    for _ in range(60):
        candidate = rng.uniform(-_START_HALF_EXTENT, _START_HALF_EXTENT)
        if partners:
            angle = rng.uniform(0, 2 * np.pi)
            candidate = placed[partners[0]] + TOGETHER * np.array([np.cos(angle), np.sin(angle)])
        apart = [float(np.linalg.norm(candidate - other)) for other in placed]
        fits = all(
            abs(distance - TOGETHER) < 1e-3 if other in partners else distance >= MIN_SPACING
            for other, distance in enumerate(apart)
        )
        if fits and (np.abs(candidate) <= _START_HALF_EXTENT).all():
            return candidate
    return None


def _greyish(rng: np.random.Generator, darkest: float, brightest: float) -> tuple[float, float, float]:
    tint = rng.uniform(darkest, brightest) * np.clip(1.0 + rng.normal(0.0, 0.04, size=3), 0.85, 1.15)
    return float(tint[0]), float(tint[1]), float(tint[2])
