"""Full disks, missing permissions and kills, each met by a writer in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from tests.episodes.making import assert_same, make_episode, some_episodes

from daag.episodes import EpisodeStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


WRITER = """
import json, os, resource, sys
from daag.episodes import EpisodeStore, store
from daag.errors import LifelongBufferError
from tests.episodes.making import make_episode

path = sys.argv[1]
"""


def start_writer(body, path):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER + body, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))},
    )


FULL_DISK = """
kept = EpisodeStore.open(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    kept.append([make_episode("too-much")])
except LifelongBufferError as error:
    print(json.dumps([str(error), kept.ids()]))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.append([make_episode("too-much")])
"""


def test_a_full_disk_is_named_and_nothing_is_lost(path):
    EpisodeStore.create(path, vector_size=4).append(some_episodes(3))
    writer = start_writer(FULL_DISK, path)
    message, ids = json.loads(writer.communicate()[0])
    assert "disk is full" in message and "free some room" in message and "keeps its 3" in message
    assert ids == ["e0", "e1", "e2"]
    assert writer.returncode == 0
    # The same store goes on once there is room.
    assert_same(list(EpisodeStore.open(path)), [*some_episodes(3), make_episode("too-much")])


NO_PERMISSION = """
kept = EpisodeStore.open(path)
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere
try:
    kept.append([make_episode("forbidden")])
except LifelongBufferError as error:
    print(json.dumps([str(error), kept.ids()]))
"""


def test_a_missing_permission_is_named_and_nothing_is_lost():
    # Not in tmp_path, whose parents no other user may enter.
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        path = Path(directory) / "store"
        EpisodeStore.create(path, vector_size=4).append(some_episodes(3))
        (path / "data").chmod(0o555)
        message, ids = json.loads(start_writer(NO_PERMISSION, path).communicate()[0])
        (path / "data").chmod(0o755)
        assert "no permission; check who owns the directory" in message
        assert ids == ["e0", "e1", "e2"]
        assert_same(list(EpisodeStore.open(path)), some_episodes(3))


ENDLESS = """
store.COMMITS_BETWEEN_COMPACTIONS = 5  # so that kills meet compactions too
kept = EpisodeStore.open_or_create(path, vector_size=4)
number = len(kept)
while True:
    batch = [make_episode(f"e{number + index}") for index in range(2)]
    kept.append(batch)
    number += len(batch)
    print(number, flush=True)
"""


def test_kill_9_at_any_moment_loses_no_acknowledged_episode(path):
    rng = np.random.default_rng(0)
    for _ in range(3):
        writer = start_writer(ENDLESS, path)
        acknowledged = int(writer.stdout.readline())
        time.sleep(rng.uniform(0.0, 0.15))
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0].split("\n")
        acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
        survivors = EpisodeStore.open(path)
        # Both of a batch are there or neither, and at most the batch that was not yet acknowledged is extra.
        assert acknowledged <= len(survivors) <= acknowledged + 2
        assert len(survivors) % 2 == 0
    assert_same(list(survivors), some_episodes(len(survivors)))


def test_kills_while_editing_forgetting_and_compacting_and_a_reader_beside_a_writer_find_nothing_wrong(
    tmp_path,
):
    """The benchmark of 100 kills, with two."""
    settings = ("--kills", "2", "--longest-seconds", "0.5", "--appends", "20", "--out", str(tmp_path))
    command = [sys.executable, str(ROOT / "benchmarks/store_crashes.py"), *settings]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    found = json.loads((tmp_path / "crashes-store.json").read_text())
    assert found["notes"]["kill -9"]["problems"] == []
    assert found["notes"]["kill -9"]["acknowledged"] >= 2
    assert found["notes"]["reader beside a writer"]["problems"] == []
    assert found["notes"]["reader beside a writer"]["drawn"] > 0
