"""`daag augment`, with the embedded models, on a few real episodes of the stacking world."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from tests.episodes.making import make_episode
from tests.report.making import stacked_episodes, stacked_store

from daag import cli
from daag.augmenting import AugmentJob, AugmentOptions
from daag.episodes import EpisodeStore, content_hash, verify
from daag.errors import ConfigError, LanguageError, LifelongBufferError, RunError

ROOT = Path(__file__).parents[1]
TASK = "stack the red cube on the blue cube"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return stacked_store(tmp_path_factory.mktemp("data") / "demonstrations")


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """A job that nothing interrupted, and its summary."""
    out = tmp_path_factory.mktemp("jobs") / "finished"
    return out, AugmentJob(dataset, AugmentOptions(TASK, out)).run()


def contents(out):
    return sorted(
        (each.id, content_hash(each), each.provenance) for each in EpisodeStore.open(out / "episodes.lance")
    )


def test_episodes_become_examples_of_the_task_with_their_sources(finished, dataset):
    out, summary = finished
    store = EpisodeStore.open(out / "episodes.lance")
    edits = store.get(store.ids("origin = 'edited'"))
    assert summary.num_done == 4 and summary.origins["edited"] == len(edits) > 0
    assert summary.num_proposed == len(edits) + summary.num_rejected
    sources = {episode.id: episode for episode in EpisodeStore.open(dataset)}
    for edit in edits:
        assert edit.instruction == TASK and edit.rewards[-1] == 1
        assert set(edit.provenance.models) == {"detector", "editor", "planner"} and edit.provenance.scores
        source = sources[edit.provenance.source_id]
        assert content_hash(store.get([source.id])[0]) == content_hash(source)
        start, end = edit.provenance.segment
        assert edit.actions.tobytes() == source.actions[start:end].tobytes()
    assert len({edit.provenance.seed for edit in edits}) == len(edits)
    assert np.asarray(Image.open(out / "sheet.png")).std() > 0
    assert verify(out / "episodes.lance").sound


def test_a_killed_job_goes_on_and_ends_as_if_it_had_never_been_killed(finished, dataset, tmp_path):
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "daag.cli", "augment", str(dataset), "--task", TASK, "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = out / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_bytes().count(b"\n")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with metrics.open("a") as file:
        file.write('{"event": "augm')  # as if the kill had met a write
    assert metrics.read_bytes().count(b"\n") < 4, "killed too late"
    summary = AugmentJob(dataset, AugmentOptions(TASK, out)).run()
    assert summary == finished[1]
    assert contents(out) == contents(finished[0])
    assert metrics.read_text() == (finished[0] / "metrics.jsonl").read_text()


def test_a_finished_job_that_is_run_again_changes_nothing(finished, dataset):
    out, summary = finished
    before = (out / "metrics.jsonl").read_text()
    assert AugmentJob(dataset, AugmentOptions(TASK, out)).run() == summary
    assert (out / "metrics.jsonl").read_text() == before


def test_a_job_of_other_settings_is_refused_and_left_alone(finished, dataset, tmp_path):
    out, _ = finished
    before = (out / "config.json").read_text()
    with pytest.raises(RunError, match=r"'seed': 0.*'seed': 1.*another --out"):
        AugmentJob(dataset, AugmentOptions(TASK, out, seed=1)).run()
    assert (out / "config.json").read_text() == before
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(RunError, match="choose another --out"):
        AugmentJob(dataset, AugmentOptions(TASK, tmp_path)).run()
    assert [file.name for file in tmp_path.iterdir()] == ["notes"]


def test_a_dry_run_says_what_would_be_edited_and_writes_nothing(finished, dataset, tmp_path):
    found = AugmentJob(dataset, AugmentOptions(TASK, tmp_path / "out")).dry_run()
    assert (found.num_episodes, sum(found.edits.values())) == (4, finished[1].num_proposed)
    assert found.num_frames >= 2 * sum(found.edits.values()) and found.seconds_per_frame > 0
    assert found.seconds > found.seconds_to_label > 0
    assert not (tmp_path / "out").exists()


def test_edits_are_not_edited_again(finished, tmp_path):
    job = AugmentJob(finished[0], AugmentOptions(TASK, tmp_path / "out", arm="relabel"))
    assert job.run().num_done == 4


def test_an_arm_without_edits_edits_nothing(dataset, tmp_path):
    options = AugmentOptions(TASK, tmp_path / "out", arm="relabel")
    assert AugmentJob(dataset, options).dry_run().seconds_per_frame is None
    summary = AugmentJob(dataset, options).run()
    assert summary.origins.keys() == {"relabelled"} and summary.num_proposed == 0


def test_an_empty_selection_is_refused(dataset, tmp_path):
    with pytest.raises(ConfigError, match=r"num_steps > 99.*found none of its 4"):
        AugmentJob(dataset, AugmentOptions(TASK, tmp_path / "out", where="num_steps > 99"))
    with pytest.raises(LifelongBufferError, match="colour"):
        AugmentJob(dataset, AugmentOptions(TASK, tmp_path / "out", where="colour = 1"))
    with pytest.raises(LanguageError):
        AugmentJob(dataset, AugmentOptions("fold the laundry", tmp_path / "out"))
    nameless = EpisodeStore.create(tmp_path / "nameless", vector_size=None)
    nameless.append([make_episode("a", bare=True)])
    with pytest.raises(ConfigError, match="names its objects"):
        AugmentJob(tmp_path / "nameless", AugmentOptions(TASK, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_episode_that_cannot_be_edited_is_counted_and_the_others_go_on(dataset, tmp_path):
    """Without segmentation there is no mask; a name that the planner does not know cannot be talked about."""
    first, second, *_ = stacked_episodes()
    mixed = EpisodeStore.create(tmp_path / "mixed", vector_size=None)
    strange = replace(second, id="strange", object_names={1: "gizmo", 2: "red cube"})
    mixed.append([replace(first, id="blind", segmentation=None), strange, first])
    summary = AugmentJob(tmp_path / "mixed", AugmentOptions(TASK, tmp_path / "out")).run()
    assert summary.num_done == 3 and summary.origins["edited"] >= 1
    assert any("not understood" in reason for reason in summary.declined)
    assert any("the edit failed" in reason for reason in summary.declined)


def test_the_command_says_what_it_did(finished, dataset, capsys):
    out, summary = finished
    console = Console(width=200, record=True)
    cli.parse(["augment", str(dataset), "--task", TASK, "--out", str(out)]).run(console)
    told = console.export_text()
    assert f"{summary.num_proposed} edits proposed" in told and "picture sheet" in told
    console = Console(width=200, record=True)
    cli.parse(["augment", str(dataset), "--task", TASK, "--out", str(out), "--dry-run", "True"]).run(console)
    assert "measured on the first edit" in console.export_text()
    assert json.loads((out / "config.json").read_text())["models"].keys() == {"detector", "planner", "editor"}
