"""What all of daag's own worlds promise, each of them held to it."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from daag.envs import LANGUAGE_TABLE, RGB_STACKING, ROOM, EpisodeRecorder, Expert, make_expert, rerender
from daag.envs.worlds import scene_model_of
from daag.errors import ConfigError, SceneError, UnknownNameError
from daag.tasks import Fact

WORLDS = (RGB_STACKING, ROOM, LANGUAGE_TABLE)
SMALL = {"image_size": 16, "quality": "fast"}
GOALS = {
    RGB_STACKING: ("the red cube is on the blue cube", "the red cube is next to the blue cube"),
    ROOM: ("the red ball is right in front",),
    LANGUAGE_TABLE: ("the red moon is touching the blue cube", "the red moon is in the middle"),
}


def play(world: str, goal: str, seed: int, noise: float = 0.0, **settings) -> bool:
    env = gymnasium.make(world, **{**SMALL, **settings})
    env.reset(seed=seed, options={"goal": (goal,)})
    expert = make_expert(env, noise, np.random.default_rng(seed))
    terminated = truncated = False
    while not (terminated or truncated):
        *_, terminated, truncated, _ = env.step(expert.act(Fact.parse(goal)))
    return bool(terminated)


@pytest.mark.parametrize(("world", "goal"), [(world, goal) for world in WORLDS for goal in GOALS[world]])
def test_every_world_has_an_expert_that_brings_its_facts_about(world, goal):
    successes = [play(world, goal, seed) for seed in range(6)]
    assert sum(successes) >= 5


def test_noise_makes_an_expert_miss():
    goal = GOALS[RGB_STACKING][0]
    assert not all(play(RGB_STACKING, goal, seed, noise=0.1) for seed in range(4))


def test_an_expert_of_primitives_does_not_drive_velocities():
    env = gymnasium.make(RGB_STACKING, control="cartesian", **SMALL)
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="control='primitive'"):
        make_expert(env)


def test_other_peoples_worlds_have_no_expert_and_no_oracle():
    env = gymnasium.make("CartPole-v1")
    with pytest.raises(UnknownNameError, match="CartPole-v1"):
        make_expert(env)
    with pytest.raises(UnknownNameError, match="CartPole-v1"):
        scene_model_of("CartPole-v1")


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_can_be_recorded_and_drawn_again(world):
    env = gymnasium.make(world, image_size=24)
    observation, info = env.reset(seed=2, options={"goal": GOALS[world][:1]})
    recorder = EpisodeRecorder(world, 2, observation, info)
    assert isinstance(make_expert(env), Expert)
    action = make_expert(env).act(Fact.parse(GOALS[world][0]))
    _, reward, terminated, truncated, info = env.step(action)
    recorder.add(action, float(reward), terminated, truncated, info)
    episode = recorder.finish("run/task/0")
    assert np.array_equal(rerender(episode, np.arange(len(episode.frames)), None), episode.frames)
    facts = [Fact.parse(text) for text in info["facts"]]
    assert all(fact.relation in env.unwrapped.language.relations for fact in facts)


def appearance(scene, what: str) -> str:
    """The part of a scene that `vary` speaks of, as text; in the room only the tilt of the camera, which starts anywhere."""
    if what == "light":
        return repr(scene.light)
    if what == "texture":
        return repr([value for name, value in vars(scene).items() if "texture" in name])
    camera = scene.camera
    return repr((round(camera.look_at[2] - camera.position[2], 9), camera.fovy_degrees))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("varied", ["light", "texture", "camera"])
def test_what_is_to_vary_does_and_nothing_else(world, varied):
    scenes = []
    for seed in range(3):
        env = gymnasium.make(world, vary=(varied,), **SMALL)
        env.reset(seed=seed)
        scenes.append(env.unwrapped._scene_model.scene)
    for what in ("light", "texture", "camera"):
        assert len({appearance(scene, what) for scene in scenes}) == (3 if what == varied else 1), what


@pytest.mark.parametrize("world", WORLDS)
def test_experts_refuse_what_is_not_in_the_scene_and_noise_out_of_range(world):
    env = gymnasium.make(world, **SMALL)
    env.reset(seed=0, options={"goal": GOALS[world][:1]})
    names = env.unwrapped._scene_model.scene.names
    absent = next(look for look in env.unwrapped.language.looks if str(look) not in names)
    fact = Fact.parse(GOALS[world][0])
    with pytest.raises(SceneError, match=str(absent)):
        make_expert(env).act(replace(fact, subject=absent))
    with pytest.raises(ConfigError, match="noise"):
        make_expert(env, noise=-1.0)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"kinds": "cube"}, "kinds as a sequence of words, got the one string 'cube'"),
        ({"vary": "light"}, "vary as a sequence of words, got the one string 'light'"),
    ],
)
def test_settings_of_another_form_are_named(world, setting, words):
    with pytest.raises(ConfigError, match=words):
        gymnasium.make(world, **setting)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("goal", [3, [3], "the red cube is on the blue cube"])
def test_a_goal_is_a_sequence_of_strings(world, goal):
    env = gymnasium.make(world, **SMALL)
    with pytest.raises(
        ConfigError, match=r"goal as a sequence of descriptions, got|descriptions as strings, got"
    ):
        env.reset(seed=0, options={"goal": goal})


def test_an_expert_is_made_for_a_scene():
    with pytest.raises(ConfigError, match="before its reset; call reset first"):
        make_expert(gymnasium.make(ROOM, **SMALL))
