"""Thresholds that are chosen for labels, on episodes whose scores are made up."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from daag.pretraining.detector_model import MAX_TOKENS, PREPROCESSING, build_model
from daag.pretraining.label_calibration import (
    FLICKER,
    NEVER,
    TARGET,
    TARGETS,
    Flicker,
    JudgedEpisode,
    calibrated_for_labels,
    judge,
)
from daag.rewards.calibration import Calibration, Threshold
from daag.rewards.clip import ClipDetector, pretrained
from daag.rewards.labelling import contradictions
from daag.rewards.vision_tower import VisionTowerConfig
from daag.rewards.vocabulary import word_tokenizer
from daag.tasks import Fact, is_held_out

TRUE, FALSE = "the red cube is on the green cube", "the white cube is on the red cube"
HELD_OUT = "the yellow cube is on the red cylinder"
BESIDE = "the red cube is next to the blue cube"
APART = "the white cube is on the black cube"
ELSEWHERE = "the orange cube is on the yellow cube"
SOMETHING_APART = np.array([[False, True, False], [False, True, False], [True, True, False]])


def detector() -> ClipDetector:
    torch.manual_seed(0)
    texts = [TRUE, FALSE, HELD_OUT, BESIDE, "a blue orange purple black prism sphere"]
    tokenizer = word_tokenizer(texts, MAX_TOKENS)
    tower = VisionTowerConfig(
        widths=(16, 16, 32), depths=(1, 1), colour_width=16, colour_size=8, hidden_size=32
    )
    first = Threshold(0.9, 1.0, (1.0, 1.0), 0.0, 20, 20, False)
    calibration = Calibration({"on": first, "next to": first})
    return ClipDetector(build_model(tower, len(tokenizer)), tokenizer, PREPROCESSING, calibration)


def episodes(false_score: float, held_out_score: float = 0.0) -> list[JudgedEpisode]:
    """100 episodes in which one fact comes true, with a score of 0.5 to 0.7, and two others do not."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(100):
        after = np.array([rng.uniform(0.5, 0.7), false_score * rng.uniform(0.9, 1.0), held_out_score])
        scores = np.stack([np.zeros(3), after]).astype(np.float32)
        counts = np.array([True, True, False])
        held = np.array([[False, False, False], [True, False, False]])
        made.append(JudgedEpisode((TRUE, FALSE, HELD_OUT), scores, held, counts))
    return made


def flickering(dip: float) -> list[JudgedEpisode]:
    """As `episodes`, but the second fact is true from the beginning, and its score is lower by `dip` for a moment; a fourth
    never is, and scores 0.52 in the end."""
    made = []
    for episode in episodes(0.0):
        steady = np.array([0.0, 0.7, 0.0, 0.0], dtype=np.float32)
        last = np.array([episode.scores[1, 0], 0.7, 0.0, 0.52])
        scores = np.stack([steady, steady - [0.0, dip, 0.0, 0.0], last]).astype(np.float32)
        held = np.pad(SOMETHING_APART, ((0, 0), (0, 1)))
        counts = np.append(episode.counts, True)
        made.append(JudgedEpisode((TRUE, APART, HELD_OUT, ELSEWHERE), scores, held, counts))
    return made


def hiding(hidden_score: float = 0.0) -> list[JudgedEpisode]:
    """As above, but what is apart all the time is out of sight for the second look."""
    made = []
    for episode in episodes(0.0):
        there = np.array([0.2, 0.7, 0.2], dtype=np.float32)
        hidden = np.array([0.2, hidden_score, 0.2], dtype=np.float32)
        last = np.array([episode.scores[1, 0], 0.7, 0.2])
        scores = np.stack([there, hidden, there, last]).astype(np.float32)
        held = np.concatenate([SOMETHING_APART[:1], SOMETHING_APART])
        made.append(JudgedEpisode((TRUE, APART, HELD_OUT), scores, held, episode.counts))
    return made


def threshold(
    judged: list[JudgedEpisode], flicker: Flicker | None = None, target: float = TARGET
) -> Threshold:
    rng = np.random.default_rng(0)
    calibration = calibrated_for_labels(detector(), judged, rng, flicker, target).calibration
    asked = flicker or Flicker()
    assert (calibration.hysteresis, calibration.patience) == (asked.hysteresis, asked.patience)
    return calibration.thresholds["on"]


def test_where_labels_are_right_anyway_everything_is_found() -> None:
    cut = threshold(episodes(0.3))
    assert cut.target_met and cut.recall == 1.0 and 0.3 < cut.value <= 0.51
    assert cut.num_positives == cut.num_negatives == 100


def test_wrong_labels_raise_the_threshold_above_them() -> None:
    cut = threshold(episodes(0.6))
    assert cut.value > 0.59 and cut.precision >= TARGET and 0.2 < cut.recall < 0.7


def test_where_the_target_cannot_be_reached_nothing_is_claimed() -> None:
    cut = threshold(episodes(0.9))
    assert not cut.target_met and cut.value == 1.0 and cut.recall == 0.0


def test_what_flickers_is_not_claimed_again_with_hysteresis() -> None:
    assert not contradictions([TRUE, APART, ELSEWHERE]).any()
    judged = flickering(dip=0.2)  # from 0.7 to 0.5, below every threshold that finds something
    assert not threshold(judged).target_met
    cut = threshold(judged, Flicker(hysteresis=0.06))
    assert cut.target_met and cut.recall > 0.5 and cut.value < 0.56


def test_a_threshold_is_also_looked_for_where_no_best_score_is() -> None:
    """All best scores are 0.9; what is true from the beginning falls to 0.6 for a moment and comes again above that."""
    judged = []
    for episode in flickering(dip=0.1):
        scores = np.where(episode.scores >= 0.7, 0.9, episode.scores)
        scores[:, 3], scores[-1, 0] = 0.0, 0.9
        judged.append(replace(episode, scores=scores.astype(np.float32)))
    cut = threshold(judged)
    assert cut.target_met and cut.recall == 1.0 and cut.value < 0.61


def test_what_is_hidden_for_a_look_is_not_claimed_again_with_patience() -> None:
    judged = hiding()
    assert not threshold(judged).target_met
    cut = threshold(judged, Flicker(patience=2))
    assert cut.target_met and cut.recall == 1.0


def test_what_is_out_of_sight_is_told_by_a_score_below_that_of_what_is_false() -> None:
    in_sight = Flicker(unseen_margin=0.1)
    cut = threshold(hiding(), in_sight)
    assert cut.target_met and cut.recall == 1.0
    assert not threshold(hiding(hidden_score=0.15), in_sight).target_met  # not low enough
    rng = np.random.default_rng(0)
    calibration = calibrated_for_labels(detector(), hiding(), rng, in_sight).calibration
    assert calibration.unseen == {"on": pytest.approx(0.1)}


def test_a_lower_target_finds_more() -> None:
    judged = episodes(0.6)
    strict, lenient = threshold(judged), threshold(judged, target=0.6)
    assert lenient.target_met and 0.6 <= lenient.precision < strict.precision
    assert lenient.recall > strict.recall and lenient.value < strict.value


@pytest.mark.parametrize("world", ["rgb-stacking", "room", "language-table"])
def test_the_shipped_detectors_were_calibrated_so(world: str) -> None:
    name = "ready" if world == "rgb-stacking" else f"ready-{world}"
    calibration = pretrained(name).calibration
    flicker = FLICKER.get(world, Flicker())
    assert (calibration.hysteresis, calibration.patience) == (flicker.hysteresis, flicker.patience)
    assert bool(calibration.unseen) == (flicker.unseen_margin is not None)
    chosen = [
        cut for cut in calibration.thresholds.values() if cut.target_met and cut.chosen_on == "episodes"
    ]
    assert chosen and all(cut.precision >= TARGETS.get(world, TARGET) for cut in chosen)


def test_held_out_combinations_do_not_count() -> None:
    assert not contradictions([TRUE, HELD_OUT]).any()  # else the lower score would give way anyway
    assert threshold(episodes(0.3, held_out_score=0.0)) == threshold(episodes(0.3, held_out_score=0.65))


def test_a_relation_without_enough_examples_keeps_its_threshold() -> None:
    calibration = calibrated_for_labels(detector(), episodes(0.3), np.random.default_rng(0)).calibration
    assert calibration.thresholds["next to"] == detector().calibration.thresholds["next to"]
    few = calibrated_for_labels(detector(), episodes(0.3)[:5], np.random.default_rng(0)).calibration
    assert few == detector().calibration


def test_episodes_are_explored_and_judged_against_the_world() -> None:
    from daag.assembly import load_detector

    judged = judge("rgb-stacking", load_detector("ready"), 3)
    assert len(judged) == 3
    for episode in judged:
        assert episode.scores.shape == (5, len(episode.descriptions))
        assert episode.counts.tolist() == [not is_held_out(Fact.parse(text)) for text in episode.descriptions]
    assert any(episode.achieved.any() for episode in judged)


@pytest.mark.parametrize("relation", ["on", "next to"])
def test_other_families_are_left_alone(relation: str) -> None:
    bare = detector().with_calibration(Calibration({relation: detector().calibration.thresholds[relation]}))
    got = calibrated_for_labels(bare, episodes(0.3)[:5], np.random.default_rng(0)).calibration
    known = got.thresholds.pop("on") if relation != "on" else NEVER
    assert known == NEVER  # asked of the episodes, too few of which tell
    assert got.thresholds == bare.calibration.thresholds
