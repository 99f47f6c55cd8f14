"""Edited and relabelled episodes are stored as differences from their sources, and come back whole."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import lance
import numpy as np
import pytest
from tests.episodes.making import assert_same, make_episode

from daag.episodes import EpisodeStore, Provenance, codec, cut, salvage, store_format, verify
from daag.episodes.compression import compress, compress_difference, decompress
from daag.errors import LifelongBufferError

ON = "the red cube is on the blue cube"
PLAN = (("modify", "green cube", "red cube"),)


def repainted(source, id, start=1, end=3):
    """A segment of a source with some pixels of each frame changed, as an edit changes them."""
    provenance = Provenance("edited", source.id, (start, end), PLAN, {"editor": "abc"}, 7)
    segment = cut(source, start, end, "stack the red cube on the blue cube", id=id, provenance=provenance)
    frames = segment.frames.copy()
    frames[:, 2:4, 2:4] = 255 - frames[:, 2:4, 2:4]
    return replace(segment, frames=frames, object_names={1: "red cube", 2: "white cube"})


@pytest.fixture
def source():
    return make_episode("source", num_steps=4)


@pytest.fixture
def path(tmp_path, source):
    """A source and two episodes that were made of it, in three commits."""
    made = EpisodeStore.create(tmp_path / "store", vector_size=None)
    made.append([source])
    made.append([repainted(source, "edit")])
    made.append([make_episode("other")])
    return tmp_path / "store"


def row(path, id):
    return lance.dataset(str(path)).to_table(filter=f"id = '{id}'").to_pylist()[0]


def num_bytes(row):
    return sum(len(row[name] or b"") for name in (*codec.ARRAYS, "qpos"))


def flip(path, id):
    """Turn one bit within the frames of an episode."""
    blob = row(path, id)["frames"]
    for file in (path / "data").glob("*.lance"):
        content = bytearray(file.read_bytes())
        if blob[-20:] in content:
            content[content.index(blob[-20:])] ^= 1
            file.write_bytes(content)


def test_an_edit_takes_little_and_comes_back_bit_for_bit(path, source):
    # Of pictures of eight pixels, most of what is left are the names of dtypes and shapes.
    assert num_bytes(row(path, "edit")) < 0.2 * num_bytes(codec.encode(repainted(source, "edit")))
    for name in ("depth", "normals", "segmentation", "state", "qpos"):  # the same as the source's
        assert len(row(path, "edit")[name]) < 110
    for reader in (EpisodeStore.open(path), EpisodeStore.open(path)):
        assert_same(reader.get(["edit"]), [repainted(source, "edit")])
        assert_same(list(reader), [source, repainted(source, "edit"), make_episode("other")])


def test_source_and_edits_may_come_in_one_call(tmp_path, source):
    made = EpisodeStore.create(tmp_path / "store", vector_size=None)
    made.append([source, repainted(source, "a"), repainted(source, "b", 0, 4), repainted(source, "a")])
    assert not codec.is_whole(row(tmp_path / "store", "b"))
    assert_same(
        list(EpisodeStore.open(tmp_path / "store")),
        [source, repainted(source, "a"), repainted(source, "b", 0, 4)],
    )


def test_an_edit_whose_source_is_elsewhere_is_stored_whole(tmp_path, source):
    made = EpisodeStore.create(tmp_path / "store", vector_size=None)
    made.append([repainted(source, "edit")])
    made.append([source])
    assert codec.is_whole(row(tmp_path / "store", "edit"))
    made.append([repainted(source, "edit")])  # the same content, though it would now be stored otherwise
    assert_same(list(EpisodeStore.open(tmp_path / "store")), [repainted(source, "edit"), source])


def test_only_real_episodes_are_sources_so_that_none_depends_on_one_that_depends(path, source):
    edit = repainted(source, "edit")
    again = repainted(edit, "again", 0, 2)
    EpisodeStore.open(path).append([again])
    assert codec.is_whole(row(path, "again"))
    assert_same(EpisodeStore.open(path).get(["again", "edit"]), [again, edit])


def test_what_only_claims_a_source_is_stored_right_all_the_same(tmp_path, source):
    """Other sizes, other dtypes, a segment out of range: nothing is taken from what does not fit."""
    made = EpisodeStore.create(tmp_path / "store", vector_size=None)
    claims = [
        make_episode("long", num_steps=9, provenance=Provenance("edited", "source", (0, 9))),
        make_episode("late", provenance=Provenance("edited", "source", (400, 402))),
        make_episode("bare", bare=True, provenance=Provenance("edited", "source", (0, 2))),
        make_episode("real", provenance=Provenance("real", "source", (0, 2))),
        make_episode("itself", provenance=Provenance("edited", "itself", (0, 2))),
        make_episode("before", provenance=Provenance("edited", "source", (-400, 1))),
    ]
    made.append([source, *claims])
    assert codec.is_whole(row(tmp_path / "store", "real"))
    assert_same(list(EpisodeStore.open(tmp_path / "store")), [source, *claims])


def test_other_content_under_the_id_of_an_edit_is_refused(path, source):
    kept = EpisodeStore.open(path)
    kept.append([repainted(source, "edit")])
    other = repainted(source, "edit")
    frames = other.frames.copy()
    frames[0, 0, 0, 0] ^= 1
    with pytest.raises(LifelongBufferError, match="other content"):
        kept.append([replace(other, frames=frames)])
    with pytest.raises(LifelongBufferError, match="other content"):
        kept.append([repainted(source, "new"), replace(other, id="new", frames=frames)])
    assert len(EpisodeStore.open(path)) == 3


def test_compacting_keeps_edits_readable(path, source):
    EpisodeStore.open(path).compact()
    assert_same(EpisodeStore.open(path).get(["edit"]), [repainted(source, "edit")])


# Damage


def test_a_damaged_source_is_named_by_what_was_made_of_it_and_the_rest_stays(path, tmp_path):
    flip(path, "source")
    reader = EpisodeStore.open(path)
    with pytest.raises(LifelongBufferError, match=r"'edit' cannot be read.*'source' is damaged"):
        reader.get(["edit"])
    assert_same(reader.get(["other"]), [make_episode("other")])
    assert [each.id for each in verify(path).damaged] == ["source", "edit"]
    saved = salvage(path, tmp_path / "saved")
    assert saved.num_lost == 2
    assert_same(list(saved.store), [make_episode("other")])


def test_a_damaged_edit_leaves_its_source_alone(path, source):
    flip(path, "edit")
    assert [each.id for each in verify(path).damaged] == ["edit"]
    assert_same(EpisodeStore.open(path).get(["source", "other"]), [source, make_episode("other")])


def test_new_edits_of_a_damaged_source_are_stored_whole(path, source):
    flip(path, "source")
    kept = EpisodeStore.open(path)
    kept.append([repainted(source, "late")])
    assert_same(kept.get(["late"]), [repainted(source, "late")])


def test_salvage_brings_edits_along_with_their_sources(path, tmp_path, source):
    files = sorted((path / "data").glob("*.lance"), key=lambda file: file.stat().st_mtime_ns)
    os.truncate(files[-1], files[-1].stat().st_size // 2)
    saved = salvage(path, tmp_path / "saved")
    assert saved.num_lost == 1
    assert_same(list(saved.store), [source, repainted(source, "edit")])
    assert not codec.is_whole(row(tmp_path / "saved", "edit"))


# Versions


@pytest.fixture
def first(tmp_path, source, monkeypatch):
    """A store as it was written before there were differences, and columns of times."""
    with monkeypatch.context() as before:
        for module in (codec, store_format):
            before.setattr(module, "SCHEMA_VERSION", 1)
            before.setattr(module, "TIMES", {})
        made = EpisodeStore.create(tmp_path / "old", vector_size=4)
        made.append([make_episode("source", num_steps=4, achieved=(ON,)), make_episode("other")])
    assert "stored" not in lance.dataset(str(tmp_path / "old")).schema.names
    return tmp_path / "old"


@pytest.fixture
def second(tmp_path):
    """A store that the code of schema version 2 wrote: a source, a difference from it, and another episode."""
    shutil.unpack_archive(Path(__file__).parent / "data/schema-version-2.zip", tmp_path / "second")
    return tmp_path / "second"


def what_is_in(path):
    source = make_episode("source", num_steps=4, achieved=(ON,))
    edits = [repainted(source, "edit")] if path.name == "second" else []
    return [source, *edits, make_episode("other")]


def version_of(path):
    return lance.dataset(str(path)).schema.metadata[b"schema_version"]


@pytest.mark.parametrize("version", ["first", "second"])
def test_an_older_store_is_read_as_it_is(version, request):
    path = request.getfixturevalue(version)
    before = version_of(path)
    assert_same(list(EpisodeStore.open(path, vector_size=4)), what_is_in(path))
    assert verify(path).sound
    assert version_of(path) == before < str(codec.SCHEMA_VERSION).encode()


@pytest.mark.parametrize("version", ["first", "second"])
def test_an_older_store_is_brought_up_to_date_by_what_is_appended(version, request, monkeypatch):
    path = request.getfixturevalue(version)
    kept, reader = EpisodeStore.open(path), EpisodeStore.open(path)
    assert len(reader) == len(what_is_in(path))
    source = what_is_in(path)[0]
    kept.append([source, repainted(source, "new")], [np.ones(4, np.float32), None])
    expected = [*what_is_in(path), repainted(source, "new")]
    assert version_of(path) == b"3"
    assert_same(reader.get([episode.id for episode in expected]), expected)
    assert_same(list(EpisodeStore.open(path)), expected)
    assert verify(path).sound
    # What was achieved when is known of all, when it was stored of the new one only.
    assert kept.ids("array_has(achieved_at, 4)") == ["source"]
    assert kept.ids("stored IS NOT NULL") == ["new"]
    monkeypatch.setattr(store_format, "SCHEMA_VERSION", 2)  # as an older daag would meet it
    with pytest.raises(LifelongBufferError, match="newer daag"):
        EpisodeStore.open(path)


def test_an_update_that_was_killed_half_way_is_made_good_by_the_next(second):
    store_format._note_version(lance.dataset(str(second)))
    assert_same(list(EpisodeStore.open(second)), what_is_in(second))
    EpisodeStore.open(second).append([make_episode("new")])
    assert EpisodeStore.open(second).ids("stored IS NOT NULL") == ["new"]


def test_two_processes_may_bring_a_store_up_to_date_at_once(second):
    first, other = EpisodeStore.open(second), lance.dataset(str(second))
    first.append([make_episode("new")])
    store_format.bring_up_to_date(other)  # which is still what it was before
    assert store_format.is_up_to_date(other.schema)
    assert_same(list(EpisodeStore.open(second)), [*what_is_in(second), make_episode("new")])


def test_a_copy_taken_before_it_was_brought_up_to_date_is_still_whole(second, tmp_path):
    shutil.copytree(second, tmp_path / "copy")
    EpisodeStore.open(second).append([make_episode("new")])
    assert_same(list(EpisodeStore.open(tmp_path / "copy")), what_is_in(second))


def test_what_is_at_rest_is_written_down_once():
    """An object that stands still in the source and is repainted costs the same for two moments as for twenty."""
    rng = np.random.default_rng(0)
    source = np.broadcast_to(rng.integers(0, 256, (1, 32, 32, 3), dtype=np.uint8), (20, 32, 32, 3)).copy()
    source[:, 0, 0] = np.arange(60).reshape(20, 3)  # something moves
    array = source.copy()
    array[:, 8:16, 8:16] = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    short, long = (compress_difference(array[:n], source, 0) for n in (2, 20))
    assert len(long) < 1.2 * len(short) < 400
    assert decompress(long, source).tobytes() == array.tobytes()


# Packing


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.float16, np.float32, np.float64, np.bool_])
def test_any_numbers_come_back_from_a_difference(dtype):
    rng = np.random.default_rng(0)
    source = (
        rng.integers(0, 2, (9, 4)).astype(dtype)
        if dtype is np.bool_
        else rng.normal(0, 50, (9, 4)).astype(dtype)
    )
    array = source[2:7].copy()
    array[1:3, 1] = 0 if dtype is np.bool_ else 7
    if np.issubdtype(dtype, np.floating):
        array[4] = [np.nan, np.inf, -0.0, 0.0]
    blob = compress_difference(array, source, 2)
    found = decompress(blob, source)
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_a_difference_is_not_unpacked_without_its_source_or_with_another():
    source = np.arange(12.0).reshape(4, 3)
    blob = compress_difference(source[1:3], source, 1)
    with pytest.raises(LifelongBufferError, match="got none"):
        decompress(blob)
    with pytest.raises(LifelongBufferError, match="not the one"):
        decompress(blob, source + 1)
    with pytest.raises(LifelongBufferError, match=r"expected a source with float64 \(2, 3\) from 1 on"):
        decompress(blob, source[:2])
    assert compress_difference(source, source, 1) is None
    assert decompress(compress(source), np.zeros(3)).tobytes() == source.tobytes()
