"""How good are the edits, and are those that the gates accept true?  Pixel arms side by side on the same episodes.

Episodes of pure exploration on held-out tasks; for everything that came true in them, every edit that the planner
proposes is made by every arm, judged by the gates with the detector, and measured against the simulator. What came
true is the world's word here: an editor is not to be judged by what a detector overlooks.
"""

from collections.abc import Collection
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from rich.console import Console

from daag.assembly import EDITORS, load_detector, make_hindsight, make_planner
from daag.episodes import Achievement
from daag.experiments.cells import Cell, Values, run_cells
from daag.experiments.config import ReproduceConfig
from daag.experiments.edit_truth import EditTruth, measure, psnr
from daag.experiments.exploration_data import Explored, explore
from daag.experiments.results import Results
from daag.hindsight import Verdict
from daag.llm import Planner
from daag.tasks import EditPlan, Fact, Subgoal, is_held_out, language_of, possible_facts

SUMMARY = "fidelity, consistency and truth of the edits of each pixel arm"

EPISODES = {"smoke": 6, "quick": 30, "full": 100}
ARMS = ("compositor", "per-frame", "hea", "oracle")
GROUPS = ("all", "colour", "kind")
"""Edits that change colours only, and plans that change a kind."""


def run_cell(cell: Cell, env_name: str, detector_name: str, num_episodes: int) -> Values:
    """Edit, judge and measure the episodes of one seed with one arm."""
    torch.set_num_threads(1)
    detector = load_detector(detector_name, env_name)
    planner = make_planner(cell.arm, env_name=env_name)
    hindsight = make_hindsight(cell.arm, planner, detector, env_name)
    totals = {group: _Totals() for group in GROUPS}
    for explored in explore(env_name, num_episodes, 5000 + cell.seed):
        episode = explored.episode
        for achievement in _came_true(explored, planner.describe(episode.objects)):
            asked = _asked(explored, achievement, planner, env_name)
            if asked is None:
                continue
            goal, plan = asked
            attempt = hindsight.attempt(episode, achievement, goal, plan, cell.seed)
            truth = measure(attempt.segment, goal.description)
            group = "kind" if any(edit.changes_kind for edit in plan.edits) else "colour"
            for name in ("all", group):
                totals[name].add(attempt.verdict, truth)
    return {group: total.values() for group, total in totals.items()}


def run(config: ReproduceConfig, console: Console) -> Results:
    """Run all cells and put the results together."""
    detector = load_detector(config.detector, config.env)
    arms = config.arms or ARMS
    models = {"detector": detector.hash} | {f"editor:{arm}": EDITORS[arm]().hash for arm in arms}
    seeds = list(config.seeds or range(3 if config.budget == "full" else 1))
    cells = [Cell(arm, "exploration", seed) for seed in seeds for arm in arms]
    work = partial(
        run_cell, env_name=config.env, detector_name=config.detector, num_episodes=EPISODES[config.budget]
    )
    settings = {"experiment": "techniques", "env": config.env, "budget": config.budget, "models": models}
    done = run_cells(
        cells, work, config.directory("techniques"), settings, config.resume, config.jobs, console
    )
    results = Results("techniques", config.env, config.command("techniques"), config.budget, models, seeds)
    for arm in arms:
        for group in GROUPS:
            runs = [done[Cell(arm, "exploration", seed)][group] for seed in seeds]
            rows = [run for run in runs if isinstance(run, dict) and run["num_edits"]]
            name = arm if group == "all" else f"{arm} ({group} edits)"
            for metric in METRICS:
                values = [float(row[metric]) for row in rows if np.isfinite(row[metric])]
                if values:
                    results.add(name, metric, values)
            results.notes[name] = {
                "num_edits": sum(row["num_edits"] for row in rows),
                "num_accepted": sum(row["num_accepted"] for row in rows),
                "num_accepted_true": sum(row["num_accepted_true"] for row in rows),
                "rejected_for": _sum_counts([row["rejected_for"] for row in rows]),
            }
    if "hea" in results.arms:
        for metric, target in TARGETS.items():
            measured = results.arms["hea"].get(metric)  # no edit accepted: no precision of the gate
            results.check(f"hea {metric}", float(str(measured["mean"])) if measured else 0.0, target)
    return results


METRICS = (
    "masked_psnr_db",
    "outside_identical",
    "gate_precision",
    "gate_acceptance",
    "true_share",
    "flicker_ratio",
    "temporal_error",
)
TARGETS = {"masked_psnr_db": 26.0, "outside_identical": 1.0, "gate_precision": 0.95, "gate_acceptance": 0.6}


class _Totals:
    """Sums over the edits of one group."""

    def __init__(self) -> None:
        self._accepted: list[bool] = []
        self._true: list[bool] = []
        self._outside: list[bool] = []
        self._squared, self._count = 0.0, 0
        self._flicker: list[tuple[float, float]] = []
        self._temporal: list[float] = []
        self._reasons: dict[str, int] = {}

    def add(self, verdict: Verdict, truth: EditTruth) -> None:
        """Count one edit."""
        self._accepted.append(verdict.accepted)
        self._true.append(truth.true)
        self._outside.append(truth.outside_identical)
        self._squared += truth.squared_errors[0]
        self._count += truth.squared_errors[1]
        if np.isfinite(truth.temporal_error):
            self._flicker.append(truth.flicker)
            self._temporal.append(truth.temporal_error)
        for reason in verdict.reasons:
            self._reasons[reason] = self._reasons.get(reason, 0) + 1

    def values(self) -> Values:
        """The group's metrics; nan where nothing could be measured."""
        accepted, true = np.array(self._accepted, dtype=bool), np.array(self._true, dtype=bool)
        edit_flicker, oracle_flicker = np.array(self._flicker).reshape(-1, 2).sum(axis=0)
        return {
            "num_edits": len(accepted),
            "num_accepted": int(accepted.sum()),
            "num_accepted_true": int((accepted & true).sum()),
            "masked_psnr_db": psnr(self._squared, self._count) if self._count else float("nan"),
            "outside_identical": float(np.mean(self._outside)) if self._outside else float("nan"),
            "gate_precision": float(true[accepted].mean()) if accepted.any() else float("nan"),
            "gate_acceptance": float(accepted.mean()) if len(accepted) else float("nan"),
            "true_share": float(true.mean()) if len(true) else float("nan"),
            "flicker_ratio": float(edit_flicker / oracle_flicker) if oracle_flicker else float("nan"),
            "temporal_error": float(np.mean(self._temporal)) if self._temporal else float("nan"),
            "rejected_for": self._reasons,
        }


def _asked(
    explored: Explored, achievement: Achievement, planner: Planner, env_name: str
) -> tuple[Subgoal, EditPlan] | None:
    """What an achievement is to be repainted into: the episode's own task; where that cannot be, such as where mugs stand
    for balls, another held-out task that can."""
    achieved = Fact.parse(achievement.description)
    language = language_of(env_name)
    others = [
        fact
        for fact in possible_facts(language.looks, (achieved.relation,))
        if is_held_out(fact) and fact != explored.goal
    ]
    rng = np.random.default_rng((explored.episode.seed, achievement.end))
    for fact in (explored.goal, *(others[int(index)] for index in rng.permutation(len(others)))):
        goal = Subgoal(fact.description, fact.instruction)
        if planner.compare(achievement.description, goal.description):
            return None  # it shows what was asked
        proposal = planner.propose_edit(achievement.description, goal, explored.episode.objects)
        if proposal.plan is not None:
            return goal, proposal.plan
    return None


def _came_true(explored: Explored, sayable: Collection[str]) -> list[Achievement]:
    """What became true from one observation to the next, of what can be said, and the steps that led to it, as
    `daag.rewards.labelling.label` counts them."""
    found: list[Achievement] = []
    start = previous_end = 0
    for step, (before, after) in enumerate(pairwise(explored.facts)):
        new = sorted((after - before) & set(sayable))
        if new:
            start, previous_end = previous_end, step + 1
        for description in new:
            shown = [index for index in range(step + 1) if description in explored.facts[index]]
            since = max(start, shown[-1] + 1 if shown else 0)
            found.append(Achievement(description, since, step + 1, 1.0))
    return found


def _sum_counts(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for reason, number in each.items():
            total[reason] = total.get(reason, 0) + number
    return total
