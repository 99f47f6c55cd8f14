"""`daag calibrate`: thresholds from a simulator's truth or a person's labels."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.explored_stores import explored_store

from daag.assembly import load_detector
from daag.calibrating import COLUMNS, CalibrateConfig, calibrate_detector, read_labels
from daag.cli import parse
from daag.episodes import EpisodeStore
from daag.errors import ConfigError, LifelongBufferError, RewardDetectorError, RunError
from daag.report.reliability import read_reliability
from daag.rewards.calibration import Calibration
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity

ON = "the red cube is on the blue cube"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shipped detector's weights without its thresholds, as checkpoints of the hub come."""
    path = tmp_path_factory.mktemp("raw") / "detector"
    load_detector("ready").with_calibration(Calibration()).save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    return explored_store(tmp_path_factory.mktemp("store") / "lifelong.lance", 6)


def written(path: Path, rows: list[tuple[object, ...]], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def by_hand(store: EpisodeStore, path: Path) -> Path:
    """Which objects every observation shows, and which it does not, as a person would say it."""
    rows: list[tuple[object, ...]] = []
    for id in store.ids():
        (episode,) = store.get([id])
        for look in ("red cube", "blue cube", "green cube", "yellow cylinder", "black prism", "white cube"):
            rows += [
                (id, at, f"a {look}", int(look in episode.objects)) for at in range(episode.num_steps + 1)
            ]
    return written(path, rows)


def test_a_simulators_truth_makes_a_checkpoint_a_detector(raw, tmp_path):
    out = tmp_path / "calibrated"
    config = CalibrateConfig(raw, out, env="rgb-stacking", episodes=8, target_precision=0.9, prevalence=0.1)
    result = calibrate_detector(config)
    detector = ClipDetector.from_pretrained(out)
    assert detector.hash == result.detector.hash and detector.calibration == result.detector.calibration
    cut = detector.calibration.thresholds["object"]
    assert cut.target_met and cut.recall > 0.9 and cut.num_positives > 100
    # What was chosen is what the shipped thresholds, chosen on other scenes, are like.
    shipped = load_detector("ready").calibration.thresholds["object"].value
    assert abs(cut.value - shipped) < 0.15
    assert {curve.family for curve in read_reliability(out)} == set(result.curves)
    told = json.loads((out / "calibrated_on.json").read_text())
    assert told["base_hash"] == ClipDetector.from_pretrained(raw).hash and told["hash"] == detector.hash
    assert set(told["refused"]) == set(result.refused)


def test_a_persons_labels_do_too_and_leave_other_families_alone(store, tmp_path):
    labels = by_hand(store, tmp_path / "labels.csv")
    config = CalibrateConfig(
        "ready", tmp_path / "out", store=Path(store.path), labels=labels, target_precision=0.9, prevalence=0.2
    )
    result = calibrate_detector(config)
    before = load_detector("ready").calibration.thresholds
    assert set(result.chosen) == {"object"} and result.chosen["object"].target_met
    after = result.detector.calibration.thresholds
    assert {family: after[family] for family in before if family != "object"} == {
        family: cut for family, cut in before.items() if family != "object"
    }
    # The threshold does on these labels what it says.
    found = 0
    for id, said in read_labels(labels).items():
        (episode,) = store.get([id])
        texts = sorted({text for _, text, _ in said})
        frames = result.detector.embed_frames(episode.observations)
        shown = similarity(frames, result.detector.embed_texts(texts)) >= after["object"].value
        found += sum(int(shown[at, texts.index(text)]) for at, text, true in said if true)
    assert found == round(after["object"].recall * after["object"].num_positives)


def test_a_family_that_misses_the_target_is_never_claimed(store, tmp_path):
    """Labels that say the opposite of what is seen, so that no threshold is right."""
    rows = [
        (id, at, text, 1 - int(true))
        for id, said in read_labels(by_hand(store, tmp_path / "right.csv")).items()
        for at, text, true in said
    ]
    config = CalibrateConfig(
        "ready",
        tmp_path / "out",
        store=Path(store.path),
        labels=written(tmp_path / "wrong.csv", rows),
        target_precision=0.8,
        prevalence=0.2,
    )
    cut = calibrate_detector(config).chosen["object"]
    assert not cut.target_met and cut.value == 1.0 and cut.recall == 0.0


@pytest.mark.parametrize(
    ("rows", "columns", "error", "words"),
    [
        ([("a", 0, ON, 1)], ("episode", "frame", "description", "true"), ConfigError, "names of its columns"),
        ([("a", -1, ON, 1)], COLUMNS, ConfigError, "line 2"),
        ([("a", 0, ON, "yes")], COLUMNS, ConfigError, "'yes'"),
        ([], COLUMNS, ConfigError, "holds no labels"),
        ([("elsewhere", 0, ON, 1)], COLUMNS, LifelongBufferError, "does not hold elsewhere"),
        ([("exploration/4242/0", 99, ON, 1)], COLUMNS, LifelongBufferError, "speaks of 99"),
        ([("exploration/4242/0", 0, "it is nice", 1)], COLUMNS, RewardDetectorError, "'it is nice'"),
        ([("exploration/4242/0", 0, ON, 1)], COLUMNS, RewardDetectorError, "at least 20 true"),
    ],
)
def test_labels_that_say_nothing_are_refused_and_nothing_is_written(
    store, tmp_path, rows, columns, error, words
):
    labels = written(tmp_path / "labels.csv", rows, columns)
    with pytest.raises(error, match=words):
        calibrate_detector(CalibrateConfig("ready", tmp_path / "out", store=Path(store.path), labels=labels))
    assert not (tmp_path / "out").exists()


def test_other_bad_input(raw, store, tmp_path):
    with pytest.raises(ConfigError, match="either --env"):
        CalibrateConfig(raw, tmp_path / "out")
    with pytest.raises(ConfigError, match="either --env"):
        CalibrateConfig(raw, tmp_path / "out", env="room", store=Path(store.path), labels=tmp_path)
    with pytest.raises(ConfigError, match="either --env"):
        CalibrateConfig(raw, tmp_path / "out", env="room", labels=tmp_path)
    with pytest.raises(ConfigError, match="CSV"):
        read_labels(tmp_path)
    with pytest.raises(RunError, match="exists already"):
        calibrate_detector(CalibrateConfig(raw, tmp_path, env="room"))


def test_the_command_reads_its_options(tmp_path):
    command = parse(["calibrate", "some/clip", "--env", "room", "--out", str(tmp_path), "--episodes", "5"])
    assert command.config == CalibrateConfig("some/clip", tmp_path, env="room", episodes=5)


def test_the_rate_of_absent_objects_is_that_of_present_ones(raw, tmp_path):
    """Negatives are not only the few that hide: for every object there is one that the scene does not have."""
    config = CalibrateConfig(
        raw, tmp_path / "out", env="rgb-stacking", episodes=4, target_precision=0.8, prevalence=0.2
    )
    cut = calibrate_detector(config).chosen["object"]
    assert np.isclose(cut.num_negatives, cut.num_positives, rtol=0.25)
