"""Which stored episodes reached something, and when: the labels of a whole store for one description."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import track

from daag.assembly import EnvName, PlannerConfig, load_detector, planner_in
from daag.episodes import Episode, EpisodeStore
from daag.episodes.storage import store_within
from daag.errors import ConfigError, LanguageError, LifelongBufferError, RewardDetectorError
from daag.report.sheets import SheetPicture, write_sheet
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.dual_encoder import Dtype
from daag.rewards.embedding_cache import EmbeddingCache
from daag.rewards.labelling import contradictions, label_embeddings
from daag.tasks import LANGUAGES, Fact, Look, possible_facts

Embed = Callable[[np.ndarray], np.ndarray]
"""Frames, uint8 (N, H, W, 3), to their embeddings, float32 (N, V, L, D)."""

SHEET_FILE, LABELS_FILE = "sheet.png", "labels.json"


@dataclass(frozen=True)
class LabelConfig:
    """What to look for, where, and with which detector."""

    store: tyro.conf.Positional[Path]
    """The episodes: a run's directory, or a store such as runs/mine/lifelong.lance."""
    description: str
    """What must be visible: "the red cube is on the blue cube"."""
    detector: str = "ready"
    """Reward detector: `ready`, `base`, a directory such as `daag finetune` leaves, or a hub id."""
    env: EnvName = "rgb-stacking"
    """The world whose detector `ready` and `base` mean, and in whose words the planner puts descriptions."""
    controller: PlannerConfig = PlannerConfig()
    """Who says what a description means that the detector cannot read."""
    out: Path = Path("labels")
    """Directory for sheet.png and labels.json; older ones are replaced."""
    pictures: int = 8
    """How many of the most and of the least certain episodes the sheet shows."""
    cached: bool = True
    """Whether frames' embeddings are kept beside the store, in STORE.embeddings, so that the next description costs no
    encoding. An embedded detector takes 128 KB a frame, a CLIP about 2 KB."""
    device: str = "cpu"
    """Where the detector computes: "cpu", "cuda", "mps"."""
    dtype: Dtype = "float32"
    """What it computes in."""
    threads: int = 1
    """Of torch, on a CPU."""

    def __post_init__(self) -> None:
        if self.pictures < 1 or self.threads < 1:
            raise ConfigError(
                f"expected at least one picture and one thread, got {self.pictures} and {self.threads}"
            )


@dataclass(frozen=True)
class StoredLabel:
    """What the detector says of one episode."""

    episode: str
    """Its id."""
    num_steps: int
    reached_at: tuple[int, ...]
    """Observations, 1..T, at which it came to show the description; empty where it never did."""
    surest: int
    """The observation that decides how certain this is: the first one reached, else the one that scored best."""
    score: float
    """There, a cosine similarity in [-1, 1]."""
    margin: float
    """By how much that exceeds the threshold."""


@dataclass(frozen=True)
class StoreLabels:
    """The labels of a store."""

    description: str
    detector: str
    """Its hash."""
    threshold: float
    labels: tuple[StoredLabel, ...]
    """Of the episodes that could have reached it, in the order of the store."""
    num_episodes: int
    """In the store; those whose known objects the description does not speak of are not labelled."""

    @property
    def reached(self) -> tuple[StoredLabel, ...]:
        """The episodes that reached it, surest first."""
        return tuple(sorted((each for each in self.labels if each.reached_at), key=lambda each: -each.margin))

    @property
    def doubtful(self) -> tuple[StoredLabel, ...]:
        """All episodes, those first that score nearest the threshold, on whichever side."""
        return tuple(sorted(self.labels, key=lambda each: abs(each.margin)))


def label_store(config: LabelConfig, console: Console | None = None) -> tuple[StoreLabels, Path]:
    """Label a store and leave a picture sheet.

    Returns:
        The labels, and the path of the sheet.

    Raises:
        LifelongBufferError: there is no store, or nothing in it.
        RewardDetectorError: the detector does not understand the description, or has no threshold for it, and the planner
            does not understand it either.
        PlannerError: the language model gave no valid answer.
        UnknownNameError, ModelError: there is no such detector or device, or it or its cache cannot be read.
        ConfigError: `out` cannot be made, embeddings cannot be kept beside this store, or the language model is not named
            or has no key.
    """
    torch.set_num_threads(config.threads)
    store = open_store(config.store)
    try:  # before anything that takes long
        config.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"could not make {config.out}: {error}; choose another --out") from error
    detector = load_detector(config.detector, config.env, config.device, config.dtype)
    description = _readable(config, detector)
    if config.cached:
        with EmbeddingCache(embeddings_of(store), detector) as cache:
            labels = label_episodes(store, description, detector, cache.embed_frames, console)
    else:
        labels = label_episodes(store, description, detector, detector.embed_frames, console)
    (config.out / LABELS_FILE).write_text(json.dumps(asdict(labels), indent=1) + "\n")
    rows = (
        ("most certain", labels.reached[: config.pictures]),
        ("least certain", labels.doubtful[: config.pictures]),
    )
    pictures = [(title, [_picture(store, each) for each in some]) for title, some in rows]
    return labels, write_sheet(pictures, labels.description, config.out / SHEET_FILE)


def label_episodes(
    store: EpisodeStore,
    description: str,
    detector: ClipDetector,
    embed: Embed,
    console: Console | None = None,
) -> StoreLabels:
    """Label every episode of a store, as the agent labels its own.

    A claim gives way to a better one that contradicts it, among what can be said of the scene's objects; where these are
    not known, the description stands alone.

    Args:
        store: is read once.
        description: what must be visible.
        detector: whose thresholds and sentences these are.
        embed: the detector's `embed_frames`, or what remembers it.
        console: shows the progress; None shows none.

    Raises:
        RewardDetectorError: the detector does not understand the description, or has no threshold for it.
    """
    threshold = detector.success_threshold(description)
    text = detector.embed_texts([description])
    labels, episodes = [], iter(store)
    if console is not None:
        episodes = iter(track(episodes, description="labelling", total=len(store), console=console))
    for episode in episodes:
        rivals = _rivals(description, episode, detector)
        if rivals is None:
            continue
        embeddings = embed(episode.observations)
        found = label_embeddings(embeddings, [description, *rivals], detector, episode.id)
        ends = tuple(each.end for each in found if each.description == description)
        scores = similarity(embeddings, text)[:, 0]
        surest = ends[0] if ends else int(scores[1:].argmax()) + 1
        score = float(np.clip(scores[surest], -1.0, 1.0))
        labels.append(
            StoredLabel(episode.id, episode.num_steps, ends, surest, score, score - float(threshold))
        )
    return StoreLabels(description, detector.hash, threshold, tuple(labels), len(store))


def open_store(path: Path) -> EpisodeStore:
    """The episodes at a path: a store, or the one of a run or of a job over a data set.

    Raises:
        LifelongBufferError: there is neither, or nothing in it.
    """
    store = EpisodeStore.open(store_within(path))
    if not len(store):
        raise LifelongBufferError(f"expected episodes in {store.path}, which is empty; collect some first")
    return store


def embeddings_of(store: EpisodeStore) -> Path:
    """Where the embeddings of a store's frames are kept: beside it.

    Raises:
        ConfigError: it is on an object store, beside which nothing is kept.
    """
    path = store.path.removeprefix("file://")
    if "://" in path:
        raise ConfigError(f"expected a store on a disk, got {path}; label it with --cached False")
    return Path(f"{path}.embeddings")


def _rivals(description: str, episode: Episode, detector: ClipDetector) -> list[str] | None:
    """What else might be claimed of the scene and contradicts the description; None if the scene lacks its objects."""
    try:
        fact = Fact.parse(description)
        looks = [Look.parse(name) for name in episode.objects]
    except LanguageError:
        return []
    if not looks:
        return []
    if not set(fact.looks) <= set(looks):
        return None
    relations = next(
        language.relations for language in LANGUAGES.values() if fact.relation in language.relations
    )
    others = [other.description for other in possible_facts(looks, relations) if other != fact]
    against = contradictions([description, *others])[0, 1:]
    return [
        other for other, rival in zip(others, against, strict=True) if rival and _calibrated(detector, other)
    ]


def _calibrated(detector: ClipDetector, description: str) -> bool:
    try:
        detector.success_threshold(description)
    except RewardDetectorError:
        return False
    return True


def _readable(config: LabelConfig, detector: ClipDetector) -> str:
    """The description, where the detector reads it; else what the planner says that it means."""
    try:
        detector.success_threshold(config.description)
        detector.tokenize([config.description])
    except RewardDetectorError as unread:
        planner, _ = planner_in(config.out, config.controller, env_name=config.env)
        try:
            stages = planner.decompose(config.description)
        except LanguageError as error:
            raise RewardDetectorError(f"{unread} Nor does the planner say what it means: {error}") from error
        if len(stages) > 1:
            raise RewardDetectorError(
                f"expected a description of one thing, got {len(stages)}: "
                f"{'; '.join(stage.description for stage in stages)}. Label them one by one"
            ) from unread
        return stages[0].description
    return config.description


def _picture(store: EpisodeStore, label: StoredLabel) -> SheetPicture:
    (episode,) = store.get([label.episode])
    when = f"reached at {label.surest}" if label.reached_at else f"not reached, {label.surest}"
    caption = (label.episode, f"{when} of {label.num_steps}", f"{label.score:.2f} ({label.margin:+.2f})")
    return SheetPicture(episode.observations[label.surest], caption, bool(label.reached_at))


def told(labels: StoreLabels, at_most: int) -> Sequence[str]:
    """The result in lines of text, for a terminal: how many, then the surest first."""
    skipped = labels.num_episodes - len(labels.labels)
    lines = [
        f"{len(labels.reached)} of {labels.num_episodes} episodes reached '{labels.description}' "
        f"(threshold {labels.threshold:.3f})"
    ]
    if skipped:
        lines.append(f"{skipped} were not looked at: their scenes lack its objects")
    lines += [
        f"  {each.episode}: at observation {', '.join(map(str, each.reached_at))} of {each.num_steps}, "
        f"score {each.score:.3f}"
        for each in labels.reached[:at_most]
    ]
    left = len(labels.reached) - at_most
    return [*lines, f"  ... and {left} more, in {LABELS_FILE}"] if left > 0 else lines
