import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import lance
import numpy as np
import pyarrow as pa
import pytest
from tests.episodes.making import assert_same, make_episode, some_episodes, unit_vectors

from daag.episodes import EpisodeStore, compaction, store, store_format
from daag.errors import ConfigError, DaagWarning, LifelongBufferError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def stored(path):
    """A store of three episodes, in three commits."""
    made = EpisodeStore.create(path, vector_size=4)
    for episode in some_episodes(3):
        made.append([episode])
    return made


def test_a_reopened_store_holds_what_was_written_in_its_order(path):
    episodes = [make_episode(id, bare=id == "b") for id in ("c", "a", "b")]
    made = EpisodeStore.create(path, vector_size=4)
    made.append(episodes[:2], [np.ones(4, np.float32), None])
    made.append(episodes[2:])
    for reader in (made, EpisodeStore.open(path, vector_size=4)):
        assert (len(reader), reader.ids(), reader.vector_size) == (3, ["c", "a", "b"], 4)
        assert "a" in reader and "d" not in reader
        assert_same(list(reader), episodes)
        assert_same(reader.get(["b", "c", "b"]), [episodes[2], episodes[0], episodes[2]])


def test_a_store_in_memory_does_what_one_on_disk_does():
    kept = EpisodeStore.in_memory(vector_size=None)
    kept.append(some_episodes(2))
    kept.append(some_episodes(1, start=2))
    kept.compact()
    assert_same(list(kept), some_episodes(3))
    assert len(EpisodeStore.in_memory(vector_size=None)) == 0


def test_appending_again_what_is_stored_changes_nothing(stored):
    version = stored._rows.dataset.version
    stored.append(some_episodes(3))
    assert (len(stored), stored._rows.dataset.version) == (3, version)
    stored.append(some_episodes(5))
    assert_same(list(stored), some_episodes(5))


def test_content_that_another_zstd_packed_otherwise_is_still_the_same(stored, monkeypatch):
    monkeypatch.setattr("daag.episodes.compression.ZSTD_LEVEL", 19)
    stored.append(some_episodes(3))
    assert len(stored) == 3


def test_an_id_with_other_content_is_refused_and_nothing_of_the_call_is_stored(stored):
    with pytest.raises(LifelongBufferError, match=r"'e1'.*other content.*another id"):
        stored.append([make_episode("new"), make_episode("e1", seed=5)])
    with pytest.raises(LifelongBufferError, match="'twice'"):
        stored.append([make_episode("twice"), make_episode("twice", seed=5)])
    assert_same(list(EpisodeStore.open(stored.path)), some_episodes(3))


def test_the_same_episode_twice_in_one_call_is_stored_once(stored):
    stored.append([make_episode("x"), make_episode("x")])
    assert stored.ids() == ["e0", "e1", "e2", "x"]


def test_filters_ask_the_typed_columns(path):
    on = "the red cube is on the blue cube"
    made = EpisodeStore.create(path, vector_size=None)
    made.append([make_episode("a", achieved=(on,)), make_episode("b", origin="edited", num_steps=3)])
    assert made.ids(f"array_has(achieved, '{on}')") == ["a"]
    assert made.ids("origin = 'edited' AND num_steps > 2") == ["b"]
    with pytest.raises(LifelongBufferError, match=r"colour.*columns id, env_id, instruction"):
        made.ids("colour = 'red'")


def test_unknown_ids_are_named(stored):
    with pytest.raises(LifelongBufferError, match="3 episodes, but not nobody"):
        stored.get(["e1", "nobody"])


def test_compacting_keeps_everything_in_order_and_saves_files(path, monkeypatch):
    monkeypatch.setattr(store, "COMMITS_BETWEEN_COMPACTIONS", 8)
    monkeypatch.setattr(compaction, "RETAINED_VERSIONS", 2)
    made = EpisodeStore.create(path, vector_size=None)
    episodes = some_episodes(16)
    for episode in episodes:
        made.append([episode])
    assert len(made._rows.dataset.get_fragments()) == 1
    assert sum(1 for _ in path.rglob("*.lance")) < len(episodes)
    reader = EpisodeStore.open(path)
    assert_same(list(made), episodes)
    assert_same(reader.get(["e11", "e3"]), [episodes[11], episodes[3]])


def test_full_files_are_merged_once_more_so_that_there_are_never_many(path, monkeypatch):
    monkeypatch.setattr(store, "COMMITS_BETWEEN_COMPACTIONS", 2)
    for name, value in (
        ("ROWS_PER_FRAGMENT", 2),
        ("FULL_BEFORE_MERGING", 3),
        ("ROWS_PER_LARGE_FRAGMENT", 6),
    ):
        monkeypatch.setattr(compaction, name, value)
    made = EpisodeStore.create(path, vector_size=None)
    sizes = []
    for episode in some_episodes(12):
        made.append([episode])
        sizes.append([fragment.count_rows() for fragment in made._rows.dataset.get_fragments()])
    assert max(map(len, sizes)) <= 5 and max(sizes[-1]) >= 6
    assert_same(list(EpisodeStore.open(path)), some_episodes(12))


def test_a_reader_goes_on_while_a_writer_appends_and_compacts(path, monkeypatch):
    monkeypatch.setattr(compaction, "RETAINED_VERSIONS", 1)
    writer = EpisodeStore.create(path, vector_size=None)
    writer.append(some_episodes(2))
    reader = EpisodeStore.open(path)
    writer.append(some_episodes(2, start=2))
    writer.compact()
    assert_same(reader.get(["e0"]), [make_episode("e0")])
    assert_same(reader.get(["e0", "e3"]), [make_episode("e0"), make_episode("e3")])
    assert len(reader) == 4


def test_threads_may_append_and_read_one_store_at_once(path):
    kept = EpisodeStore.create(path, vector_size=None)
    kept.append(some_episodes(4))
    with ThreadPoolExecutor(3) as threads:
        written = [threads.submit(kept.append, [make_episode(f"e{index}")]) for index in range(4, 24)]
        read = [threads.submit(kept.get, ["e0", f"e{index % 4}"]) for index in range(40)]
        for index, each in enumerate(read):
            assert_same(each.result(), [make_episode("e0"), make_episode(f"e{index % 4}")])
        assert all(each.result() is None for each in written)
    assert sorted(EpisodeStore.open(path).ids()) == sorted(f"e{index}" for index in range(24))
    assert len(pickle.loads(pickle.dumps(kept))) == 24


def test_two_writers_lose_nothing(path):
    first, second = EpisodeStore.create(path, vector_size=None), EpisodeStore.open(path)
    for index in range(4):
        first.append([make_episode(f"first-{index}")])
        second.append([make_episode(f"second-{index}"), make_episode("shared")])
    assert len(EpisodeStore.open(path).ids()) == 9
    assert_same(first.get(["second-3", "first-0"]), [make_episode("second-3"), make_episode("first-0")])


def test_a_failed_compaction_only_warns_since_the_episodes_are_stored(stored, monkeypatch):
    monkeypatch.setattr(store, "COMMITS_BETWEEN_COMPACTIONS", 1)

    def no_room(*_, **__):
        raise OSError("LanceError(IO): No space left on device (os error 28)")

    monkeypatch.setattr(type(stored._rows.dataset.optimize), "compact_files", no_room)
    with pytest.warns(DaagWarning, match="disk is full"):
        stored.append([make_episode("last")])
    assert "last" in EpisodeStore.open(stored.path)


# Vectors


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(3, np.float32), "length 4"),
        (np.zeros(4, np.float32), "other than zero"),
        (np.full(4, np.nan, np.float32), "finite"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(stored, vector, message):
    with pytest.raises(LifelongBufferError, match=message):
        stored.append([make_episode("x")], [vector])
    assert "x" not in stored


def test_a_store_of_another_vector_length_is_refused(stored):
    with pytest.raises(LifelongBufferError, match=r"expected vectors of length 512.*created for 4"):
        EpisodeStore.open(stored.path, vector_size=512)
    with pytest.raises(ConfigError, match="at least 1"):
        EpisodeStore.create("unused", vector_size=0)


def test_a_store_without_vectors_says_so(path):
    made = EpisodeStore.create(path, vector_size=None)
    with pytest.raises(LifelongBufferError, match="created without"):
        made.append([make_episode()], [np.ones(4, np.float32)])
    with pytest.raises(LifelongBufferError, match="without vectors"):
        made.vectors()


def test_vectors_come_back_with_their_ids(path):
    vectors = unit_vectors(3, 4)
    made = EpisodeStore.create(path, vector_size=4)
    made.append(some_episodes(4), [vectors[0], None, vectors[1], vectors[2]])
    ids, found = made.vectors()
    assert ids == ["e0", "e2", "e3"]
    np.testing.assert_array_equal(found, vectors)


# What is not a store, or no longer one


def test_nothing_is_opened_where_nothing_is(path):
    with pytest.raises(LifelongBufferError, match=r"found nothing; use EpisodeStore\.create"):
        EpisodeStore.open(path)


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "notes").write_text("mine")
    for target, found in ((tmp_path, "a directory of other files"), (tmp_path / "notes", "a file")):
        with pytest.raises(LifelongBufferError, match=f"found {found}"):
            EpisodeStore.open(target)
        with pytest.raises(LifelongBufferError, match=f"found {found}; choose another path"):
            EpisodeStore.create(target, vector_size=None)
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_store_is_not_created_over_a_store(stored):
    with pytest.raises(LifelongBufferError, match=r"open it with EpisodeStore\.open"):
        EpisodeStore.create(stored.path, vector_size=4)
    assert len(EpisodeStore.open_or_create(stored.path, vector_size=4)) == 3


def test_a_creation_that_was_killed_is_made_good_by_the_next(path):
    (path / "_transactions").mkdir(parents=True)
    assert len(EpisodeStore.open_or_create(path, vector_size=4)) == 0


def test_a_foreign_lance_table_is_refused(path):
    lance.write_dataset(pa.table({"price": [1.0]}), str(path))
    with pytest.raises(LifelongBufferError, match="something else, with columns price"):
        EpisodeStore.open(path)


def test_a_store_of_a_newer_schema_is_refused(path, monkeypatch):
    with monkeypatch.context() as later:
        later.setattr(store_format, "SCHEMA_VERSION", store_format.SCHEMA_VERSION + 1)
        EpisodeStore.create(path, vector_size=None)
    with pytest.raises(
        LifelongBufferError, match="newer daag: expected schema version 3 or older, got 4; upgrade"
    ):
        EpisodeStore.open(path)


def truncate(file):
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.usefixtures("stored")
def test_a_truncated_list_of_files_is_named_with_a_remedy(path):
    truncate(min((path / "_versions").glob("*.manifest")))
    with pytest.raises(LifelongBufferError, match=r"truncated or damaged.*salvage"):
        EpisodeStore.open(path)


@pytest.mark.usefixtures("stored")
def test_a_truncated_data_file_is_named_with_a_remedy(path):
    truncate(min((path / "data").glob("*.lance")))
    reader = EpisodeStore.open(path)  # in no time: it reads nothing yet
    with pytest.raises(LifelongBufferError, match=r"truncated or damaged.*salvage"):
        len(reader)


def test_a_file_truncated_while_the_store_is_open_is_located_by_episode(stored, path):
    reader = EpisodeStore.open(path)
    assert len(reader) == 3
    truncate(sorted((path / "data").glob("*.lance"), key=lambda file: file.stat().st_mtime_ns)[1])
    with pytest.raises(LifelongBufferError, match="'e1' is damaged"):
        reader.get(stored.ids())
    assert_same(reader.get(["e0", "e2"]), [make_episode("e0"), make_episode("e2")])


def test_damage_within_a_data_file_is_located_by_episode(path):
    made = EpisodeStore.create(path, vector_size=None)
    made.append(some_episodes(3))
    file = next((path / "data").glob("*.lance"))
    content = bytearray(file.read_bytes())
    blob = made._rows.dataset.take([1], columns=["frames"])["frames"][0].as_py()
    content[content.index(blob[-20:])] ^= 1
    file.write_bytes(content)
    reader = EpisodeStore.open(path)
    with pytest.raises(LifelongBufferError, match="'e1' is damaged"):
        list(reader)
    assert_same(reader.get(["e0", "e2"]), [make_episode("e0"), make_episode("e2")])
