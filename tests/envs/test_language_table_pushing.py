"""Pushing: by contact and by nothing else, at random, and by a script that brings facts about."""

import numpy as np
import pytest

from daag.envs.language_table import (
    BOARD_HALF_EXTENT,
    EFFECTOR_REACH,
    LanguageTableEnv,
)
from daag.envs.language_table.expert import RandomPusher, ScriptedPusher
from daag.envs.language_table.routes import is_free, next_point
from daag.errors import ConfigError, SceneError
from daag.tasks import BOARD, Fact, Look, possible_facts
from daag.tasks.outlines import BLOCK_HEIGHT, OUTLINES

SMALL = {"image_size": 16, "quality": "fast"}


def center(env: LanguageTableEnv, name: str) -> np.ndarray:
    """Where a block's centre is, metres, (3,)."""
    return env._data.qpos[env._scene_model.free_joint(env._scene_model.scene.names.index(name))][:3].copy()


def upright(qpos: np.ndarray) -> np.ndarray:
    """How upright each block is: the cosine of its tilt."""
    poses = qpos[2:].reshape(-1, 7)
    return 1 - 2 * (poses[:, 4] ** 2 + poses[:, 5] ** 2)


@pytest.mark.parametrize("kind", ["moon", "star"])
def test_the_pusher_reaches_into_a_notch(kind):
    """What has notches is not pushed by its convex hull."""
    env = LanguageTableEnv(num_objects=2, **SMALL)
    env.reset(seed=0, options={"goal": [f"the red {kind} is in the middle"]})
    corners = OUTLINES[kind].corners
    around = np.linalg.norm(corners, axis=1)
    notch = int(np.abs(corners[:, 1]).argmin()) if kind == "moon" else int(around.argmin())
    start = corners[notch] + (
        0.013 * np.array([1.0, 0.0]) if kind == "moon" else 0.02 * corners[notch] / around[notch]
    )
    index = env._scene_model.scene.names.index(f"red {kind}")
    other = 1 - index
    env._data.qpos[env._scene_model.free_joint(other)][:2] = [0.15, 0.1]
    env._data.qpos[env._scene_model.free_joint(index)] = [0, 0, BLOCK_HEIGHT / 2, 1, 0, 0, 0]
    env._data.qpos[:2] = env._data.ctrl[:] = start
    env.step(np.zeros(2, dtype=np.float32))
    assert np.linalg.norm(center(env, f"red {kind}")[:2]) < 1e-3


@pytest.mark.parametrize("relation", BOARD.relations)
def test_the_scripted_pusher_brings_every_relation_about(relation):
    facts = possible_facts(BOARD.looks, (relation,))
    achieved = []
    for seed in (7, 8):
        rng = np.random.default_rng(seed)
        fact = facts[int(rng.integers(len(facts)))]
        env = LanguageTableEnv(image_size=2, quality="fast")
        _, info = env.reset(seed=seed, options={"goal": [fact.description]})
        pusher = ScriptedPusher(info["objects"], fact, rng, noise=0.003)
        reward, terminated, truncated = 0.0, False, False
        while not (terminated or truncated):
            _, reward, terminated, truncated, info = env.step(pusher.action(info["qpos"][-1]))
        assert (reward == 1.0) == terminated == info["success"] == (fact.description in info["facts"])
        achieved.append(terminated)
    assert all(achieved)


def test_the_pushers_check_what_they_are_given():
    rng = np.random.default_rng(0)
    fact = Fact("pointed at", Look("red", "cube"))
    with pytest.raises(SceneError, match="needs a red cube"):
        ScriptedPusher(("blue cube",), fact, rng)
    with pytest.raises(ConfigError, match="noise"):
        ScriptedPusher(("red cube",), fact, rng, noise=-0.1)
    with pytest.raises(ConfigError, match="noise"):
        RandomPusher(("red cube",), rng, noise=-0.1)


def test_the_random_pusher_pushes():
    env = LanguageTableEnv(image_size=2, quality="fast", terminate_on_success=False)
    _, info = env.reset(seed=1)
    before = {name: center(env, name) for name in info["objects"]}
    pusher = RandomPusher(info["objects"], np.random.default_rng(1))
    for _ in range(60):
        *_, info = env.step(pusher.action(info["qpos"][-1]))
    moved = [np.linalg.norm(center(env, name) - before[name]) for name in info["objects"]]
    assert sum(distance > 0.03 for distance in moved) >= 2


def test_a_way_leads_round_a_block():
    start, goal = np.array([-0.1, 0.0]), np.array([0.1, 0.0])
    wall = np.array([[0.0, 0.0], [0.0, 0.05]])
    assert not is_free(start, goal, wall, 0.05)
    first = next_point(start, goal, wall, 0.05, EFFECTOR_REACH)
    assert first[1] < -0.03  # the short way, below
    assert is_free(start, first, wall, 0.05)
    assert np.array_equal(next_point(start, goal, np.array([[0.0, 0.1]]), 0.05, EFFECTOR_REACH), goal)


def test_blocks_stay_on_the_board_and_upright_whatever_the_pusher_does():
    for seed in range(3):
        env = LanguageTableEnv(num_objects=8, image_size=1, quality="fast", terminate_on_success=False)
        env.reset(seed=seed)
        rng = np.random.default_rng(seed)
        for step in range(60):
            sweep = np.array([0.1, 0.1]) * (1 if step // 15 % 2 else -1) * rng.uniform(0, 1, 2)
            env._act(np.clip(sweep + rng.normal(0, 0.03, 2), -0.1, 0.1))
            poses = env._data.qpos[2:].reshape(-1, 7)
            assert (np.abs(poses[:, :2]) < BOARD_HALF_EXTENT).all()
            assert np.abs(poses[:, 2] - BLOCK_HEIGHT / 2).max() < 0.006
            assert np.degrees(np.arccos(np.minimum(upright(env._data.qpos), 1.0))).max() < 4


def pushed_block(num_objects: int = 2) -> tuple[LanguageTableEnv, str]:
    """A world with the effector left of a block in the middle."""
    env = LanguageTableEnv(num_objects=num_objects, terminate_on_success=False, **SMALL)
    env.reset(seed=0, options={"goal": ["the red cube is in the top left corner"]})
    for index, name in enumerate(env._scene_model.scene.names):
        x = 0.0 if name == "red cube" else 0.16
        env._data.qpos[env._scene_model.free_joint(index)] = [x, x / 2, BLOCK_HEIGHT / 2, 1, 0, 0, 0]
    env._data.qpos[:2] = env._data.ctrl[:] = [-0.05, 0.0]
    return env, "red cube"


def test_a_block_is_pushed_by_contact_and_stops_soon():
    env, name = pushed_block()
    for _ in range(3):
        observation, *_ = env.step(np.array([0.03, 0.0], dtype=np.float32))
    pushed = center(env, name)
    assert 0.03 < pushed[0] < 0.08 and abs(pushed[1]) < 0.01
    assert pushed[0] - observation["effector"][0] > 0.02  # beside it, not in it
    env.step(np.zeros(2, dtype=np.float32))
    stopped = center(env, name)
    assert np.linalg.norm(stopped - pushed) < 0.02
    env.step(np.zeros(2, dtype=np.float32))
    assert np.linalg.norm(center(env, name) - stopped) < 5e-4
    assert env._scene_model.model.neq == 0  # nothing is welded


def test_the_effector_goes_where_it_is_told_and_no_farther_than_its_reach():
    env, _ = pushed_block()
    observation, *_ = env.step(np.array([-0.08, 0.05], dtype=np.float32))
    assert np.allclose(observation["effector"], [-0.13, 0.05], atol=0.008)
    for _ in range(6):
        observation, *_ = env.step(np.array([-5.0, 0.1], dtype=np.float32))
    assert np.allclose(observation["effector"], [-EFFECTOR_REACH[0], EFFECTOR_REACH[1]], atol=0.003)
    observation, *_ = env.step(np.array([0.1, -0.1], dtype=np.float32))
    assert np.allclose(
        observation["effector"], [0.1 - EFFECTOR_REACH[0], EFFECTOR_REACH[1] - 0.1], atol=0.015
    )


def test_an_effector_that_is_held_up_turns_back_without_delay():
    env, name = pushed_block()
    slot = env._scene_model.free_joint(env._scene_model.scene.names.index(name))
    env._data.qpos[slot][0] = BOARD_HALF_EXTENT[0] - 0.025  # at the right edge
    env._data.qpos[:2] = env._data.ctrl[:] = [0.12, 0.0]
    for _ in range(6):
        held, *_ = env.step(np.array([0.1, 0.0], dtype=np.float32))
    assert held["effector"][0] < 0.15
    back, *_ = env.step(np.array([-0.06, 0.0], dtype=np.float32))
    assert back["effector"][0] < held["effector"][0] - 0.02


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_a_block_stops_at_every_edge_of_the_board(direction):
    env, name = pushed_block()
    for index, block in enumerate(env._scene_model.scene.names):
        if block != name:
            env._data.qpos[env._scene_model.free_joint(index)][:2] = [0.12, 0.12]
    env._data.qpos[:2] = env._data.ctrl[:] = -0.05 * np.array(direction)
    for _ in range(8):
        env.step(0.04 * np.array(direction, dtype=np.float32))
    distance = center(env, name)[:2] @ direction
    half = BOARD_HALF_EXTENT[0] if direction[0] else BOARD_HALF_EXTENT[1]
    assert half - 0.04 < distance < half - 0.018
