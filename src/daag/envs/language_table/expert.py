"""Who pushes when no agent does: an expert that brings a fact about, and a pusher at random. Both make data.

Both read true positions, `info["qpos"]`; nothing that an agent learns from or is judged by may call them while it acts.
Source: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from daag.envs.language_table.env import MAX_MOVE, LanguageTableEnv
from daag.envs.language_table.predicates import APART
from daag.envs.language_table.pushing import BLOCK_EXTENT, KEEP_CLEAR, PUSH, Board, go, push
from daag.envs.language_table.routes import Point, is_free
from daag.envs.language_table.scene import EFFECTOR_REACH, PLACES
from daag.errors import ConfigError, SceneError
from daag.tasks import Fact

BESIDE_OFFSET = 0.074
"""Metres between the centres that the expert aims at for "left of" and "above"."""

PATIENCE = 16
"""Steps after which the expert, or the random pusher, thinks again about what to push where."""

_CIRCLE = [np.array([np.cos(angle), np.sin(angle)]) for angle in np.arange(16) * np.pi / 8]


@dataclass(frozen=True, eq=False)
class _Plan:
    """Bring a block to a point, or the effector if there is no block."""

    block: int | None
    goal: Point
    kept: bool = False
    """Whether it is a choice that would waver if it were made anew at every step."""

    def done(self, board: Board) -> bool:
        place = board.effector if self.block is None else board.centers[self.block]
        return bool(np.linalg.norm(place - self.goal) < PUSH / 2)

    def action(self, board: Board) -> Point:
        return go(board, self.goal) if self.block is None else push(board, self.block, self.goal)


class BoardExpert:
    """Pushes until a fact is true.

    Args:
        env: after `reset`; one of these serves one episode.
        noise: standard deviation of what is added to x and y of every action, metres.
        rng: where the noise comes from.

    Raises:
        ConfigError: the noise is negative.
    """

    def __init__(
        self, env: LanguageTableEnv, noise: float = 0.0, rng: np.random.Generator | None = None
    ) -> None:
        if noise < 0:
            raise ConfigError(f"expected noise >= 0 metres, got {noise}")
        self._env, self._noise, self._rng = env, noise, rng or np.random.default_rng(0)
        self._pushers: dict[Fact, ScriptedPusher] = {}

    def act(self, goal: Fact) -> Float32[np.ndarray, "2"]:
        """The action that brings a fact nearer.

        Raises:
            SceneError: it speaks of a block that is not in the scene.
        """
        if goal not in self._pushers:
            names = self._env._scene_model.scene.names
            self._pushers[goal] = ScriptedPusher(names, goal, self._rng, self._noise)
        return self._pushers[goal].action(self._env._data.qpos)


class ScriptedPusher:
    """Brings one fact about, of any relation of the board. One of these serves one episode.

    Args:
        objects: the blocks' names, `info["objects"]`.
        fact: what is to become true.
        rng: where the noise comes from.
        noise: standard deviation of what is added to x and y of every action, metres.

    Raises:
        ConfigError: the noise is negative.
        SceneError: the fact speaks of a block that is not in the scene.

    Example:
        pusher = ScriptedPusher(info["objects"], fact, np.random.default_rng(0))
        observation, reward, terminated, truncated, info = env.step(pusher.action(info["qpos"][-1]))
    """

    def __init__(
        self, objects: Sequence[str], fact: Fact, rng: np.random.Generator, noise: float = 0.0
    ) -> None:
        if noise < 0:
            raise ConfigError(f"expected noise >= 0 metres, got {noise}")
        for look in fact.looks:
            if str(look) not in objects:
                raise SceneError(f"{fact.description!r} needs a {look}; the scene has {', '.join(objects)}")
        self._fact, self._rng, self._noise = fact, rng, noise
        self._index = [objects.index(str(look)) for look in fact.looks]
        self._plan: _Plan | None = None
        self._age = 0

    def action(self, qpos: np.ndarray) -> Float32[np.ndarray, "2"]:
        """What to do next, an action of the world.

        Args:
            qpos: the last row of `info["qpos"]`, float64 (Q,).
        """
        board, plan = Board.at(qpos), self._plan
        if plan is None or not plan.kept or plan.done(board) or self._age >= PATIENCE:
            plan, self._age = self._think(board), 0
        self._plan = plan
        self._age += 1
        return _noisy(plan.action(board), self._rng, self._noise)

    def _think(self, board: Board) -> _Plan:
        fact, subject = self._fact, self._index[0]
        if fact.relation == "in":
            return _Plan(subject, np.array(PLACES[fact.place]))
        if fact.relation == "pointed at":
            return _Plan(None, _beside(board, subject))
        target = self._index[1]
        if fact.relation == "touching":
            return _Plan(subject, board.centers[target])
        if fact.relation == "apart from":
            return min(
                (_away(board, mover, other) for mover, other in ((subject, target), (target, subject))),
                key=lambda scored: scored[0],
            )[1]
        return _to_side(board, subject, target, 0 if fact.relation == "left of" else 1)


class RandomPusher:
    """Picks a random block and pushes it in a random direction for a while, again and again.

    Args:
        objects: the blocks' names, `info["objects"]`.
        rng: where chance comes from.
        noise: standard deviation of what is added to x and y of every action, metres.

    Raises:
        ConfigError: the noise is negative.
    """

    def __init__(self, objects: Sequence[str], rng: np.random.Generator, noise: float = 0.005) -> None:
        if noise < 0:
            raise ConfigError(f"expected noise >= 0 metres, got {noise}")
        self._num_objects, self._rng, self._noise = len(objects), rng, noise
        self._plan: _Plan | None = None
        self._left = 0

    def action(self, qpos: np.ndarray) -> Float32[np.ndarray, "2"]:
        """What to do next, as `ScriptedPusher.action` says."""
        board = Board.at(qpos)
        plan = self._plan
        if plan is None or plan.done(board) or self._left == 0:
            plan = self._think(board)
        self._plan = plan
        self._left -= 1
        return _noisy(plan.action(board), self._rng, self._noise)

    def _think(self, board: Board) -> _Plan:
        block = int(self._rng.integers(self._num_objects))
        angle = self._rng.uniform(0, 2 * np.pi)
        way = self._rng.uniform(0.05, 0.2) * np.array([np.cos(angle), np.sin(angle)])
        limit = np.array(BLOCK_EXTENT)
        self._left = int(self._rng.integers(PATIENCE // 2, 2 * PATIENCE))
        return _Plan(block, np.clip(board.centers[block] + way, -limit, limit))


def _to_side(board: Board, subject: int, target: int, axis: int) -> _Plan:
    """Bring one block to the left of another (axis 0), or above it (axis 1)."""
    limit = np.array(BLOCK_EXTENT)
    sign = -1.0 if axis == 0 else 1.0
    goal = board.centers[target].copy()
    goal[axis] += sign * BESIDE_OFFSET
    if sign * goal[axis] <= limit[axis]:
        return _Plan(subject, np.clip(goal, -limit, limit))
    # No room on that side of the target: first bring the target away from the edge.
    away = np.clip(board.centers[target], -limit, limit)
    away[axis] = sign * (limit[axis] - BESIDE_OFFSET - 0.035)
    return _Plan(target, away, kept=True)


def _beside(board: Board, index: int) -> Point:
    """Where to stand so that a block is pointed at and no other is nearer: on its emptiest side, the near one if equal."""
    block, others = board.centers[index], board.without(index)
    reach = np.array(EFFECTOR_REACH)

    def cost(point: Point) -> float:
        crowd = np.maximum(0.0, 0.075 - np.linalg.norm(others - point, axis=1)).sum()
        outside = np.maximum(0.0, np.abs(point) - reach).sum()
        return float(10 * crowd + 20 * outside + np.linalg.norm(point - board.effector))

    return min((block + 0.048 * direction for direction in _CIRCLE), key=cost)


def _away(board: Board, mover: int, other: int) -> tuple[float, _Plan]:
    """The cheapest way to push one block from another, and what it costs."""
    block, others = board.centers[mover], board.without(mover)
    limit, reach = np.array(BLOCK_EXTENT), np.array(EFFECTOR_REACH)
    best: tuple[float, _Plan] | None = None
    for direction in _CIRCLE:
        for length in (0.09, 0.13):
            goal = block + length * direction
            stand = block - 0.057 * direction
            apart = float(np.linalg.norm(goal - board.centers[other]))
            crowd = np.maximum(0.0, KEEP_CLEAR - np.linalg.norm(others - stand, axis=1)).sum()
            outside = (
                np.maximum(0.0, np.abs(goal) - limit).sum() + np.maximum(0.0, np.abs(stand) - reach).sum()
            )
            blocked = not is_free(block, goal, others, 0.06)
            cost = (
                30 * max(0.0, APART + 0.012 - apart)
                + 30 * float(crowd)
                + 30 * float(outside)
                + 0.15 * blocked
                + float(np.linalg.norm(stand - board.effector))
                + length
            )
            if best is None or cost < best[0]:
                best = cost, _Plan(mover, goal, kept=True)
    assert best is not None
    return best


def _noisy(move: Point, rng: np.random.Generator, noise: float) -> Float32[np.ndarray, "2"]:
    return np.clip(move + noise * rng.standard_normal(2), -MAX_MOVE, MAX_MOVE).astype(np.float32)
