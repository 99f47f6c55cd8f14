"""Teach a detector a new task from stored episodes, and leave it in a directory with where it comes from."""

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
import tyro
from rich.console import Console
from rich.progress import track

import daag
from daag.assembly import Arm, EnvName, PlannerConfig, load_detector, make_hindsight, planner_in
from daag.episodes import Episode, EpisodeStore, LifelongBuffer
from daag.errors import ConfigError, RewardDetectorError, RunError
from daag.hindsight import Hindsight, prepare_lesson
from daag.label_store import open_store
from daag.llm import holds_other_than_answers
from daag.perception import PerceptionConfig, make_perception
from daag.perception.perception import ROLE
from daag.report.reliability import RELIABILITY_FILE
from daag.rewards.adapters import AdapterConfig
from daag.rewards.calibration import family_of
from daag.rewards.clip import ClipDetector
from daag.rewards.finetuning import FinetuneConfig, finetune, hold_out
from daag.rewards.labelled_pairs import LabelledPairs, pair_scores, separation
from daag.rewards.recalibration import recalibrated
from daag.rewards.reliability import Reliability, measure_reliability, reliability_json
from daag.rewards.text_swap import text_swap_sensitivity
from daag.tasks import Language, Subgoal, language_of

PROVENANCE_FILE = "provenance.json"


@dataclass(frozen=True)
class FinetuneStoreConfig:
    """What to teach, from which episodes, and how."""

    store: tyro.conf.Positional[Path]
    """The episodes: a run's directory, or a store such as runs/mine/lifelong.lance."""
    task: str
    """The new task, an instruction: "stack the red cube on the blue cube"."""
    out: Path
    """Directory of the new detector; must not exist."""
    controller: PlannerConfig = PlannerConfig()
    """Who understands the task and proposes edits."""
    detector: str = "ready"
    """The detector that is taught: `ready`, `base`, a directory, or a hub id. It is left as it is."""
    editor: str = "tiny"
    """Video editor of the arms `hea` and `per-frame`: `tiny`, a pipeline directory, a hub id, or a .json file of settings
    (docs/diffusion.md)."""
    perception: PerceptionConfig = PerceptionConfig()
    """Where names, masks and geometry of objects come from."""
    env: EnvName = "rgb-stacking"
    """Which world the episodes come from."""
    arm: Arm = "hea"
    """Who repaints: `hea`, `compositor`, `per-frame`, `oracle`; `relabel` repaints nothing."""
    at_most: int = 200
    """So many episodes, those whose achievements are nearest the task."""
    steps: int = 60
    """Of training."""
    learning_rate: float = 2e-4
    """A large model wants less."""
    lora_rank: int = 0
    """Learn adapters of this rank beside the weights, for large models (needs peft); 0 trains the whole model."""
    seed: int = 0
    device: str = "cpu"
    """Where the detector computes: "cpu", "cuda", "mps"."""
    threads: int = 1
    """Of torch, on a CPU."""

    def __post_init__(self) -> None:
        if self.at_most < 1 or self.threads < 1 or self.lora_rank < 0:
            raise ConfigError(
                f"expected at least one episode, one thread and no negative rank, got {self.at_most}, {self.threads} and "
                f"{self.lora_rank}"
            )

    @property
    def training(self) -> FinetuneConfig:
        """How long and how carefully."""
        adapters = AdapterConfig(self.lora_rank, alpha=2.0 * self.lora_rank) if self.lora_rank else None
        pace = self.learning_rate / FinetuneConfig.learning_rate
        return FinetuneConfig(
            steps=self.steps,
            learning_rate=self.learning_rate,
            muon_rate=pace * FinetuneConfig.muon_rate,
            judge_swaps=True,
            adapters=adapters,
        )


@dataclass(frozen=True)
class Taught:
    """What came of it. Shares are in [0, 1]."""

    num_episodes: int
    num_new: int
    """Labelled pairs of the new task, those that were repainted included."""
    num_old: int
    num_repainted: int
    num_rejected: int
    """Repaints that the gate turned down."""
    num_unanswered: int
    """Questions that the planner could not answer, and whose pairs were left out."""
    new_before: float
    """Of held-out new pairs and their word swaps: how often a true one scores above a false one."""
    new_after: float
    old_before: float
    """Likewise of held-out pairs of old tasks."""
    old_after: float
    text_swap_before: float | None
    """Text-swap sensitivity on the held-out true pairs; None where nothing can be swapped."""
    text_swap_after: float | None
    recalibrated: tuple[str, ...]
    """Families, and sentences of the task, whose threshold was chosen anew."""


def finetune_store(config: FinetuneStoreConfig, console: Console | None = None) -> Taught:
    """Teach a detector a task from stored episodes and save it.

    The directory holds what `daag lifelong --detector` and `daag label --detector` read, `provenance.json`, and
    `reliability.json` where enough pairs were held out.

    Raises:
        RunError: the directory exists, and holds more than a planner's answers.
        ConfigError: the language model is not named, or has no key.
        LanguageError: the task cannot be understood.
        PlannerError: the language model gave no valid answer about the task.
        LifelongBufferError: there is no store, or nothing in it.
        RewardDetectorError: too few pairs, or no step of the training was better than none; nothing is saved then.
        UnknownNameError, ModelError: there is no such detector or device, or it, or a model that estimates conditions, cannot
            be read.
    """
    if holds_other_than_answers(config.out):
        raise RunError(f"{config.out} exists already; choose another --out")
    torch.set_num_threads(config.threads)
    planner, model = planner_in(config.out, config.controller, config.arm, config.env)
    subgoals = planner.decompose(config.task)
    store = open_store(config.store)
    detector = load_detector(config.detector, config.env, config.device)
    perception = make_perception(config.perception, store)
    hindsight = make_hindsight(config.arm, planner, detector, config.env, perception, config.editor)
    episodes = nearest_episodes(store, subgoals, detector, config.at_most)
    used: Iterable[Episode] = episodes
    if console is not None:
        used = track(episodes, description="repainting", console=console)
    lesson = prepare_lesson(hindsight, map(perception.name_objects, used), subgoals, config.seed)
    new, old = lesson.pairs
    if console is not None:
        console.print(
            f"{len(new)} labelled pairs of the task ({lesson.num_repainted} repainted, {lesson.num_rejected} rejected, "
            f"{lesson.num_unanswered} questions unanswered), {len(old)} of others; training"
        )
    tuned = finetune(detector, new, old, config.training, config.seed)
    if tuned is detector:
        raise RewardDetectorError(
            f"no step of the training told the {len(new)} pairs of {config.task!r} apart better without forgetting the "
            "old ones; nothing is saved. The detector may know the task already; else try more episodes or steps"
        )
    held_new, held_old = hold_out(new, old, config.training, config.seed)
    sentences = [goal.description for goal in subgoals]
    tuned = recalibrated(tuned, held_new, held_old, sentences, np.random.default_rng(config.seed))
    taught = Taught(
        num_episodes=len(episodes),
        num_new=len(new),
        num_old=len(old),
        num_repainted=lesson.num_repainted,
        num_rejected=lesson.num_rejected,
        num_unanswered=lesson.num_unanswered,
        new_before=separation(detector, held_new, with_swaps=True),
        new_after=separation(tuned, held_new, with_swaps=True),
        old_before=separation(detector, held_old, with_swaps=True),
        old_after=separation(tuned, held_old, with_swaps=True),
        text_swap_before=_text_swap(detector, language_of(config.env), held_new, held_old),
        text_swap_after=_text_swap(tuned, language_of(config.env), held_new, held_old),
        recalibrated=tuple(
            family
            for family, threshold in sorted(tuned.calibration.thresholds.items())
            if threshold != detector.calibration.thresholds.get(family)
        ),
    )
    tuned.save_pretrained(config.out)
    curves = _reliability(tuned, held_new, held_old, config.seed)
    if curves:
        (config.out / RELIABILITY_FILE).write_text(reliability_json(curves) + "\n")
    provenance = _provenance(config, detector, tuned, hindsight, subgoals, episodes, taught)
    if model is not None:
        provenance["language model"] = {"model": model.name, **model.usage.to_json()}
    (config.out / PROVENANCE_FILE).write_text(json.dumps(provenance, indent=1) + "\n")
    return taught


def nearest_episodes(
    store: EpisodeStore, subgoals: tuple[Subgoal, ...], detector: ClipDetector, at_most: int
) -> list[Episode]:
    """Episodes whose achievements resemble the subgoals, nearest first; in the order of the store where it has no vectors
    of this detector's length."""
    if store.vector_size != detector.vector_size:
        return store.get(store.ids()[:at_most])
    buffer, found = LifelongBuffer(store), dict[str, float]()
    for goal in subgoals:
        vector = detector.embed_texts([goal.description])[0]
        for id, score in buffer.nearest(vector, at_most):
            found[id] = max(score, found.get(id, -1.0))
    return store.get(sorted(found, key=lambda id: (-found[id], id))[:at_most])


def _text_swap(detector: ClipDetector, language: Language, *parts: LabelledPairs) -> float | None:
    frames = [part.frames[part.labels] for part in parts if part.labels.any()]
    texts = [
        text for part in parts for text, true in zip(part.descriptions, part.labels, strict=True) if true
    ]
    if not frames:
        return None
    try:
        return text_swap_sensitivity(detector, np.concatenate(frames), texts, language=language).overall
    except RewardDetectorError:  # nothing to swap, or into words that this detector does not know
        return None


def _reliability(
    detector: ClipDetector, held_new: LabelledPairs, held_old: LabelledPairs, seed: int
) -> dict[str, Reliability]:
    """A curve for each family of which enough pairs were held out."""
    scores = np.concatenate([pair_scores(detector, part) for part in (held_new, held_old)])
    labels = np.concatenate([held_new.labels, held_old.labels])
    families = np.array([family_of(text) for part in (held_new, held_old) for text in part.descriptions])
    curves = {}
    for family, threshold in detector.calibration.thresholds.items():
        mine = families == family
        try:
            curves[family] = measure_reliability(
                scores[mine],
                labels[mine],
                threshold.value,
                detector.calibration.prevalence,
                np.random.default_rng(seed),
            )
        except RewardDetectorError:  # too few to draw anything from
            continue
    return curves


def _provenance(
    config: FinetuneStoreConfig,
    detector: ClipDetector,
    tuned: ClipDetector,
    hindsight: Hindsight,
    subgoals: tuple[Subgoal, ...],
    episodes: list[Episode],
    taught: Taught,
) -> dict[str, object]:
    models = {
        "planner": hindsight.planner.hash,
        "editor": hindsight.editor.hash if hindsight.editor is not None else "",
    }
    if hindsight.perception.hash:
        models[ROLE] = hindsight.perception.hash
    return {
        "task": config.task,
        "subgoals": [goal.description for goal in subgoals],
        "base": {"name": config.detector, "hash": detector.hash},
        "hash": tuned.hash,
        "models": models,
        "store": str(config.store),
        "episodes": [episode.id for episode in episodes],
        "arm": config.arm,
        "seed": config.seed,
        "training": asdict(config.training),
        "result": asdict(taught),
        "versions": {
            "daag": daag.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        },
    }
