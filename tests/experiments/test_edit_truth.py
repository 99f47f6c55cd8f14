"""What is measured of edits, on edits whose truth is known: the oracle's, none at all, and the wrong colour."""

from dataclasses import replace

import numpy as np
import pytest
from tests.knowing import telling_env

from daag.diffusion import Compositor
from daag.envs import rerender
from daag.envs.worlds import scene_model_of
from daag.episodes import Episode, WorldState
from daag.experiments.edit_truth import EditTruth, measure
from daag.experiments.fidelity import psnr
from daag.hindsight import EditedSegment
from daag.llm import GrammarPlanner
from daag.play import play
from daag.rewards.known_frames import KnownFrames
from daag.tasks import EditPlan, ObjectEdit

GOAL = GrammarPlanner().decompose("stack the red cube on the blue cube")[0]
PLAN = EditPlan((ObjectEdit("modify", "red cube", "green cube"),))
TARGET = "the green cube is on the blue cube"


@pytest.fixture(scope="module")
def stack() -> Episode:
    """The red cube is put on the blue cube, by where the environment says they are."""
    env = telling_env(KnownFrames(), motion_frames=4)

    def choose(moment: object, goal: object) -> np.ndarray:
        del goal
        names = list(env.unwrapped._scene_model.scene.names)  # type: ignore[attr-defined]
        spots = moment.proposals[[names.index("red cube"), names.index("blue cube")]]  # type: ignore[attr-defined]
        return (spots / np.array([0.14, 0.12])).ravel().astype(np.float32)

    for seed in range(10):
        played = play(
            env, "stack", GOAL.instruction, [GOAL], seed, choose, lambda moment, goal: moment.reward > 0
        )
        names = played.episode.objects
        if played.success and "green cube" not in names and played.episode.num_steps == 1:
            return played.episode
    raise AssertionError("no clean stack in ten scenes")


def truth_of(stack: Episode, edited: np.ndarray) -> EditTruth:
    frames = np.arange(len(stack.frames))
    return measure(EditedSegment(stack, frames, PLAN, edited), TARGET)


def test_the_oracles_own_edit_is_true_and_nearly_exact(stack: Episode) -> None:
    truth = truth_of(stack, rerender(stack, np.arange(len(stack.frames)), PLAN))
    assert truth.true and truth.looks_right == 1.0
    assert psnr(*truth.squared_errors) > 38.0
    assert truth.flicker[0] == pytest.approx(truth.flicker[1], rel=0.1)


def test_the_shade_of_an_edit_is_told_under_a_highlight_too(stack: Episode) -> None:
    """The lamp stands where the cube's top mirrors it to the camera: drawn white, the cube would be overexposed there."""
    assert stack.world_state is not None
    model_class = scene_model_of(stack.env_id)
    scene, qpos = model_class.scene_class.from_json(stack.world_state.scene), stack.world_state.qpos
    cube = model_class.build(scene).free_joint(scene.names.index("red cube"))
    assert cube is not None
    top = qpos[-1, cube][:3]
    mirrored = (np.array(scene.camera.position) - top) * [-1.0, -1.0, 1.0] * 1.5 + top
    x, y, z = map(float, mirrored)
    light = replace(scene.light, position=(x, y, z))
    shiny = replace(scene, light=light).with_gloss({"red cube": 0.4})
    episode = replace(stack, world_state=WorldState(shiny.to_json(), qpos))
    frames, shade = np.arange(len(stack.frames)), (0.15, 0.6, 0.2)
    drawn = rerender(episode, frames, PLAN, {"green cube": shade})
    truth = measure(EditedSegment(episode, frames, PLAN, drawn), TARGET)
    assert psnr(*truth.squared_errors) > 50.0


def test_no_edit_is_not_true(stack: Episode) -> None:
    truth = truth_of(stack, stack.frames.copy())
    assert not truth.true and truth.outside_identical


def test_the_wrong_colour_is_not_true(stack: Episode) -> None:
    wrong = EditPlan((ObjectEdit("modify", "red cube", "yellow cube"),))
    truth = truth_of(stack, rerender(stack, np.arange(len(stack.frames)), wrong))
    assert not truth.true


def test_a_change_elsewhere_breaks_the_pixel_contract(stack: Episode) -> None:
    edited = Compositor().edit(stack, np.arange(len(stack.frames)), PLAN, 0)
    assert truth_of(stack, edited).outside_identical
    edited[0, 0, 0] ^= 1
    assert not truth_of(stack, edited).outside_identical


def test_the_target_must_be_what_the_scene_shows(stack: Episode) -> None:
    frames = np.arange(len(stack.frames))
    segment = EditedSegment(stack, frames, PLAN, rerender(stack, frames, PLAN))
    assert not measure(segment, "the blue cube is on the green cube").predicate_holds


def test_one_frame_of_another_colour_does_not_turn_the_others_wrong(stack: Episode) -> None:
    """The shade is that of all frames, whichever shows most of the object."""
    frames = np.arange(len(stack.frames))
    edited = rerender(stack, frames, PLAN)
    segment = EditedSegment(stack, frames, PLAN, edited)
    mask = segment.mask("red cube")
    most = int(mask.sum(axis=(1, 2)).argmax())
    edited[most][mask[most]] //= 2
    truth = truth_of(stack, edited)
    others = frames != most
    error = (edited[others].astype(float) - truth.oracle[others])[mask[others]]
    assert np.abs(error).mean() < 12
