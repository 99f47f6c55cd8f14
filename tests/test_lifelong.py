"""The main job with the embedded models: from its command, through a kill, to its end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from daag import lifelong
from daag.assembly import EnvName, PolicyInput
from daag.episodes import EpisodeStore, content_hash
from daag.errors import ConfigError, LanguageError, ModelError, RunError
from daag.lifelong import LifelongConfig
from daag.run import RunDirectory

TASKS: dict[EnvName, tuple[str, str]] = {
    "rgb-stacking": ("stack the red cube on the blue cube", "stack the green cube on the yellow cube"),
    "room": ("go to the red ball", "go to the green mug"),
}
SEEDS: dict[EnvName, int] = {"rgb-stacking": 0, "room": 2}
"""With which something is achieved early, so that there is something to learn from."""
POLICIES: dict[EnvName, PolicyInput] = {"rgb-stacking": "detector", "room": "pictures"}


def small(out: Path, env: EnvName = "rgb-stacking") -> LifelongConfig:
    return LifelongConfig(
        TASKS[env],
        env,
        out,
        episodes=3,
        seed=SEEDS[env],
        curve_scenes=1,
        evaluation_scenes=2,
        updates_per_fit=4,
        policy=POLICIES[env],
    )


@pytest.fixture(scope="module", params=list(TASKS))
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / request.param
    lifelong.start(small(out, request.param)).run()
    return out


def contents(path: Path) -> list[tuple[str, str]]:
    return sorted((episode.id, content_hash(episode)) for episode in EpisodeStore.open(path))


def test_a_run_leaves_metrics_episodes_and_a_policy(finished: Path) -> None:
    events = [line["event"] for line in RunDirectory.open(finished).metrics()]
    assert events.count("episode") == 6 and events.count("learnt") == 2 and "fit" in events
    assert len(contents(finished / "lifelong.lance")) == 6
    assert len(list(finished.glob("policy-*.safetensors"))) == 1
    assert set(RunDirectory.open(finished).timings()) >= {"extract", "episode", "evaluate"}


def test_a_killed_run_goes_on_and_ends_as_if_it_had_never_been_killed(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    env: EnvName = finished.name
    command = [
        sys.executable, "-m", "daag.cli", "lifelong", "--env", env, "--tasks", *TASKS[env], "--out", str(out),
        "--episodes", "3", "--seed", str(SEEDS[env]), "--curve-scenes", "1", "--evaluation-scenes", "2",
        "--updates-per-fit", "4", "--policy", POLICIES[env],
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = out / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and '"episodes": 2' in metrics.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(metrics.read_bytes()) < len((finished / "metrics.jsonl").read_bytes()), "killed too late"
    lifelong.resume(out).run()
    assert metrics.read_text() == (finished / "metrics.jsonl").read_text()
    for name in ("lifelong.lance", "task_buffer.lance"):
        assert contents(out / name) == contents(finished / name)
    (policy,), (expected,) = out.glob("policy-*.safetensors"), finished.glob("policy-*.safetensors")
    weights, expected_weights = load_file(policy), load_file(expected)  # the header's order is not determined
    assert weights.keys() == expected_weights.keys()
    assert all(np.array_equal(weights[name], expected_weights[name]) for name in weights)


def test_a_finished_run_that_is_resumed_changes_nothing(finished: Path) -> None:
    before = (finished / "metrics.jsonl").read_text()
    rates = lifelong.resume(finished).run()
    assert len(rates) == 2 and (finished / "metrics.jsonl").read_text() == before


def test_an_existing_directory_is_never_overwritten(finished: Path) -> None:
    with pytest.raises(RunError, match="--resume"):
        lifelong.start(small(finished, finished.name))


def test_what_cannot_be_done_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(LanguageError):
        lifelong.start(LifelongConfig(("fold the laundry",), out=tmp_path / "a"))
    with pytest.raises(ConfigError, match="--tasks"):
        lifelong.start(LifelongConfig(out=tmp_path / "b"))
    with pytest.raises(ModelError):
        lifelong.start(LifelongConfig(TASKS["rgb-stacking"], out=tmp_path / "c", detector=str(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_no_run_or_a_damaged_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="run directory"):
        lifelong.resume(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"colour": "red"}))
    with pytest.raises(RunError, match="another version"):
        lifelong.resume(tmp_path)
    (tmp_path / "state.json").write_text('{"task_index": 0')
    with pytest.raises(RunError, match="damaged"):
        RunDirectory.open(tmp_path).load_state()
