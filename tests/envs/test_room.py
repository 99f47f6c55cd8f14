"""The room: Gymnasium's rules, walking that stops where something is, and tasks that are what they say."""

import hashlib
from math import hypot

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3
from tests.envs.elsewhere import digests

from daag.envs import ROOM, EpisodeRecorder, rerender
from daag.envs.room import ACTIONS, STYLES, RoomEnv, RoomExpert, RoomModel, RoomScene
from daag.envs.room.env import FORWARD, MAX_STEPS, PITCHES, TURN
from daag.envs.room.predicates import HALF_ANGLE, REACH
from daag.envs.room.scene import AGENT_RADIUS
from daag.envs.room.shapes import FURNITURE
from daag.envs.room.space import clearance, is_free, walk
from daag.envs.scene import VARIATIONS
from daag.episodes import Episode
from daag.errors import ConfigError, LanguageError, SceneError, UnknownNameError
from daag.tasks import SOLIDS, EditPlan, Fact, Look, ObjectEdit

SMALL = {"image_size": 16, "quality": "fast"}


def made(seed: int = 0, goal: tuple[str, ...] = (), **settings) -> RoomEnv:
    env = RoomEnv(**{**SMALL, **settings})
    env.reset(seed=seed, options={"goal": goal})
    return env


def model_of(env: RoomEnv) -> RoomModel:
    assert isinstance(env._scene_model, RoomModel)
    return env._scene_model


def stand(env: RoomEnv, x: float, y: float, yaw: float) -> set[str]:
    """Put the agent somewhere, and say what is true there."""
    env._data.qpos[:3] = x, y, yaw
    return {fact.description for fact in model_of(env).facts(env._data.qpos)}


@pytest.mark.filterwarnings("ignore:.*:UserWarning:gymnasium")
def test_the_checkers_of_gymnasium_and_stable_baselines_are_content():
    env = gymnasium.make(f"daag.envs:{ROOM}", render_mode="rgb_array", **SMALL).unwrapped
    check_env(env)
    check_env_of_sb3(env)


DIGEST = """
import hashlib
from daag.envs.room import RoomEnv
env = RoomEnv(image_size=24)
digest = hashlib.sha256()
observation, info = env.reset(seed=5)
steps = [env.step(action) for action in (0, 1, 0)]
for observation, info in [(observation, info), *((step[0], step[-1]) for step in steps)]:
    for image in (*observation.values(), info["views"][-1].normals, *info["qpos"]):
        digest.update(image.tobytes())
    digest.update(info["scene"].encode())
print(digest.hexdigest())
"""


def test_equal_seeds_give_equal_bytes_in_another_process():
    outputs = digests(DIGEST)
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == hashlib.sha256().digest_size * 2


def test_several_rooms_at_once():
    rooms = gymnasium.make_vec(f"daag.envs:{ROOM}", num_envs=2, vectorization_mode="sync", **SMALL)
    observation, _ = rooms.reset(seed=3)
    assert observation["rgb"].shape == (2, 16, 16, 3)
    observation, *_ = rooms.step(np.array([0, 1]))
    assert not np.array_equal(observation["rgb"][0], observation["rgb"][1])


def test_a_room_holds_what_it_should():
    for seed in range(12):
        env = made(seed, num_objects=7)
        scene = model_of(env).scene
        assert {piece.name for piece in scene.furniture} == set(FURNITURE)
        for item, spot in zip(scene.objects, scene.spots, strict=True):
            assert abs(spot.x) < scene.half_size[0] and abs(spot.y) < scene.half_size[1]
            if spot.place.startswith("on the "):
                piece = next(each for each in scene.furniture if spot.place.endswith(each.name))
                assert spot.z == FURNITURE[piece.name].top
                assert clearance(spot.x, spot.y, piece.spot, FURNITURE[piece.name]) == 0
                assert item.look.kind not in ("chair", "lamp")
            else:
                assert spot.z == 0.0
                radius = max(SOLIDS[item.look.kind].footprint)
                others = [pair for pair in scene.obstacles if pair[0] != spot]
                assert all(clearance(spot.x, spot.y, *pair) >= radius for pair in others)
        x, y, *_ = env._data.qpos
        assert is_free(x, y, scene.half_size, scene.obstacles)
        assert model_of(env).facts(env._data.qpos) == frozenset()


def test_a_goal_with_a_place_puts_the_object_there():
    for place in ("on the sofa", "next to the table"):
        env = made(3, (f"the red ball {place} is right in front",))
        scene = model_of(env).scene
        index = scene.names.index("red ball")
        assert scene.spots[index].place == place
        piece = next(each for each in scene.furniture if place.endswith(each.name))
        apart = clearance(scene.spots[index].x, scene.spots[index].y, piece.spot, FURNITURE[piece.name])
        assert apart < 0.5


def test_steps_and_turns_are_as_long_as_said():
    env = made()
    x, y, yaw, pitch = env._data.qpos.copy()
    env.step(1)
    assert np.allclose(env._data.qpos, [x, y, (yaw + TURN + np.pi) % (2 * np.pi) - np.pi, pitch])
    env.step(2)
    assert np.allclose(env._data.qpos, [x, y, yaw, pitch])
    env.step(0)
    moved = env._data.qpos.copy()
    assert hypot(moved[0] - x, moved[1] - y) <= FORWARD + 1e-9
    assert np.allclose(moved[:2], walk(model_of(env).scene, x, y, yaw, FORWARD))


def test_walls_and_furniture_are_in_the_way():
    scene = model_of(made()).scene
    far = walk(scene, *made()._data.qpos[:3], 50.0)
    assert (
        abs(far[0]) <= scene.half_size[0] - AGENT_RADIUS and abs(far[1]) <= scene.half_size[1] - AGENT_RADIUS
    )
    for spot, built in scene.obstacles:
        # From outside straight at it: one stops short of it.
        for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
            x, y = spot.x + 1.5 * np.cos(angle), spot.y + 1.5 * np.sin(angle)
            if is_free(x, y, scene.half_size, scene.obstacles):
                end = walk(scene, x, y, angle + np.pi, 1.5)
                assert clearance(*end, spot, built) >= AGENT_RADIUS - 1e-9


def test_who_walks_into_a_wall_at_an_angle_slides_along_it():
    scene = model_of(made()).scene
    wall = scene.half_size[0] - AGENT_RADIUS
    free = [y for y in np.linspace(-1.5, 1.5, 61) if _is_free_along(scene, wall, y)]
    end = walk(scene, wall - 0.01, free[0], np.pi / 4, 0.5)
    assert end[1] - free[0] > 0.2 and end[0] <= wall + 1e-9
    square = walk(scene, wall - 0.001, free[0], 0.0, 0.5)
    assert np.hypot(square[0] - wall, square[1] - free[0]) < 0.15


def _is_free_along(scene, x, y):
    return all(
        is_free(x - 0.01, y + along, scene.half_size, scene.obstacles) for along in (-0.1, 0.0, 0.25, 0.5)
    )


def test_back_and_looking_up_and_down_are_to_be_had():
    env = made(actions=ACTIONS)
    x, y, yaw, pitch = env._data.qpos.copy()
    env.step(ACTIONS.index("look up"))
    assert env._data.qpos[3] > pitch
    for _ in range(12):
        env.step(ACTIONS.index("look down"))
    assert env._data.qpos[3] == PITCHES[0]
    env.step(ACTIONS.index("back"))
    assert np.allclose(env._data.qpos[:2], walk(model_of(env).scene, x, y, yaw, -FORWARD))


def test_what_is_in_front_is_near_ahead_and_in_sight():
    env = made(2, ("the red ball is right in front",), num_objects=2)
    scene = model_of(env).scene
    index = scene.names.index("red ball")
    spot = scene.spots[index]
    reach = REACH + max(SOLIDS["ball"].footprint)
    ahead = "the red ball is right in front"
    seen = 0
    for angle in np.linspace(-np.pi, np.pi, 16, endpoint=False):
        there = lambda metres: (spot.x - metres * np.cos(angle), spot.y - metres * np.sin(angle))  # noqa: B023, E731
        if not model_of(env).sees(*there(reach - 0.05), index):
            continue
        seen += 1
        assert ahead in stand(env, *there(reach - 0.05), angle)
        assert ahead not in stand(env, *there(reach + 0.05), angle)
        assert ahead in stand(env, *there(reach - 0.05), angle + 0.9 * HALF_ANGLE)
        assert ahead not in stand(env, *there(reach - 0.05), angle + 1.1 * HALF_ANGLE)
    assert seen >= 4


def test_one_does_not_stand_before_what_furniture_hides():
    hidden = 0
    for seed in range(40):
        env = made(seed)
        scene_model = model_of(env)
        for index, spot in enumerate(scene_model.scene.spots):
            for angle in np.linspace(-np.pi, np.pi, 12, endpoint=False):
                x, y = spot.x - 0.85 * np.cos(angle), spot.y - 0.85 * np.sin(angle)
                if not scene_model.sees(x, y, index):
                    hidden += 1
                    name = f"the {scene_model.scene.names[index]} is right in front"
                    assert name not in stand(env, x, y, angle)
    assert hidden > 0


def test_a_route_is_walked_in_its_order():
    goal = ("the red ball is right in front", "the green mug is right in front")
    env = made(1, goal, terminate_on_success=False)
    assert env.max_steps == 2 * MAX_STEPS
    for first, rewards in (("red ball", [0.0, 1.0]), ("green mug", [0.0, 0.0])):
        env = made(1, goal, terminate_on_success=False)
        second = "green mug" if first == "red ball" else "red ball"
        found = []
        for name in (first, second):
            expert = RoomExpert(env)
            while f"the {name} is right in front" not in {
                fact.description for fact in model_of(env).facts(env._data.qpos)
            }:
                _, reward, *_ = env.step(expert.act(Fact("in front", Look.parse(name))))
            found.append(reward)
        assert found == rewards


def test_the_expert_finds_what_is_asked_for_and_noise_makes_it_worse():
    def successes(noise: float) -> int:
        count = 0
        for seed in range(12):
            env = made(seed, image_size=2)
            expert = RoomExpert(env, noise, np.random.default_rng(seed))
            terminated = truncated = False
            while not (terminated or truncated):
                *_, terminated, truncated, _ = env.step(expert.act(env._goal[0]))
            count += terminated
        return count

    assert successes(0.0) >= 11
    assert successes(0.9) <= 6


def recorded(seed: int = 4) -> Episode:
    env = RoomEnv(image_size=32)
    observation, info = env.reset(seed=seed, options={"goal": ["the red ball is right in front"]})
    recorder = EpisodeRecorder(ROOM, seed, observation, info)
    expert = RoomExpert(env)
    terminated = truncated = False
    while not (terminated or truncated):
        action = expert.act(Fact("in front", Look("red", "ball")))
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(np.array([action], dtype=np.float32), reward, terminated, truncated, info)
    return recorder.finish("run/task/0")


def test_the_oracle_draws_the_way_again_and_changes_what_it_is_told_to():
    episode = recorded()
    frames = np.arange(len(episode.frames))
    assert np.array_equal(rerender(episode, frames, None), episode.frames)
    edited = rerender(episode, frames, EditPlan((ObjectEdit("modify", "red ball", "green ball"),)))
    changed = (edited != episode.frames).any(axis=-1)
    assert episode.segmentation is not None
    ball = episode.segmentation == episode.objects.index("red ball") + 1
    assert ball[-1].sum() > 20 and (changed & ball).sum() > 0.9 * ball.sum()
    # At outlines a pixel is a mixture; elsewhere nothing else changes, not even shadows.
    assert changed[~ball].mean() < 0.02


def test_a_scene_survives_json():
    scene = model_of(made(7)).scene
    assert RoomScene.from_json(scene.to_json()) == scene
    with pytest.raises(SceneError, match="expected a RoomScene as JSON"):
        RoomScene.from_json("{}")


def test_looks_differ_and_what_does_not_vary_is_the_same():
    means = {look: np.mean([made(seed, look=look)._view.rgb.mean() for seed in range(3)]) for look in STYLES}
    assert len({round(mean) for mean in means.values()}) == len(STYLES)
    plain = [model_of(made(seed, vary=())).scene for seed in range(3)]
    assert len({(scene.light, scene.walls, scene.floor, scene.texture_seed) for scene in plain}) == 1
    assert len({scene.spots for scene in plain}) == 3
    varied = [model_of(made(seed, vary=VARIATIONS)).scene for seed in range(3)]
    assert len({(scene.light, scene.walls) for scene in varied}) == 3


@pytest.mark.parametrize("action", [-1, 3, 1.5, np.nan, [0, 1], "forward", None])
def test_what_is_no_action_is_refused(action):
    with pytest.raises(ConfigError, match="expected an action of 0 to 2"):
        made().step(action)


@pytest.mark.parametrize(
    "action", [1, np.int64(1), np.array(1), np.array([1]), np.array([1.0], dtype=np.float32)]
)
def test_an_action_may_come_as_any_kind_of_whole_number(action):
    env = made()
    yaw = env._data.qpos[2]
    env.step(action)
    assert env._data.qpos[2] != yaw


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"num_objects": 8}, ConfigError, "expected 2 to 7 objects, got 8"),
        ({"look": "gothic"}, UnknownNameError, "gothic"),
        ({"actions": ("jump",)}, UnknownNameError, "jump"),
        ({"actions": ("forward", "forward")}, ConfigError, "different actions"),
        ({"kinds": ("mug", "cube")}, UnknownNameError, "cube"),
        ({"vary": ("weather",)}, UnknownNameError, "weather"),
        ({"render_mode": "human"}, ConfigError, "rgb_array"),
    ],
)
def test_settings_out_of_range_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        RoomEnv(**settings)


@pytest.mark.parametrize(
    ("goal", "error", "message"),
    [
        (("the red cube is on the blue cube",), LanguageError, "cannot be said in the world 'room'"),
        (("the red unicorn is right in front",), LanguageError, "expected a colour"),
        (("the red ball on the moon is right in front",), LanguageError, "expected a description"),
        (
            ("the red ball on the sofa is right in front", "the red ball on the bed is right in front"),
            SceneError,
            "cannot be both",
        ),
        (("the red chair on the sofa is right in front",), SceneError, "do not fit"),
        (tuple(f"the red {kind} is right in front" for kind in SOLIDS), SceneError, "7 objects"),
        ("the red ball is right in front", ConfigError, "sequence"),
    ],
)
def test_goals_that_cannot_be_are_refused(goal, error, message):
    with pytest.raises(error, match=message):
        RoomEnv(**SMALL).reset(seed=0, options={"goal": goal})


def test_facts_of_the_room_are_said_with_and_without_a_place():
    fact = Fact("in front", Look("red", "ball"), None, "on the sofa")
    assert fact.description == "the red ball on the sofa is right in front"
    assert fact.instruction == "go to the red ball on the sofa"
