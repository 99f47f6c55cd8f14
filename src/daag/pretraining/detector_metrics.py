"""What a detector knows, on fresh scenes: trained and held-out combinations apart."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32

from daag.errors import RewardDetectorError
from daag.pretraining.captions import Captions
from daag.pretraining.labelled_scenes import LabelledScenes, plain_batch
from daag.rewards.calibration import Calibration, calibrate, precision_at
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.labelling import shown
from daag.tasks import Fact, is_held_out, possible_facts, word_swaps

PREVALENCE = 0.05
"""Share of true ones among the relations that one may ask of an exploring agent's frame: of 4 objects 12 can be on
another, and about every second frame shows one such stack. Our choice."""


def _object_columns(captions: Captions) -> dict[str, slice]:
    """Which columns of the object captions ask for what."""
    looks, kinds = len(captions.looks), len(captions.language.kinds)
    return {
        "object": slice(0, looks),
        "kind": slice(looks, looks + kinds),
        "colour": slice(looks + kinds, captions.num_objects),
    }


@dataclass(frozen=True, eq=False)
class Questions:
    """The relations that one may ask of one scene: every feasible fact about its objects."""

    facts: tuple[Fact, ...]
    true: Bool[np.ndarray, "M"]
    scores: Float32[np.ndarray, "M"]


def questions(detector: ClipDetector, scenes: LabelledScenes) -> list[Questions]:
    """Score every relation between the objects of each scene."""
    captions = scenes.captions
    frames = detector.embed_frames(scenes.rgb.numpy())
    asked = []
    for places, looks, held in zip(frames, scenes.looks.tolist(), scenes.facts, strict=True):
        facts = possible_facts(
            (captions.looks[look] for look in looks if look >= 0), captions.language.relations
        )
        texts = detector.embed_texts([fact.description for fact in facts])
        scores = similarity(places[None], texts)[0]
        asked.append(Questions(facts, np.isin([fact in held for fact in facts], True), scores))
    return asked


def calibrated(detector: ClipDetector, scenes: LabelledScenes, rng: np.random.Generator) -> ClipDetector:
    """The detector with thresholds from scenes without held-out combinations.

    Object captions count where the object is well visible or absent; a relation where the scene has both objects.
    A family that the scenes have too few examples of stays uncalibrated.
    """
    batch = plain_batch(scenes, torch.arange(len(scenes)))
    captions = scenes.captions
    objects = captions.object_texts
    scores = similarity(detector.embed_frames(scenes.rgb.numpy()), detector.embed_texts(objects))
    split = captions.num_objects
    positive, known = batch.positive[:, :split].numpy(), batch.known[:, :split].numpy()
    thresholds = dict(calibrate(scores, positive, known, objects, rng, prevalence=0.1).thresholds)
    asked = questions(detector, scenes)
    for relation in captions.language.relations:
        pairs = [
            (score, true)
            for each in asked
            for fact, score, true in zip(each.facts, each.scores, each.true, strict=True)
            if fact.relation == relation and not is_held_out(fact)
        ]
        scored, labels = (np.array(column) for column in zip(*pairs, strict=True))
        example = next(fact.description for each in asked for fact in each.facts if fact.relation == relation)
        try:
            found = calibrate(
                scored[:, None].astype(np.float32),
                labels[:, None],
                np.ones((len(labels), 1), dtype=bool),
                [example],
                rng,
                prevalence=PREVALENCE,
            )
        except RewardDetectorError:
            continue
        thresholds.update(found.thresholds)
    return detector.with_calibration(Calibration(thresholds, prevalence=PREVALENCE))


def measure(detector: ClipDetector, scenes: LabelledScenes) -> dict[str, float]:
    """Measure a calibrated detector.

    Returns:
        `object_auc` ("a red cube"), `kind_auc`, `colour_auc`. For each relation, trained and held-out facts apart: `auc` over single questions;
        `label_precision` and `label_recall` as labelling decides, all questions of a scene asked at once, precision
        at `PREVALENCE`; and `text_swap`, the share of word swaps of true facts that score below the fact.
    """
    captions = scenes.captions
    batch = plain_batch(scenes, torch.arange(len(scenes)))
    scores = similarity(
        detector.embed_frames(scenes.rgb.numpy()), detector.embed_texts(captions.object_texts)
    )
    positive, known = (labels[:, : captions.num_objects].numpy() for labels in (batch.positive, batch.known))
    metrics = {}
    for name, columns in _object_columns(captions).items():
        cosines, true, counts = scores[:, columns], positive[:, columns], known[:, columns]
        metrics[f"{name}_auc"] = area_under_curve(cosines[counts & true], cosines[counts & ~true])
    asked = questions(detector, scenes)
    for relation in captions.language.relations:
        for name, held_out in (("trained", False), ("held_out", True)):
            values = _measure_relation(detector, asked, relation, held_out)
            metrics.update(
                {f"{relation.replace(' ', '_')}_{name}_{key}": value for key, value in values.items()}
            )
    for name, held_out in (("trained", False), ("held_out", True)):
        in_order = list(_swaps_in_order(detector, scenes, held_out))
        metrics[f"text_swap_{name}"] = float(np.mean(in_order)) if in_order else float("nan")
    return {name: round(value, 4) for name, value in metrics.items()}


def area_under_curve(positives: Float32[np.ndarray, "N"], negatives: Float32[np.ndarray, "M"]) -> float:
    """The chance that a true example scores above a false one."""
    if not len(positives) or not len(negatives):
        return float("nan")
    return float(np.searchsorted(np.sort(negatives), positives).mean() / len(negatives))


def _measure_relation(
    detector: ClipDetector, asked: list[Questions], relation: str, held_out: bool
) -> dict[str, float]:
    scores, true, kept = [], [], []
    thresholds = detector.calibration.thresholds
    for each in asked:
        mine = np.array([fact.relation == relation and is_held_out(fact) == held_out for fact in each.facts])
        scores.append(each.scores[mine])
        true.append(each.true[mine])
        if all(fact.relation in thresholds for fact in each.facts):
            levels = np.array([thresholds[fact.relation].value for fact in each.facts], dtype=np.float32)
            kept.append(shown(each.scores[None], levels, [fact.description for fact in each.facts])[0, mine])
    score, label = np.concatenate(scores), np.concatenate(true)
    metrics = {"auc": area_under_curve(score[label], score[~label])}
    if len(kept) == len(asked):
        hit = np.concatenate(kept)
        recall = float(hit[label].mean())
        metrics["label_recall"] = recall
        metrics["label_precision"] = precision_at(recall, float(hit[~label].mean()), PREVALENCE)
    return metrics


def _swaps_in_order(detector: ClipDetector, scenes: LabelledScenes, held_out: bool) -> Iterator[bool]:
    frames = detector.embed_frames(scenes.rgb.numpy())
    for places, held in zip(frames, scenes.facts, strict=True):
        true = {fact.description for fact in held}
        for fact in held:
            if (
                is_held_out(fact) == held_out and not fact.place
            ):  # no caption of the embedded detectors has one
                swaps = [text for text in word_swaps(fact.description) if text not in true]
                scores = similarity(places[None], detector.embed_texts([fact.description, *swaps]))[0]
                yield from (scores[1:] < scores[0]).tolist()
