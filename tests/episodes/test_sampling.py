import itertools
import threading

import numpy as np
import pytest
from tests.episodes.making import make_episode, some_episodes

from daag.episodes import EpisodeStore, SamplingWeights, StoreSampler
from daag.episodes.codec import same_content
from daag.errors import ConfigError, LifelongBufferError


@pytest.fixture
def store():
    """Six episodes of one task, two of another, two edited ones among the first."""
    kept = EpisodeStore.in_memory(vector_size=None)
    kept.append(
        [
            make_episode(f"a{n}", instruction="a", origin="edited" if n < 2 else "real", bare=True)
            for n in range(6)
        ]
    )
    kept.append([make_episode(f"b{n}", instruction="b", num_steps=3, bare=True) for n in range(2)])
    return kept


def shares(sampler, number=4000):
    """How often each id comes."""
    drawn = [episode.id for episode in sampler.episodes(number)]
    return {id: drawn.count(id) / number for id in sorted(set(drawn))}


def test_without_weights_every_episode_comes_alike(store):
    found = shares(StoreSampler(store))
    assert len(found) == 8 and all(abs(share - 1 / 8) < 0.03 for share in found.values())


def test_tasks_are_balanced(store):
    found = shares(StoreSampler(store, SamplingWeights(balance_tasks=True)))
    assert abs(found["b0"] + found["b1"] - 0.5) < 0.04 and abs(found["a0"] - 1 / 12) < 0.03


def test_the_share_of_edited_episodes_is_kept_with_tasks_balanced_within(store):
    found = shares(StoreSampler(store, SamplingWeights(edited=0.8)))
    assert abs(found["a0"] + found["a1"] - 0.8) < 0.03
    found = shares(StoreSampler(store, SamplingWeights(edited=0.2, balance_tasks=True)))
    assert abs(found["a0"] + found["a1"] - 0.2) < 0.03 and abs(found["b0"] + found["b1"] - 0.4) < 0.04
    assert set(shares(StoreSampler(store, SamplingWeights(edited=0.9), "origin = 'real'"))) == {
        "a2", "a3", "a4", "a5", "b0", "b1",
    }  # fmt: skip


def test_an_episode_fades_by_half_over_a_half_life(store):
    found = shares(StoreSampler(store, SamplingWeights(half_life=2.0)), 20_000)
    assert abs(found["b1"] / found["a5"] - 2.0) < 0.2 and abs(found["b1"] / found["a3"] - 4.0) < 0.6


def test_equal_seeds_draw_alike_whatever_is_cached(store):
    first, second = StoreSampler(store, seed=3), StoreSampler(store, seed=3, cached_episodes=1)
    for _ in range(3):
        ours, theirs = first.steps(8, episodes=4), second.steps(8, episodes=4)
        assert [(episode.id, t) for episode, t in ours] == [(episode.id, t) for episode, t in theirs]
        assert all(same_content(a, b) for (a, _), (b, _) in zip(ours, theirs, strict=True))
    assert len(second._cache) == 1
    other = [(episode.id, t) for episode, t in StoreSampler(store, seed=4).steps(8, episodes=4)]
    assert other != [(episode.id, t) for episode, t in StoreSampler(store, seed=3).steps(8, episodes=4)]


def test_a_batch_takes_its_steps_from_a_block_of_episodes(store):
    batch = StoreSampler(store).steps(200, episodes=3)
    assert len(batch) == 200 and len({episode.id for episode, _ in batch}) <= 3
    assert all(0 <= t < episode.num_steps for episode, t in batch)
    assert {t for episode, t in StoreSampler(store, where="instruction = 'b'").steps(60)} == {0, 1, 2}


def test_batches_made_ahead_are_those_that_steps_would_give_and_end_with_their_use(store):
    expected = StoreSampler(store, seed=1)
    batches = StoreSampler(store, seed=1).batches(5, episodes=2)
    for batch in itertools.islice(batches, 4):
        assert [(e.id, t) for e, t in batch] == [(e.id, t) for e, t in expected.steps(5, episodes=2)]
    batches.close()
    assert not any(thread.name.startswith("daag-sampler") for thread in threading.enumerate())


def test_what_is_appended_later_is_drawn_after_a_refresh(tmp_path):
    writer = EpisodeStore.create(tmp_path / "store", vector_size=None)
    writer.append(some_episodes(2))
    sampler = StoreSampler(EpisodeStore.open(tmp_path / "store"))
    writer.append([make_episode("late")])
    assert len(sampler) == 2 and "late" not in shares(sampler, 100)
    sampler.refresh()
    assert len(sampler) == 3 and "late" in shares(sampler, 100)


def test_a_reader_samples_all_the_while_a_writer_appends_and_compacts(tmp_path, monkeypatch):
    monkeypatch.setattr("daag.episodes.store.COMMITS_BETWEEN_COMPACTIONS", 8)
    monkeypatch.setattr("daag.episodes.compaction.RETAINED_VERSIONS", 2)
    writer = EpisodeStore.create(tmp_path / "store", vector_size=None)
    writer.append(some_episodes(4))
    sampler = StoreSampler(EpisodeStore.open(tmp_path / "store"), cached_episodes=0)
    known = {episode.id: episode for episode in some_episodes(64)}
    problems = []

    def write():
        for index in range(4, 64):
            writer.append([known[f"e{index}"]])

    thread = threading.Thread(target=write)
    thread.start()
    rounds = 0
    while thread.is_alive() or rounds < 5:
        problems += [each.id for each in sampler.episodes(4) if not same_content(each, known[each.id])]
        sampler.refresh()
        rounds += 1
    thread.join()
    sampler.refresh()  # the last episode may have come between the last look and the loop's end
    assert not problems and len(sampler) == 64


def test_nothing_to_draw_from_and_settings_out_of_range_are_refused(store):
    with pytest.raises(LifelongBufferError, match=r"seed = 77, found none of its 8"):
        StoreSampler(store, where="seed = 77")
    for settings in ({"half_life": 0.0}, {"half_life": float("nan")}, {"edited": 1.5}):
        with pytest.raises(ConfigError):
            SamplingWeights(**settings)
    with pytest.raises(ConfigError, match="at least 0"):
        StoreSampler(store).episodes(-1)
    with pytest.raises(ConfigError, match="at least one episode"):
        StoreSampler(store).steps(3, episodes=0)
    assert StoreSampler(store).episodes(0) == []
    assert np.isfinite(StoreSampler(store, SamplingWeights(half_life=1e-3))._cumulative[-1])
