import os

import numpy as np
import pytest
from tests.episodes.making import assert_same, make_episode, some_episodes, unit_vectors

from daag.episodes import EpisodeStore, salvage
from daag.errors import LifelongBufferError


@pytest.fixture
def path(tmp_path):
    made = EpisodeStore.create(tmp_path / "damaged", vector_size=4)
    for episode, vector in zip(some_episodes(4), [*unit_vectors(3, 4), None], strict=True):
        made.append([episode], [vector])
    return tmp_path / "damaged"


def truncate(file):
    os.truncate(file, file.stat().st_size // 2)


def data_file(path, index):
    return sorted((path / "data").glob("*.lance"), key=lambda file: file.stat().st_mtime_ns)[index]


def test_what_a_truncated_file_did_not_hold_is_saved_with_its_vectors(path, tmp_path):
    truncate(data_file(path, 1))
    store, num_lost = salvage(path, tmp_path / "saved")
    assert num_lost == 1
    assert_same(list(store), [make_episode(id) for id in ("e0", "e2", "e3")])
    ids, vectors = store.vectors()
    assert ids == ["e0", "e2"]
    np.testing.assert_array_equal(vectors, [unit_vectors(3, 4)[index] for index in (0, 2)])


def test_a_compacted_file_that_is_damaged_is_replaced_by_those_it_was_made_of(path, tmp_path):
    EpisodeStore.open(path).compact()
    truncate(data_file(path, -1))
    store, num_lost = salvage(path, tmp_path / "saved")
    assert num_lost == 0
    assert_same(list(store), some_episodes(4))


def test_a_truncated_list_of_files_falls_back_to_the_one_before(path, tmp_path):
    truncate(min((path / "_versions").glob("*.manifest")))
    store, _ = salvage(path, tmp_path / "saved")
    assert_same(list(store), some_episodes(3))
    assert len(list((path / "data").glob("*.lance"))) == 4


def test_where_nothing_can_be_read_it_says_so(path, tmp_path):
    for manifest in (path / "_versions").glob("*.manifest"):
        truncate(manifest)
    with pytest.raises(LifelongBufferError, match="backup"):
        salvage(path, tmp_path / "saved")
    with pytest.raises(LifelongBufferError, match="found nothing"):
        salvage(tmp_path / "nothing", tmp_path / "saved")
