"""The stacking world: Gymnasium's rules, physics that is physics, and tasks that are what they say."""

import hashlib
import itertools
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from tests.envs.elsewhere import digests

from daag.envs import RGB_STACKING
from daag.envs.stacking import GRASP_HEIGHT, WORKSPACE_HALF_EXTENT, RGBStackingEnv
from daag.envs.stacking.env import MAX_VELOCITY
from daag.errors import ConfigError, LanguageError, SceneError, UnknownNameError
from daag.tasks import CARRYING_KINDS

SMALL = {"image_size": 16, "quality": "fast", "motion_frames": 0}
IDLE = np.array([-1, 1, -1, 1], dtype=np.float32)  # picks and places where nothing stands, with most seeds


def position(env: RGBStackingEnv, name: str) -> np.ndarray:
    """Where an object's centre is, metres, (3,)."""
    return env._data.qpos[env._scene_model.free_joint(env._scene_model.scene.names.index(name))][:3].copy()


def stack(env: RGBStackingEnv, upper: str, lower: str) -> np.ndarray:
    """The action that puts one object onto another."""
    metres = np.concatenate([position(env, upper)[:2], position(env, lower)[:2]])
    return (metres / np.tile(WORKSPACE_HALF_EXTENT, 2)).astype(np.float32)


def beside(env: RGBStackingEnv, moved: str, other: str) -> np.ndarray:
    """The action that puts one object next to another, on the side where the fingers have most room."""
    x, y, _ = position(env, other)
    metres = np.array([*position(env, moved)[:2], x, y + (0.07 if y < 0.03 else -0.07)])
    return (metres / np.tile(WORKSPACE_HALF_EXTENT, 2)).astype(np.float32)


@pytest.mark.filterwarnings("ignore:.*:UserWarning:gymnasium")
@pytest.mark.parametrize("control", ["primitive", "cartesian"])
def test_gymnasiums_checker_is_content(control):
    made = gymnasium.make(f"daag.envs:{RGB_STACKING}", control=control, render_mode="rgb_array", **SMALL)
    check_env(made.unwrapped)


def test_gymnasium_finds_the_world_by_its_module():
    code = (
        "import gymnasium\n"
        f"env = gymnasium.make('daag.envs:{RGB_STACKING}', image_size=8)\n"
        "print(env.reset(seed=0)[0]['rgb'].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "(8, 8, 3)"


DIGEST = """
import hashlib
from daag.envs.stacking import RGBStackingEnv
env = RGBStackingEnv(image_size=24, motion_frames=2)
digest = hashlib.sha256()
observation, info = env.reset(seed=5)
steps = [env.step(env.action_space.sample() * 0 + value) for value in (0.3, -0.5)]
for observation, info in [(observation, info), *((step[0], step[-1]) for step in steps)]:
    for image in (*observation.values(), *(view.depth for view in info["views"]), *info["qpos"], info["proposals"]):
        digest.update(image.tobytes())
    digest.update(info["scene"].encode())
print(digest.hexdigest())
"""


def test_equal_seeds_give_equal_bytes_in_another_process():
    outputs = digests(DIGEST)
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == hashlib.sha256().digest_size * 2


def test_another_seed_gives_another_scene():
    env = RGBStackingEnv(**SMALL)
    scenes = {env.reset(seed=seed)[1]["scene"] for seed in range(5)}
    assert len(scenes) == 5


def test_every_carrying_kind_is_stacked_on_every_other_by_physics():
    env = RGBStackingEnv(kinds=CARRYING_KINDS, **SMALL)
    pairs = list(itertools.product(CARRYING_KINDS, CARRYING_KINDS)) * 2
    stacked = []
    for seed, (upper, lower) in enumerate(pairs):
        env.reset(seed=seed, options={"goal": [f"the red {upper} is on the blue {lower}"]})
        _, reward, terminated, _, info = env.step(stack(env, f"red {upper}", f"blue {lower}"))
        assert reward == float(terminated) == float(info["success"])
        stacked.append(reward)
    assert np.mean(stacked) >= 0.9


def test_nothing_is_teleported():
    env = RGBStackingEnv(**SMALL)
    env.reset(seed=2, options={"goal": ["the red cube is on the blue cylinder"]})
    before = position(env, "red cube")
    env.step(stack(env, "red cube", "blue cylinder"))
    path = np.stack(env._trace)
    slots = [env._scene_model.free_joint(index) for index in range(4)]
    moves = np.stack([np.linalg.norm(np.diff(path[:, slot][:, :3], axis=0), axis=1) for slot in slots])
    assert moves.max() < 0.006  # metres in 4 ms: the hand's top speed is about 1 m/s
    assert np.linalg.norm(position(env, "red cube") - before) > 0.05
    assert env._scene_model.model.neq == 0  # no welds, nor other constraints that hold objects


def test_what_is_moved_is_lifted_on_the_way():
    env = RGBStackingEnv(**SMALL)
    env.reset(seed=2, options={"goal": ["the red cube is on the blue cylinder"]})
    slot = env._scene_model.free_joint(env._scene_model.scene.names.index("red cube"))
    env.step(stack(env, "red cube", "blue cylinder"))
    assert np.stack(env._trace)[:, slot][:, 2].max() > GRASP_HEIGHT + 0.1


def test_a_pick_where_nothing_is_moves_nothing():
    env = RGBStackingEnv(**SMALL)
    for seed in range(3):
        _, before = env.reset(seed=seed)
        corners = np.array(list(itertools.product([-1, 1], [-1, 1])))
        objects = np.stack([position(env, name)[:2] for name in before["objects"]]) / WORKSPACE_HALF_EXTENT
        free = corners[np.linalg.norm(corners[:, None] - objects, axis=-1).min(axis=1).argmax()]
        _, reward, *_, after = env.step(np.concatenate([free, free]).astype(np.float32))
        assert reward == 0.0
        assert np.abs(after["qpos"][-1][6:] - before["qpos"][-1][6:]).max() < 2e-3


def test_next_to_is_reached_by_placing_beside():
    env = RGBStackingEnv(**SMALL)
    reached = []
    for seed in range(5):
        env.reset(seed=seed, options={"goal": ["the green cube is next to the white prism"]})
        reached.append(env.step(beside(env, "green cube", "white prism"))[1])
    assert np.mean(reached) >= 0.6  # a third object may be in the way


def test_a_tower_has_six_steps_and_is_rewarded_when_it_stands():
    env = RGBStackingEnv(**SMALL)
    goal = ["the green cube is on the blue cube", "the red cube is on the green cube"]
    _, info = env.reset(seed=1, options={"goal": goal})
    assert env.max_steps == 6
    assert (
        info["instruction"]
        == "stack the green cube on the blue cube and stack the red cube on the green cube"
    )
    _, reward, terminated, _, info = env.step(stack(env, "green cube", "blue cube"))
    assert (reward, terminated, info["facts"]) == (0.0, False, (goal[0],))
    _, reward, terminated, truncated, info = env.step(stack(env, "red cube", "green cube"))
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert set(goal) <= set(info["facts"])


def test_the_reward_is_given_once():
    env = RGBStackingEnv(terminate_on_success=False, **SMALL)
    env.reset(seed=2, options={"goal": ["the red cube is on the blue cylinder"]})
    first = env.step(stack(env, "red cube", "blue cylinder"))
    second = env.step(IDLE)
    assert (first[1], first[2]) == (1.0, False)
    assert (second[1], second[2]) == (0.0, False)
    assert second[4]["success"]


def test_an_episode_is_truncated_after_four_primitives():
    env = RGBStackingEnv(**SMALL)
    env.reset(seed=0)
    truncated = [env.step(IDLE)[3] for _ in range(4)]
    assert truncated == [False, False, False, True]


def test_the_motion_is_recorded_with_the_step():
    env = RGBStackingEnv(image_size=16, quality="fast", motion_frames=5)
    observation, info = env.reset(seed=2)
    assert len(info["views"]) == len(info["qpos"]) == 1
    assert np.array_equal(info["views"][-1].rgb, observation["rgb"])
    observation, *_, info = env.step(stack(env, *info["objects"][:2]))
    assert len(info["views"]) == len(info["qpos"]) == 6
    assert np.array_equal(info["views"][-1].rgb, observation["rgb"])
    heights = [qpos[2] for qpos in info["qpos"]]
    assert min(heights) < 0.25 < max(heights)  # the hand went down and came back


def test_the_homography_and_the_proposals_lead_to_the_objects():
    env = RGBStackingEnv()
    for seed in range(5):
        observation, info = env.reset(seed=seed)
        true = np.stack([position(env, name)[:2] for name in info["objects"]])
        assert np.linalg.norm(info["proposals"] - true, axis=1).max() < 0.012
        view = info["views"][-1]
        y, x = np.argwhere(view.segmentation == 1).mean(axis=0) + 0.5
        seen = observation["pixel_to_table"] @ [x, y, 1.0]
        assert np.linalg.norm(seen[:2] / seen[2] - true[0]) < 0.02


def test_a_hidden_objects_proposal_repeats_another():
    env = RGBStackingEnv()
    env.reset(seed=0)
    slot = env._scene_model.free_joint(1)
    env._data.qpos[slot][:2] = [0.0, -5.0]  # out of the picture
    view = env._render(env._data.qpos)
    proposals = env._proposals(view)
    assert proposals.shape == (4, 2)
    assert len(np.unique(proposals, axis=0)) == 3


def test_a_goals_objects_are_in_the_scene():
    env = RGBStackingEnv(num_objects=3, **SMALL)
    for seed in range(5):
        _, info = env.reset(seed=seed, options={"goal": ["the black prism is next to the white sphere"]})
        assert {"black prism", "white sphere"} <= set(info["objects"])
        assert len(set(info["objects"])) == 3


def test_the_wording_of_the_instruction_can_be_chosen():
    env = RGBStackingEnv(**SMALL)
    options = {"goal": ["the red cube is on the blue cube"], "instruction": "put red onto blue"}
    assert env.reset(seed=0, options=options)[1]["instruction"] == "put red onto blue"


@pytest.mark.parametrize(
    ("goal", "error", "message"),
    [
        (["the red sphere is on the blue cube"], SceneError, "only cube, cylinder, prism can be stacked"),
        (["the red cube is on the blue sphere"], SceneError, "only cube, cylinder, prism can be stacked"),
        (["the red cube is on the pink cube"], LanguageError, "'pink'"),
        (["the red cube is under the blue cube"], LanguageError, "expected a description"),
        ("the red cube is on the blue cube", ConfigError, "sequence of descriptions"),
        (
            ["the red cube is on the blue cube", "the blue cube is on the red cube"],
            SceneError,
            "cannot be at once",
        ),
        (
            ["the red cube is on the blue cube", "the red cube is on the green cube"],
            SceneError,
            "cannot be at once",
        ),
        (
            ["the red cube is next to the blue cube", "the white cube is next to the black cube"],
            SceneError,
            "the scene has room for 3",
        ),
    ],
)
def test_goals_that_cannot_be_are_refused(goal, error, message):
    with pytest.raises(error, match=message):
        RGBStackingEnv(num_objects=3, **SMALL).reset(seed=0, options={"goal": goal})


@pytest.mark.parametrize(
    "action",
    [
        np.zeros(5, np.float32),
        np.array([0, 0, 0, np.nan], np.float32),
        np.array([0, np.inf, 0, 0], np.float32),
    ],
)
def test_actions_of_another_shape_or_not_finite_are_refused(action):
    env = RGBStackingEnv(**SMALL)
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="finite action of shape"):
        env.step(action)


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"num_objects": 2}, ConfigError),
        ({"num_objects": 7}, ConfigError),
        ({"motion_frames": -1}, ConfigError),
        ({"image_size": 0}, ConfigError),
        ({"render_mode": "human"}, ConfigError),
        ({"kinds": ("cube", "cone")}, UnknownNameError),
    ],
)
def test_settings_out_of_range_are_refused(setting, error):
    with pytest.raises(error):
        RGBStackingEnv(**setting)


def test_render_gives_the_latest_observation():
    env = RGBStackingEnv(render_mode="rgb_array", **SMALL)
    observation, _ = env.reset(seed=0)
    assert np.array_equal(env.render(), observation["rgb"])
    assert RGBStackingEnv(**SMALL).render() is None


@pytest.mark.filterwarnings("ignore:.*:UserWarning:gymnasium")
def test_vector_environments_keep_every_worlds_info():
    worlds = gymnasium.make_vec(
        f"daag.envs:{RGB_STACKING}", num_envs=2, vectorization_mode="sync", **{**SMALL, "motion_frames": 2}
    )
    _, info = worlds.reset(seed=3)
    assert info["proposals"].shape == (2, 4, 2)
    worlds.envs[0].unwrapped._steps = 2  # so that it starts again while the other goes on
    for _ in range(3):
        observation, *_, info = worlds.step(np.tile(IDLE, (2, 1)))
        assert observation["rgb"].shape == (2, 16, 16, 3)
        assert list(map(len, info["views"])) == list(map(len, info["qpos"]))
    assert list(map(len, info["qpos"])) == [1, 3]
    worlds.close()


def test_cartesian_control_can_grasp_and_lift():
    env = RGBStackingEnv(control="cartesian", kinds=("cube",), **SMALL)
    _, info = env.reset(seed=0)
    name = info["objects"][0]

    def move_to(goal: np.ndarray, grip: float, steps: int) -> None:
        for _ in range(steps):
            velocity = np.clip(8 * (goal - env._data.qpos[:3]) / MAX_VELOCITY[:3], -1, 1)
            env.step(np.array([*velocity, 0.0, grip], dtype=np.float32))

    x, y, _ = position(env, name)
    move_to(np.array([x, y, 0.21]), -1.0, 28)
    move_to(np.array([x, y, 0.058]), -1.0, 18)
    move_to(np.array([x, y, 0.058]), 1.0, 10)
    move_to(np.array([x, y, 0.2]), 1.0, 15)
    assert position(env, name)[2] > GRASP_HEIGHT + 0.08


def test_what_the_hand_feels_is_what_touches_it():
    """At moments of a whole pick and place, against a plain loop over the names in contact."""
    env = RGBStackingEnv(num_objects=4, **SMALL)
    _, info = env.reset(seed=3)
    model, data, gripper = env._scene_model.model, env._data, env._gripper
    hand, felt = {"palm", "left", "right", "wrist"}, []

    def plainly(holding: bool) -> bool:
        pairs = [{model.geom(contact.geom1).name, model.geom(contact.geom2).name} for contact in data.contact]
        at_hand = [pair for pair in pairs if len(pair & hand) == 1]
        held = {name for pair in at_hand for name in pair - hand if name.startswith("object")}
        return bool(at_hand if not holding else [pair for pair in pairs if pair & held and not pair & hand])

    def compare() -> None:
        told = (gripper._touches(False), gripper._touches(True))
        assert told == (plainly(False), plainly(True))
        felt.append(told)

    gripper._on_step = compare
    pick, place = info["proposals"][:2]
    gripper.pick_and_place(pick, place)
    # Nothing at all, an object that stands on the table, one in the air, and one that was set down on another.
    assert {(False, False), (True, True), (True, False)} <= set(felt)
