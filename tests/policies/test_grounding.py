"""What planner and detector tell a policy."""

import numpy as np
import pytest
from tests.policies.demonstrations import COLOURS, WORKSPACE, demonstration, encode_words, sampler

from daag.assembly import load_detector, make_env, make_planner
from daag.envs import EpisodeRecorder
from daag.envs.stacking import WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT
from daag.episodes import Episode
from daag.errors import ModelError
from daag.policies import (
    Locator,
    Observation,
    SelfImitation,
    Workspace,
    instruction_encoder,
    object_locator,
)
from daag.rewards.clip import ClipDetector
from daag.tasks import Fact

TASK = Fact.parse("the red cube is on the blue cube")
CYLINDER_ON_CUBE = Fact.parse("the green cylinder is on the yellow cube")


@pytest.fixture(scope="module")
def detector() -> ClipDetector:
    return load_detector("ready")


@pytest.fixture(scope="module")
def locate(detector: ClipDetector) -> Locator:
    return object_locator(make_planner(), detector)


def test_an_instruction_is_encoded_as_what_it_is_to_make_visible(detector):
    encode = instruction_encoder(make_planner(), detector)
    assert np.array_equal(encode([TASK.instruction]), detector.embed_texts([TASK.description]))


def test_the_maps_are_highest_where_the_objects_are_the_first_for_what_is_picked(locate):
    env, right = make_env("rgb-stacking", motion_frames=0), 0
    for seed in range(20):
        options = {"goal": (TASK.description,), "instruction": TASK.instruction}
        observation, info = env.reset(seed=seed, options=options)
        maps = locate(observation["rgb"][None], [TASK.instruction])
        assert maps.shape == (1, 2, 8, 8)
        segmentation = info["views"][0].segmentation
        for which, look in zip(maps[0], (TASK.subject, TASK.target), strict=True):
            row, column = np.unravel_index(which.argmax(), which.shape)
            shown = segmentation[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            right += bool((shown == 1 + info["objects"].index(str(look))).any())
    assert right >= 36  # of 40


def test_every_picture_is_asked_about_its_own_sentence(locate):
    frames = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    sentences = ["stack the red cube on the blue cube", "stack the blue cube on the red cube"]
    both = locate(frames, sentences)
    for index, sentence in enumerate(sentences):
        alone = locate(frames[index : index + 1], [sentence])[0]
        np.testing.assert_allclose(both[index], alone, atol=1e-5)
    np.testing.assert_allclose(locate(frames[:1], sentences[1:])[0], both[0][::-1], atol=1e-5)


def test_pictures_that_are_not_square_are_refused(locate):
    with pytest.raises(ModelError, match="square"):
        locate(np.zeros((1, 48, 96, 3), dtype=np.uint8), [TASK.instruction])


class OneVector:
    """A detector that knows nothing of places, as CLIP does not."""

    hash = "one vector"

    def embed_frames(self, frames, num_views=None):
        return np.full((len(frames), 1, 1, 4), 0.5, dtype=np.float32)

    def embed_texts(self, texts):
        return np.full((len(texts), 4), 0.5, dtype=np.float32)

    hysteresis = 0.0
    patience = 1
    num_rows = 1

    def unseen_below(self, description):
        return -1.0

    def success_threshold(self, description):
        return 1.0


def test_a_detector_of_one_vector_gives_maps_of_one_place_and_the_policy_learns_without():
    locate = object_locator(make_planner(), OneVector())
    frames = np.zeros((3, 64, 64, 3), dtype=np.uint8)
    assert locate(frames, [TASK.instruction] * 3).shape == (3, 2, 1, 1)
    episodes = [demonstration("red", "blue", np.random.default_rng(seed)) for seed in range(5)]
    learner = SelfImitation(WORKSPACE, encode_words, 0, locate=locate)
    metrics = learner.fit(sampler(episodes), 40, seed=0)
    assert metrics["pick_error"] < 2.0


def nearness(frames: np.ndarray, sentences: list[str]) -> np.ndarray:
    """How near each pixel is to the colours of its sentence's squares."""
    maps = np.empty((len(frames), 2, 64, 64), dtype=np.float32)
    for index, sentence in enumerate(sentences):
        words = sentence.split()
        for which, word in enumerate((words[2], words[6])):
            far = np.abs(frames[index].astype(float) - COLOURS[word]).sum(axis=-1)
            maps[index, which] = np.exp(-far / 100)
    return maps


def demonstrations(seeds: range) -> list[Episode]:
    """Episodes of one step that stacks the right object on the right one, from scenes as they are at the start."""
    env, workspace = (
        make_env("rgb-stacking", motion_frames=0),
        Workspace(WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT),
    )
    options = {"goal": (CYLINDER_ON_CUBE.description,), "instruction": CYLINDER_ON_CUBE.instruction}
    episodes = []
    for seed in seeds:
        observation, info = env.reset(seed=seed, options=options)
        places = dict(zip(info["objects"], info["proposals"].astype(np.float64), strict=True))
        clicks = np.stack([places[str(CYLINDER_ON_CUBE.subject)], places[str(CYLINDER_ON_CUBE.target)]])
        recorder = EpisodeRecorder("test", seed, observation, info)
        action = workspace.to_action(clicks).reshape(4)
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
        episodes.append(recorder.finish(f"demonstration/{seed}"))
    return episodes


def test_with_a_locator_a_policy_learns_more_from_few_demonstrations(detector, locate):
    workspace = Workspace(WORKSPACE_CENTER, WORKSPACE_HALF_EXTENT)
    taught, unseen = demonstrations(range(3)), demonstrations(range(100, 130))
    shares = []
    for given in (None, locate):
        learner = SelfImitation(workspace, instruction_encoder(make_planner(), detector), 0, locate=given)
        learner.fit(sampler(taught), 40, seed=0)
        views = [Observation.of(episode, 0) for episode in unseen]
        rng = np.random.default_rng(0)
        actions = np.stack([learner.policy.act(view, CYLINDER_ON_CUBE.instruction, rng) for view in views])
        gaps = (actions - np.concatenate([episode.actions for episode in unseen])).reshape(-1, 2, 2)
        metres = np.linalg.norm(gaps * WORKSPACE_HALF_EXTENT, axis=2)
        shares.append(np.mean(metres.max(axis=1) < 0.02))
    assert shares[1] >= 0.8
    assert shares[1] >= shares[0] + 0.1


def test_a_learner_is_loaded_with_a_locator_of_as_many_maps_as_it_was_saved_with(tmp_path):
    learner = SelfImitation(WORKSPACE, encode_words, 0, locate=nearness)
    learner.save(tmp_path / "policy.safetensors")
    loaded = SelfImitation.load(tmp_path / "policy.safetensors", encode_words, nearness)
    view = Observation.of(demonstration("red", "blue", np.random.default_rng(0)), 0)
    acted = [each.policy.act(view, TASK.instruction, np.random.default_rng(0)) for each in (learner, loaded)]
    assert np.array_equal(*acted)
    with pytest.raises(ModelError, match="locator of 2 maps, got 0"):
        SelfImitation.load(tmp_path / "policy.safetensors", encode_words)
