"""How far can the agent's own labels be trusted?  Per episode, at exploration's prevalence, against the world's truth.

A label is an episode's claim to have achieved a description. It is right if the description became true at some
observation of that episode. Recall counts over all descriptions that became true.
"""

from functools import partial

import numpy as np
import torch
from rich.console import Console

from daag.assembly import load_detector, make_planner
from daag.experiments.cells import Cell, Values, run_cells
from daag.experiments.config import ReproduceConfig
from daag.experiments.exploration_data import explore
from daag.experiments.results import Results
from daag.rewards.labelling import label
from daag.tasks import Fact, is_held_out

SUMMARY = (
    "precision and recall of the detector's labels while exploring, on trained and held-out combinations"
)

EPISODES = {"smoke": 10, "quick": 60, "full": 200}
GROUPS = ("held-out", "trained")


def run_cell(cell: Cell, env_name: str, detector_name: str, num_episodes: int) -> Values:
    """Label some episodes and compare with the truth."""
    torch.set_num_threads(1)
    detector, planner = load_detector(detector_name, env_name), make_planner(env_name=env_name)
    right = dict.fromkeys(GROUPS, 0)
    claimed, true, prevalence = dict(right), dict(right), 0.0
    for explored in explore(env_name, num_episodes, 1000 + cell.seed, motion_frames=0):
        candidates = planner.describe(explored.episode.objects)
        claims = {found.description for found in label(explored.episode, candidates, detector)}
        achieved = frozenset().union(
            *(after - before for before, after in zip(explored.facts, explored.facts[1:], strict=False))
        )
        prevalence += len(achieved & set(candidates)) / len(candidates) / num_episodes
        for description in candidates:
            group = GROUPS[0] if is_held_out(Fact.parse(description)) else GROUPS[1]
            claimed[group] += description in claims
            true[group] += description in achieved
            right[group] += description in claims and description in achieved
    return {"right": right, "claimed": claimed, "true": true, "prevalence": prevalence}


def run(config: ReproduceConfig, console: Console) -> Results:
    """Run all cells and put the results together."""
    detector = load_detector(config.detector, config.env)
    models = {"detector": detector.hash}
    seeds = list(config.seeds or range(5 if config.budget == "full" else 2))
    cells = [Cell("detector", "exploration", seed) for seed in seeds]
    work = partial(
        run_cell, env_name=config.env, detector_name=config.detector, num_episodes=EPISODES[config.budget]
    )
    settings = {"experiment": "labels", "env": config.env, "budget": config.budget, "models": models}
    done = run_cells(cells, work, config.directory("labels"), settings, config.resume, config.jobs, console)
    results = Results("labels", config.env, config.command("labels"), config.budget, models, seeds)
    for group in GROUPS:
        precision, recall = [], []
        for cell in cells:
            counts = {name: _count(done[cell], name, group) for name in ("right", "claimed", "true")}
            precision.append(counts["right"] / max(counts["claimed"], 1))
            recall.append(counts["right"] / max(counts["true"], 1))
        results.add(group, "label_precision", precision)
        results.add(group, "label_recall", recall)
        results.notes[group] = {
            name: sum(_count(done[cell], name, group) for cell in cells)
            for name in ("right", "claimed", "true")
        }
    results.notes["prevalence"] = float(np.mean([float(str(done[cell]["prevalence"])) for cell in cells]))
    results.check("label precision, held-out", _mean(results, "held-out", "label_precision"), 0.95)
    results.check("label recall, held-out", _mean(results, "held-out", "label_recall"), 0.8)
    return results


def _count(values: Values, name: str, group: str) -> int:
    counts = values[name]
    assert isinstance(counts, dict)
    return int(counts[group])


def _mean(results: Results, arm: str, metric: str) -> float:
    return float(str(results.arms[arm][metric]["mean"]))
