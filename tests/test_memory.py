"""`daag memory`, through the words that a user types."""

import os

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from tests.episodes.making import assert_same, make_episode, some_episodes

from daag import cli
from daag.episodes import EpisodeStore, Provenance
from daag.errors import ConfigError, ExchangeError, LifelongBufferError


@pytest.fixture
def run(tmp_path):
    """A run's directory with four episodes in its lifelong buffer."""
    made = EpisodeStore.create(tmp_path / "run" / "lifelong.lance", vector_size=4)
    for episode in some_episodes(3):
        made.append([episode])
    provenance = Provenance(
        "edited", "e0", (0, 2), (("modify", "green cube", "red cube"),), {"editor": "abc"}
    )
    made.append(
        [make_episode("e0/edit", achieved=("the red cube is on the blue cube",), provenance=provenance)]
    )
    return tmp_path / "run"


def daag(*words, width=200):
    """What a command prints, on a terminal as wide as that."""
    console = Console(width=width, record=True, force_terminal=False)
    cli.parse([str(word) for word in words]).run(console)
    return console.export_text()


def test_ls_counts_per_task_and_names_ids(run):
    for width in (80, 200):
        told = daag("memory", "ls", run, width=width)
        row = next(line for line in told.splitlines() if "stack the red" in line)
        assert row.split()[-6:] == ["4", "8", "3", "0", "1", "1"]
        assert "relabelled" in told and "…" not in told
    assert daag("memory", "ls", run / "lifelong.lance", "--ids", "True").split() == [
        "e0",
        "e1",
        "e2",
        "e0/edit",
    ]
    assert "1 of 4 episodes" in daag("memory", "ls", run, "--where", "origin = 'edited'")


def test_show_says_where_an_edit_comes_from_and_writes_its_pictures(run, tmp_path):
    told = daag("memory", "show", run, "e0/edit", "--out", tmp_path / "sheet.png")
    for words in ("made of e0", "edit: modify green cube -> red cube", "editor: abc", "the red cube is on"):
        assert words in told
    assert "objects, and how many of 7 frames show each: red cube (7), blue cube (7)" in " ".join(
        told.split()
    )
    assert np.asarray(Image.open(tmp_path / "sheet.png")).std() > 0
    with pytest.raises(LifelongBufferError, match="not nobody"):
        daag("memory", "show", run, "nobody")


def test_stats_count_episodes_and_bytes(run):
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in daag("memory", "stats", run).splitlines()
    ]
    assert (
        ["episodes", "4"] in cells and ["origin edited", "1"] in cells and ["length of vectors", "4"] in cells
    )
    assert ["achieved: the red cube is on the blue cube", "1"] in cells


def test_verify_passes_a_sound_store_and_fails_a_damaged_one_with_its_remedy(
    run, tmp_path, capsys, monkeypatch
):
    assert "4 of 4 episodes are whole" in daag("memory", "verify", run)
    files = sorted((run / "lifelong.lance" / "data").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    os.truncate(files[1], files[1].stat().st_size // 2)
    monkeypatch.setattr("sys.argv", ["daag", "memory", "verify", str(run)])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    out, err = (" ".join(text.split()) for text in capsys.readouterr())
    assert "damaged: number 1" in out and "3 of 4 episodes are whole" in out and "daag memory salvage" in err
    assert "3 episodes saved, 1 lost" in daag("memory", "salvage", run, tmp_path / "saved")
    assert "3 of 3 episodes are whole" in daag("memory", "verify", tmp_path / "saved")


def test_compact_keeps_every_episode(run):
    assert "4 episodes" in daag("memory", "compact", run)
    assert len(EpisodeStore.open(run / "lifelong.lance")._rows.dataset.get_fragments()) == 1


@pytest.mark.parametrize("format", ["minari", "lerobot"])
def test_what_is_exported_is_imported_the_same(format, run, tmp_path):
    told = daag("memory", "export", run, tmp_path / "out", "--format", format, "--where", "origin = 'real'")
    assert "3 episodes" in told and "provenance" in told
    assert "3 episodes read, 3 of them new" in daag(
        "memory", "import", tmp_path / "out", tmp_path / "new", "--format", format
    )
    assert_same(list(EpisodeStore.open(tmp_path / "new")), some_episodes(3))
    assert "3 episodes read, 0 of them new" in daag(
        "memory", "import", tmp_path / "out", run, "--format", format
    )


def test_an_import_in_several_commits_brings_every_episode_in_order(tmp_path):
    made = EpisodeStore.create(tmp_path / "many", vector_size=None)
    made.append(some_episodes(37))
    daag("memory", "export", tmp_path / "many", tmp_path / "out", "--format", "lerobot")
    told = daag(
        "memory", "import", tmp_path / "out", tmp_path / "new", "--format", "lerobot", "--vector-size", 4
    )
    assert "37 episodes read, 37 of them new" in told
    found = EpisodeStore.open(tmp_path / "new", vector_size=4)
    assert_same(list(found), some_episodes(37))


def test_what_cannot_be_imported_leaves_no_empty_store_behind(tmp_path):
    with pytest.raises(ExchangeError, match="Minari data set"):
        daag("memory", "import", tmp_path / "nothing", tmp_path / "new", "--format", "minari")
    assert not (tmp_path / "new").exists()


def test_ls_finds_by_what_was_achieved_and_when(run):
    on = "the red cube is on the blue cube"
    assert daag("memory", "ls", run, "--ids", "True", "--achieved", on).split() == ["e0/edit"]
    assert daag("memory", "ls", run, "--ids", "True", "--since", "2999-01-01") == ""
    found = daag(
        "memory", "ls", run, "--ids", "True", "--until", "2999-01-01T10:00", "--where", "origin = 'real'"
    )
    assert found.split() == ["e0", "e1", "e2"]
    with pytest.raises(ConfigError, match="expected a time such as"):
        daag("memory", "ls", run, "--since", "yesterday")


def test_forget_only_says_what_would_go_until_it_is_told_to(run):
    told = daag("memory", "forget", run, "--keep-newest", "1")
    for words in (
        "e1",
        "e2",
        "2 of 4 episodes may go",
        "nothing was changed",
        "1 that stay were made of it: e0",
    ):
        assert words in told
    assert len(EpisodeStore.open(run / "lifelong.lance")) == 4
    told = daag("memory", "forget", run, "--keep-newest", "1", "--dry-run", "False")
    assert "2 episodes forgotten, 2 kept" in told
    assert EpisodeStore.open(run / "lifelong.lance").ids() == ["e0", "e0/edit"]
    journal = daag("memory", "forget", run, "--journal", "True").splitlines()
    assert len(journal) == 2 and "e1: stack the red cube" in journal[0] and "keep_newest=1" in journal[0]
    with pytest.raises(ConfigError, match="expected a rule"):
        daag("memory", "forget", run)
