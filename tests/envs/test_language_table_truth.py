"""What is true on a board, what its blocks are made of, and the oracle that draws an episode with other looks."""

import mujoco
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daag.envs import LANGUAGE_TABLE, EpisodeRecorder, RayCastCamera, facts_at, rerender
from daag.envs.language_table import (
    LanguageTableEnv,
    LanguageTableModel,
    LanguageTableScene,
)
from daag.envs.language_table.expert import ScriptedPusher
from daag.envs.language_table.predicates import APART, BESIDE, IN_PLACE, POINTED, TOUCHING, true_facts
from daag.envs.language_table.scene import PLACES, sample_scene
from daag.episodes import Episode
from daag.errors import SceneError
from daag.rewards.labelling import contradictions
from daag.tasks import BOARD, EditPlan, Fact, Look, ObjectEdit
from daag.tasks.outlines import BLOCK_HEIGHT, OUTLINES, area_and_centroid

LOOKS = tuple(map(Look.parse, ("red moon", "blue star", "green cube", "yellow pentagon")))
AWAY = np.array([0.0, 0.15])
"""Where the effector stands when it does not matter, metres."""


def facts_of(*centers: tuple[float, float], effector: np.ndarray = AWAY) -> set[str]:
    """What is true with the first of `LOOKS` at given positions, "apart from" left out."""
    model = LanguageTableModel.build(sample_scene(np.random.default_rng(0), LOOKS[: len(centers)]))
    qpos = np.zeros(model.model.nq)
    qpos[:2] = effector
    for index, (x, y) in enumerate(centers):
        qpos[model.free_joint(index)] = [x, y, BLOCK_HEIGHT / 2, 1, 0, 0, 0]
    return {fact.description for fact in model.facts(qpos)}


@pytest.mark.parametrize("kind", BOARD.kinds)
def test_the_pieces_of_an_outline_are_convex_and_fill_it(kind):
    outline = OUTLINES[kind]
    area, centroid = area_and_centroid(outline.corners)
    areas = [area_and_centroid(outline.points[list(piece)])[0] for piece in outline.pieces]
    assert np.allclose(centroid, 0.0, atol=1e-9)
    assert np.isclose(sum(areas), area) and min(areas) > 0
    for piece in outline.pieces:
        sides = np.diff(outline.points[[*piece, *piece[:2]]], axis=0)
        turns = sides[:-1, 0] * sides[1:, 1] - sides[:-1, 1] * sides[1:, 0]
        assert (turns > 0).all()
    edges = [edge for face in outline.faces for edge in zip(face, (*face[1:], face[0]), strict=True)]
    assert len(set(edges)) == len(edges) and {(j, i) for i, j in edges} == set(
        edges
    )  # closed, one orientation


def test_touching_is_a_matter_of_centres():
    name = "the blue star is touching the red moon"
    assert name in facts_of((0, 0), (TOUCHING - 0.001, 0))
    assert name not in facts_of((0, 0), (TOUCHING + 0.001, 0))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(-0.16, 0.16), st.floats(-0.12, 0.12)), min_size=2, max_size=4))
def test_what_is_true_contradicts_nothing_else_that_is(spots):
    centers = np.array(spots)
    apart = np.linalg.norm(centers[:, None] - centers, axis=-1)
    assume((apart[np.triu_indices(len(spots), 1)] > 0.02).all())  # as far as blocks always are
    assume((np.abs(apart - APART) > 1e-9).all())  # where both ways of saying it begin
    facts = [fact.description for fact in true_facts(LOOKS[: len(spots)], centers, AWAY)]
    assert not contradictions(facts).any()


def test_left_of_and_above_hold_within_a_cone_and_a_distance():
    left, above = "the red moon is to the left of the blue star", "the red moon is above the blue star"
    at = {
        degrees: facts_of((0, 0), (0.08 * np.cos(np.radians(degrees)), 0.08 * np.sin(np.radians(degrees))))
        for degrees in (0, 28, -28, 32, -62, -90, -118, 180)
    }
    assert [degrees for degrees, facts in at.items() if left in facts] == [0, 28, -28]
    assert [degrees for degrees, facts in at.items() if above in facts] == [-62, -90, -118]
    assert "the blue star is to the left of the red moon" in at[180]
    assert left in facts_of((0, 0), (BESIDE - 0.001, 0))
    assert left not in facts_of((0, 0), (BESIDE + 0.001, 0))


def test_apart_from_is_a_matter_of_centres():
    name = "the blue star is apart from the red moon"
    assert name in facts_of((0, 0), (0, APART + 0.001))
    assert name not in facts_of((0, 0), (0, APART - 0.001))


@pytest.mark.parametrize("place", PLACES)
def test_a_block_is_in_a_place_near_its_middle(place):
    x, y = PLACES[place]
    inward = -0.001 if x > 0 else 0.001
    name = f"the red moon is in the {place}"
    assert name in facts_of((x + IN_PLACE * np.sign(inward) - inward, y), (0.0, 0.08))
    assert name not in facts_of((x + IN_PLACE * np.sign(inward) + inward, y), (0.0, 0.08))


def test_only_the_nearest_block_is_pointed_at():
    pointed = "the pointer is at the red moon"
    far = (0.1, 0.1)
    assert pointed in facts_of((0, 0), far, effector=np.array([POINTED - 0.001, 0]))
    assert pointed not in facts_of((0, 0), far, effector=np.array([POINTED + 0.001, 0]))
    between = facts_of((0, 0), (0.09, 0), effector=np.array([0.047, 0]))
    assert {fact for fact in between if "pointer" in fact} == {"the pointer is at the blue star"}


def test_a_scene_holds_two_to_eight_blocks_of_the_board():
    scene = sample_scene(np.random.default_rng(3), LOOKS)
    assert LanguageTableScene.from_json(scene.to_json()) == scene
    with pytest.raises(SceneError, match="expected 2 to 8 blocks"):
        sample_scene(np.random.default_rng(0), LOOKS[:1])
    with pytest.raises(SceneError, match="expected blocks of kind"):
        sample_scene(np.random.default_rng(0), (*LOOKS, Look("red", "prism")))


@pytest.fixture(scope="module")
def episode() -> Episode:
    """Six steps of the scripted pusher."""
    env = LanguageTableEnv(num_objects=4)
    fact = Fact.parse("the red moon is touching the blue star")
    observation, info = env.reset(seed=3, options={"goal": [fact.description]})
    recorder = EpisodeRecorder(LANGUAGE_TABLE, 3, observation, info)
    pusher = ScriptedPusher(info["objects"], fact, np.random.default_rng(0))
    for _ in range(6):
        action = pusher.action(info["qpos"][-1])
        _, reward, terminated, truncated, info = env.step(action)
        recorder.add(action, float(reward), terminated, truncated, info)
    return recorder.finish("run/task/0")


def test_without_a_plan_the_episode_is_drawn_as_it_was(episode):
    assert episode.frames.shape == (7, 64, 64, 3)  # one frame a step
    assert np.array_equal(rerender(episode, np.arange(7), None), episode.frames)


def test_every_block_is_seen_eight_pixels_wide_or_nearly(episode):
    widths = [
        int((episode.segmentation[0] == object_id).any(axis=0).sum()) for object_id in episode.object_names
    ]
    assert min(widths) >= 6 and max(widths) <= 12


def hit_by_any_sample(episode: Episode, frame: int, ids: list[int]) -> np.ndarray:
    """Pixels of which one of the four samples hits an object: a picture of twice the size casts the same rays."""
    state = episode.world_state
    model = LanguageTableModel.build(LanguageTableScene.from_json(state.scene))
    data = mujoco.MjData(model.model)
    data.qpos[:] = state.qpos[frame]
    mujoco.mj_kinematics(model.model, data)
    height, width = (2 * side for side in episode.frames.shape[1:3])
    view = RayCastCamera(model.scene.camera, width, height, "fast").render(
        model.model, data, model.surfaces, model.scene.light
    )
    hits = np.isin(view.segmentation, ids)
    return hits[::2, ::2] | hits[1::2, ::2] | hits[::2, 1::2] | hits[1::2, 1::2]


def test_an_exchange_of_colours_changes_these_blocks_only(episode):
    plan = EditPlan(
        (ObjectEdit("exchange", "red moon", "blue moon"), ObjectEdit("exchange", "blue star", "red star"))
    )
    exchanged = rerender(episode, np.arange(7), plan)
    ids = [episode.objects.index(name) + 1 for name in ("red moon", "blue star")]
    for frame in range(7):
        changed = (exchanged[frame] != episode.frames[frame]).any(axis=-1)
        assert changed[np.isin(episode.segmentation[frame], ids)].mean() > 0.99
        assert not changed[~hit_by_any_sample(episode, frame, ids)].any()


def test_facts_follow_an_exchange(episode):
    plan = EditPlan(
        (ObjectEdit("exchange", "red moon", "blue moon"), ObjectEdit("exchange", "blue star", "red star"))
    )

    def renamed(look: Look | None) -> Look | None:
        return None if look is None else Look.parse(plan.renaming.get(str(look), str(look)))

    before = facts_at(episode, 6)
    assert {fact.relation for fact in before} >= {"pointed at", "apart from"}
    after = {Fact(fact.relation, renamed(fact.subject), renamed(fact.target), fact.place) for fact in before}
    assert facts_at(episode, 6, plan) == after != before
