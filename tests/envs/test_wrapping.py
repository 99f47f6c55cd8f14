"""Any environment in daag's words: sources, and refusals that say what to pass instead."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from daag.diffusion import Compositor
from daag.envs import EpisodeRecorder, Picture, Reading, wrap
from daag.errors import ConfigError, EditError, EpisodeError, SceneError
from daag.play import play
from daag.tasks import EditPlan, Fact, Look, ObjectEdit, Subgoal

GOAL = Subgoal("the red ball is right in front", "go to the red ball")


class Lamp(gymnasium.Env[Any, Any]):
    """A lamp that grows brighter with every step and pays at the third; nothing in it is daag's."""

    def __init__(
        self, frame: Any = None, action_space: spaces.Space[Any] | None = None, render_mode: str | None = None
    ) -> None:
        self.frame, self.render_mode = frame, render_mode
        self.action_space = action_space or spaces.Discrete(3)
        self.observation_space = spaces.Dict({"pixels": spaces.Box(0, 255, (4, 6, 3), np.uint8)})
        self.buffer = np.zeros((4, 6, 3), dtype=np.uint8)
        self.taken: list[Any] = []

    def _observe(self) -> dict[str, Any]:
        self.buffer[:] = len(self.taken)  # one buffer for all frames, as many environments have
        return {"pixels": self.buffer if self.frame is None else self.frame, "mission": "find the lamp"}

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.options = options
        self.taken = []
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.taken.append(action)
        steps = len(self.taken)
        return self._observe(), float(steps == 3), False, steps == 4, {"won": steps >= 2}

    def render(self) -> np.ndarray:
        return np.full((2, 2, 3), 7, dtype=np.uint8)


class Masks:
    """Reads a lamp's masks; `names` at each successive reading."""

    def __init__(self, *names: tuple[str, ...]) -> None:
        self.names, self.count = names, 0

    def read(self, env: gymnasium.Env[Any, Any]) -> Reading:
        names = self.names[min(self.count, len(self.names) - 1)]
        self.count += 1
        segmentation = np.zeros((4, 6), dtype=np.int16)
        segmentation[1:3, 2:5] = 1
        return Reading.flat(names, segmentation)


def lamp(**sources: Any) -> Any:
    return wrap(Lamp(), **{"frames": "pixels", "instruction": "mission", **sources})


def record(env: Any, num_steps: int = 2) -> Any:
    observation, info = env.reset(seed=0)
    recorder = EpisodeRecorder("lamp", 0, observation, info)
    for _ in range(num_steps):
        observation, reward, terminated, truncated, info = env.step(np.array([1.0], dtype=np.float32))
        recorder.add(1, float(reward), terminated, truncated, info)
    return recorder.finish("lamp/0")


def test_play_plays_a_wrapped_environment_and_says_when_it_succeeded():
    played = play(
        lamp(success="won"),
        "lamp/0",
        GOAL.instruction,
        [GOAL],
        3,
        lambda *_: np.array([2.0]),
        lambda *_: False,
    )
    episode = played.episode
    assert played.success
    assert episode.instruction == "find the lamp"
    assert episode.actions.tolist() == [[2.0]] * 4
    assert episode.rewards.tolist() == [0.0, 0.0, 1.0, 0.0]
    assert episode.frames[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]  # not five times the buffer's last content
    assert episode.truncated and not episode.terminated
    assert (episode.depth, episode.normals, episode.segmentation, episode.objects) == (None, None, None, ())


def test_observation_and_info_are_those_of_their_spaces_and_of_the_environment():
    env = lamp(geometry=Masks(("red ball",)), pixel_to_table=np.eye(3, dtype=np.float32))
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert set(observation) == {"rgb", "depth", "pixel_to_table"}
    assert info["observation"]["mission"] == "find the lamp"
    assert info["proposals"].shape == (0, 2)
    assert not info["success"]
    assert env.render() is observation["rgb"]


def test_sources_may_be_callables():
    env = wrap(
        Lamp(),
        frames=lambda env, observation: np.flipud(observation["pixels"]) + np.uint8(50),
        instruction=lambda env, observation: f"step {len(env.unwrapped.taken)} of the lamp",
        success=lambda env, observation: observation["pixels"][0, 0, 0] == 1,
        proposals=lambda env, observation: [[0.1, 0.2]],
        facts=lambda env, observation: frozenset({Fact("in front", Look("red", "ball"))}),
    )
    observation, info = env.reset()
    assert observation["rgb"][0, 0, 0] == 50
    assert info["facts"] == ("the red ball is right in front",)
    _, _, _, _, info = env.step(0)
    assert info["instruction"] == "step 1 of the lamp"
    assert info["success"]
    np.testing.assert_allclose(info["proposals"], [[0.1, 0.2]])
    assert env.step(0)[4]["success"]  # what was achieved stays achieved


def test_without_a_source_of_success_the_first_reward_above_0_counts():
    env = lamp()
    env.reset()
    assert [env.step(0)[4]["success"] for _ in range(4)] == [False, False, True, True]
    assert not env.reset()[1]["success"]


def test_an_environment_draws_itself_where_it_can():
    env = wrap(Lamp(render_mode="rgb_array"), instruction="find the lamp")
    observation, info = env.reset()
    assert observation["rgb"].tolist() == [[[7, 7, 7]] * 2] * 2
    assert info["instruction"] == "find the lamp"


def test_only_options_that_are_not_daags_reach_the_environment():
    env = lamp()
    env.reset(options={"goal": ("x",), "instruction": "y", "level": 2})
    assert env.unwrapped.options == {"level": 2}
    env.reset(options={"goal": ("x",), "instruction": "y"})
    assert env.unwrapped.options is None


def test_an_environment_can_be_told_its_mission():
    env = lamp(options=lambda given: {"level": len(given["goal"])}, instruction=None)
    _, info = env.reset(options={"goal": ("a", "b"), "instruction": "find both"})
    assert env.unwrapped.options == {"level": 2}
    assert info["instruction"] == "find both"
    with pytest.raises(ConfigError, match=r"pass wrap\(\.\.\., instruction="):
        lamp(instruction=None).reset()


@pytest.mark.parametrize(
    ("frame", "remedy"),
    [
        (
            np.full((4, 6, 3), 0.5, dtype=np.float32),
            r"float32 with values from 0\.5 .* np\.rint\(255 \* FRAME\)",
        ),
        (np.zeros((4, 6, 3), dtype=np.int64), r"FRAME\.astype\(np\.uint8\)"),
        (np.zeros((3, 4, 6), dtype=np.uint8), r"channel-first: .*transpose\(1, 2, 0\)"),
        (np.zeros((4, 6, 4), dtype=np.uint8), r"alpha channel: .*\[\.\.\., :3\]"),
        (np.zeros((4, 6, 1), dtype=np.uint8), "they are grey"),
        (np.zeros((4, 6), dtype=np.uint8), "they are grey"),
        (np.zeros((2, 4, 6, 3), dtype=np.uint8), "returns one picture"),
        ([[0]], "NumPy array"),
    ],
)
def test_frames_of_another_layout_or_range_are_refused_with_what_to_pass(frame, remedy):
    with pytest.raises(ConfigError, match=remedy):
        wrap(Lamp(frame), frames="pixels", instruction="mission")


def test_frames_keep_their_size():
    env = lamp()
    env.reset()
    env.unwrapped.frame = np.zeros((4, 7, 3), dtype=np.uint8)
    with pytest.raises(ConfigError, match=r"\(4, 6, 3\) as at first, got \(4, 7, 3\)"):
        env.step(0)


def test_what_is_missing_is_named():
    with pytest.raises(ConfigError, match=r"render_mode=None; make it with render_mode='rgb_array'"):
        wrap(Lamp(), instruction="mission")
    with pytest.raises(ConfigError, match=r"frames='image' names nothing .* pixels, mission"):
        lamp(frames="image")
    with pytest.raises(ConfigError, match="instruction='misson' names nothing"):
        lamp(instruction="misson").reset()
    env = lamp(success="is_success")
    env.reset()
    with pytest.raises(
        ConfigError, match=r"success='is_success' names nothing in the environment's info.* won"
    ):
        env.step(0)


@pytest.mark.parametrize("action", [2, np.int64(2), np.array([2.0], dtype=np.float32), np.array(2)])
def test_a_discrete_action_is_one_whole_number_however_it_comes(action):
    env = lamp()
    env.reset()
    env.step(action)
    assert env.unwrapped.taken == [2]
    assert type(env.unwrapped.taken[0]) is int


@pytest.mark.parametrize("action", [3, -1, 0.5, np.array([1.0, 2.0]), np.nan, None])
def test_what_is_no_discrete_action_is_refused(action):
    env = lamp()
    env.reset()
    with pytest.raises(ConfigError, match=r"whole number of 0 to 2|finite action"):
        env.step(action)
    assert env.unwrapped.taken == []


def test_box_actions_are_passed_on_as_they_are_if_they_are_finite():
    env = wrap(Lamp(action_space=spaces.Box(-1, 1, (2,), np.float32)), frames="pixels", instruction="mission")
    env.reset()
    env.step([0.25, -3.0])
    assert env.unwrapped.taken[0].tolist() == [0.25, -3.0]
    for wrong in ([np.nan, 0.0], [0.0]):
        with pytest.raises(ConfigError, match=r"finite action|shape \(2,\)"):
            env.step(np.array(wrong))


def test_spaces_that_an_episode_cannot_hold_are_refused():
    for space in (spaces.Box(-1, 1, (2, 3)), spaces.MultiDiscrete([2, 2])):
        with pytest.raises(ConfigError, match="TransformAction"):
            wrap(Lamp(action_space=space), frames="pixels", instruction="mission")


def test_masks_make_an_episode_that_can_be_edited_and_without_them_the_error_says_so():
    plan = EditPlan((ObjectEdit("modify", "red ball", "green ball"),))
    episode = record(lamp(geometry=Masks(("red ball",))))
    assert episode.actions.tolist() == [[1.0], [1.0]]
    own = episode.segmentation == 1
    edited = Compositor().edit(episode, np.arange(3), plan, 0)
    assert (edited[~own] == episode.frames[~own]).all()
    assert (edited[1:][own[1:]] != episode.frames[1:][own[1:]]).any(axis=1).all()  # the first frame is black
    assert episode.normals[..., 2].max() == -127

    class Names:
        def read(self, env: gymnasium.Env[Any, Any]) -> Reading:
            return Reading(("red ball",))

    bare = record(lamp(geometry=Names()))
    with pytest.raises(EditError, match="has no segmentation and no depth and no normals"):
        Compositor().edit(bare, np.arange(3), plan, 0)


def test_objects_keep_their_names_within_an_episode():
    env = lamp(geometry=Masks(("red ball",), ("red ball",), ("blue ball",)))
    env.reset()
    with pytest.raises(SceneError, match="name every object from the start"):
        env.step(0)


def test_readings_that_contradict_themselves_are_refused():
    masks = np.full((4, 6), 2, dtype=np.int16)
    with pytest.raises(SceneError, match="ids 0"):
        Reading.flat(("red ball",), masks)
    with pytest.raises(SceneError, match="one id"):
        Reading(("red ball", "red ball"))
    with pytest.raises(SceneError, match="one height and width"):
        Reading(("a b", "c d"), masks, np.zeros((4, 5), dtype=np.float16))
    with pytest.raises(SceneError, match=r"expected depth as float16 \(H, W\), got float32 \(4, 6\)"):
        Reading(("a b", "c d"), masks, np.zeros((4, 6), dtype=np.float32))
    with pytest.raises(SceneError, match=r"expected normals as int8 \(H, W, 3\), got int8 \(4, 6\)"):
        Reading(("a b", "c d"), masks, normals=np.zeros((4, 6), dtype=np.int8))


def test_masks_of_another_size_than_frames_are_refused():
    class Small:
        def read(self, env: gymnasium.Env[Any, Any]) -> Reading:
            return Reading.flat(("red ball",), np.zeros((2, 3), dtype=np.int16))

    with pytest.raises(ConfigError, match=r"frame's \(4, 6\) pixels, got \(2, 3\)"):
        lamp(geometry=Small())


def test_a_recorder_takes_views_of_one_size_that_know_the_same():
    small, large = (np.zeros((size, 4, 3), dtype=np.uint8) for size in (2, 4))
    known = Picture(small, segmentation=np.zeros((2, 4), dtype=np.int16))
    info = {"views": [known], "objects": (), "instruction": "x"}
    for other, reason in ((Picture(large), "one size"), (Picture(small), "in all of the 2 views or in none")):
        recorder = EpisodeRecorder("x", 0, {"rgb": small}, info)
        recorder.add(np.zeros(1), 0.0, False, True, {"views": [other]})
        with pytest.raises(EpisodeError, match=reason):
            recorder.finish("x")


def test_what_an_environment_calls_its_state_is_not_taken_for_the_agents_own():
    class Moody(Lamp):
        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            observation, reward, terminated, truncated, info = super().step(action)
            return observation, reward, terminated, truncated, {**info, "state": "warm"}

    env = wrap(Moody(), frames="pixels", instruction="find the lamp", success="won")
    played = play(env, "e", "find the lamp", [GOAL], 0, lambda *_: np.zeros(1, np.float32), lambda *_: False)
    assert played.episode.state is None and played.success


class Nothing:
    """A reader that forgets to say what it read."""

    def read(self, env: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ({"geometry": Masks}, r"a reader as geometry=, got its class; pass Masks\(\.\.\.\)"),
        ({"geometry": Nothing()}, "a daag.envs.Reading of the geometry's read, got None"),
        ({"frames": lambda *_: np.zeros((0, 4, 3))}, r"at least one pixel, .* got shape \(0, 4, 3\)"),
    ],
)
def test_what_is_no_source_is_named(sources, words):
    with pytest.raises(ConfigError, match=words):
        lamp(**sources)


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (
            {"proposals": lambda *_: [1.0, 2.0, 3.0]},
            r"proposals \(K, 2\), one place on the table a row, got \(3,\)",
        ),
        ({"proposals": lambda *_: np.zeros((2, 3))}, r"got \(2, 3\)"),
        ({"facts": lambda *_: ["the red ball is right in front"]}, r"a set of daag.tasks.Fact, .*Fact.parse"),
    ],
)
def test_what_a_source_gives_in_another_form_is_named(sources, words):
    env = lamp(**sources)
    with pytest.raises(ConfigError, match=words):
        env.reset(seed=0, options={"instruction": "light the lamp"})


def test_no_places_are_places_too():
    env = lamp(proposals=lambda *_: [])
    assert env.reset(seed=0, options={"instruction": "light the lamp"})[1]["proposals"].shape == (0, 2)
