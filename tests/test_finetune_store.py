"""`daag finetune`: a detector is taught from a store, saved with its provenance, and the base stays as it is."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.explored_stores import explored_store

from daag.assembly import load_detector
from daag.cli import parse
from daag.episodes import EpisodeStore
from daag.errors import ConfigError, LanguageError, RewardDetectorError, RunError
from daag.finetune_store import FinetuneStoreConfig, Taught, finetune_store, nearest_episodes
from daag.report.reliability import read_reliability
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.tasks import Subgoal

TASK = "stack the red cube on the blue cube"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    explored_store(path / "lifelong.lance", 12)
    return path


def config(run: Path, out: Path, **changes: object) -> FinetuneStoreConfig:
    settings = {"detector": "base", "arm": "compositor", "steps": 20, "learning_rate": 2e-4, **changes}
    return FinetuneStoreConfig(run, TASK, out, **settings)


@pytest.fixture(scope="module")
def taught(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Taught, Path]:
    out = tmp_path_factory.mktemp("out") / "detector"
    return finetune_store(config(run, out)), out


def test_the_detector_learns_the_task_without_forgetting_the_others(taught):
    result, _ = taught
    assert result.num_repainted >= 8 and result.num_new >= 2 * result.num_repainted
    assert result.new_after > result.new_before
    assert result.old_after >= result.old_before - 0.01


def test_the_directory_is_a_detector_that_says_where_it_comes_from(taught, run):
    result, out = taught
    provenance, detector = (
        json.loads((out / "provenance.json").read_text()),
        ClipDetector.from_pretrained(out),
    )
    base = load_detector("base")
    assert provenance["base"] == {"name": "base", "hash": base.hash}
    assert provenance["hash"] == detector.hash != base.hash
    assert provenance["subgoals"] == ["the red cube is on the blue cube"]
    assert (
        len(provenance["episodes"]) == result.num_episodes
        and provenance["result"]["num_new"] == result.num_new
    )
    assert set(provenance["models"]) == {"planner", "editor"} and all(provenance["models"].values())
    curves = read_reliability(out)
    assert all(curve.threshold == detector.calibration.thresholds[curve.family].value for curve in curves)


def test_the_base_detector_stays_as_it_is_and_equal_seeds_give_equal_detectors(taught, run, tmp_path):
    _, out = taught
    before = load_detector("base").hash
    finetune_store(config(run, tmp_path / "again"))
    assert load_detector("base").hash == before
    assert ClipDetector.from_pretrained(tmp_path / "again").hash == ClipDetector.from_pretrained(out).hash


def test_episodes_nearest_the_task_come_first_and_others_stay_out(run, tmp_path):
    store, detector = EpisodeStore.open(run / "lifelong.lance"), load_detector("ready")
    counts = Counter(found.description for episode in store for found in episode.achievements)
    wanted = counts.most_common(1)[0][0]
    chosen = nearest_episodes(store, (Subgoal(wanted, ""),), detector, 5)
    assert len(chosen) == 5

    def nearness(episode):
        vector = np.mean(detector.embed_texts([found.description for found in episode.achievements]), axis=0)
        return float(vector @ detector.embed_texts([wanted])[0] / np.linalg.norm(vector))

    order = [nearness(episode) for episode in chosen]
    assert order == sorted(order, reverse=True)
    left = [episode for episode in store if episode.achievements and episode.id not in {e.id for e in chosen}]
    assert all(nearness(episode) <= order[-1] + 1e-6 for episode in left)
    plain = EpisodeStore.create(tmp_path / "plain.lance", None)
    plain.append(list(store))
    assert [e.id for e in nearest_episodes(plain, (Subgoal(wanted, ""),), detector, 5)] == store.ids()[:5]


def test_what_cannot_be_taught_is_said_and_leaves_nothing(run, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(LanguageError):
        finetune_store(FinetuneStoreConfig(run, "fold the laundry", out))
    with pytest.raises(RewardDetectorError, match="at least 4 true"):
        finetune_store(config(run, out, at_most=1, arm="none"))
    with pytest.raises(RewardDetectorError, match="nothing is saved"):
        finetune_store(config(run, out, learning_rate=1e-12, steps=1))
    with pytest.raises(ConfigError, match="at least one episode"):
        config(run, out, at_most=0)
    assert not out.exists()
    out.mkdir()
    (out / "notes.txt").write_text("not a detector")
    with pytest.raises(RunError, match="exists already"):
        finetune_store(config(run, out))


def test_a_taught_detector_scores_the_task_higher_than_before_where_it_is_true(taught, run):
    _, out = taught
    store = EpisodeStore.open(run / "lifelong.lance")
    frames = np.concatenate([episode.observations[-1:] for episode in store])
    tuned, base = ClipDetector.from_pretrained(out), load_detector("base")
    text = ["the red cube is on the blue cube"]
    first, second = (similarity(each.embed_frames(frames), each.embed_texts(text)) for each in (tuned, base))
    assert not np.allclose(first, second)


def test_the_command_reads_its_options():
    command = parse(["finetune", "runs/mine", "--task", TASK, "--out", "detectors/new", "--steps", "7"])
    assert command.config == FinetuneStoreConfig(Path("runs/mine"), TASK, Path("detectors/new"), steps=7)
