"""`daag reproduce finetune`: what it counts, what it keeps from the arms, and that a finished cell is not made again."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from daag.assembly import make_planner
from daag.experiments import EXPERIMENTS
from daag.experiments.config import ReproduceConfig
from daag.experiments.finetune import TASKS, Run, source_episodes, source_facts
from daag.tasks import Fact, is_held_out

TASK = Fact.parse("the red cube is on the blue cube")


def a_run(threshold: float = 0.5) -> Run:
    kinds = ["true", "true", "exchanged", "one word", "near miss", "near miss"]
    arm = {"threshold": threshold, "scores": [0.9, 0.4, 0.6, 0.1, 0.2, 0.7]}
    arm |= {"old_threshold": 0.5, "old_scores": [0.6, 0.4, 0.4]}
    return Run.of({"kinds": kinds, "old_labels": [True, True, False], "arms": {"hea": arm}})


def test_errors_are_balanced_and_split_by_kind():
    run = a_run()
    assert run.error("hea") == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert run.old_error("hea") == pytest.approx(1 / 4)
    shares = [run.share_wrong("hea", kind) for kind in ("true", "exchanged", "one word", "near miss")]
    assert shares == [0.5, 1.0, 0.0, 0.5]
    assert a_run(threshold=0.95).error("hea") == 0.5


def test_all_tasks_are_held_out_and_all_sources_are_not():
    for world, tasks in TASKS.items():
        planner = make_planner(env_name=world)
        assert len(tasks) >= 5 and all(is_held_out(Fact.parse(task)) for task in tasks)
        for task in tasks:
            sources = source_facts(Fact.parse(task), planner, world, 4, seed=0)
            assert len(sources) >= 2 and not any(map(is_held_out, sources))


def test_sources_end_in_success_and_never_show_the_task():
    sources = [Fact.parse("the green cube is on the white cube")]
    episodes = source_episodes(TASK, sources, "rgb-stacking", 3, seed=0)
    assert len({episode.id for episode in episodes}) == len(episodes) == 3
    for episode in episodes:
        (reached,) = episode.achievements
        assert (reached.description, reached.end) == (sources[0].description, episode.num_steps)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("finetune")
    config = ReproduceConfig(budget="smoke", arms=("hea",), out=directory)
    EXPERIMENTS["finetune"].run(config, Console(quiet=True))
    return directory


def test_the_result_has_every_arm_and_the_targets(out):
    results = json.loads((out / "finetune-rgb-stacking.json").read_text())
    assert set(results["arms"]) == {"base", "source-only", "hea"}
    for arm in results["arms"].values():
        assert 0 <= arm["balanced_error"]["mean"] <= 1 and len(arm["text_swap_sensitivity"]["per_run"]) == 1
    assert len(results["checks"]) == 3 and results["notes"]["repainted"]["hea"] != [0]
    assert (out / "finetune-rgb-stacking.png").stat().st_size > 5000


def test_every_arm_is_examined_on_the_same_frames_and_base_is_not_taught(out):
    (cell,) = (out / "finetune-rgb-stacking" / "cells").glob("every-arm*.json")
    values = json.loads(cell.read_text())
    assert values["kinds"].count("true") == 6
    assert {len(arm["scores"]) for arm in values["arms"].values()} == {12}
    assert values["arms"]["base"]["unchanged"]
    scores = {arm: np.array(found["scores"]) for arm, found in values["arms"].items()}
    taught = [arm for arm in ("source-only", "hea") if not values["arms"][arm]["unchanged"]]
    assert all(not np.allclose(scores[arm], scores["base"]) for arm in taught)


def test_a_finished_cell_is_read_again(out):
    (cell,) = (out / "finetune-rgb-stacking" / "cells").glob("every-arm*.json")
    changed = json.loads(cell.read_text())
    changed["arms"]["hea"]["text_swap_sensitivity"] = 0.125
    cell.write_text(json.dumps(changed))
    config = ReproduceConfig(budget="smoke", arms=("hea",), out=out, resume=True)
    EXPERIMENTS["finetune"].run(config, Console(quiet=True))
    results = json.loads((out / "finetune-rgb-stacking.json").read_text())
    assert results["arms"]["hea"]["text_swap_sensitivity"]["mean"] == 0.125
