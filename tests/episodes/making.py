"""Small episodes for the tests of this room. Everything about one follows from its arguments."""

import numpy as np

from daag.episodes import Achievement, Episode, Provenance, WorldState
from daag.episodes.codec import same_content

SIZE = 8
FRAMES_PER_STEP = 3


def make_episode(
    id: str = "episode-0",
    *,
    instruction: str = "stack the red cube on the blue cube",
    num_steps: int = 2,
    origin: str = "real",
    achieved: tuple[str, ...] = (),
    seed: int = 0,
    bare: bool = False,
    **fields: object,
) -> Episode:
    """An episode of random content with its last reward 1; `bare` leaves out all that is optional."""
    rng = np.random.default_rng([seed, *id.encode()])
    num_frames = FRAMES_PER_STEP * num_steps + 1
    images = (num_frames, SIZE, SIZE)
    optional = {
        "state": rng.random((num_steps + 1, 5), dtype=np.float32),
        "depth": rng.random(images).astype(np.float16),
        "normals": rng.integers(-127, 128, (*images, 3), dtype=np.int8),
        "segmentation": rng.integers(0, 3, images, dtype=np.int16),
        "object_names": {1: "red cube", 2: "blue cube"},
        "pixel_to_table": rng.random((3, 3), dtype=np.float32),
        "world_state": WorldState('{"objects": []}', rng.random((num_frames, 7))),
    }
    needed = {
        "env_id": "daag/RGBStacking-v0",
        "frames": rng.integers(0, 256, (*images, 3), dtype=np.uint8),
        "observation_index": np.arange(num_steps + 1, dtype=np.int32) * FRAMES_PER_STEP,
        "actions": rng.random((num_steps, 4), dtype=np.float32),
        "rewards": np.eye(num_steps, dtype=np.float32)[-1],
        "terminated": True,
        "truncated": False,
        "achievements": tuple(Achievement(text, 0, num_steps, 0.5) for text in achieved),
        "provenance": Provenance(origin=origin),
    }
    given = needed | ({} if bare else optional) | fields
    return Episode(id=id, instruction=instruction, seed=seed, **given)


def some_episodes(number: int, start: int = 0) -> list[Episode]:
    return [make_episode(f"e{index}") for index in range(start, start + number)]


def assert_same(found: list[Episode], expected: list[Episode]) -> None:
    assert [episode.id for episode in found] == [episode.id for episode in expected]
    assert all(same_content(a, b) for a, b in zip(found, expected, strict=True))


def unit_vectors(number: int, size: int, seed: int = 0) -> list[np.ndarray]:
    vectors = np.random.default_rng(seed).standard_normal((number, size))
    return list((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
