import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.episodes.making import assert_same, make_episode, some_episodes
from tests.episodes.test_differences import flip, repainted

from daag.episodes import EpisodeStore, Retention, due, forget, forgotten, salvage, store, verify
from daag.errors import ConfigError, LifelongBufferError


@pytest.fixture
def source():
    return make_episode("source", num_steps=4)


@pytest.fixture
def kept(tmp_path, source):
    """A source, an edit of it, two others of the same task, and one that achieved something."""
    made = EpisodeStore.create(tmp_path / "store", vector_size=4)
    made.append([source, repainted(source, "edit")], [np.ones(4, np.float32), None])
    made.append([*some_episodes(2), make_episode("good", achieved=("the red cube is on the blue cube",))])
    return made


def test_forgetting_removes_writes_down_and_leaves_the_rest_as_it_was(kept, source):
    reader = EpisodeStore.open(kept.path)
    assert len(reader) == 5
    begun = datetime.now(UTC)
    forget(kept, ["e0"], "a rule")
    left = [source, repainted(source, "edit"), make_episode("e1"), kept.get(["good"])[0]]
    for each in (kept, reader, EpisodeStore.open(kept.path)):
        assert_same(each.get(["source", "edit", "e1", "good"]), left)
        assert len(each) == 4
    with pytest.raises(LifelongBufferError, match="but not e0"):
        reader.get(["e0"])
    assert verify(kept.path).sound
    (entry,) = forgotten(kept.path)
    assert (entry["id"], entry["reason"], entry["num_steps"]) == ("e0", "a rule", 2)
    assert entry["stored"] < begun < entry["forgotten"]
    reader.append([make_episode("e2")])
    assert_same(kept.get(["e2", "source"]), [make_episode("e2"), source])


def test_a_source_is_kept_as_long_as_something_was_made_of_it(kept):
    with pytest.raises(LifelongBufferError, match=r"'source' is the source of 1 that stay \(edit\)"):
        forget(kept, ["e0", "source"], "too much")
    assert len(EpisodeStore.open(kept.path)) == 5 and not list(forgotten(kept.path))
    forget(kept, ["source", "edit"], "both")
    assert kept.ids() == ["e0", "e1", "good"]
    with pytest.raises(LifelongBufferError, match="does not hold source"):
        forget(kept, ["source"], "again")


def test_a_reader_notices_that_as_many_were_forgotten_as_came(kept):
    reader = EpisodeStore.open(kept.path)
    assert len(reader) == 5
    forget(kept, ["e0", "e1"], "a rule")
    kept.append(some_episodes(2, start=7))
    assert reader.ids() == ["source", "edit", "good", "e7", "e8"]
    assert_same(reader.get(["e8"]), [make_episode("e8")])


def test_forgetting_frees_the_space(kept):
    before = sum(file.stat().st_size for file in (store.Path(kept.path) / "data").rglob("*"))
    forget(kept, ["source", "edit", "e0", "e1"], "all but one")
    assert sum(file.stat().st_size for file in (store.Path(kept.path) / "data").rglob("*")) < before / 2
    assert kept.num_versions == 1


def test_salvage_does_not_bring_back_what_was_forgotten(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(
        type(kept._rows.dataset), "cleanup_old_versions", lambda *_, **__: None
    )  # killed before
    forget(kept, ["e0"], "a rule")
    flip(store.Path(kept.path), "e1")
    assert [(each.id, each.saved) for each in verify(kept.path).damaged] == [("e1", False)]
    saved = salvage(kept.path, tmp_path / "saved")
    assert saved.store.ids() == ["source", "edit", "good"]


def test_rules_say_what_is_due_and_change_nothing(kept):
    kept.append([make_episode("other", instruction="another task")])
    found = due(kept, Retention(keep_newest=1))
    assert (found.ids, found.needed) == (("source", "edit", "e0", "e1"), ())
    found = due(kept, Retention(keep_newest=1, where="origin = 'real'"))
    assert (found.ids, found.needed) == (("e0", "e1"), (("source", 1),))
    assert due(kept, Retention(keep_newest=0, keep_achieving=False)).ids == tuple(kept.ids())
    assert due(kept, Retention(where="instruction = 'another task'")).ids == ("other",)
    assert due(kept, Retention(older_than=timedelta(hours=1))).ids == ()
    later = datetime.now(UTC) + timedelta(hours=2)
    rules = Retention(older_than=timedelta(hours=1), where="id = 'e0' OR id = 'e1'", keep_newest=2)
    assert due(kept, rules, later).ids == ("e0",)
    assert len(kept) == 6 and not list(forgotten(kept.path))


def test_rules_that_would_let_everything_go_are_refused():
    with pytest.raises(ConfigError, match="rule"):
        Retention()
    with pytest.raises(ConfigError, match=re.escape("at least 0")):
        Retention(keep_newest=-1)
