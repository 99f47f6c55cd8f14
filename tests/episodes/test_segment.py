import numpy as np
import pytest
from tests.episodes.making import FRAMES_PER_STEP, make_episode

from daag.episodes import Achievement, Provenance, cut
from daag.errors import EpisodeError

SOURCE = make_episode(
    "source",
    num_steps=4,
    achievements=(
        Achievement("before", 0, 1, 0.3),
        Achievement("from before", 0, 2, 0.4),
        Achievement("within", 1, 3, 0.5),
        Achievement("after", 3, 4, 0.6),
    ),
)
PROVENANCE = Provenance(origin="relabelled", source_id="source", segment=(1, 3))


def test_a_segment_holds_what_was_seen_and_done_between_its_observations():
    segment = cut(SOURCE, 1, 3, "stack it", id="source/1-3", provenance=PROVENANCE)
    frames = slice(FRAMES_PER_STEP, 3 * FRAMES_PER_STEP + 1)
    assert (segment.id, segment.instruction, segment.provenance) == ("source/1-3", "stack it", PROVENANCE)
    assert segment.rewards.tolist() == [0.0, 1.0]
    assert segment.observation_index.tolist() == [0, FRAMES_PER_STEP, 2 * FRAMES_PER_STEP]
    np.testing.assert_array_equal(segment.actions, SOURCE.actions[1:3])
    np.testing.assert_array_equal(segment.state, SOURCE.state[1:4])
    np.testing.assert_array_equal(segment.observations, SOURCE.observations[1:4])
    for name in ("frames", "depth", "normals", "segmentation"):
        np.testing.assert_array_equal(getattr(segment, name), getattr(SOURCE, name)[frames])
    assert segment.world_state.scene == SOURCE.world_state.scene
    np.testing.assert_array_equal(segment.world_state.qpos, SOURCE.world_state.qpos[frames])
    assert (segment.terminated, segment.truncated, segment.object_names) == (True, False, SOURCE.object_names)


def test_achievements_are_counted_from_the_segment_and_others_left_out():
    segment = cut(SOURCE, 1, 3, "stack it", id="s", provenance=PROVENANCE)
    assert segment.achievements == (Achievement("from before", 0, 1, 0.4), Achievement("within", 0, 2, 0.5))


def test_the_whole_episode_is_a_segment_too():
    whole = cut(SOURCE, 0, 4, SOURCE.instruction, id="s", provenance=PROVENANCE)
    np.testing.assert_array_equal(whole.frames, SOURCE.frames)
    assert whole.achievements == SOURCE.achievements


def test_a_bare_episode_can_be_cut():
    bare = cut(make_episode(num_steps=3, bare=True), 2, 3, "stack it", id="s", provenance=PROVENANCE)
    assert (bare.num_steps, bare.depth, bare.state, bare.world_state) == (1, None, None, None)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 1), (0, 5)])
def test_segments_outside_the_episode_are_refused(start, end):
    with pytest.raises(EpisodeError, match=f"0 <= start < end <= 4, got start {start} and end {end}"):
        cut(SOURCE, start, end, "stack it", id="s", provenance=PROVENANCE)
