"""Where the blocks of a random board lie: beside each other, in a named place or anywhere, as pushing leaves them.

An effector that pushes at random stands next to a block half of the time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import mujoco
import numpy as np

from daag.envs.language_table.model import LanguageTableModel
from daag.envs.language_table.predicates import true_facts
from daag.envs.language_table.scene import (
    BOARD_HALF_EXTENT,
    EFFECTOR_REACH,
    MAX_OBJECTS,
    MIN_OBJECTS,
    PLACES,
    sample_scene,
)
from daag.envs.scene import sample_looks
from daag.pretraining.captions import is_withheld
from daag.tasks import BOARD, Fact, Look, possible_facts

BESIDE_SHARE = 0.55
"""Of blocks that are put near one that lies already."""

PLACE_SHARE = 0.2
"""Of the others: near a named place."""

POINTED_SHARE = 0.5
"""Of pictures in which the effector stands at a block, or nearly."""

DEEPEST = 0.002
"""Metres by which blocks may be in each other: as much as physics lets them."""

_EDGE = np.array(BOARD_HALF_EXTENT) - 0.02


def draw(
    rng: np.random.Generator, held_out: bool
) -> tuple[LanguageTableModel, Callable[[np.random.Generator, np.ndarray], None]]:
    """Draw a board, and how its blocks are placed anew.

    Args:
        rng: where the randomness comes from.
        held_out: whether two of its blocks must make a held-out combination when they touch.
    """
    looks = _looks(rng)
    while held_out and not any(map(is_withheld, possible_facts(looks, ("touching",)))):
        looks = _looks(rng)
    scene_model = LanguageTableModel.build(sample_scene(rng, looks))
    placing = _Placing(scene_model, mujoco.MjData(scene_model.model), held_out)
    return scene_model, partial(_arrange, placing)


def _looks(rng: np.random.Generator) -> tuple[Look, ...]:
    return sample_looks(rng, int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1)), (), BOARD.looks)


@dataclass(frozen=True)
class _Placing:
    scene_model: LanguageTableModel
    data: mujoco.MjData
    held_out: bool


def _arrange(placing: _Placing, rng: np.random.Generator, qpos: np.ndarray) -> None:
    looks = [item.look for item in placing.scene_model.scene.objects]
    while True:
        centers = _centers(rng, looks, placing.held_out)
        if centers is None:
            continue
        effector = _effector(rng, centers)
        if effector is None:
            continue
        yaws = rng.uniform(-np.pi, np.pi, size=(len(centers), 1))
        placing.scene_model.lay(placing.data, effector, np.concatenate([centers, yaws], axis=1))
        if not placing.scene_model.overlaps(placing.data, DEEPEST):
            qpos[:] = placing.data.qpos
            return


def _centers(rng: np.random.Generator, looks: list[Look], held_out: bool) -> np.ndarray | None:
    """Where the blocks lie, metres, float64 (N, 2); None where not all found room."""
    placed: list[np.ndarray] = []
    for index in range(len(looks)):
        for _ in range(40):
            candidate = _candidate(rng, placed)
            if (np.abs(candidate) > _EDGE).any() or any(
                np.hypot(*(candidate - other)) < 0.045 for other in placed
            ):
                continue
            trial = np.array([*placed, candidate])
            if held_out or not any(map(is_withheld, _facts(looks[: index + 1], trial))):
                placed.append(candidate)
                break
        else:
            return None
    return np.array(placed)


def _facts(looks: list[Look], centers: np.ndarray) -> frozenset[Fact]:
    far = np.array([9.0, 9.0])  # no effector yet
    return true_facts(looks, centers, far)


def _candidate(rng: np.random.Generator, placed: list[np.ndarray]) -> np.ndarray:
    angle, chance = rng.uniform(0, 2 * np.pi), rng.random()
    direction = np.array([np.cos(angle), np.sin(angle)])
    if placed and chance < BESIDE_SHARE:
        if rng.random() < 0.5:  # straight beside or above, as relations ask for it
            direction = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])[rng.integers(4)]
            direction = direction + rng.normal(0.0, 0.25, size=2)
            direction = direction / np.hypot(*direction)
        return placed[int(rng.integers(len(placed)))] + rng.uniform(0.048, 0.13) * direction
    if chance < BESIDE_SHARE + (1 - BESIDE_SHARE) * PLACE_SHARE:
        places = [*PLACES.values()]
        return np.array(places[int(rng.integers(len(places)))]) + rng.uniform(0.0, 0.08) * direction
    return rng.uniform(-_EDGE, _EDGE)


def _effector(rng: np.random.Generator, centers: np.ndarray) -> np.ndarray | None:
    """Where the effector stands, metres, float64 (2,); None where that is out of its reach."""
    reach = np.array(EFFECTOR_REACH)
    if rng.random() < POINTED_SHARE:
        angle = rng.uniform(0, 2 * np.pi)
        block = centers[int(rng.integers(len(centers)))]
        effector = block + rng.uniform(0.034, 0.07) * np.array([np.cos(angle), np.sin(angle)])
        return effector if (np.abs(effector) <= reach).all() else None
    return rng.uniform(-reach, reach)
