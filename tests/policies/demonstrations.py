"""Flat coloured squares on grey, a known camera, and episodes that click where an instruction says."""

from collections.abc import Sequence

import numpy as np

from daag.episodes.episode import Episode
from daag.policies import Workspace, pixels_to_metres
from daag.policies.policy import StepSampler

WORKSPACE = Workspace(center=(0.1, -0.2), half_extent=(0.32, 0.32))
PIXEL_TO_TABLE = np.array([[0.01, 0.0, -0.22], [0.0, -0.01, 0.12], [0.0, 0.0, 1.0]], dtype=np.float32)
"""64 pixels across are 64 cm: the image shows the workspace, y upwards."""
COLOURS = {"red": (200, 20, 20), "green": (20, 150, 40), "blue": (30, 60, 200), "yellow": (230, 210, 30)}


def stack(upper: str, lower: str) -> str:
    return f"stack the {upper} cube on the {lower} cube"


def encode_words(sentences: Sequence[str]) -> np.ndarray:
    """Unit vectors, float32 (M, 24): the sum of a random vector for each word at its place in the sentence."""
    vectors = np.zeros((len(sentences), 24))
    for vector, sentence in zip(vectors, sentences, strict=True):
        for place, word in enumerate(sentence.split()):
            vector += np.random.default_rng([place, *word.encode()]).normal(size=24)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """An image, uint8 (64, 64, 3), and the pixel (x, y) of the middle of each colour's square, float64 (2,)."""
    middles = np.array([(18, 18), (46, 18), (18, 46), (46, 46)]) + rng.integers(-6, 7, (4, 2))
    image = np.full((64, 64, 3), 128.0) + rng.normal(0, 4, (64, 64, 1))
    squares = dict(zip(rng.permutation(list(COLOURS)).tolist(), middles, strict=True))
    for colour, (x, y) in squares.items():
        image[y - 6 : y + 6, x - 6 : x + 6] = np.array(COLOURS[colour]) * rng.uniform(0.85, 1.1)
    return np.clip(image, 0, 255).astype(np.uint8), {
        colour: middle.astype(np.float64) for colour, middle in squares.items()
    }


def demonstration(upper: str, lower: str, rng: np.random.Generator) -> Episode:
    """One step that picks the square `upper` and places it on `lower`."""
    image, squares = draw_scene(rng)
    metres = pixels_to_metres(np.stack([squares[upper], squares[lower]]), PIXEL_TO_TABLE)
    return Episode(
        id=f"{upper}-{lower}-{rng.integers(2**60)}",
        env_id="squares",
        instruction=stack(upper, lower),
        seed=0,
        frames=np.stack([image, image]),
        observation_index=np.array([0, 1], dtype=np.int32),
        actions=WORKSPACE.to_action(metres).reshape(1, 4),
        rewards=np.ones(1, dtype=np.float32),
        terminated=True,
        truncated=False,
        pixel_to_table=PIXEL_TO_TABLE,
    )


def sampler(episodes: Sequence[Episode]) -> StepSampler:
    """Every episode's first step is as likely as every other's."""
    return lambda count, rng: [(episodes[index], 0) for index in rng.integers(len(episodes), size=count)]
