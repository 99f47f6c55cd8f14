"""How often is a planner right?  Every case of the benchmark, in all worlds, each asked once and without a cache.

In language are all cases but the refusals: sentences and episodes that the worlds can express, in whatever wording.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

import numpy as np
from rich.console import Console

from daag.assembly import PlannerConfig, make_model, make_planner
from daag.experiments.cells import Cell, Values, run_cells
from daag.experiments.config import ReproduceConfig
from daag.experiments.planner_cases import Case, hash_of_cases, judge, read_cases
from daag.experiments.results import Results
from daag.llm import Planner
from daag.tasks import LANGUAGES

SUMMARY = "how often the planner is right: decompositions, equivalences, repaints that are possible and that are not"

OUTCOMES = ("right", "wrong", "refused", "failed")

CASES_PER_KIND = {"smoke": 2, "quick": None, "full": None}
"""How many cases of each kind are asked where the command does not say; None: all."""

load_model = cache(make_model)
"""One that runs in this process is read once."""


def drawn(cases: Sequence[Case], at_most: int | None, seed: int) -> list[Case]:
    """Some cases of a kind, in their order. The more are drawn, the more are added to the same first ones."""
    order = np.random.default_rng(seed).permutation(len(cases))[:at_most]
    return [cases[index] for index in sorted(order)]


def run_cell(cell: Cell, cases: Path, controller: PlannerConfig, at_most: int | None) -> Values:
    """Put cases of a kind to the planner."""
    model = load_model(controller)
    before = Counter(model.usage.to_json()) if model is not None else Counter()

    @cache
    def planner_for(world: str, exchange: bool) -> Planner:
        return make_planner("hea" if exchange else "hea-no-exchange", env_name=world, model=model)

    answers = []
    of_kind = [case for case in read_cases(cases) if case.arm == cell.task]
    for case in drawn(of_kind, at_most, cell.seed):
        clock = time.perf_counter()
        outcome, answer = judge(case, planner_for)
        answers.append(
            {"id": case.id, "outcome": outcome, "answer": answer, "seconds": time.perf_counter() - clock}
        )
    after = model.usage.to_json() if model is not None else {}
    return {"answers": answers, "usage": {name: value - before[name] for name, value in after.items()}}


def run(config: ReproduceConfig, console: Console) -> Results:
    """Run all cells and put the results together. All worlds take part, whatever `config.env` says."""
    kinds = list(dict.fromkeys(case.arm for case in read_cases(config.cases)))
    at_most = config.cases_per_kind or CASES_PER_KIND[config.budget]
    seed = config.seeds[0] if config.seeds else 0
    controller = config.controller.resolved()
    model = load_model(controller)
    models = {
        **{f"planner, {world}": make_planner(env_name=world, model=model).hash for world in LANGUAGES},
        "cases": hash_of_cases(config.cases),
    }
    cells = [Cell(controller.planner, kind, seed) for kind in kinds]
    settings = {
        "experiment": "planner", "planner": asdict(controller), "models": models, "cases_per_kind": at_most
    }  # fmt: skip
    directory = config.out / f"planner-{controller.planner}"
    done = run_cells(
        cells,
        partial(run_cell, cases=config.cases, controller=controller, at_most=at_most),
        directory,
        settings,
        config.resume,
        config.jobs,
        console,
    )
    results = Results("planner", controller.planner, config.command("planner"), config.budget, models, [seed])
    answers = {cell.task: _answers(done[cell]) for cell in cells}
    for kind, given in answers.items():
        results.add(kind, "accuracy", [float(answer["outcome"] == "right") for answer in given])
        counts = Counter(str(answer["outcome"]) for answer in given)
        results.notes[kind] = {outcome: counts[outcome] for outcome in OUTCOMES}
        shown = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
        console.print(f"{kind}: {counts['right'] / len(given):.1%} of {len(given)} ({shown})")
    results.notes["cases_per_kind"] = at_most or "all"
    _summarise(results, answers)
    if model is not None:
        results.notes["model"] = {"name": model.name}
        usage = _sum([done[cell]["usage"] for cell in cells])
        replies = usage["requests"] - usage["faults"]
        results.notes["usage"] = usage
        results.check("invalid replies", usage["invalid_replies"] / max(replies, 1), 0.0, at_least=False)
    return results


def _summarise(results: Results, answers: dict[str, list[dict[str, object]]]) -> None:
    every = [answer for given in answers.values() for answer in given]
    in_language = [answer for kind, given in answers.items() if kind != "refusal" for answer in given]
    seconds = [float(str(answer["seconds"])) for answer in every]
    results.notes["latency_seconds"] = {"median": float(np.median(seconds)), "most": max(seconds)}
    results.notes["missed"] = {
        str(answer["id"]): answer["outcome"] for answer in every if answer["outcome"] != "right"
    }
    results.check("accuracy in language", _share(in_language, "right"), 0.99)
    results.check("wrong answers in language", _share(in_language, "wrong"), 0.0, at_least=False)
    results.check("out of language refused", _share(answers.get("refusal", []), "right"), 1.0)
    results.check("questions without an answer", _share(every, "failed"), 0.0, at_least=False)


def _sum(usages: Sequence[object]) -> dict[str, float]:
    """The counters of all cells together."""
    total: Counter[str] = Counter()
    for usage in usages:
        assert isinstance(usage, dict)
        total.update(usage)
    return dict(total)


def _share(answers: Sequence[dict[str, object]], outcome: str) -> float:
    return sum(answer["outcome"] == outcome for answer in answers) / max(len(answers), 1)


def _answers(values: Values) -> list[dict[str, object]]:
    answers = values["answers"]
    assert isinstance(answers, list)
    return answers
