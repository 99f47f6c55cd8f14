"""Give a detector its thresholds: `daag calibrate`, for checkpoints of the hub, of one's own, or for other pictures.

What is true of a frame is said by the simulator of a bundled world, or by a person, in a file of labels.
Source: our choice; docs/paper.md has a threshold and does not say how to get it.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float32
from rich.console import Console
from rich.progress import track
from rich.table import Table

from daag.assembly import EnvName, load_detector, make_planner
from daag.episodes import EpisodeStore
from daag.errors import ConfigError, LifelongBufferError, RewardDetectorError, RunError
from daag.experiments.exploration_data import VISIBLE_PIXELS, Explored, explore
from daag.label_store import open_store
from daag.report.reliability import RELIABILITY_FILE
from daag.rewards.calibration import Threshold, choose_threshold, family_of
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.dual_encoder import Dtype
from daag.rewards.reliability import Reliability, measure_reliability, reliability_json
from daag.tasks import Fact, is_held_out, language_of

COLUMNS = ("episode", "observation", "description", "true")
"""Of a file of labels."""

SOURCE_FILE = "calibrated_on.json"

SEED = 700_000
"""Of the exploring episodes; no experiment uses it."""


@dataclass(frozen=True)
class CalibrateConfig:
    """Which detector, on what."""

    detector: tyro.conf.Positional[str]
    """A directory, a hub id such as openai/clip-vit-base-patch32, or an embedded one."""
    out: Path
    """Directory of the calibrated detector; must not exist."""
    env: EnvName | None = None
    """Explore this world, and let its simulator say what is true."""
    episodes: int = 60
    """How many, with `--env`."""
    store: Path | None = None
    """A run's directory or a store, whose frames a person has labelled."""
    labels: Path | None = None
    """The labels: a CSV file with the columns episode, observation (0 to T), description, and true (1 or 0)."""
    target_precision: float = 0.97
    """Share of what is claimed that must be true. A family that does not reach it is never claimed; a lower target lets it."""
    prevalence: float = 0.05
    """Share of what will be asked that is true, where the detector is going to be used."""
    seed: int = 0
    device: str = "cpu"
    """Where the detector computes: "cpu", "cuda", "mps"."""
    dtype: Dtype = "float32"
    """What it computes in."""
    threads: int = 1
    """Of torch, on a CPU."""

    def __post_init__(self) -> None:
        by_hand = self.store is not None and self.labels is not None
        if (self.env is not None) == by_hand or (self.store is None) != (self.labels is None):
            raise ConfigError(
                "expected either --env, for labels by a simulator, or --store and --labels, for labels by hand"
            )
        if self.episodes < 1 or self.threads < 1:
            raise ConfigError(
                f"expected at least one episode and one thread, got {self.episodes} and {self.threads}"
            )


@dataclass(frozen=True, eq=False)
class Scored:
    """Labelled pairs of a frame and a description of one family."""

    scores: Float32[np.ndarray, "N"]
    labels: Bool[np.ndarray, "N"]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A detector with thresholds, and what they could not be chosen for."""

    detector: ClipDetector
    chosen: dict[str, Threshold]
    """By family."""
    refused: dict[str, str]
    """Families with too few labels, and how many they need. They keep the threshold that they had, if any."""
    curves: dict[str, Reliability]


def calibrate_detector(config: CalibrateConfig, console: Console | None = None) -> Calibrated:
    """Choose thresholds and save the detector with them.

    Raises:
        RunError: the directory exists.
        ConfigError: the file of labels is something else.
        LifelongBufferError: there is no store, or a label speaks of what is not in it.
        RewardDetectorError: no family has enough labels, a description is of none, or scores are not finite.
        UnknownNameError, ModelError: there is no such detector or device, or it cannot be read.
    """
    if config.out.exists():
        raise RunError(f"{config.out} exists already; choose another --out")
    torch.set_num_threads(config.threads)
    detector = load_detector(config.detector, config.env or "rgb-stacking", config.device, config.dtype)
    if config.env is not None:
        pairs = _explored_pairs(detector, config, console)
    else:
        assert config.store is not None and config.labels is not None
        pairs = _stored_pairs(detector, open_store(config.store), read_labels(config.labels), console)
    calibrated = _calibrated(detector, _by_family(pairs), config)
    calibrated.detector.save_pretrained(config.out)
    if calibrated.curves:
        (config.out / RELIABILITY_FILE).write_text(reliability_json(calibrated.curves) + "\n")
    source = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(config).items()}
    told = {
        **source,
        "base_hash": detector.hash,
        "hash": calibrated.detector.hash,
        "refused": calibrated.refused,
    }
    (config.out / SOURCE_FILE).write_text(json.dumps(told, indent=1) + "\n")
    return calibrated


def read_labels(path: Path) -> dict[str, list[tuple[int, str, bool]]]:
    """Labels by episode: observation, description, whether it is true there.

    Raises:
        ConfigError: there is no such file, a column is missing, or a line says something else.
    """
    labels: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise ConfigError(
                    f"expected {path} to begin with the names of its columns, {','.join(COLUMNS)}, got "
                    f"{','.join(reader.fieldnames or ('nothing',))}"
                )
            for line in reader:
                observation, true = (line["observation"] or "").strip(), (line["true"] or "").strip()
                if not observation.isdecimal() or true not in ("0", "1"):
                    raise ConfigError(
                        f"expected an observation, 0 or later, and 1 or 0 for true in line {reader.line_num} of {path}, "
                        f"got {observation!r} and {true!r}"
                    )
                description = (line["description"] or "").strip()
                labels[line["episode"]].append((int(observation), description, true == "1"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"expected {path} to be a CSV file with {','.join(COLUMNS)}: {error}") from error
    if not labels:
        raise ConfigError(f"{path} holds no labels")
    return dict(labels)


Item = TypeVar("Item")

_Pair = tuple[str, float, bool]
"""A description's family, a frame's score for it, and whether it is true."""


def _stored_pairs(
    detector: ClipDetector,
    store: EpisodeStore,
    labels: dict[str, list[tuple[int, str, bool]]],
    console: Console | None,
) -> Iterator[_Pair]:
    missing = [id for id in labels if id not in store]
    if missing:
        raise LifelongBufferError(
            f"{store.path} does not hold {', '.join(missing[:3])}, of which the labels speak; 'daag memory ls' names "
            "what it holds"
        )
    for id in _tracked(labels, "scoring", console):
        (episode,) = store.get([id])
        observations, descriptions, truths = zip(*labels[id], strict=True)
        if max(observations) > episode.num_steps:
            raise LifelongBufferError(
                f"episode {id!r} has observations 0..{episode.num_steps}, a label speaks of {max(observations)}"
            )
        shown, frames = np.unique(observations, return_inverse=True)
        texts, which = np.unique(descriptions, return_inverse=True)
        scores = similarity(
            detector.embed_frames(episode.observations[shown]), detector.embed_texts(texts.tolist())
        )
        for text, score, true in zip(descriptions, scores[frames, which], truths, strict=True):
            yield family_of(text), float(score), true


def _explored_pairs(
    detector: ClipDetector, config: CalibrateConfig, console: Console | None
) -> Iterator[_Pair]:
    assert config.env is not None
    planner, language = make_planner(env_name=config.env), language_of(config.env)
    played = explore(config.env, config.episodes, SEED + config.seed, motion_frames=0, held_out=False)
    for index, explored in enumerate(_tracked(played, "exploring", console, config.episodes)):
        names = explored.episode.objects
        said = [text for text in planner.describe(names) if not is_held_out(Fact.parse(text))]
        rng = np.random.default_rng((config.seed, index))
        others = [str(look) for look in language.looks if str(look) not in names]
        absent = [others[int(at)] for at in rng.permutation(len(others))[: len(names)]]
        captions = [f"a {name}" for name in (*names, *absent)]
        scores = similarity(
            detector.embed_frames(explored.episode.observations), detector.embed_texts([*said, *captions])
        )
        truths, known = _truths(explored, said, len(absent))
        for column, text in enumerate([*said, *captions]):
            for row in np.flatnonzero(known[:, column]):
                yield family_of(text), float(scores[row, column]), bool(truths[row, column])


def _truths(explored: Explored, said: list[str], num_absent: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each observation: what is true of it, and what can be said, both bool (O, M): `said`, objects, absent ones."""
    episode = explored.episode
    assert episode.segmentation is not None
    seen = episode.segmentation[episode.observation_index]
    pixels = np.stack([(seen == key).sum(axis=(1, 2)) for key in range(1, len(episode.objects) + 1)], axis=1)
    facts = np.array([[text in facts for text in said] for facts in explored.facts], dtype=bool)
    absent = np.zeros((len(seen), num_absent), dtype=bool)
    truths = np.concatenate([facts.reshape(len(seen), -1), pixels >= VISIBLE_PIXELS, absent], axis=1)
    sure = (pixels == 0) | (pixels >= VISIBLE_PIXELS)
    return truths, np.concatenate([np.ones((len(seen), len(said)), dtype=bool), sure, ~absent], axis=1)


def _by_family(pairs: Iterable[_Pair]) -> dict[str, Scored]:
    scores: dict[str, list[float]] = defaultdict(list)
    labels: dict[str, list[bool]] = defaultdict(list)
    for family, score, true in pairs:
        scores[family].append(score)
        labels[family].append(true)
    return {
        family: Scored(np.array(scores[family], dtype=np.float32), np.array(labels[family], dtype=bool))
        for family in sorted(scores)
    }


def _calibrated(detector: ClipDetector, scored: dict[str, Scored], config: CalibrateConfig) -> Calibrated:
    target, prevalence = config.target_precision, config.prevalence
    chosen, refused, curves = dict[str, Threshold](), dict[str, str](), dict[str, Reliability]()
    for family, pairs in scored.items():
        rng = np.random.default_rng((config.seed, len(chosen)))
        try:
            best = choose_threshold(pairs.scores, pairs.labels, rng, target, prevalence)
        except RewardDetectorError as error:
            refused[family] = str(error)
            continue
        curves[family] = measure_reliability(pairs.scores, pairs.labels, best.value, prevalence, rng)
        # Labels that are often wrong do more harm than none.
        chosen[family] = best if best.target_met else replace(best, value=1.0, recall=0.0)
    if not chosen:
        reasons = "; ".join(f"{family!r}: {reason}" for family, reason in refused.items())
        raise RewardDetectorError(
            f"no family of descriptions has enough labels: {reasons or 'there are none'}"
        )
    kept = {**detector.calibration.thresholds, **chosen}
    return Calibrated(
        detector.with_calibration(
            replace(detector.calibration, thresholds=kept, target_precision=target, prevalence=prevalence)
        ),
        chosen,
        refused,
        curves,
    )


def _tracked(
    items: Iterable[Item], words: str, console: Console | None, total: int | None = None
) -> Iterable[Item]:
    return items if console is None else track(items, description=words, console=console, total=total)


def told(calibrated: Calibrated) -> Table:
    """The thresholds as a table for a terminal."""
    table = Table("family", "threshold", "precision (95 % interval)", "recall", "true", "false", "claimed")
    for family, cut in calibrated.chosen.items():
        low, high = cut.precision_ci95
        table.add_row(
            family,
            f"{cut.value:.3f}",
            f"{cut.precision:.2f} ({low:.2f} to {high:.2f})",
            f"{cut.recall:.2f}",
            str(cut.num_positives),
            str(cut.num_negatives),
            "yes" if cut.target_met else "no, the target is missed",
        )
    for family in calibrated.refused:
        table.add_row(family, "", "", "", "", "", "too few labels")
    return table
