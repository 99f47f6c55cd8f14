"""The Language Table world: Gymnasium's rules, starts and goals that are what they say."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_baselines
from tests.envs.elsewhere import digests

from daag.envs import LANGUAGE_TABLE
from daag.envs.language_table import (
    LanguageTableEnv,
)
from daag.envs.language_table.model import block_centers, effector_of
from daag.envs.language_table.scene import PLACES, sample_poses
from daag.errors import ConfigError, LanguageError, SceneError, UnknownNameError
from daag.tasks import BOARD, Fact, Look

SMALL = {"image_size": 16, "quality": "fast"}


def center(env: LanguageTableEnv, name: str) -> np.ndarray:
    """Where a block's centre is, metres, (3,)."""
    return env._data.qpos[env._scene_model.free_joint(env._scene_model.scene.names.index(name))][:3].copy()


@pytest.mark.filterwarnings("ignore:.*:UserWarning:gymnasium")
def test_gymnasiums_checker_is_content():
    made = gymnasium.make(f"daag.envs:{LANGUAGE_TABLE}", render_mode="rgb_array", **SMALL)
    check_env(made.unwrapped)


@pytest.mark.filterwarnings("ignore:.*:UserWarning:stable_baselines3")
def test_stable_baselines_checker_is_content():
    check_env_for_baselines(LanguageTableEnv(image_size=40, quality="fast"))


DIGEST = """
import hashlib
from daag.envs.language_table import LanguageTableEnv
env = LanguageTableEnv(num_objects=6, image_size=24)
digest = hashlib.sha256()
observation, info = env.reset(seed=5)
steps = [env.step(env.action_space.sample() * 0 + value) for value in (0.1, -0.1, 0.05)]
for observation, info in [(observation, info), *((step[0], step[-1]) for step in steps)]:
    for image in (*observation.values(), *(view.depth for view in info["views"]), *info["qpos"], info["proposals"]):
        digest.update(image.tobytes())
    digest.update((info["scene"] + info["instruction"]).encode())
print(digest.hexdigest())
"""


def test_equal_seeds_give_equal_bytes_in_another_process():
    outputs = digests(DIGEST)
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 64


@pytest.mark.filterwarnings("ignore:.*:UserWarning:gymnasium")
def test_vector_environments_keep_every_worlds_info():
    worlds = gymnasium.make_vec(
        f"daag.envs:{LANGUAGE_TABLE}", num_envs=2, vectorization_mode="sync", num_objects=5, **SMALL
    )
    observation, info = worlds.reset(seed=3)
    assert observation["effector"].shape == (2, 2)
    assert info["proposals"].shape == (2, 5, 2)
    observation, *_, info = worlds.step(np.zeros((2, 2), dtype=np.float32))
    assert observation["rgb"].shape == (2, 16, 16, 3)
    assert list(map(len, info["views"])) == [1, 1]
    worlds.close()


def test_corners_are_where_the_camera_sees_them():
    env = LanguageTableEnv(vary=())
    observation, _ = env.reset(seed=0)
    to_pixel = np.linalg.inv(observation["pixel_to_table"])
    seen = {place: to_pixel @ [x, y, 1.0] for place, (x, y) in PLACES.items()}
    pixels = {place: point[:2] / point[2] for place, point in seen.items()}
    for place, (column, row) in pixels.items():
        assert 0 < column < 64 and 0 < row < 64
        assert ("left" in place) == (column < 20) and ("right" in place) == (column > 44)
        assert ("top" in place) == (row < 26) and ("bottom" in place) == (row > 38)


def test_the_goal_does_not_hold_at_the_start():
    env = LanguageTableEnv(num_objects=2, image_size=1, quality="fast")
    often = Fact("in", Look("red", "cube"), None, "middle")  # by chance at every tenth start
    for seed in range(40):
        _, info = env.reset(seed=seed, options={"goal": [often.description]})
        assert often.description not in info["facts"]


def test_what_is_to_be_separated_starts_together():
    for seed in range(6):
        env = LanguageTableEnv(num_objects=5, **SMALL)
        goals = ["the blue star is apart from the red cube", "the green moon is apart from the red cube"]
        _, info = env.reset(seed=seed, options={"goal": goals})
        together = {"the blue star is touching the red cube", "the green moon is touching the red cube"}
        assert together <= set(info["facts"])
        assert not set(goals) & set(info["facts"])
        assert env.max_steps == 160


def test_goals_of_every_relation_are_drawn():
    env = LanguageTableEnv(image_size=2, quality="fast")
    drawn = set()
    for seed in range(40):
        env.reset(seed=seed)
        drawn |= {fact.relation for fact in env._goal}
    assert drawn == set(BOARD.relations)


@pytest.mark.parametrize(
    "action", [np.zeros(3, np.float32), np.array([0, np.nan], np.float32), np.array([np.inf, 0], np.float32)]
)
def test_actions_of_another_shape_or_not_finite_are_refused(action):
    env = LanguageTableEnv(**SMALL)
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="finite action of shape"):
        env.step(action)


@pytest.mark.parametrize(
    ("goal", "error", "message"),
    [
        (["the purple cube is in the middle"], LanguageError, "cannot be said in the world"),
        (["the red prism is in the middle"], LanguageError, "cannot be said in the world"),
        (["the red cube is on the blue cube"], LanguageError, "cannot be said in the world"),
        (["the red cube is in the attic"], LanguageError, "expected a description"),
        (
            ["the red cube is in the middle", "the red cube is in the top left corner"],
            SceneError,
            "cannot be at once",
        ),
        (
            ["the red cube is touching the blue cube", "the blue cube is apart from the red cube"],
            SceneError,
            "cannot be at once",
        ),
        (
            ["the red cube is above the blue cube", "the blue cube is to the left of the red cube"],
            SceneError,
            "cannot be at once",
        ),
        (
            ["the pointer is at the red cube", "the pointer is at the red moon"],
            SceneError,
            "cannot be at once",
        ),
        (
            ["the red cube is above the blue cube", "the blue cube is above the red cube"],
            SceneError,
            "leads in a circle",
        ),
        (
            ["the red cube is touching the blue cube", "the red cube is touching the green cube"],
            SceneError,
            "has room for 2",
        ),
    ],
)
def test_goals_that_cannot_be_are_refused(goal, error, message):
    with pytest.raises(error, match=message):
        LanguageTableEnv(num_objects=2, **SMALL).reset(seed=0, options={"goal": goal})


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"num_objects": 1}, ConfigError),
        ({"num_objects": 9}, ConfigError),
        ({"kinds": ("cube", "sphere")}, UnknownNameError),
        ({"vary": ("weather",)}, UnknownNameError),
    ],
)
def test_settings_out_of_range_are_refused(setting, error):
    with pytest.raises(error):
        LanguageTableEnv(**setting)


def test_more_blocks_than_looks_or_room_are_refused():
    with pytest.raises(SceneError, match="expected at least"):
        LanguageTableEnv(num_objects=5, kinds=("cube",), **SMALL).reset(seed=0)
    with pytest.raises(SceneError, match="do not fit"):
        sample_poses(np.random.default_rng(0), 24)


def test_the_proposals_lead_to_the_blocks():
    env = LanguageTableEnv(num_objects=6)
    for seed in range(4):
        _, info = env.reset(seed=seed)
        true = np.stack([center(env, name)[:2] for name in info["objects"]])
        assert np.median(np.linalg.norm(info["proposals"] - true, axis=1)) < 0.006
        assert np.linalg.norm(info["proposals"] - true, axis=1).max() < 0.03  # some are half hidden


def test_a_hidden_blocks_proposal_repeats_another():
    env = LanguageTableEnv()
    env.reset(seed=0)
    env._data.qpos[env._scene_model.free_joint(1)][:2] = [0.0, -5.0]  # out of the picture
    proposals = env._proposals(env._render(env._data.qpos))
    assert proposals.shape == (4, 2)
    assert len(np.unique(proposals, axis=0)) == 3


def test_blocks_lie_where_they_are_laid_and_those_that_are_in_each_other_are_noticed():
    env = LanguageTableEnv(num_objects=2, image_size=4, quality="fast")
    env.reset(seed=0)
    model, data, effector = env._scene_model, env._data, np.array([0.15, 0.1])
    model.lay(data, effector, np.array([[-0.1, 0.0, 0.3], [0.05, -0.05, 1.0]]))
    assert effector_of(data.qpos) == pytest.approx(effector)
    assert block_centers(data.qpos) == pytest.approx(np.array([[-0.1, 0.0], [0.05, -0.05]]))
    assert not model.overlaps(data)
    model.lay(data, effector, np.array([[0.0, 0.0, 0.3], [0.01, 0.0, 1.0]]))
    assert model.overlaps(data) and model.overlaps(data, 0.002) and not model.overlaps(data, 0.1)
