"""MiniGrid and BabyAI in daag: masks and facts that are the grid's, and hindsight on a real episode of BabyAI."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from minigrid.core.constants import COLORS
from tests.envs.grid_walks import DESCRIPTIONS, grid_env, labelled, walk

from daag.diffusion import Compositor, ControlNetEditor
from daag.envs.minigrid import MiniGridReader, facts
from daag.episodes import Episode
from daag.errors import ConfigError
from daag.hindsight import Hindsight, HindsightConfig, plan_of
from daag.llm import GrammarPlanner
from daag.pretraining.own_world import LabelledFrames, OwnWorldConfig, train_detector
from daag.rewards.calibration import calibrate
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.labelling import label
from daag.tasks import GRID, EditPlan, ObjectEdit

PLANNER = GrammarPlanner(GRID)
GOAL = PLANNER.decompose("go to the green ball")


@pytest.mark.parametrize("own_view", [True, False])
def test_masks_are_the_pixels_in_an_objects_colour_and_no_others(own_view):
    env = grid_env("BabyAI-GoToLocalS8N4-v0", own_view)
    env.unwrapped.highlight = False
    kinds = set()
    for seed in range(12):
        episode, _ = walk(env, seed)
        frame, masks = episode.frames[0].astype(float), episode.segmentation[0]
        colours = [name.split()[0] for name in episode.objects]
        for colour in set(colours) - {"grey", "red"}:  # walls and the agent have these
            # Tiles are drawn in the object's colour, lightened where the agent sees them, over grey.
            chroma = COLORS[colour] - COLORS[colour].mean()
            seen = frame - frame.mean(axis=2, keepdims=True)
            size = np.linalg.norm(seen, axis=2)
            coloured = (seen @ chroma > 0.99 * size * np.linalg.norm(chroma)) & (size > 12)
            masked = np.isin(masks, [i for i, own in enumerate(colours, start=1) if own == colour])
            assert not (coloured & ~masked).any()
            assert np.count_nonzero(masked & ~coloured) <= 0.35 * np.count_nonzero(masked)
        for number, name in enumerate(episode.objects, start=1):
            kinds |= {name.split()[1]} if (masks == number).any() else set()
    assert kinds == {"ball", "box", "key"}


def test_the_agent_and_the_walls_are_no_objects_and_what_is_picked_up_stays_one():
    env = grid_env("BabyAI-PickupLoc-v0")
    for seed in range(6):
        _, info = env.reset(seed=seed)
        names = info["objects"]
        assert all(name.split()[1] in GRID.kinds for name in names)
        world = env.unwrapped
        for _ in range(60):
            # Turn and walk until something is in front, then take it.
            taking = facts(env) and world.carrying is None
            _, _, terminated, truncated, info = env.step(3 if taking else int(world.np_random.integers(3)))
            assert info["objects"] == names
            if world.carrying is not None:
                held = f"{world.carrying.color} {world.carrying.type}"
                tile = info["views"][0].segmentation[-16:, 3 * 16 : 4 * 16]
                assert set(np.unique(tile)) <= {0, names.index(held) + 1}
                return
            if terminated or truncated:
                break
    raise AssertionError("six random walks picked nothing up")


def test_facts_are_babyais_own_success_at_going_to_things():
    env = grid_env("BabyAI-GoToLocalS6N4-v0")
    for seed in range(10):
        episode, shown = walk(env, seed)
        goal = PLANNER.decompose(episode.instruction)[0].description
        assert [goal in now for now in shown] == [False] * episode.num_steps + [True]
        assert episode.terminated
        assert episode.rewards[-1] > 0
        assert episode.actions.shape == (episode.num_steps, 1)


def test_other_environments_are_refused_with_what_they_need():
    with pytest.raises(ConfigError, match="SceneReader of their own"):
        MiniGridReader().read(gymnasium.make("CartPole-v1"))


@pytest.fixture(scope="module")
def held_out() -> LabelledFrames:
    return labelled(grid_env("BabyAI-GoToLocalS6N4-v0"), range(10_000, 10_120))


@pytest.fixture(scope="module")
def detector(held_out: LabelledFrames) -> ClipDetector:
    """Taught BabyAI from scratch in about 20 s of one core, by labels of the environment."""
    taught = train_detector(
        labelled(grid_env("BabyAI-GoToLocalS6N4-v0"), range(500)), OwnWorldConfig(image_size=56), seed=0
    )
    scores = similarity(taught.embed_frames(held_out.frames), taught.embed_texts(DESCRIPTIONS))
    known = np.ones_like(held_out.labels)
    return taught.with_calibration(
        calibrate(scores, held_out.labels, known, DESCRIPTIONS, np.random.default_rng(0))
    )


def test_a_detector_learns_a_new_world_from_labelled_frames(detector: ClipDetector):
    threshold = detector.calibration.thresholds["in front"]
    assert threshold.target_met
    assert threshold.recall > 0.9
    # Rooms that are larger than those it was taught in.
    other = labelled(grid_env("BabyAI-GoToLocalS8N4-v0"), range(20_000, 20_040))
    scores = similarity(detector.embed_frames(other.frames), detector.embed_texts(DESCRIPTIONS))
    claims = scores >= threshold.value
    assert (claims & other.labels).sum() >= 0.9 * other.labels.sum()
    assert (claims & other.labels).sum() >= 0.9 * claims.sum()


@pytest.fixture(scope="module")
def red_walks() -> list[Episode]:
    """Real episodes of "go to the red ball", in scenes without a green one."""
    env = grid_env("BabyAI-GoToRedBall-v0")
    episodes = [walk(env, seed)[0] for seed in range(16)]
    return [episode for episode in episodes if not any("green" in name for name in episode.objects)]


def test_a_walk_to_the_red_ball_becomes_an_accepted_walk_to_the_green_one(
    detector: ClipDetector, red_walks: list[Episode]
):
    hindsight = Hindsight(
        PLANNER, detector, ControlNetEditor.from_pretrained("tiny"), HindsightConfig(segment_steps=None)
    )
    accepted = []
    for episode in red_walks:
        found = label(episode, PLANNER.describe(episode.objects), detector)
        made = hindsight.augment(replace(episode, achievements=found), GOAL, seed=0).episodes
        accepted += [
            (episode, edited, found)
            for edited in made
            if edited.provenance.origin == "edited" and "red ball" in str(plan_of(edited))
        ]
    assert len(red_walks) >= 3
    assert len(accepted) >= len(red_walks) / 2
    for source, edited, found in accepted:
        assert edited.instruction == "go to the green ball"
        assert "green ball" in edited.objects
        assert "red ball" not in edited.objects
        start, end = edited.provenance.segment
        np.testing.assert_array_equal(edited.actions, source.actions[start:end])
        cut = source.frames[start : end + 1]
        masks = source.segmentation[start : end + 1] == source.objects.index("red ball") + 1
        rim = np.stack([_grown(mask) for mask in masks])
        np.testing.assert_array_equal(edited.frames[~rim], cut[~rim])
        green = edited.frames[-1][masks[-1]].astype(int)
        assert np.median(green[:, 1] - np.maximum(green[:, 0], green[:, 2])) > 20
        assert set(edited.provenance.models) == {"detector", "editor", "planner"}
        assert edited.provenance.verdicts["target_shown_after"]
        assert "the red ball is right in front" in {item.description for item in found}


class Wrong:
    """An editor that paints nothing, or the wrong colour."""

    hash = "wrong"

    def __init__(self, colour: str | None) -> None:
        self.colour = colour

    def edit(self, episode: Episode, frame_index: np.ndarray, plan: EditPlan, seed: int) -> np.ndarray:
        if self.colour is None:
            return episode.frames[frame_index]
        source = plan.edits[0].source
        other = EditPlan((ObjectEdit("modify", source, f"{self.colour} {source.split()[1]}"),))
        return Compositor().edit(episode, frame_index, other, seed)


@pytest.mark.parametrize("colour", [None, "blue"])
def test_edits_that_show_something_else_are_rejected(
    detector: ClipDetector, red_walks: list[Episode], colour: str | None
):
    source = next(episode for episode in red_walks if not any("blue" in name for name in episode.objects))
    found = label(source, PLANNER.describe(source.objects), detector)
    hindsight = Hindsight(
        PLANNER, detector, Wrong(colour), HindsightConfig(segment_steps=None, relabel=False)
    )
    result = hindsight.augment(replace(source, achievements=found), GOAL, seed=0)
    assert result.episodes == []
    assert result.num_proposed == len(result.rejections) >= 1
    for rejection in result.rejections:
        assert "target_shown_after" in rejection.verdict.reasons
        assert ("achieved_gone" in rejection.verdict.reasons) == (colour is None)


def _grown(mask: np.ndarray) -> np.ndarray:
    """A mask and one pixel around it."""
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    return np.any(
        [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)],
        axis=0,
    )
