"""How good are the edits, and are those that the gates accept true?  Pixel arms side by side on the same episodes.

Two selections of edits. `achieved`: episodes of pure exploration on held-out tasks; for everything that came true in
them, every edit that the planner proposes is made by every arm, judged by the gates with the detector, and measured
against the simulator. What came true is the world's word here: an editor is not to be judged by what a detector
overlooks. `looks`: scripted episodes, in which the object that moves most takes another colour, then another kind, then
trades its colour with another object, then becomes matte or shiny, and a region such as the table takes another colour;
nothing is labelled and nothing judged, so it needs no detector that knows what happens, and no plan has to be useful.
"""

from functools import partial
from typing import get_args

import numpy as np
import torch
from rich.console import Console

from daag.assembly import EDITORS, load_detector, make_hindsight, make_planner
from daag.errors import EditError
from daag.experiments.cells import Cell, Values, run_cells
from daag.experiments.config import ReproduceConfig
from daag.experiments.edit_cases import EditCase, Group, edit_cases, targets_of
from daag.experiments.edit_pictures import save_pictures
from daag.experiments.edit_totals import EditTotals
from daag.experiments.edit_truth import measure
from daag.experiments.results import Results
from daag.hindsight import EditedSegment, Hindsight, Verdict
from daag.rewards.detector import RewardDetector, similarity
from daag.rewards.labelling import shown

SUMMARY = "fidelity, consistency and truth of the edits of each pixel arm"

EPISODES = {"smoke": 6, "quick": 30, "full": 100}
ARMS = ("compositor", "per-frame", "hea", "oracle")
GROUPS = ("all", *get_args(Group))
"""Edits that change one colour or more, that let two objects trade colours, plans that change a kind, a region or a finish."""

METRICS = (
    "masked_psnr_db",
    "masked_ssim",
    "detector_agreement",
    "flicker_ratio",
    "temporal_error",
    "outside_identical",
    "true_share",
    "gate_precision",
    "gate_acceptance",
)
MIN_PSNR_DB, MIN_AGREEMENT, MAX_FLICKER_OFF, MAX_TEMPORAL_SHARE = 28.0, 0.97, 0.1, 0.7
"""What is asked of `hea` in each group: fidelity, detector agreement, how far the flicker ratio may be from 1, and the
temporal error over that of `per-frame`."""

GATE_TARGETS = {"gate_precision": 0.95, "gate_acceptance": 0.6}


def run_cell(cell: Cell, config: ReproduceConfig) -> Values:
    """Edit, judge and measure the episodes of one seed with one arm."""
    torch.set_num_threads(1)
    detector = load_detector(config.detector, config.env)
    planner = make_planner(cell.arm, env_name=config.env)
    hindsight = make_hindsight(cell.arm, planner, detector, config.env)
    totals = {group: EditTotals() for group in GROUPS}
    for case in edit_cases(config.edits, config.env, EPISODES[config.budget], cell.seed):
        try:
            segment, verdict = _made(case, hindsight, cell.seed)
        except EditError as error:
            for name in ("all", case.group):
                totals[name].add_failure(type(error).__name__)
            continue
        truth = measure(segment, case.asked[1].description if case.asked is not None else None)
        agreement = _agreement(detector, targets_of(case, detector, planner), segment.edited, truth.oracle)
        for name in ("all", case.group):
            totals[name].add(truth, agreement, verdict)
    return {group: total.values() for group, total in totals.items()}


def _made(case: EditCase, hindsight: Hindsight, seed: int) -> tuple[EditedSegment, Verdict | None]:
    """The edit, and what the gates say of it where there is something to ask them."""
    if case.asked is not None:
        achievement, goal = case.asked
        attempt = hindsight.attempt(case.episode, achievement, goal, case.plan, seed)
        return attempt.segment, attempt.verdict
    assert hindsight.editor is not None
    edited = hindsight.editor.edit(case.episode, case.frame_index, case.plan, seed)
    return EditedSegment(case.episode, case.frame_index, case.plan, edited), None


def _agreement(
    detector: RewardDetector, descriptions: list[str], edited: np.ndarray, oracle: np.ndarray
) -> tuple[int, int]:
    """In how many frames, each description counted for itself, the detector says the same of the edit and of the oracle;
    and of how many."""
    if not descriptions:
        return 0, 0
    texts = detector.embed_texts(descriptions)
    thresholds = np.array([detector.success_threshold(each) for each in descriptions], dtype=np.float32)
    mine, true = (
        shown(similarity(detector.embed_frames(frames), texts), thresholds, descriptions)
        for frames in (edited, oracle)
    )
    return int((mine == true).sum()), mine.size


def run(config: ReproduceConfig, console: Console) -> Results:
    """Run all cells and put the results together."""
    detector = load_detector(config.detector, config.env)
    arms = config.arms or ARMS
    models = {"detector": detector.hash} | {f"editor:{arm}": EDITORS[arm]().hash for arm in arms}
    seeds = list(config.seeds or range(3 if config.budget == "full" else 1))
    cells = [Cell(arm, config.edits, seed) for seed in seeds for arm in arms]
    name = "techniques" if config.edits == "achieved" else f"techniques-{config.edits}"
    settings = {
        "experiment": name, "env": config.env, "budget": config.budget, "edits": config.edits, "models": models
    }  # fmt: skip
    work = partial(run_cell, config=config)
    done = run_cells(cells, work, config.directory(name), settings, config.resume, config.jobs, console)
    results = Results(name, config.env, config.command("techniques"), config.budget, models, seeds)
    for arm in arms:
        for group in GROUPS:
            runs = [done[Cell(arm, config.edits, seed)][group] for seed in seeds]
            rows = [run for run in runs if isinstance(run, dict) and run["num_edits"]]
            if not rows:
                continue
            row_name = _row_name(arm, group)
            for metric in METRICS:
                values = [float(row[metric]) for row in rows if np.isfinite(row[metric])]
                if values:
                    results.add(row_name, metric, values)
            results.notes[row_name] = {
                "num_edits": sum(row["num_edits"] for row in rows),
                "num_accepted": sum(row["num_accepted"] for row in rows),
                "num_accepted_true": sum(row["num_accepted_true"] for row in rows),
                "rejected_for": _sum_counts([row["rejected_for"] for row in rows]),
                "failed": _sum_counts([row["failed"] for row in rows]),
            }
    for group in GROUPS:
        if _row_name("hea", group) in results.arms:
            _check(results, group)
    if config.edits == "looks":
        cases = edit_cases("looks", config.env, EPISODES[config.budget], seeds[0])
        title = f"{config.env}: the first edits of each kind, made by each arm"
        path = config.out / f"{name}-{config.env}.png"
        console.print(f"pictures: {save_pictures(cases, arms, title, seeds[0], path).resolve()}")
    return results


def _row_name(arm: str, group: str) -> str:
    return arm if group == "all" else f"{arm} ({group} edits)"


def _check(results: Results, group: str) -> None:
    """Hold one row of `hea` against what is asked of it."""
    row = _row_name("hea", group)
    found = {metric: float(str(value["mean"])) for metric, value in results.arms[row].items()}
    results.check(f"{row} masked_psnr_db", found["masked_psnr_db"], MIN_PSNR_DB)
    results.check(f"{row} outside_identical", found["outside_identical"], 1.0)
    if "detector_agreement" in found:
        results.check(f"{row} detector_agreement", found["detector_agreement"], MIN_AGREEMENT)
    if "flicker_ratio" in found:
        off = abs(found["flicker_ratio"] - 1.0)
        results.check(f"{row} flicker_ratio, distance from 1", off, MAX_FLICKER_OFF, at_least=False)
    rival = results.arms.get(_row_name("per-frame", group), {}).get("temporal_error")
    if rival is not None and "temporal_error" in found:
        share = found["temporal_error"] / float(str(rival["mean"]))
        results.check(f"{row} temporal_error over per-frame's", share, MAX_TEMPORAL_SHARE, at_least=False)
    if group == "all":
        for metric, target in GATE_TARGETS.items():
            if "gate_acceptance" in found:  # no edit accepted: no precision of the gate
                results.check(f"{row} {metric}", found.get(metric, 0.0), target)


def _sum_counts(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for reason, number in each.items():
            total[reason] = total.get(reason, 0) + number
    return total
