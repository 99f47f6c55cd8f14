import numpy as np
import pytest
from tests.episodes.making import SIZE, make_episode, some_episodes

from daag.episodes import DecodedSteps, EpisodeStore
from daag.errors import LifelongBufferError


@pytest.fixture
def kept():
    store = EpisodeStore.in_memory(vector_size=None)
    store.append([make_episode("a", num_steps=3), make_episode("b", instruction="another task")])
    store.append([make_episode("c", num_steps=5, origin="edited")])
    return store


def test_every_step_is_what_the_store_holds(kept, tmp_path):
    built = DecodedSteps.build(kept, tmp_path / "steps")
    for steps in (built, DecodedSteps.open(tmp_path / "steps")):
        assert (len(steps), steps.ids) == (10, ("a", "b", "c"))
        expected = [(episode, t) for episode in kept for t in range(episode.num_steps)]
        order = np.random.default_rng(0).permutation(10)
        found = steps[order]
        for place, number in enumerate(order):
            episode, t = expected[number]
            assert found.observations[place].tobytes() == episode.observations[t].tobytes()
            assert found.next_observations[place].tobytes() == episode.observations[t + 1].tobytes()
            assert found.actions[place].tobytes() == episode.actions[t].tobytes()
            assert found.rewards[place] == episode.rewards[t]
            assert steps.instructions[found.instructions[place]] == episode.instruction
            assert steps.ids[found.episodes[place]] == episode.id
    assert steps.steps_of(["c", "a"]).tolist() == [5, 6, 7, 8, 9, 0, 1, 2]
    with pytest.raises(LifelongBufferError, match="does not hold nobody"):
        steps.steps_of(["nobody"])
    drawn, again = (steps.sample(64, np.random.default_rng(seed)) for seed in (1, 1))
    assert drawn.observations.shape == (64, SIZE, SIZE, 3)
    assert np.array_equal(drawn.observations, again.observations)
    assert len(np.unique(drawn.episodes)) == 3


def test_a_cache_is_of_a_moment_and_may_be_built_anew(kept, tmp_path):
    steps = DecodedSteps.build(kept, tmp_path / "steps", where="origin = 'real'")
    assert (steps.ids, steps.is_current(kept)) == (("a", "b"), True)
    kept.append([make_episode("late")])
    assert not DecodedSteps.open(tmp_path / "steps").is_current(kept)
    assert DecodedSteps.build(kept, tmp_path / "steps").ids == ("a", "b", "c", "late")
    assert [each.name for each in tmp_path.iterdir()] == ["steps"]


def test_what_cannot_be_cached_leaves_the_old_cache(kept, tmp_path):
    DecodedSteps.build(kept, tmp_path / "steps")
    wide = make_episode("wide", bare=True, actions=np.zeros((2, 9), np.float32))
    kept.append([wide])
    with pytest.raises(LifelongBufferError, match=r"'wide' has actions of \(9,\), episode 'a' of \(4,\)"):
        DecodedSteps.build(kept, tmp_path / "steps")
    with pytest.raises(LifelongBufferError, match="found none"):
        DecodedSteps.build(kept, tmp_path / "steps", where="num_steps > 99")
    assert DecodedSteps.open(tmp_path / "steps").ids == ("a", "b", "c")
    assert [each.name for each in tmp_path.iterdir()] == ["steps"]


def test_files_of_others_are_left_alone(kept, tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(LifelongBufferError, match="other files"):
        DecodedSteps.build(kept, tmp_path)
    with pytest.raises(LifelongBufferError, match="no cache that can be read"):
        DecodedSteps.open(tmp_path)
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_damaged_cache_is_named(tmp_path):
    store = EpisodeStore.in_memory(vector_size=None)
    store.append(some_episodes(2))
    DecodedSteps.build(store, tmp_path / "steps")
    (tmp_path / "steps/rewards.npy").write_bytes(b"nothing")
    with pytest.raises(LifelongBufferError, match="build it anew"):
        DecodedSteps.open(tmp_path / "steps")
