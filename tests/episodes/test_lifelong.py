import numpy as np
import pytest
from tests.episodes.making import assert_same, make_episode, some_episodes, unit_vectors

from daag.episodes import EpisodeStore, LifelongBuffer
from daag.errors import LifelongBufferError

NUMBER, SIZE = 40, 16


@pytest.fixture(scope="module")
def filled():
    """A buffer of 40 episodes; every fifth achieved nothing, and all others have random vectors of any length."""
    buffer = LifelongBuffer(EpisodeStore.in_memory(SIZE))
    vectors = [vector * (1 + index) for index, vector in enumerate(unit_vectors(NUMBER, SIZE))]
    origins = ["real", "edited"] * (NUMBER // 2)
    episodes = [make_episode(f"e{index:02}", origin=origin) for index, origin in enumerate(origins)]
    buffer.append(episodes, [None if index % 5 == 0 else vector for index, vector in enumerate(vectors)])
    return buffer, {f"e{index:02}": vector for index, vector in enumerate(vectors) if index % 5}


def cosine(first, second):
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("k", [0, 1, 7, 1000])
def test_retrieval_agrees_with_brute_force(filled, k):
    buffer, vectors = filled
    for query in unit_vectors(5, SIZE, seed=1):
        expected = sorted(vectors, key=lambda id: -cosine(vectors[id], query))[:k]
        assert [episode.id for episode in buffer.retrieve(query * 3, k)] == expected
        similarities = [similarity for _, similarity in buffer.nearest(query, k)]
        np.testing.assert_allclose(similarities, [cosine(vectors[id], query) for id in expected], atol=1e-5)


def test_a_filter_comes_before_the_nearest_are_chosen(filled):
    buffer, vectors = filled
    query = unit_vectors(1, SIZE, seed=2)[0]
    found = buffer.retrieve(query, 3, where="origin = 'edited'")
    edited = [id for id in vectors if int(id[1:]) % 2 == 1]
    assert [episode.id for episode in found] == sorted(edited, key=lambda id: -cosine(vectors[id], query))[:3]


def test_ties_go_by_id_in_whatever_order_and_length_the_vectors_came():
    buffer = LifelongBuffer(EpisodeStore.in_memory(SIZE))
    vector = unit_vectors(1, SIZE)[0]
    ids = ["d", "a", "c", "b", "e"]
    buffer.append(
        [make_episode(id) for id in ids], [vector * length for length in np.float32([1, 3, 0.1, 7, 2])]
    )
    assert [id for id, _ in buffer.nearest(vector, 4)] == ["a", "b", "c", "d"]


def test_nothing_is_retrieved_from_an_empty_buffer():
    assert LifelongBuffer(EpisodeStore.in_memory(SIZE)).retrieve(np.ones(SIZE, np.float32), 5) == []


@pytest.mark.parametrize("vector", [np.ones(SIZE + 1), np.zeros(SIZE), np.full(SIZE, np.inf)])
def test_a_vector_that_cannot_be_compared_is_refused(filled, vector):
    with pytest.raises(LifelongBufferError, match="finite vector of length 16"):
        filled[0].retrieve(vector.astype(np.float32), 1)


def test_a_store_without_vectors_makes_no_lifelong_buffer():
    with pytest.raises(LifelongBufferError, match="vector_size"):
        LifelongBuffer(EpisodeStore.in_memory(None))


def test_everything_appended_is_read_back_in_order(tmp_path):
    LifelongBuffer(EpisodeStore.create(tmp_path / "lifelong", SIZE)).append(some_episodes(3))
    buffer = LifelongBuffer(EpisodeStore.open(tmp_path / "lifelong", SIZE))
    assert (len(buffer), buffer.ids(), "e1" in buffer) == (3, ["e0", "e1", "e2"], True)
    assert_same(list(buffer), some_episodes(3))
    assert_same(buffer.get(["e2"]), [make_episode("e2")])
