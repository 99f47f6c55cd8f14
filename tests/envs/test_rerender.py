"""What is true in a scene, and the oracle that draws an episode as it would have looked."""

from dataclasses import replace

import numpy as np
import pytest

from daag.envs import RGB_STACKING, EpisodeRecorder, facts_at, rerender
from daag.envs.stacking import RGBStackingEnv, StackingScene
from daag.envs.stacking.model import HOME, StackingModel
from daag.envs.stacking.scene import sample_positions, sample_scene
from daag.episodes import Episode
from daag.errors import EditError, EpisodeError, SceneError
from daag.tasks import COLOURS, OBJECT_HEIGHT, EditPlan, Look, ObjectEdit

LOOKS = tuple(map(Look.parse, ("red cube", "blue cylinder", "green prism", "white sphere")))
EXCHANGE = EditPlan(
    (ObjectEdit("exchange", "red cube", "blue cube"), ObjectEdit("exchange", "blue cube", "red cube"))
)
MODIFY = EditPlan((ObjectEdit("modify", "red cube", "orange cube"),))


def play(seed: int = 4) -> Episode:
    """Two steps of which the first stacks the red cube on the blue cube."""
    env = RGBStackingEnv(kinds=("cube",), motion_frames=2, terminate_on_success=False, image_size=48)
    observation, info = env.reset(seed=seed, options={"goal": ["the red cube is on the blue cube"]})
    recorder = EpisodeRecorder(RGB_STACKING, seed, observation, info)
    scales = [0.14, 0.12]
    pick, place = (
        info["proposals"][info["objects"].index(name)] / scales for name in ("red cube", "blue cube")
    )
    for action in (np.concatenate([pick, place]), np.array([-1, 1, -1, 1])):
        _, reward, terminated, truncated, info = env.step(action.astype(np.float32))
        recorder.add(action.astype(np.float32), reward, terminated, truncated, info)
    return recorder.finish("run/task/0")


@pytest.fixture(scope="module")
def episode() -> Episode:
    return play()


def facts_of(*positions: tuple[float, float, float]) -> set[str]:
    """What is true with `LOOKS` at given positions, heights in objects' heights."""
    scene_model = StackingModel.build(sample_scene(np.random.default_rng(0), LOOKS))
    qpos = np.zeros(scene_model.model.nq)
    qpos[:6] = HOME
    for index, (x, y, level) in enumerate(positions):
        qpos[scene_model.free_joint(index)] = [x, y, OBJECT_HEIGHT * (level + 0.5), 1, 0, 0, 0]
    return {fact.description for fact in scene_model.facts(qpos)}


FAR = [(0.12, 0.1, 0), (-0.12, 0.1, 0)]


def test_an_object_is_on_another_when_it_rests_on_it():
    assert facts_of((0, 0, 1), (0.01, 0, 0), *FAR) == {"the red cube is on the blue cylinder"}


def test_an_object_that_hovers_above_another_is_not_on_it():
    assert facts_of((0, 0, 1.3), (0, 0, 0), *FAR) == set()


def test_an_object_too_far_to_the_side_is_not_on_another():
    assert facts_of((0.035, 0, 1), (0, 0, 0), *FAR) == set()


def test_spheres_carry_nothing_and_are_not_carried():
    assert facts_of((0.1, 0, 0), (-0.1, 0, 0), (0, 0, 1), (0, 0, 0)) == set()
    assert facts_of((0.1, 0, 0), (-0.1, 0, 0), (0, 0, 0), (0, 0, 1)) == set()


def test_only_neighbours_in_a_tower_are_on_each_other():
    expected = {"the red cube is on the blue cylinder", "the blue cylinder is on the green prism"}
    assert facts_of((0, 0, 2), (0, 0, 1), (0, 0, 0), FAR[0]) == expected


def test_objects_at_one_height_are_next_to_each_other_when_close():
    assert facts_of((0, 0, 0), (0.07, 0, 0), *FAR) == {"the blue cylinder is next to the red cube"}
    assert facts_of((0, 0, 0), (0.09, 0, 0), *FAR) == set()


def test_nothing_is_true_of_a_new_scene():
    for seed in range(10):
        _, info = RGBStackingEnv(num_objects=6, image_size=8, quality="fast").reset(seed=seed)
        assert info["facts"] == ()


def test_a_scene_survives_json():
    scene = sample_scene(np.random.default_rng(3), LOOKS)
    assert StackingScene.from_json(scene.to_json()) == scene
    assert np.array_equal(StackingScene.from_json(scene.to_json()).texture(), scene.texture())


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"objects": [{"look": {"colour": "pink", "kind": "cube"}}]}']
)
def test_what_is_no_scene_is_refused(text):
    with pytest.raises(SceneError, match="expected a StackingScene"):
        StackingScene.from_json(text)


def test_a_scene_has_three_to_six_different_objects():
    rng = np.random.default_rng(0)
    with pytest.raises(SceneError, match="expected 3 to 6 objects"):
        sample_scene(rng, LOOKS[:2])
    with pytest.raises(SceneError, match="look the same"):
        sample_scene(rng, (*LOOKS, LOOKS[0]))


def test_too_many_objects_for_the_table_are_refused():
    with pytest.raises(SceneError, match="do not fit"):
        sample_positions(np.random.default_rng(0), 2, spacing=0.5)


def test_the_recorder_gives_what_the_world_said(episode):
    assert repr(episode).startswith("Episode('run/task/0', 'stack the red cube on the blue cube', steps=2")
    assert episode.frames.shape == (7, 48, 48, 3)
    assert episode.observation_index.tolist() == [0, 3, 6]
    assert episode.rewards.tolist() == [1.0, 0.0]
    assert (episode.terminated, episode.truncated) == (False, False)
    assert {"red cube", "blue cube"} <= set(episode.objects)
    assert set(np.unique(episode.segmentation)) <= set(episode.object_names) | {0}
    assert episode.depth.shape == episode.segmentation.shape == episode.frames.shape[:3]
    assert episode.world_state is not None and len(episode.world_state.qpos) == 7


def test_the_recorder_wants_a_step():
    observation, info = RGBStackingEnv(image_size=8, quality="fast").reset(seed=0)
    with pytest.raises(EpisodeError, match="at least one step"):
        EpisodeRecorder(RGB_STACKING, 0, observation, info).finish("empty")


def test_equal_seeds_give_equal_episodes(episode):
    again = play()
    assert np.array_equal(again.frames, episode.frames)
    assert np.array_equal(again.world_state.qpos, episode.world_state.qpos)


def test_without_a_plan_the_episode_is_drawn_as_it_was(episode):
    assert np.array_equal(rerender(episode, np.arange(7), None), episode.frames)


def test_an_exchange_swaps_looks(episode):
    index = np.array([3])
    swapped = rerender(episode, index, EXCHANGE)[0].astype(int)
    frame = episode.frames[3].astype(int)
    for name, gains, loses in (("red cube", 2, 0), ("blue cube", 0, 2)):
        inside = episode.segmentation[3] == episode.objects.index(name) + 1
        change = (swapped - frame)[inside].mean(axis=0)
        assert change[gains] > 30 and change[loses] < -30
    assert np.array_equal(rerender(episode, index, EXCHANGE), swapped[None])


def test_an_edit_leaves_other_pixels_alone(episode):
    modified = rerender(episode, np.arange(7), MODIFY)
    changed = (modified != episode.frames).any(axis=-1)
    mask = episode.segmentation == episode.objects.index("red cube") + 1
    grown = mask.copy()
    for axis in (1, 2):  # pixels that show the object in one sample of four
        grown |= np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
    assert changed[mask].mean() > 0.99
    assert not changed[~grown].any()


def test_facts_follow_the_edit(episode):
    assert {fact.description for fact in facts_at(episode, 3)} == {"the red cube is on the blue cube"}
    assert {fact.description for fact in facts_at(episode, 3, EXCHANGE)} == {
        "the blue cube is on the red cube"
    }
    assert {fact.description for fact in facts_at(episode, 3, MODIFY)} == {
        "the orange cube is on the blue cube"
    }
    assert facts_at(episode, 0) == frozenset()


def test_a_new_look_has_the_middle_shade_of_its_colour_unless_told(episode):
    index, middle = np.array([3]), COLOURS["orange"].middle
    assert np.array_equal(
        rerender(episode, index, MODIFY), rerender(episode, index, MODIFY, {"orange cube": middle})
    )


def test_plans_that_do_not_fit_the_scene_are_refused(episode):
    with pytest.raises(EditError, match="the scene has no black sphere"):
        rerender(episode, np.array([0]), EditPlan((ObjectEdit("modify", "black sphere", "red sphere"),)))


def test_episodes_without_a_simulator_cannot_be_drawn_again(episode):
    with pytest.raises(EditError, match="no world state"):
        rerender(replace(episode, world_state=None), np.array([0]), None)


def test_a_look_of_other_peoples_worlds_can_be_drawn(episode):
    grey = EditPlan(
        (ObjectEdit("modify", "red cube", "grey cube"), ObjectEdit("modify", "table", "grey table"))
    )
    (drawn,) = rerender(episode, np.array([0]), grey)
    assert np.ptp(drawn[drawn != episode.frames[0]].astype(int)) > 0
    table = EditPlan((ObjectEdit("modify", "table", "zebra table"),))
    with pytest.raises(EditError, match="for the table, as in"):
        rerender(episode, np.array([0]), table)
