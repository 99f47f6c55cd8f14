from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from tests.episodes.making import make_episode, unit_vectors

from daag.episodes import EpisodeStore, LifelongBuffer, Wanted, indexing
from daag.errors import ConfigError

ON = "the red cube is on the blue cube"


@pytest.fixture
def kept():
    store = EpisodeStore.in_memory(vector_size=None)
    store.append([make_episode("a", achieved=("it's there", ON)), make_episode("b", env_id="elsewhere")])
    store.append([make_episode("c", achieved=(ON,), num_steps=4), make_episode("d", origin="edited")])
    return store


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(), "abcd"),
        (Wanted(achieved=ON), "ac"),
        (Wanted(achieved="it's there"), "a"),
        (Wanted(achieved=ON, by=2), "a"),
        (Wanted(by=3), "a"),
        (Wanted(outcome="achieved"), "ac"),
        (Wanted(outcome="nothing"), "bd"),
        (Wanted(outcome="terminated"), "abcd"),
        (Wanted(outcome="truncated"), ""),
        (Wanted(env_id="elsewhere"), "b"),
        (Wanted(instruction="do something else"), ""),
        (Wanted(origin="edited", outcome="nothing"), "d"),
    ],
)
def test_what_is_wanted_is_found(kept, wanted, ids):
    assert kept.ids(wanted.sql) == list(ids)


def test_episodes_are_found_by_when_they_were_stored(kept):
    begun = datetime.now(UTC)
    kept.append([make_episode("late")])
    there = begun.astimezone(timezone(timedelta(hours=5)))
    assert kept.ids(Wanted(since=there).sql) == ["late"]
    assert kept.ids(Wanted(until=begun).sql) == list("abcd")
    with pytest.raises(ConfigError, match="time zone"):
        Wanted(since=datetime(2026, 1, 1))
    with pytest.raises(ConfigError, match="observation 1"):
        Wanted(by=0)


@pytest.fixture
def indexed(tmp_path, monkeypatch):
    """A store that is large enough for indices, most of its vectors alike, and some episodes after the indices."""
    monkeypatch.setattr(indexing, "ROWS_BEFORE_INDEX", 64)
    monkeypatch.setattr(indexing, "VECTORS_BEFORE_INDEX", 64)
    monkeypatch.setattr(indexing, "ROWS_PER_PARTITION", 16)
    store = EpisodeStore.create(tmp_path / "store", vector_size=8)
    vectors = unit_vectors(320, 8)
    episodes = [make_episode(f"e{n:03}", bare=True, achieved=(f"it is {n % 40}",)) for n in range(320)]
    vectors[100:250] = [vectors[100]] * 150
    store.append(episodes[::-1][:300], vectors[::-1][:300])
    store.compact()
    store.append(episodes[::-1][300:], vectors[::-1][300:])
    return store, vectors


def test_an_index_finds_what_looking_through_everything_does(indexed):
    store, vectors = indexed
    names = {name for index in store._rows.dataset.describe_indices() for name in index.field_names}
    assert names == {*indexing.COLUMNS, "vector"}
    assert store.ids("array_has(achieved, 'it is 7')") == [f"e{n:03}" for n in range(287, 0, -40)]
    buffer = LifelongBuffer(store)
    for where in (None, "array_has(achieved, 'it is 7')"):
        for vector in vectors[::60]:
            found = buffer.nearest(vector, 5, where)
            assert found == buffer.nearest(vector, 5, where, exact=True)
            assert len(found) == 5
    store.compact()  # takes in what came later
    assert buffer.nearest(vectors[3], 1) == [("e003", 1.0)]


@pytest.mark.parametrize("exact", [True, False])
def test_of_many_that_are_alike_the_first_by_id_are_found(indexed, exact):
    store, vectors = indexed
    found = LifelongBuffer(store).nearest(vectors[100], 3, exact=exact)
    assert found == [("e100", 1.0), ("e101", 1.0), ("e102", 1.0)]


def test_nothing_is_nearest_where_nothing_is():
    assert LifelongBuffer(EpisodeStore.in_memory(vector_size=4)).nearest(np.ones(4, np.float32), 3) == []
