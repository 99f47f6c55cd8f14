import os

import lance
import pyarrow as pa
import pytest
from tests.episodes.making import assert_same, make_episode, some_episodes

from daag.episodes import EpisodeStore, salvage, store_format, verify
from daag.errors import LifelongBufferError


@pytest.fixture
def path(tmp_path):
    made = EpisodeStore.create(tmp_path / "store", vector_size=None)
    for episode in some_episodes(4):
        made.append([episode])
    return tmp_path / "store"


def truncate(file):
    os.truncate(file, file.stat().st_size // 2)


def data_files(path):
    return sorted((path / "data").glob("*.lance"), key=lambda file: file.stat().st_mtime_ns)


def flip(path, offset):
    """Turn one bit within the frames of the episode at an offset."""
    blob = lance.dataset(str(path)).take([offset], columns=["frames"])["frames"][0].as_py()
    for file in data_files(path):
        content = bytearray(file.read_bytes())
        if blob[-20:] in content:
            content[content.index(blob[-20:])] ^= 1
            file.write_bytes(content)


def everything(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_sound_store_is_said_to_be_sound_and_left_alone(path):
    before, told = everything(path), []
    found = verify(path, lambda done, of: told.append((done, of)))
    assert found.sound and (found.num_episodes, found.damaged, found.duplicates) == (4, (), ())
    assert told == [(4, 4)] and everything(path) == before


def test_a_flipped_bit_is_located_and_the_rest_counts_as_whole(path, monkeypatch):
    monkeypatch.setattr("daag.episodes.verification.ROWS_PER_READ", 3)
    flip(path, 1)
    flip(path, 3)
    found = verify(path)
    assert [(each.id, each.offset, each.saved) for each in found.damaged] == [
        ("e1", 1, False),
        ("e3", 3, False),
    ]
    assert "checksum" in found.damaged[0].reason and not found.sound


def test_a_truncated_file_that_keeps_the_store_from_being_read_is_located(path):
    truncate(data_files(path)[2])
    with pytest.raises(LifelongBufferError):
        len(EpisodeStore.open(path))
    found = verify(path)
    assert [each.offset for each in found.damaged] == [2]
    assert found.damaged[0].name == "number 2, whose id cannot be read"


def test_what_an_older_version_still_has_is_said_to_be_saved_and_is(path, tmp_path):
    EpisodeStore.open(path).compact()
    truncate(data_files(path)[-1])
    found = verify(path)
    assert len(found.damaged) == 4 and all(each.saved for each in found.damaged)
    assert_same(list(salvage(path, tmp_path / "new").store), some_episodes(4))


def test_a_truncated_list_of_files_is_told(path):
    truncate(min((path / "_versions").glob("*.manifest")))
    found = verify(path)
    assert (found.num_episodes, found.newest_unreadable, found.sound) == (3, 1, False)


def test_an_id_stored_twice_is_told(path):
    first, second = EpisodeStore.open(path), EpisodeStore.open(path)
    second._rows.refresh = lambda: None  # it has not heard of the other's
    first.append([make_episode("x")])
    second.append([make_episode("x", seed=5)])
    found = verify(path)
    assert found.duplicates == ("x",) and found.sound


def test_what_is_no_store_or_of_a_newer_daag_is_refused(path, tmp_path, monkeypatch):
    with pytest.raises(LifelongBufferError, match="found nothing"):
        verify(tmp_path / "nothing")
    lance.write_dataset(pa.table({"price": [1.0]}), str(tmp_path / "prices"))
    with pytest.raises(LifelongBufferError, match="something else"):
        verify(tmp_path / "prices")
    with monkeypatch.context() as later:
        later.setattr(store_format, "SCHEMA_VERSION", store_format.SCHEMA_VERSION + 1)
        EpisodeStore.create(tmp_path / "newer", vector_size=None)
    with pytest.raises(LifelongBufferError, match="newer daag"):
        verify(tmp_path / "newer")
    for manifest in (path / "_versions").glob("*.manifest"):
        truncate(manifest)
    with pytest.raises(LifelongBufferError, match="backup"):
        verify(path)
