"""Finetuning learns a distinction from a few frames, and leaves what it was given as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from daag.errors import ConfigError, RewardDetectorError
from daag.pretraining.detector_model import MAX_TOKENS, build_model
from daag.rewards.calibration import Calibration, Threshold
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.finetuning import FIRST_LEVEL, FinetuneConfig, _Levels, _loss, finetune, hold_out
from daag.rewards.labelled_pairs import LabelledPairs, separation, split
from daag.rewards.preprocessing import Preprocessing
from daag.rewards.vision_tower import VisionTowerConfig
from daag.rewards.vocabulary import word_tokenizer
from daag.tasks import word_swaps

ON, OFF = "the red cube is on the blue cube", "the blue cube is on the red cube"
NOTHING = LabelledPairs(np.zeros((0, 64, 64, 3), np.uint8), (), np.zeros(0, bool))
SHORT = FinetuneConfig(steps=20, batch_pairs=16, learning_rate=3e-3, measure_every=5, swaps_per_pair=0)


def untrained() -> ClipDetector:
    """The embedded detectors' class, tiny, with random weights."""
    torch.manual_seed(0)
    tokenizer = word_tokenizer([ON, *word_swaps(ON)], MAX_TOKENS)
    # Not narrower: convolutions of 8 channels crash torch 2.13 in channels_last layout.
    tower = VisionTowerConfig(
        widths=(16, 16, 32), depths=(1, 1), colour_width=16, colour_size=8, hidden_size=32
    )
    return ClipDetector(build_model(tower, len(tokenizer)), tokenizer, Preprocessing())


def painted(upper: tuple[int, int, int], lower: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """A grey table with one block on another, somewhere."""
    frame = rng.integers(100, 120, (64, 64, 3)).astype(np.uint8)
    y, x = rng.integers(8, 30), rng.integers(8, 46)
    frame[y : y + 10, x : x + 10], frame[y + 10 : y + 20, x : x + 10] = upper, lower
    return frame


def stacks(count: int, seed: int = 0) -> LabelledPairs:
    """Half of the frames show red on blue and half blue on red; each is called red on blue."""
    rng = np.random.default_rng(seed)
    red, blue = (200, 20, 20), (20, 60, 200)
    labels = np.arange(count) % 2 == 0
    frames = np.stack([painted(red, blue, rng) if true else painted(blue, red, rng) for true in labels])
    return LabelledPairs(frames, (ON,) * count, labels)


def gap(detector: ClipDetector, pairs: LabelledPairs) -> float:
    (text,) = set(pairs.descriptions)
    scores = similarity(detector.embed_frames(pairs.frames), detector.embed_texts([text]))[:, 0]
    return float(scores[pairs.labels].mean() - scores[~pairs.labels].mean())


def test_a_distinction_is_learned_and_the_original_is_untouched() -> None:
    detector, fresh = untrained(), stacks(40, seed=1)
    weights = {name: tensor.clone() for name, tensor in detector.model.state_dict().items()}
    before = gap(detector, fresh)
    tuned = finetune(detector, stacks(64), NOTHING, SHORT, seed=0)
    assert gap(tuned, fresh) > before + 0.05
    assert tuned.hash != detector.hash
    assert tuned.calibration == detector.calibration
    assert gap(detector, fresh) == before
    assert all((tensor == weights[name]).all() for name, tensor in detector.model.state_dict().items())
    # The projections are the identity and stay so: shapes and colours have dimensions of their own.
    for projection in (tuned.model.visual_projection, tuned.model.text_projection):
        assert torch.equal(projection.weight, torch.eye(len(projection.weight)))


def test_equal_seeds_give_equal_detectors() -> None:
    first, second = (finetune(untrained(), stacks(32), NOTHING, SHORT, seed=3).hash for _ in range(2))
    assert first == second


def test_the_original_comes_back_when_nothing_improves() -> None:
    detector, pairs = untrained(), stacks(32)
    # Contradictory labels: what is learned from some of the frames is wrong for the others.
    shuffled = LabelledPairs(
        np.repeat(pairs.frames[:1], 32, axis=0), pairs.descriptions, np.arange(32) % 2 == 0
    )
    assert finetune(detector, shuffled, NOTHING, SHORT, seed=0) is detector


def test_a_step_that_forgets_old_pairs_is_not_kept() -> None:
    detector, new = untrained(), stacks(48)
    # Old pairs that say the opposite cannot be kept together with the new ones, unless rehearsal forbids learning.
    ranked = gap(detector, new) > 0
    old = LabelledPairs(new.frames, new.descriptions, new.labels if not ranked else ~new.labels)
    config = FinetuneConfig(
        steps=20,
        batch_pairs=16,
        learning_rate=1e-3,
        measure_every=5,
        swaps_per_pair=0,
        old_share=0.0,
        max_forgetting=-2.0,
    )
    assert finetune(detector, new, old, config, seed=0) is detector


def test_too_few_pairs_are_refused_with_the_number_it_takes() -> None:
    with pytest.raises(RewardDetectorError, match="at least 4 true and 4 false"):
        finetune(untrained(), stacks(6), NOTHING, SHORT, seed=0)


def test_a_detector_that_confuses_words_has_something_to_gain_only_where_swaps_are_judged() -> None:
    detector, rng = untrained(), np.random.default_rng(0)
    black = np.zeros((64, 64, 3), np.uint8)
    # Frames that differ so much that even an untrained tower tells them apart, for one sentence.
    first = np.stack([painted((200, 20, 20), (20, 60, 200), rng) for _ in range(8)])
    frames = np.concatenate([first, np.repeat(black[None], 8, axis=0)])
    labels = np.arange(16) < 8
    pairs = LabelledPairs(frames, (ON,) * 16, labels)
    if separation(detector, pairs) < 0.5:
        pairs = LabelledPairs(frames, (ON,) * 16, ~labels)
    assert separation(detector, pairs) == 1.0
    assert 0.0 < separation(detector, pairs, with_swaps=True) < 1.0
    plain, judged = (replace(SHORT, judge_swaps=judge, swaps_per_pair=2) for judge in (False, True))
    assert finetune(detector, pairs, NOTHING, plain, seed=0) is detector
    tuned = finetune(detector, pairs, NOTHING, judged, seed=0)
    assert separation(tuned, pairs, with_swaps=True) > separation(detector, pairs, with_swaps=True)


def test_the_held_out_pairs_are_those_that_training_leaves_out() -> None:
    pairs, old = stacks(40), stacks(24, seed=2)
    new_held, old_held = hold_out(pairs, old, SHORT, seed=3)
    assert (len(new_held), len(old_held)) == (10, 6)
    assert new_held.labels.sum() == 5
    again, _ = hold_out(pairs, old, SHORT, seed=3)
    assert np.array_equal(new_held.frames, again.frames)


def test_what_is_held_out_and_the_rest_are_all_pairs_once() -> None:
    pairs = stacks(13)
    held, rest = split(pairs, 0.25, np.random.default_rng(0))
    keys = sorted(frame.tobytes() for part in (held, rest) for frame in part.frames)
    assert keys == sorted(frame.tobytes() for frame in pairs.frames)
    assert (held.labels.sum(), (~held.labels).sum()) == (2, 2)


def test_the_loss_pulls_what_is_true_pushes_what_is_false_and_leaves_alone_what_is_not_known() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    true = torch.tensor([[True, False, False], [False, False, False]])
    false = torch.tensor([[False, True, False], [True, False, False]])
    _loss(logits, torch.zeros(3), true, false).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] < 0 and logits.grad[0, 1] > 0 and logits.grad[1, 0] > 0
    assert (logits.grad[[0, 1, 1], [2, 1, 2]] == 0).all()
    # A false pair counts even where nothing is true that it could be compared with.
    alone = torch.zeros(1, 1, requires_grad=True)
    _loss(alone, torch.zeros(1), torch.tensor([[False]]), torch.tensor([[True]])).backward()
    assert alone.grad is not None and alone.grad.item() > 0


def test_only_thresholds_that_reached_their_target_hold_scores_in_place() -> None:
    good, bad = (Threshold(0.7, 0.9, (0.8, 1.0), 0.5, 20, 20, met) for met in (True, False))
    detector = untrained().with_calibration(Calibration({"on": good, "next to": bad}))
    levels = _Levels(detector, (ON, "the red cube is next to the blue cube", "a red cube"))
    assert levels(np.arange(3)).tolist() == pytest.approx([0.7, FIRST_LEVEL, FIRST_LEVEL])
    levels(np.arange(3)).sum().backward()
    assert levels.values.grad is not None and sorted(levels.values.grad.tolist()) == [0.0, 1.0, 1.0]


def test_weights_in_half_precision_are_refused() -> None:
    detector = untrained()
    half = detector.with_model(detector.model.to(torch.bfloat16))
    with pytest.raises(RewardDetectorError, match="bfloat16"):
        finetune(half, stacks(32), NOTHING, SHORT, seed=0)


def test_pairs_of_unequal_length_and_silly_settings_are_refused() -> None:
    with pytest.raises(RewardDetectorError, match="a description and a label for each frame"):
        LabelledPairs(stacks(4).frames, (ON,), np.ones(4, bool))
    with pytest.raises(ConfigError):
        FinetuneConfig(steps=0)
    with pytest.raises(ConfigError, match="old_share"):
        FinetuneConfig(old_share=1.0)
