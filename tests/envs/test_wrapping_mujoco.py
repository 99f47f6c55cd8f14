"""MuJoCo environments of others through daag's camera: pictures and masks without OpenGL, and edits of real episodes."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import gymnasium
import gymnasium_robotics
import mujoco
import numpy as np
import pytest
from gymnasium_robotics.utils import mujoco_utils

from daag.diffusion import ControlNetEditor
from daag.diffusion.compositing import dilate
from daag.envs import CameraPose, EpisodeRecorder, wrap
from daag.envs.mujoco_views import MujocoReader, colours_of
from daag.episodes import Achievement, Episode
from daag.errors import ConfigError, UnknownNameError
from daag.hindsight import Hindsight, HindsightConfig
from daag.hindsight.acceptance import EditedSegment, GateConfig, judge_for_detector
from daag.llm.planner import EditProposal
from daag.rewards.clip import pretrained
from daag.tasks import EditPlan, ObjectEdit, Subgoal

gymnasium.register_envs(gymnasium_robotics)

FETCH_CAMERA = CameraPose((1.75, 0.3, 0.8), (1.3, 0.75, 0.47))
HAND_CAMERA = CameraPose((0.6, -0.8, 0.7), (0.0, -0.1, 0.1))
RED = Subgoal("a red cube in the air", "lift the red cube")


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Fetch. Version 1.4.2 compares MuJoCo's enums with NumPy's integers from the left, which MuJoCo 4 answers with no."""
    numbers = {name: int(value) for name, value in mujoco.mjtJoint.__members__.items()}
    names = {**vars(mujoco), "mjtJoint": SimpleNamespace(**numbers)}
    monkeypatch.setattr(mujoco_utils, "mujoco", SimpleNamespace(**names))
    return gymnasium.make("FetchPickAndPlace-v4")


def test_a_hand_and_a_ball_are_seen_without_opengl_where_the_simulation_has_them():
    made = gymnasium.make("AdroitHandRelocate-v1")
    reader = MujocoReader(HAND_CAMERA, {"Object": "blue ball"})
    env = wrap(made, instruction="lift the blue ball", geometry=reader, success="success")
    observation, info = env.reset(seed=0)
    view = info["views"][0]
    own = view.segmentation == 1
    assert info["objects"] == ("blue ball",)
    rows, columns = np.nonzero(own)
    # Where the ball ought to be: its centre seen by a pinhole.
    ball = made.unwrapped.data.body("Object").xpos - np.array(HAND_CAMERA.position)
    x, y, z = HAND_CAMERA.rotation.T @ ball
    focal = 32 / np.tan(np.radians(HAND_CAMERA.fovy_degrees / 2))
    np.testing.assert_allclose(
        [columns.mean() + 0.5, rows.mean() + 0.5], [32 + focal * x / z, 32 + focal * y / z], atol=0.6
    )
    assert abs(float(view.depth[own].min()) - z) < 0.05
    blue = observation["rgb"][own].mean(axis=0)
    assert blue[2] > 1.5 * blue[0]
    np.testing.assert_array_equal(observation["depth"], view.depth.astype(np.float32))


def test_looking_does_not_change_what_happens():
    plain = gymnasium.make("AdroitHandRelocate-v1")
    seen = wrap(
        gymnasium.make("AdroitHandRelocate-v1"),
        instruction="lift the blue ball",
        geometry=MujocoReader(HAND_CAMERA, {"Object": "blue ball"}, image_size=8, quality="fast"),
        success="success",
    )
    plain.reset(seed=0)  # as wrap does, once
    plain.reset(seed=3)
    seen.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(5):
        action = rng.uniform(-1, 1, plain.action_space.shape).astype(np.float32)
        expected = plain.step(action)
        _, reward, _, _, info = seen.step(action)
        np.testing.assert_array_equal(info["observation"], expected[0])
        assert reward == expected[1]


PATCHES = """
<mujoco>
  <asset>
    <texture name="grid" type="2d" builtin="checker" rgb1="1 0 0" rgb2="0 0 1" width="8" height="8"/>
    <material name="grid" texture="grid"/>
    <material name="green" rgba="0 1 0 1"/>
  </asset>
  <worldbody>
    <geom name="floor" type="plane" size="2 2 .1" material="grid"/>
    <body name="tower" pos="0 0 .2">
      <geom name="low" type="box" size=".2 .2 .2" material="green"/>
      <body name="top" pos="0 0 .4"><geom name="high" type="sphere" size=".2" rgba="1 1 0 1"/></body>
    </body>
    <geom name="glass" type="box" size=".5 .01 .5" pos="0 -.6 .5" rgba="1 1 1 .3"/>
    <geom name="hull" type="sphere" size=".7" pos="0 0 .4" group="3"/>
    <geom name="cross" type="box" size=".3 .3 .3" pos=".8 0 .3"/>
  </worldbody>
</mujoco>
"""


class Patches(gymnasium.Env[Any, Any]):
    def __init__(self) -> None:
        self.model = mujoco.MjModel.from_xml_string(PATCHES)
        self.data = mujoco.MjData(self.model)


def patches(**options: Any) -> Any:
    names = options.pop("names", {"tower": "green cube"})
    reader = MujocoReader(CameraPose((0.0, -4.0, 1.0), (0.0, 0.0, 0.4)), names, **options)
    return reader.read(Patches())


def test_colours_are_those_of_geoms_or_else_of_their_materials_and_textures():
    model = mujoco.MjModel.from_xml_string(PATCHES)
    floor, low, high = (colours_of(model)[model.geom(name).id] for name in ("floor", "low", "high"))
    np.testing.assert_allclose(floor, [0.5, 0.0, 0.5], atol=0.01)
    assert (low.tolist(), high.tolist()) == ([0, 1, 0], [1, 1, 0])


def test_a_body_stands_for_what_hangs_on_it_and_hidden_things_are_not_in_the_way():
    whole = patches(hidden=("cross",))
    assert set(np.unique(whole.segmentation)) == {0, 1}
    top_only = patches(names={"top": "yellow sphere"}, hidden=("cross",))
    both = patches(names={"low": "green cube", "high": "yellow sphere"}, hidden=("cross",))
    assert (top_only.segmentation > 0).sum() < (whole.segmentation > 0).sum()
    np.testing.assert_array_equal(both.segmentation > 0, whole.segmentation > 0)
    np.testing.assert_array_equal(both.segmentation == 2, top_only.segmentation == 1)
    assert patches(groups=(0, 3)).segmentation.max() == 0  # inside the hull
    assert (patches().rgb != whole.rgb).any()  # with the cross


def test_wrong_names_and_other_simulators_are_named():
    with pytest.raises(
        UnknownNameError, match=r"unknown body or geom of the model 'towr'. Did you mean 'tower'"
    ):
        patches(names={"towr": "green cube"})
    with pytest.raises(UnknownNameError, match="cros"):
        patches(hidden=("cros",))
    with pytest.raises(ConfigError, match="MuJoCo's model and data, got CartPoleEnv"):
        MujocoReader(HAND_CAMERA, {}).read(gymnasium.make("CartPole-v1"))


def lift(made: Any, seed: int) -> tuple[Episode, float]:
    """A scripted lift of Fetch's cube, and how high it ended above the table, metres."""
    reader = MujocoReader(FETCH_CAMERA, {"object0": "black cube"}, hidden=("robot0:mocap",))
    env = wrap(made, instruction="lift the black cube", geometry=reader, success="is_success")
    observation, info = env.reset(seed=seed)
    recorder = EpisodeRecorder("FetchPickAndPlace-v4", seed, observation, info)
    start = float(info["observation"]["achieved_goal"][2])
    for step in range(22):
        state = info["observation"]["observation"]
        hand, cube = state[:3], state[3:6]
        above = np.array([0.0, 0.0, 0.08 if step < 7 else 0.0])
        move = 8 * (cube + above - hand) if step < 12 else np.array([0.0, 0.0, 0.0 if step < 15 else 0.6])
        action = np.clip([*move, 1.0 if step < 12 else -1.0], -1, 1).astype(np.float32)
        observation, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
    return recorder.finish(f"fetch/{seed}"), float(info["observation"]["achieved_goal"][2]) - start


class Lifting:
    """A planner whose whole language is "lift the ... cube"."""

    hash = "lifting"

    def decompose(self, instruction: str) -> tuple[Subgoal, ...]:
        name = instruction.removeprefix("lift the ")
        return (Subgoal(f"a {name} in the air", f"lift the {name}"),)

    def compare(self, first: str, second: str) -> bool:
        return first == second

    def resembling(self, wanted: str, stored: Sequence[str]) -> tuple[str, ...]:
        return tuple(text for text in stored if text == wanted)

    def edit_instruction(self, plan: EditPlan) -> str:
        return plan.sentence

    def describe(self, objects: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"a {name} in the air" for name in objects)

    def distractors(self, description: str) -> tuple[str, ...]:
        return ()

    def propose_edit(self, achieved: str, subgoal: Subgoal, objects: Sequence[str]) -> EditProposal:
        source, target = (" ".join(text.split()[1:3]) for text in (achieved, subgoal.description))
        return EditProposal(EditPlan((ObjectEdit("modify", source, target),)), "another colour")


def test_a_real_lift_of_fetchs_black_cube_becomes_one_of_a_red_cube(fetch):
    episode, height = lift(fetch, seed=1)
    assert height > 0.05
    assert episode.segmentation.any(axis=(1, 2)).all()
    # No detector of ours knows this world's relations, so the environment says what was achieved, and the gate's question
    # to a detector is the one about single objects.
    achieved = Achievement("a black cube in the air", 0, episode.num_steps, 1.0)
    source = Episode(**{**vars(episode), "achievements": (achieved,)})
    detector, editor = pretrained("base"), ControlNetEditor.from_pretrained("tiny")
    config = HindsightConfig(segment_steps=None, relabel=False, gate=GateConfig(enabled=False))
    (edited,) = Hindsight(Lifting(), detector, editor, config).augment(source, [RED], seed=0).episodes
    own = np.stack([dilate(mask, 1) for mask in episode.segmentation == 1])
    np.testing.assert_array_equal(edited.frames[~own], episode.frames[~own])
    np.testing.assert_array_equal(edited.actions, episode.actions)
    assert edited.objects == ("red cube",)
    assert edited.instruction == "lift the red cube"
    assert edited.provenance.plan == (("modify", "black cube", "red cube"),)
    assert edited.provenance.models["editor"] == editor.hash
    again = editor.edit(
        episode,
        np.arange(len(episode.frames)),
        EditPlan((ObjectEdit("modify", "black cube", "red cube"),)),
        edited.provenance.seed,
    )
    np.testing.assert_array_equal(again, edited.frames)  # provenance is enough to make the edit again
    plan = EditPlan((ObjectEdit("modify", "black cube", "red cube"),))
    captions = [("a red cube", "a black cube")]
    segment = EditedSegment(episode, np.arange(len(episode.frames)), plan, edited.frames)
    assert judge_for_detector(segment, captions, detector, GateConfig()).accepted
    unchanged = EditedSegment(episode, np.arange(len(episode.frames)), plan, episode.frames)
    assert not judge_for_detector(unchanged, captions, detector, GateConfig()).accepted
