"""Teach a detector a new task from labelled frames, without losing the old ones.

Source: docs/paper.md (the VLM is finetuned on frames that were repainted to show the new task); loss, hard
negatives and the guard are our choice. Hard text negatives are made here, by word swaps of true descriptions. Hard
image negatives come with the pairs: the frame before it was repainted, labelled false.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from daag.errors import ConfigError, RewardDetectorError
from daag.rewards.adapters import AdapterConfig, with_adapters
from daag.rewards.calibration import family_of
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.disturbing import Disturbance
from daag.rewards.dual_encoder import DualEncoder, image_features
from daag.rewards.text_swap import false_swaps
from daag.rewards.vision_tower import VisionTower

MIN_PAIRS = 4
"""Of each label among the new pairs; with fewer, none could be held out. Our choice."""

SHARPNESS = 20.0
"""By which cosines are multiplied in the loss. Our choice."""

FIRST_LEVEL = 0.3
"""A cosine similarity from which the level of a family starts that has no good threshold. Our choice."""


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """N frames with a description each, and whether it is true of the frame.

    Raises:
        RewardDetectorError: the three do not have one length.
    """

    frames: UInt8[np.ndarray, "N H W 3"]
    descriptions: tuple[str, ...]
    labels: Bool[np.ndarray, "N"]
    objects: tuple[tuple[str, ...], ...] = ()
    """Names of all that each frame's scene holds; without them fewer word swaps are surely false."""

    def __post_init__(self) -> None:
        if not self.objects:
            object.__setattr__(self, "objects", ((),) * len(self.labels))
        if not len(self.frames) == len(self.descriptions) == len(self.objects) == len(self.labels):
            raise RewardDetectorError(
                f"expected a description and a label for each frame, got {len(self.frames)} frames, "
                f"{len(self.descriptions)} descriptions and {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Int64[np.ndarray, "M"]) -> "LabelledPairs":
        """Some of the pairs."""
        descriptions, objects = (
            tuple(texts[int(i)] for i in index) for texts in (self.descriptions, self.objects)
        )
        return LabelledPairs(self.frames[index], descriptions, self.labels[index], objects)

    def false_swaps(self, index: int) -> tuple[str, ...]:
        """What is false of a true pair's frame by a word of its description, or by their order."""
        return false_swaps(self.descriptions[index], objects=self.objects[index])


@dataclass(frozen=True)
class FinetuneConfig:
    """How long and how carefully. All values are our choice; the defaults take about 10 s on one core."""

    steps: int = 60
    batch_pairs: int = 32
    """New and old ones together."""
    disturbance: Disturbance = Disturbance()
    """How pictures are changed at each step."""
    learning_rate: float = 2e-4
    old_share: float = 0.5
    """Of each batch, in [0, 1); 0 rehearses nothing."""
    swaps_per_pair: int = 2
    """Word swaps added as false descriptions of each true pair's frame."""
    held_out_share: float = 0.25
    """Of new and old pairs, in (0, 1); never trained on, they choose the step that is kept."""
    measure_every: int = 10
    """Steps."""
    judge_swaps: bool = False
    """Whether word swaps of held-out true pairs count as false ones when steps are compared. Without them a detector that
    knows colours often has nothing to gain: it tells a repainted frame from its source already."""
    adapters: AdapterConfig | None = None
    """Learn these beside the weights, which stay as they are; for large models. None trains the whole model, or the adapters
    that it has already."""
    unasked: tuple[str, ...] = ()
    """Descriptions that word swaps never call false."""
    max_forgetting: float = 0.01
    """How much the area under the curve of the held-out old pairs may fall, in [0, 1]."""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_pairs, self.measure_every) < 1 or self.learning_rate <= 0:
            raise ConfigError("steps, batch_pairs, measure_every and learning_rate must be positive")
        if not 0 <= self.old_share < 1 or not 0 < self.held_out_share < 1:
            raise ConfigError(
                "expected old_share in [0, 1) and held_out_share in (0, 1), got "
                f"{self.old_share} and {self.held_out_share}"
            )


def finetune(
    detector: ClipDetector, pairs: LabelledPairs, old_pairs: LabelledPairs, config: FinetuneConfig, seed: int
) -> ClipDetector:
    """Train a copy of a detector on labelled pairs.

    Scores are pulled above and pushed below the detector's own thresholds, so that these stay meaningful; families
    without a threshold get a level of their own. Calibrate the result again where labels allow it.

    Args:
        detector: is left as it is.
        pairs: of the new task, both labels among them.
        old_pairs: of tasks that must not be forgotten; may be empty.
        config: how long and how carefully.
        seed: of batches, swaps and the choice of held-out pairs.

    Returns:
        A new detector with the calibration of the old one; or `detector` itself, if no step was better on the held-out
        new pairs without being worse on the held-out old ones.

    Raises:
        RewardDetectorError: too few pairs, labels of one class only, weights in half precision, or a loss that is not
            finite.
        ModelError: adapters are asked for where peft is not installed, or the model has no layers for them.
    """
    if detector.dtype != torch.float32:  # steps this small would be rounded away
        raise RewardDetectorError(
            f"finetuning needs weights in float32, got {detector.dtype}; load the detector with dtype='float32'"
        )
    counts = int(np.count_nonzero(pairs.labels)), int(np.count_nonzero(~pairs.labels))
    if min(counts) < MIN_PAIRS:
        raise RewardDetectorError(
            f"finetuning needs at least {MIN_PAIRS} true and {MIN_PAIRS} false pairs of the new task, got "
            f"{counts[0]} and {counts[1]}; repaint more frames, or add the unedited ones as false pairs"
        )
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    new_held, new = _split(pairs, config.held_out_share, rng)
    old_held, old = _split(old_pairs, config.held_out_share, rng)  # in this order, as `hold_out` does
    model = (
        copy.deepcopy(detector.model)
        if config.adapters is None
        else with_adapters(detector.model, config.adapters, seed)
    ).eval()  # normalisation layers keep the statistics of their training
    candidate = detector.with_model(model)
    levels = _Levels(detector, pairs, old_pairs)
    optimizer = torch.optim.AdamW(
        [*model.parameters(), levels.values], lr=config.learning_rate, weight_decay=0.0
    )
    if _is_convolutional(model):
        model.vision_model.to(memory_format=torch.channels_last)

    def measured(of: ClipDetector, part: LabelledPairs) -> float:  # one view tells steps apart well enough
        return separation(of, part, config.judge_swaps, num_views=1)

    best_quality, old_before = measured(detector, new_held), measured(detector, old_held)
    best: dict[str, Tensor] | None = None
    for step in range(1, config.steps + 1):
        batch = _draw(new, old, config, rng)
        loss = _loss(model, detector, batch, levels, config, generator)
        if not torch.isfinite(loss):
            raise RewardDetectorError(
                f"the loss is {loss.item()} at step {step}; try a smaller learning_rate"
            )
        for group in optimizer.param_groups:  # slowly to zero, as in pretraining
            group["lr"] = config.learning_rate * 0.5 * (1 + np.cos(np.pi * (step - 1) / config.steps))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % config.measure_every == 0 or step == config.steps:
            candidate = detector.with_model(model)
            quality = measured(candidate, new_held)
            forgotten = old_before - measured(candidate, old_held)
            if quality > best_quality and forgotten <= config.max_forgetting:
                best_quality = quality
                best = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    if best is None:
        return detector
    model.load_state_dict(best)
    model.vision_model.to(memory_format=torch.contiguous_format)
    return detector.with_model(model)


class _Levels:
    """The score that separates true from false, per family: the threshold where there is a good one, or a learned one."""

    def __init__(self, detector: ClipDetector, *pairs: LabelledPairs) -> None:
        known = detector.calibration.thresholds
        texts = {text for part in pairs for text in part.descriptions}
        texts |= {
            swap for part in pairs for index in np.flatnonzero(part.labels) for swap in part.false_swaps(int(index))
        }
        self.families = sorted({family_of(text) for text in texts})
        good = [family in known and known[family].target_met for family in self.families]
        self.fixed = torch.tensor(good, device=detector.device)
        start = [
            known[family].value if fixed else FIRST_LEVEL
            for family, fixed in zip(self.families, good, strict=True)
        ]
        self.start = torch.tensor(start, device=detector.device)
        self.values = torch.nn.Parameter(self.start.clone())

    def __call__(self, descriptions: Sequence[str]) -> Float[Tensor, "N"]:
        index = torch.tensor([self.families.index(family_of(text)) for text in descriptions])
        return torch.where(self.fixed, self.start, self.values)[index]


def _split(
    pairs: LabelledPairs, share: float, rng: np.random.Generator
) -> tuple[LabelledPairs, LabelledPairs]:
    """A held-out part and the rest, each label in proportion."""
    held: list[int] = []
    for label in (True, False):
        mine = rng.permutation(np.flatnonzero(pairs.labels == label))
        held += mine[: int(np.ceil(share * len(mine)))].tolist()
    rest = np.setdiff1d(np.arange(len(pairs)), held)
    return pairs.take(np.array(sorted(held), dtype=np.int64)), pairs.take(rest.astype(np.int64))


@dataclass(frozen=True, eq=False)
class _Batch:
    """Frames, and what is said of them, truly or not."""

    frames: UInt8[np.ndarray, "B H W 3"]
    frame_index: Int64[Tensor, "N"]
    descriptions: tuple[str, ...]
    labels: Bool[Tensor, "N"]
    are_swaps: Bool[Tensor, "N"]


def _draw(new: LabelledPairs, old: LabelledPairs, config: FinetuneConfig, rng: np.random.Generator) -> _Batch:
    """A batch: new pairs, old pairs, and word swaps of the true ones; half of each part true where possible."""
    num_old = int(config.old_share * config.batch_pairs) if len(old) else 0
    frames, told = [], list[tuple[int, str, bool, bool]]()
    for part, count in ((new, config.batch_pairs - num_old), (old, num_old)):
        truths = [np.flatnonzero(part.labels), np.flatnonzero(~part.labels)]
        for which in range(count):
            choices = truths[which % 2] if len(truths[which % 2]) else truths[1 - which % 2]
            index, here = int(rng.choice(choices)), len(frames)
            frames.append(part.frames[index])
            told.append((here, part.descriptions[index], bool(part.labels[index]), False))
            if part.labels[index]:
                false = [text for text in part.false_swaps(index) if text not in config.unasked]
                picked = rng.permutation(len(false))[: config.swaps_per_pair]
                told += [(here, false[int(swap)], False, True) for swap in picked]
    frame_index, descriptions, labels, are_swaps = zip(*told, strict=True)
    return _Batch(
        np.stack(frames), torch.tensor(frame_index), descriptions, torch.tensor(labels), torch.tensor(are_swaps)
    )


def _loss(
    model: DualEncoder,
    detector: ClipDetector,
    batch: _Batch,
    levels: _Levels,
    config: FinetuneConfig,
    generator: torch.Generator,
) -> Tensor:
    """Sigmoid loss (SigLIP's) of each pair against its family's level, true ones, false ones and swaps weighing the same;
    and of each true pair against the swaps of its own frame."""
    texts = sorted(set(batch.descriptions))
    pixels = detector.preprocessing(batch.frames, detector.device)
    pixels = config.disturbance(pixels, detector.preprocessing, generator)
    if _is_convolutional(model):
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    with torch.autocast(detector.device.type, torch.bfloat16):  # twice as fast; weights stay as they are
        pictures = image_features(model, detector.preprocessing.inputs(pixels)).float()
        written = model.get_text_features(**detector.tokenize(texts)).pooler_output.float()
    place = {text: index for index, text in enumerate(texts)}
    text_index = torch.tensor([place[text] for text in batch.descriptions])
    cosines = functional.normalize(pictures, dim=-1) @ functional.normalize(written, dim=-1).T
    if cosines.ndim == 3:  # a vector for each place: the best one scores, as in `similarity`
        cosines = cosines.amax(1)
    logits = SHARPNESS * cosines[batch.frame_index, text_index]
    margins = logits - SHARPNESS * levels(batch.descriptions)
    true, false = batch.labels, ~batch.labels & ~batch.are_swaps
    parts = [functional.softplus(-margins[true])]
    parts += [functional.softplus(margins[which]) for which in (false, batch.are_swaps)]
    loss = torch.stack([part.mean() for part in parts if len(part)]).sum()
    if batch.are_swaps.any():
        rivals = torch.full((len(batch.frames), len(logits)), -1e4, device=logits.device)
        which = torch.nonzero(batch.are_swaps)[:, 0]
        rivals[batch.frame_index[which], which] = logits[which]
        best = rivals.logsumexp(1)[batch.frame_index[true]]
        loss = loss + functional.softplus(best - logits[true]).mean()
    return loss


def hold_out(
    pairs: LabelledPairs, old_pairs: LabelledPairs, config: FinetuneConfig, seed: int
) -> tuple[LabelledPairs, LabelledPairs]:
    """The new and the old pairs that `finetune` never trains on when it is given the same arguments."""
    rng = np.random.default_rng(seed)
    held_new, _ = _split(pairs, config.held_out_share, rng)
    held_old, _ = _split(old_pairs, config.held_out_share, rng)
    return held_new, held_old


def pair_scores(
    detector: ClipDetector, pairs: LabelledPairs, num_views: int | None = None
) -> Float[np.ndarray, "N"]:
    """The score of each pair: the cosine similarity in [-1, 1] of its frame and its description.

    Args:
        detector: gives the scores.
        pairs: labels do not matter.
        num_views: a frame is looked at in so many ways; all by default.
    """
    return _scores(detector, pairs, detector.embed_frames(pairs.frames, num_views))


def swap_scores(
    detector: ClipDetector, pairs: LabelledPairs, num_views: int | None = None
) -> Float[np.ndarray, "M"]:
    """Scores of the true pairs' frames with what is false of them by one word, or by the order of words.

    Args:
        detector: gives the scores.
        pairs: false ones do not matter.
        num_views: a frame is looked at in so many ways; all by default.
    """
    return _swap_scores(detector, pairs, detector.embed_frames(pairs.frames, num_views))


def separation(
    detector: ClipDetector, pairs: LabelledPairs, with_swaps: bool = False, num_views: int | None = None
) -> float:
    """The chance that a true pair scores above a false one (ties count half); 1 if there is nothing to compare.

    Args:
        detector: gives the scores.
        pairs: true and false ones.
        with_swaps: whether word swaps of the true descriptions are false pairs too.
        num_views: a frame is looked at in so many ways; all by default.
    """
    if not len(pairs):
        return 1.0
    frames = detector.embed_frames(pairs.frames, num_views)
    scores = _scores(detector, pairs, frames)
    true, false = scores[pairs.labels], scores[~pairs.labels]
    if with_swaps:
        false = np.concatenate([false, _swap_scores(detector, pairs, frames)])
    if not len(true) or not len(false):
        return 1.0
    false = np.sort(false)
    below, not_above = np.searchsorted(false, true), np.searchsorted(false, true, side="right")
    return float((below + not_above).mean() / (2 * len(false)))


def _scores(
    detector: ClipDetector, pairs: LabelledPairs, frames: Float[np.ndarray, "N V L D"]
) -> Float[np.ndarray, "N"]:
    texts = detector.embed_texts(pairs.descriptions)
    return np.asarray(np.einsum("nvld,nd->nvl", frames, texts).max(axis=2).mean(axis=1))


def _swap_scores(
    detector: ClipDetector, pairs: LabelledPairs, frames: Float[np.ndarray, "N V L D"]
) -> Float[np.ndarray, "M"]:
    index = np.flatnonzero(pairs.labels)
    swaps = [pairs.false_swaps(int(i)) for i in index]
    texts = sorted({text for some in swaps for text in some})
    if not texts:
        return np.zeros(0)
    scores = similarity(frames[index], detector.embed_texts(texts))
    asked = np.array([[text in some for text in texts] for some in swaps])
    return np.asarray(scores[asked], dtype=np.float64)


def _is_convolutional(model: DualEncoder) -> bool:
    """Whether pictures are better laid out channels last: of the embedded detectors."""
    return isinstance(model.vision_model, VisionTower)
