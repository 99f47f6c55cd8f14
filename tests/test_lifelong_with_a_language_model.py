"""The main job with a language model as its controller, over real HTTP on this machine."""

import json
import shutil
from pathlib import Path

import pytest
from tests.llm.chat_server import serving

from daag import lifelong
from daag.assembly import PlannerConfig
from daag.cli import Lifelong, parse
from daag.errors import ConfigError
from daag.lifelong import LifelongConfig

TASK = "put the crimson block on the blue brick"
KEY = "sk-very-secret-0123456789"


def config_of(out: Path, url: str) -> LifelongConfig:
    controller = PlannerConfig("chat", "tiny", url, "MY_KEY", 60.0, (1.0, 2.0))
    return LifelongConfig(
        (TASK,), out=out, episodes=2, curve_scenes=0, evaluation_scenes=1, updates_per_fit=2,
        controller=controller, finetune=False,
    )  # fmt: skip


def test_a_run_asks_once_counts_what_it_costs_writes_no_key_and_asks_nothing_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving() as server:
        first = lifelong.start(config_of(tmp_path / "first", server.url))
        first.run()
        asked = len(server.requests)
        assert asked >= 1 and all("<data>" in turn["messages"][1]["content"] for turn in server.requests)
        (usage,) = map(json.loads, (tmp_path / "first" / "planner-usage.jsonl").read_text().splitlines())
        assert usage["model"] == "tiny" and 0 < usage["requests"] < first.agent.planner.num_asked
        assert usage["cost"] > 0 and usage["failures"] == 0
        assert asked == usage["requests"] == usage["questions"]

        lifelong.start(config_of(tmp_path / "second", server.url))
        shutil.copy(tmp_path / "first" / "planner-cache.jsonl", tmp_path / "second")
        before = len(server.requests)
        lifelong.resume(tmp_path / "second").run()
        assert len(server.requests) == before
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5 and not any(KEY.encode() in path.read_bytes() for path in files)
    assert KEY not in "".join(capsys.readouterr())


def test_a_language_model_that_is_not_named_or_has_no_key_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DAAG_LLM_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="DAAG_LLM_MODEL"):
        lifelong.start(LifelongConfig((TASK,), out=tmp_path / "a", controller=PlannerConfig("chat")))
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        lifelong.start(LifelongConfig((TASK,), out=tmp_path / "a", controller=PlannerConfig("chat", "gpt")))
    assert not list(tmp_path.iterdir())


def test_the_command_line_names_the_controller() -> None:
    words = "lifelong --tasks x --planner chat --llm-model qwen3:8b --llm-url http://localhost:11434/v1"
    command = parse(words.split())
    assert isinstance(command, Lifelong)
    controller = command.config.controller
    assert (controller.planner, controller.llm_model) == ("chat", "qwen3:8b")
    assert LifelongConfig.from_json(command.config.to_json(), Path("x")).controller == controller
    assert LifelongConfig.from_json({"tasks": ["x"]}, Path("x")).controller == PlannerConfig()
