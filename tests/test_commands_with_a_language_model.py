"""`daag augment`, `daag finetune` and `daag label` with a language model as their controller, over real HTTP."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.explored_stores import explored_store
from tests.llm.chat_server import ChatServer, saying, serving, status
from tests.report.making import stacked_store

from daag import cli
from daag.assembly import PlannerConfig
from daag.augmenting import AugmentJob, AugmentOptions
from daag.errors import ConfigError, PlannerError, RewardDetectorError, RunError
from daag.finetune_store import FinetuneStoreConfig, finetune_store
from daag.label_store import LabelConfig, label_store
from daag.llm import CACHE_FILE

TASK, MEANT = "put the crimson block on the blue brick", "the red cube is on the blue cube"
KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return stacked_store(tmp_path_factory.mktemp("data") / "demonstrations")


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    return explored_store(tmp_path_factory.mktemp("run") / "lifelong.lance", 10)


def asking(server: ChatServer) -> PlannerConfig:
    return PlannerConfig("chat", "tiny", server.url, "MY_KEY", 60.0, (1.0, 2.0))


def augmenting(out: Path, server: ChatServer, **changes: str) -> AugmentOptions:
    settings = {"arm": "compositor", "controller": asking(server), **changes}
    return AugmentOptions(TASK, out, **settings)


def test_augmenting_asks_once_and_a_later_job_with_its_answers_asks_nothing(server, dataset, tmp_path):
    out = tmp_path / "first"
    planned = AugmentJob(dataset, augmenting(out, server)).dry_run()
    asked = len(server.requests)
    assert asked > 1 and [child.name for child in out.iterdir()] == [CACHE_FILE]
    summary = AugmentJob(dataset, augmenting(out, server)).run()
    assert summary.num_proposed == sum(planned.edits.values()) > 0
    (usage,) = map(json.loads, (out / "planner-usage.jsonl").read_text().splitlines())
    assert len(server.requests) - asked == usage["requests"] and usage["model"] == "tiny"

    asked = len(server.requests)
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(out / CACHE_FILE, again)
    assert AugmentJob(dataset, augmenting(again, server)).run().origins == summary.origins
    AugmentJob(dataset, augmenting(out, server)).run()  # is done; nothing is left to ask
    assert len(server.requests) == asked
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5 and not any(KEY.encode() in path.read_bytes() for path in files)


def test_a_job_belongs_to_the_model_that_it_was_begun_with(server, dataset, tmp_path):
    options = augmenting(tmp_path / "job", server, arm="relabel")
    AugmentJob(dataset, options).run()
    told = json.loads((options.out / "config.json").read_text())
    assert told["controller"] == {"planner": "chat", "llm_model": "tiny"}
    other = replace(options, controller=replace(options.controller, llm_model="other"))
    with pytest.raises(RunError, match="begun with"):
        AugmentJob(dataset, other).run()
    slower = replace(options.controller, llm_timeout_seconds=99.0)  # changes no answer
    AugmentJob(dataset, replace(options, controller=slower)).run()


def test_what_the_model_cannot_answer_is_counted_and_the_job_goes_on(server, dataset, tmp_path):
    job = AugmentJob(dataset, augmenting(tmp_path / "job", server))
    server.usual = saying("nonsense")
    planned = job.dry_run()
    summary = job.run()
    for declined in (planned.declined, summary.declined):
        assert any("the planner failed" in reason for reason in declined)
    assert summary.num_done == 4 and not planned.edits and not summary.origins["edited"]


def test_finetuning_names_the_model_that_it_asked(server, explored, tmp_path):
    config = FinetuneStoreConfig(
        Path(explored.path), TASK, tmp_path / "detector", controller=asking(server), detector="base",
        arm="compositor", at_most=5, steps=10,
    )  # fmt: skip
    taught = finetune_store(config)
    told = json.loads((config.out / "provenance.json").read_text())
    assert told["subgoals"] == [MEANT] and told["language model"]["model"] == "tiny"
    assert told["language model"]["requests"] == len(server.requests) > 1
    assert taught.num_repainted > 0 and taught.num_unanswered == 0
    assert (config.out / CACHE_FILE).is_file()
    with pytest.raises(RunError, match="exists already"):
        finetune_store(config)


def test_a_description_that_the_detector_cannot_read_is_put_into_its_words(server, explored, tmp_path):
    counts = Counter(found.description for episode in explored for found in episode.achievements)
    known = next(
        text for text, _ in counts.most_common() if "cube is on" in text or "cube is next to" in text
    )
    store = Path(explored.path)
    expected, _ = label_store(LabelConfig(store, known, out=tmp_path / "known"))
    unusual = known.replace("the ", "a ", 1).replace("cube", "block")
    by_grammar, _ = label_store(LabelConfig(store, unusual, out=tmp_path / "grammar"))
    config = LabelConfig(store, unusual, out=tmp_path / "chat", controller=asking(server))
    by_model, _ = label_store(config)
    assert expected == by_grammar == by_model and len(server.requests) == 1
    label_store(config)
    assert len(server.requests) == 1
    label_store(replace(config, description=known))
    assert len(server.requests) == 1  # the detector reads it, so nobody is asked


def test_a_description_that_nobody_understands_or_of_several_things_is_an_error(server, explored, tmp_path):
    config = LabelConfig(Path(explored.path), "open the drawer", out=tmp_path, controller=asking(server))
    with pytest.raises(RewardDetectorError, match=r"drawer.*Nor does the planner say what it means"):
        label_store(config)
    tower = "build a tower of green cube, red cube and blue cube from top to bottom"
    with pytest.raises(RewardDetectorError, match="got 2: the red cube is on the blue cube; the green"):
        label_store(replace(config, description=tower))


@pytest.mark.parametrize("command", ["augment x --task y", "finetune x --task y", "label x --description y"])
def test_the_command_lines_name_the_controller(command):
    words = f"{command} --out z --planner chat --llm-model qwen3:8b --llm-url http://localhost:11434/v1"
    job = cli.parse(words.split())
    assert isinstance(job, cli.Augment | cli.Finetune | cli.Label)
    assert job.config.controller == PlannerConfig("chat", "qwen3:8b", "http://localhost:11434/v1")


def test_a_model_that_is_not_named_or_does_not_answer_is_said_before_anything_is_made(
    server, dataset, tmp_path, monkeypatch
):
    monkeypatch.delenv("DAAG_LLM_MODEL", raising=False)
    unnamed = AugmentOptions(TASK, tmp_path / "job", controller=PlannerConfig("chat"))
    with pytest.raises(ConfigError, match="DAAG_LLM_MODEL"):
        AugmentJob(dataset, unnamed)
    server.usual = status(401)
    with pytest.raises(PlannerError, match="MY_KEY"):
        AugmentJob(dataset, augmenting(tmp_path / "job", server))
    assert not list(tmp_path.iterdir())
