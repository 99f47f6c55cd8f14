"""`daag edit`: one stored episode repainted as asked, with a film, a strip and scores that can be trusted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.report.making import stacked_episodes

from daag.cli import parse
from daag.editing import FILM, SCORES, STORE, STRIP, Edited, EditOptions, edit_stored, told
from daag.episodes import Episode, EpisodeStore
from daag.errors import ConfigError, EditError, LifelongBufferError, UnknownNameError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stored") / "demonstrations"
    first, second = stacked_episodes()[:2]
    anonymous = replace(second, id="elsewhere", env_id="somebody/World-v0", world_state=None)
    EpisodeStore.create(path, vector_size=None).append([first, anonymous])
    return path


@pytest.fixture(scope="module")
def source() -> Episode:
    return stacked_episodes()[0]


def free_colour(episode: Episode, name: str) -> str:
    """Another colour for an object, one that no other of its kind has."""
    kind = name.split()[1]
    return next(
        f"{colour} {kind}"
        for colour in ("red", "green", "blue", "yellow")
        if f"{colour} {kind}" not in episode.objects
    )


@pytest.fixture(scope="module")
def subject(source: Episode) -> str:
    """The object that was stacked, which is well seen."""
    return source.achievements[0].description.removeprefix("the ").split(" is on ")[0]


@pytest.fixture(scope="module")
def edited(
    store: Path, source: Episode, subject: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Edited, Path]:
    out = tmp_path_factory.mktemp("edits")
    change = f"{subject} -> {free_colour(source, subject)}"
    return edit_stored(EditOptions(store, source.id, (change,), out)), out


def test_film_strip_scores_and_episode_are_left_behind(edited, source, subject):
    result, out = edited
    with Image.open(out / FILM) as film:
        assert film.n_frames > 1 and film.width == 2 * 256
    assert Image.open(out / STRIP).width > 500
    assert json.loads((out / SCORES).read_text()) == result.scores
    (kept,) = EpisodeStore.open(out / STORE)
    assert (kept.frames == result.segment.edited).all() and (kept.actions == source.actions).all()
    assert free_colour(source, subject) in kept.objects and subject not in kept.objects
    assert kept.provenance.source_id == source.id and kept.provenance.plan[0][:2] == ("modify", subject)
    # What the source came to show was said of other looks.
    assert not kept.achievements and not kept.rewards.any()


def test_the_scores_are_those_of_this_edit(edited, source, subject):
    result, _ = edited
    changed = (result.segment.edited != source.frames).any(axis=-1)
    assert result.scores["num_pixels_changed"] == changed.sum() > 0 and result.scores["outside_identical"]
    oracle = result.scores["oracle"]
    assert oracle["masked_psnr_db"] > 24 and 0.7 < oracle["masked_ssim"] <= 1 and oracle["looks_right"] == 1
    before, after = result.scores["detector"]
    assert subject in before["description"] and free_colour(source, subject) in after["description"]
    # The edit takes the old reading away and makes the new one.
    assert before["edited"] < before["source"] and after["edited"] > after["source"]
    assert any("inside the mask" in line for line in told(result))


def test_another_edit_into_the_same_directory_loses_nothing(edited, store, source, subject):
    _, out = edited
    others = [name for name in source.objects if name != subject]
    for _ in range(2):  # the same edit again is the same episode
        edit_stored(
            EditOptions(
                store,
                source.id,
                (f"{subject} -> {free_colour(source, subject)}",),
                out,
                "compositor",
                detector="none",
            )
        )
    trade = edit_stored(
        EditOptions(store, source.id, (f"{others[0]} <-> {others[1]}",), out, "compositor", detector="none")
    )
    assert [edit.operation for edit in trade.segment.plan.edits] == ["exchange", "exchange"]
    assert len(EpisodeStore.open(out / STORE)) == 3


def test_where_no_simulator_and_no_detector_is_known_it_says_so(store, tmp_path):
    episode = EpisodeStore.open(store).get(["elsewhere"])[0]
    name = episode.achievements[0].description.removeprefix("the ").split(" is on ")[0]
    change = f"{name} -> {free_colour(episode, name)}"
    result = edit_stored(EditOptions(store, "elsewhere", (change,), tmp_path, "compositor"))
    assert result.oracle is None and "no world state" in str(result.scores["oracle"])
    assert str(result.scores["detector"]).startswith("none") and result.scores["outside_identical"]
    assert Image.open(tmp_path / STRIP).size


def test_another_table_and_a_finish_leave_the_names_as_they_are(store, source, subject, tmp_path):
    changes = ("table -> green table", f"{subject} -> shiny {subject}")
    result = edit_stored(EditOptions(store, source.id, changes, tmp_path, detector="none"))
    assert result.episode.objects == source.objects
    assert (result.episode.segmentation == source.segmentation[result.segment.frame_index]).all()
    assert ("modify", "table", "green table") in result.episode.provenance.plan
    assert result.scores["outside_identical"] and result.scores["oracle"]["masked_psnr_db"] > 28


def test_geometry_tells_the_table_where_no_simulator_does(store, tmp_path):
    result = edit_stored(EditOptions(store, "elsewhere", ("table -> green table",), tmp_path))
    assert result.scores["num_pixels_changed"] > 0.5 * result.segment.source[..., 0].size


@pytest.mark.parametrize(
    ("changes", "settings", "error", "words"),
    [
        (("pink cube -> red cube",), {}, EditError, "the scene has no pink cube; it has"),
        (("{subject}",), {}, EditError, "expected a change such as"),
        (("{subject} -> ",), {}, EditError, "expected a change such as"),
        (("{subject} -> {subject}",), {}, EditError, "must change the look"),
        (("{subject} -> striped red cube",), {}, EditError, "one flat colour"),
        ((), {}, EditError, "at least one edit"),
        (("{subject} -> grey cube",), {"observations": (1, 1)}, ConfigError, "select nothing"),
        (("{subject} -> grey cube",), {"editor": "tyni"}, UnknownNameError, "Known: compositor, oracle, per-frame, tiny"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_before_anything_is_written(
    store, source, subject, tmp_path, changes, settings, error, words
):
    changes = tuple(change.format(subject=subject) for change in changes)
    with pytest.raises(error, match=words):
        edit_stored(EditOptions(store, source.id, changes, tmp_path / "out", **settings))
    assert not (tmp_path / "out").exists()


def test_an_object_that_is_never_seen_is_answered_with_what_is_and_who_shows_it(source, subject, tmp_path):
    hidden = source.segmentation.copy()
    hidden[hidden == source.objects.index(subject) + 1] = 0
    path = tmp_path / "store"
    EpisodeStore.create(path, None).append([replace(source, id="blind", segmentation=hidden), source])
    others = [name for name in source.objects if name != subject]
    options = EditOptions(path, "blind", (f"{subject} -> grey cube",), tmp_path / "out", "compositor")
    count = len(source.frames)
    with pytest.raises(EditError) as raised:
        edit_stored(options)
    told = str(raised.value)
    assert f"nothing of {subject} is seen in the {count} asked frames of episode 'blind'" in told
    assert f"seen there: {others[0]} ({count} frames)" in told
    assert f"{subject} is seen in {source.id} ({count} frames)" in told and "blind (" not in told
    assert not (tmp_path / "out").exists()
    EpisodeStore.create(tmp_path / "alone", None).append([replace(source, segmentation=hidden)])
    with pytest.raises(EditError, match=r"Nor did a quick look through .*alone find it seen"):
        edit_stored(replace(options, store=tmp_path / "alone", episode=source.id))


def test_frames_of_the_same_episode_that_show_it_are_named(source, subject, tmp_path):
    early = source.segmentation.copy()
    early[:-1][early[:-1] == source.objects.index(subject) + 1] = 0
    steps = np.array([0, 1, len(source.frames) - 1], dtype=np.int32)
    longer = replace(
        source, segmentation=early, observation_index=steps, actions=np.repeat(source.actions, 2, axis=0),
        rewards=np.zeros(2, dtype=np.float32), achievements=(),
    )  # fmt: skip
    EpisodeStore.create(tmp_path / "store", None).append([longer])
    change = (f"{subject} -> grey cube",)
    with pytest.raises(EditError, match=rf"{subject} is seen in {source.id} \(1 frame\)$"):
        edit_stored(EditOptions(tmp_path / "store", source.id, change, tmp_path / "out", observations=(0, 1)))


def test_an_unknown_episode_is_answered_with_those_there_are(store, tmp_path):
    with pytest.raises(LifelongBufferError, match=r"no 'run/9'; it holds 2: "):
        edit_stored(EditOptions(store, "run/9", ("red cube -> blue cube",), tmp_path / "out"))


def test_several_changes_are_read_from_the_command_line():
    words = ["edit", "runs/a", "run/0", "--change", "a -> b", "--change", "c <-> d", "--out", "o"]
    config = parse([*words, "--observations", "1", "3"]).config
    assert config.change == ("a -> b", "c <-> d") and config.observations == (1, 3)
    assert config.out == Path("o")
