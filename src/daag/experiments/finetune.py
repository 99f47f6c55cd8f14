"""Can a detector be taught a task of which nobody has shown it a frame?  The paper's first experiment.

Frames of a few source tasks are labelled as rewards would label them: true where an episode ended in success, false one
observation before. All arms go on from the same detector with the same source frames, steps and seeds; pixel arms also get
the frames repainted to show the held-out task; for `oracle` the simulator draws them again. `source-only` learns
from source frames alone; there the target's sentence is told false of no frame. Thresholds come from source and repainted
frames that training left out, never from a frame of the examination: of the held-out task from its repainted frames, where there
are any, of the old ones from theirs.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import matplotlib
import numpy as np
import torch
from rich.console import Console

from daag.assembly import EDITORS, load_detector, make_env, make_hindsight, make_planner
from daag.episodes import Achievement, Episode
from daag.errors import SceneError
from daag.experiments.cells import Cell, Values, run_cells
from daag.experiments.config import ReproduceConfig
from daag.experiments.examination import FALSE_KINDS, Examination, act, examine
from daag.experiments.results import Results
from daag.experiments.statistics import ratio_of_means
from daag.hindsight import prepare_lesson
from daag.llm import Planner
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.finetuning import FinetuneConfig, finetune, hold_out
from daag.rewards.labelled_pairs import LabelledPairs
from daag.rewards.recalibration import (
    balanced_error,
    balanced_threshold,
    evidence_of,
    of_sentence,
)
from daag.rewards.text_swap import text_swap_sensitivity
from daag.tasks import Fact, Subgoal, is_held_out, language_of, possible_facts

SUMMARY = "balanced error on a task without one real labelled frame of it, before and after finetuning"

TASKS: dict[str, tuple[str, ...]] = {
    "rgb-stacking": (
        "the red cube is on the blue cube",
        "the green cylinder is on the yellow cube",
        "the white cube is on the orange cube",
        "the black prism is on the yellow cylinder",
        "the orange cube is on the purple cylinder",
    ),
    "room": (
        "the red ball is right in front",
        "the green mug is right in front",
        "the blue lamp is right in front",
        "the orange chair is right in front",
        "the purple mug is right in front",
    ),
    "language-table": (
        "the red moon is to the left of the blue cube",
        "the green star is touching the yellow pentagon",
        "the red moon is in the middle",
        "the yellow cube is to the left of the red star",
        "the green moon is above the yellow cube",
    ),
}
"""Held-out facts of each world."""

REFERENCES = ("base", "source-only")
ARMS = ("compositor", "per-frame", "hea", "oracle")
TEST_SEED, OLD_SEED = 10**6, 2 * 10**6
"""Scenes of the examinations; sources have other seeds."""


@dataclass(frozen=True)
class Size:
    """How large a budget is."""

    num_tasks: int
    num_seeds: int
    num_sources: int
    episodes: int
    """Of each source task."""
    test_frames: int
    """Of the held-out task's examination."""
    old_frames: int
    """Of each source task's."""
    steps: int
    """Of finetuning."""

    @property
    def training(self) -> FinetuneConfig:
        """How every arm is finetuned."""
        return FinetuneConfig(
            steps=self.steps,
            learning_rate=2e-3,
            muon_rate=0.01,
            batch_pairs=24,
            swaps_per_pair=8,
            measure_every=40,
            judge_swaps=True,
        )


SIZES = {
    "smoke": Size(1, 1, 2, 4, 12, 6, 4),
    "quick": Size(2, 1, 6, 6, 60, 6, 120),
    "full": Size(5, 3, 8, 8, 120, 8, 160),
}


def run_cell(cell: Cell, env_name: str, detector_name: str, arms: tuple[str, ...], size: Size) -> Values:
    """Teach one task with one seed in every arm's way, and examine what came of it."""
    torch.set_num_threads(1)
    fact = Fact.parse(cell.task)
    detector = load_detector(detector_name, env_name)
    planner = make_planner(env_name=env_name)
    sources = source_facts(fact, planner, env_name, size.num_sources, cell.seed)
    episodes = source_episodes(fact, sources, env_name, size.episodes, cell.seed)
    test = examine(env_name, fact, size.test_frames, TEST_SEED + cell.seed)
    old = [examine(env_name, source, size.old_frames, OLD_SEED + cell.seed) for source in sources]
    found: dict[str, object] = {}
    for arm in (*REFERENCES, *arms):
        hindsight = make_hindsight("relabel" if arm in REFERENCES else arm, planner, detector, env_name)
        lesson = prepare_lesson(hindsight, episodes, [Subgoal(fact.description, fact.instruction)], cell.seed)
        tuned, held_new, held_old = _taught(arm, detector, *lesson.pairs, fact, size, cell.seed)
        found[arm] = {
            **_examined(tuned, held_new, held_old, test, old, env_name),
            "num_repainted": lesson.num_repainted,
            "num_rejected": lesson.num_rejected,
            "unchanged": tuned is detector,
        }
    return {
        "arms": found,
        "kinds": list(test.kinds),
        "old_labels": [bool(label) for each in old for label in each.labels],
        "sources": [source.description for source in sources],
        "labelled_frames": 2 * len(episodes),
    }


def source_facts(fact: Fact, planner: Planner, env_name: str, count: int, seed: int) -> list[Fact]:
    """Tasks that are not held out and whose frames could be repainted to show the fact: as many as there are, at most `count`."""
    goal = Subgoal(fact.description, fact.instruction)
    facts = possible_facts(language_of(env_name).looks, (fact.relation,))
    drawn = (facts[int(index)] for index in np.random.default_rng((seed, 3)).permutation(len(facts)))
    near = (
        other
        for other in drawn
        if not is_held_out(other)
        and planner.propose_edit(other.description, goal, [str(look) for look in other.looks]).plan
    )
    return list(islice(near, count))


def source_episodes(fact: Fact, sources: list[Fact], env_name: str, count: int, seed: int) -> list[Episode]:
    """Episodes that ended in success, `count` of each source task, labelled as their reward labels them.

    None of them shows the held-out fact at any observation.

    Raises:
        SceneError: the expert succeeds too rarely.
    """
    env, rng, episodes = (
        make_env(env_name, motion_frames=0),
        np.random.default_rng((seed, 5)),
        list[Episode](),
    )
    for source in sources:
        made = tries = 0
        while made < count:
            tries += 1
            if tries > 20 * count:
                raise SceneError(f"the expert brought about {source.description!r} too rarely")
            acted = act(env, source, rng, f"source/{seed}/{len(episodes)}")
            shown = [source.description in facts for facts in acted.facts]
            if shown[0] or not shown[-1] or any(fact.description in facts for facts in acted.facts):
                continue
            reached = Achievement(source.description, 0, acted.episode.num_steps, 1.0)
            episodes.append(replace(acted.episode, achievements=(reached,)))
            made += 1
    return episodes


def _taught(
    arm: str,
    detector: ClipDetector,
    new: LabelledPairs,
    old: LabelledPairs,
    fact: Fact,
    size: Size,
    seed: int,
) -> tuple[ClipDetector, LabelledPairs, LabelledPairs]:
    """A detector, and the pairs that choose its thresholds of the held-out task and of the old ones."""
    training = size.training
    if arm == "base":
        return detector, old, old
    if arm == "source-only":  # the target's sentence is told false of no frame
        training = replace(training, unasked=(fact.description,))
        nothing = old.take(np.zeros(0, dtype=np.int64))
        held, _ = hold_out(old, nothing, training, seed)
        return finetune(detector, old, nothing, training, seed), held, held
    held_new, held_old = hold_out(new, old, training, seed)
    tuned = finetune(detector, new, old, training, seed)
    return tuned, of_sentence(held_new, fact.description), held_old


def _examined(
    detector: ClipDetector,
    held_new: LabelledPairs,
    held_old: LabelledPairs,
    test: Examination,
    old: list[Examination],
    env_name: str,
) -> dict[str, object]:
    true = test.labels
    swaps = text_swap_sensitivity(
        detector,
        test.frames[true],
        [test.description] * int(true.sum()),
        [facts for facts, shows in zip(test.facts, true, strict=True) if shows],
        language_of(env_name),
    )
    return {
        "threshold": balanced_threshold([evidence_of(detector, held_new)]),
        "scores": _scores(detector, test),
        "old_threshold": balanced_threshold([evidence_of(detector, held_old)]),
        "old_scores": list(chain.from_iterable(_scores(detector, each) for each in old)),
        "text_swap_sensitivity": swaps.overall,
    }


def _scores(detector: ClipDetector, test: Examination) -> list[float]:
    scores = similarity(detector.embed_frames(test.frames), detector.embed_texts([test.description]))
    return [round(float(score), 4) for score in scores[:, 0]]


def run(config: ReproduceConfig, console: Console) -> Results:
    """Run all cells, put the results together, and draw the histograms."""
    size = SIZES[config.budget]
    name = "base" if config.detector == "ready" else config.detector  # knowing the task already shows nothing
    detector = load_detector(name, config.env)
    arms = tuple(config.arms) or ARMS
    models = {"detector": detector.hash} | {f"editor:{arm}": EDITORS[arm]().hash for arm in arms}
    tasks, seeds = TASKS[config.env][: size.num_tasks], list(config.seeds or range(size.num_seeds))
    cells = [Cell("every-arm", task, seed) for seed in seeds for task in tasks]
    work = partial(run_cell, env_name=config.env, detector_name=name, arms=arms, size=size)
    settings = {"experiment": "finetune", "env": config.env, "budget": config.budget, "models": models}
    done = run_cells(cells, work, config.directory("finetune"), settings, config.resume, config.jobs, console)
    results = Results("finetune", config.env, config.command("finetune"), config.budget, models, seeds)
    runs = [Run.of(done[cell]) for cell in cells]
    for arm in (*REFERENCES, *arms):
        results.add(arm, "balanced_error", [run.error(arm) for run in runs])
        results.add(arm, "old_balanced_error", [run.old_error(arm) for run in runs])
        results.add(
            arm, "text_swap_sensitivity", [float(str(run.arms[arm]["text_swap_sensitivity"])) for run in runs]
        )
        results.add(arm, "missed", [run.share_wrong(arm, "true") for run in runs])
        for kind in FALSE_KINDS:
            results.add(arm, f"believed: {kind}", [run.share_wrong(arm, kind) for run in runs])
    _check(results, arms)
    results.notes = {
        "tasks": list(tasks),
        "labelled_frames": [done[cell]["labelled_frames"] for cell in cells],
        "repainted": {arm: [run.arms[arm]["num_repainted"] for run in runs] for arm in arms},
        "rejected": {arm: [run.arms[arm]["num_rejected"] for run in runs] for arm in arms},
        "unchanged": {
            arm: sum(bool(run.arms[arm]["unchanged"]) for run in runs) for arm in (*REFERENCES, *arms)
        },
    }
    picture = draw_histograms(runs, arms, config.out / f"finetune-{config.env}.png")
    console.print(f"score histograms: {picture}")
    return results


@dataclass(frozen=True, eq=False)
class Run:
    """One task and seed, as a cell left it."""

    kinds: np.ndarray
    old_labels: np.ndarray
    arms: dict[str, dict[str, object]]

    @classmethod
    def of(cls, values: Values) -> "Run":
        """Read a cell."""
        arms = values["arms"]
        assert isinstance(arms, dict)
        return cls(np.array(values["kinds"]), np.array(values["old_labels"], dtype=bool), arms)

    def margins(self, arm: str) -> np.ndarray:
        """By how much the score of each frame of the examination exceeds the threshold, float64 (N,)."""
        return np.array(self.arms[arm]["scores"]) - float(str(self.arms[arm]["threshold"]))

    def error(self, arm: str) -> float:
        """Balanced error on the held-out task."""
        return balanced_error(self.margins(arm) >= 0, self.kinds == "true")

    def old_error(self, arm: str) -> float:
        """Balanced error on the source tasks."""
        scores, threshold = (
            np.array(self.arms[arm]["old_scores"]),
            float(str(self.arms[arm]["old_threshold"])),
        )
        return balanced_error(scores >= threshold, self.old_labels)

    def share_wrong(self, arm: str, kind: str) -> float:
        """Of the frames of one kind."""
        hits = self.margins(arm)[self.kinds == kind] >= 0
        return float((~hits if kind == "true" else hits).mean())


def _check(results: Results, arms: tuple[str, ...]) -> None:
    """Against the targets, and `hea` against every other arm."""

    def per_run(arm: str, metric: str) -> list[float]:
        values = results.arms[arm][metric]["per_run"]
        assert isinstance(values, list)
        return values

    if "hea" not in arms:
        return
    for rival in (*REFERENCES, *arms):
        if rival != "hea":
            ratio = ratio_of_means(per_run("hea", "balanced_error"), per_run(rival, "balanced_error"))
            results.add_ratio(f"hea/{rival}", "balanced_error", ratio)
    ours = float(np.mean(per_run("hea", "balanced_error")))
    untold = float(np.mean(per_run("source-only", "balanced_error")))
    results.check("hea, error over source-only's", ours / max(untold, 1e-9), 0.5, at_least=False)
    if "oracle" in arms:
        limit = float(np.mean(per_run("oracle", "balanced_error")))
        most = max(1.25 * limit, limit + 0.01)
        results.check("hea, error beside 1.25 times oracle's or a point more", ours, most, at_least=False)
    rise = np.mean(per_run("hea", "old_balanced_error")) - np.mean(
        per_run("source-only", "old_balanced_error")
    )
    results.check("hea, rise of old tasks' error over source-only's", float(rise), 0.01, at_least=False)
    swaps = float(np.mean(per_run("hea", "text_swap_sensitivity")))
    results.check("hea, text-swap sensitivity", swaps, 0.95)


def draw_histograms(runs: list[Run], arms: tuple[str, ...], path: Path) -> Path:
    """Scores before and after finetuning, of frames that show the task and of those that do not, all runs together."""
    matplotlib.use("agg")
    from matplotlib import pyplot

    names = (*REFERENCES, *arms)
    figure, axes = pyplot.subplots(1, len(names), figsize=(2.3 * len(names), 2.4), sharey=True, squeeze=False)
    for axis, arm in zip(axes[0], names, strict=True):
        margins = np.concatenate([run.margins(arm) for run in runs])
        true = np.concatenate([run.kinds == "true" for run in runs])
        bins = np.linspace(min(margins.min(), -0.1), max(margins.max(), 0.1), 31)
        for which, label, colour in ((~true, "does not show it", "#b0413e"), (true, "shows it", "#2a7f62")):
            axis.hist(margins[which], bins=bins, alpha=0.6, label=label, color=colour)
        axis.axvline(0.0, color="black", linewidth=0.8)
        error = np.mean([run.error(arm) for run in runs])
        axis.set_title(f"{arm}\nerror {error:.1%}", fontsize=9)
        axis.set_xlabel("score - threshold", fontsize=8)
        axis.tick_params(labelsize=7)
    axes[0][0].set_ylabel("frames", fontsize=8)
    axes[0][0].legend(fontsize=7)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path
