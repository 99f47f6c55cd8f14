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
from daag.rewards.board_tower import BoardTower
from daag.rewards.calibration import family_of
from daag.rewards.claims import Claims
from daag.rewards.clip import ClipDetector
from daag.rewards.disturbing import Disturbance
from daag.rewards.dual_encoder import DualEncoder, image_features
from daag.rewards.labelled_pairs import LabelledPairs, joined, separation, split
from daag.rewards.muon import Muon
from daag.rewards.vision_tower import VisionTower

MIN_PAIRS = 4
"""Of each label among the new pairs; with fewer, none could be held out. Our choice."""

SHARPNESS = 20.0
"""By which cosines are multiplied in the loss. Our choice."""

FIRST_LEVEL = 0.3
"""A cosine similarity from which the level of a family starts that has no good threshold. Our choice."""


@dataclass(frozen=True)
class FinetuneConfig:
    """How long and how carefully. All values are our choice; the defaults take about 10 s on one core."""

    steps: int = 60
    batch_pairs: int = 32
    """New and old ones together."""
    disturbance: Disturbance = Disturbance()
    """How pictures are changed at each step."""
    learning_rate: float = 2e-4
    """Of AdamW."""
    muon_rate: float = 0.005
    """Of Muon, which trains convolutions, relative to their norm."""
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
    new_held, new = split(pairs, config.held_out_share, rng)
    old_held, old = split(old_pairs, config.held_out_share, rng)  # in this order, as `hold_out` does
    model = (
        copy.deepcopy(detector.model)
        if config.adapters is None
        else with_adapters(detector.model, config.adapters, seed)
    ).eval()  # normalisation layers keep the statistics of their training
    candidate = detector.with_model(model)
    claims = Claims.of(joined(new, old), config.unasked)
    frames = joined(new, old).frames
    tokens = detector.tokenize(claims.texts)
    if _is_convolutional(model):
        model.vision_model.to(memory_format=torch.channels_last)
        for projection in (model.visual_projection, model.text_projection):
            projection.requires_grad_(False)  # the identity: nothing may mix shapes and colours
    levels = _Levels(detector, claims.texts)
    optimizers = _optimizers(model, levels, config)
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]

    def measured(of: ClipDetector, part: LabelledPairs) -> float:  # one view tells steps apart well enough
        return separation(of, part, config.judge_swaps, num_views=1)

    best_quality, old_before = measured(detector, new_held), measured(detector, old_held)
    best: dict[str, Tensor] | None = None
    for step in range(1, config.steps + 1):
        index = _draw(claims, len(new), config, rng)
        columns, true, false = claims.about(index, config.swaps_per_pair, rng)
        logits = _logits(
            model, detector, frames[index], {n: t[columns] for n, t in tokens.items()}, config, generator
        )
        where = logits.device
        loss = _loss(logits, SHARPNESS * levels(columns), true.to(where), false.to(where))
        if not torch.isfinite(loss):
            raise RewardDetectorError(
                f"the loss is {loss.item()} at step {step}; try a smaller learning_rate"
            )
        slower = 0.5 * (
            1 + np.cos(np.pi * (step - 1) / config.steps)
        )  # to zero in the end, as in pretraining
        for group, rate in zip((g for o in optimizers for g in o.param_groups), rates, strict=True):
            group["lr"] = rate * slower
        model.zero_grad(set_to_none=True)
        levels.values.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
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

    def __init__(self, detector: ClipDetector, texts: Sequence[str]) -> None:
        known = detector.calibration.thresholds
        families = sorted({family_of(text) for text in texts})
        good = [family in known and known[family].target_met for family in families]
        start = [
            known[family].value if fixed else FIRST_LEVEL
            for family, fixed in zip(families, good, strict=True)
        ]
        place = detector.device
        self._family = torch.tensor([families.index(family_of(text)) for text in texts], device=place)
        self._fixed, self._start = torch.tensor(good, device=place), torch.tensor(start, device=place)
        self.values = torch.nn.Parameter(self._start.clone())

    def __call__(self, columns: Int64[np.ndarray, "C"]) -> Float[Tensor, "C"]:
        """Of some of the texts."""
        family = self._family[torch.from_numpy(columns)]
        return torch.where(self._fixed, self._start, self.values)[family]


def _logits(
    model: DualEncoder,
    detector: ClipDetector,
    frames: UInt8[np.ndarray, "B H W 3"],
    tokens: dict[str, Tensor],
    config: FinetuneConfig,
    generator: torch.Generator,
) -> Float[Tensor, "B C"]:
    """Scores of disturbed frames and tokenized sentences, times `SHARPNESS`."""
    pixels = detector.preprocessing(frames, detector.device)
    pixels = config.disturbance(pixels, detector.preprocessing, generator)
    if _is_convolutional(model):
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    with torch.autocast(detector.device.type, torch.bfloat16):  # twice as fast; weights stay as they are
        pictures = image_features(model, detector.preprocessing.inputs(pixels))
        written = model.get_text_features(**tokens).pooler_output
    pictures, written = (functional.normalize(x.float(), dim=-1) for x in (pictures, written))
    cosines = pictures @ written.T
    # A vector for each place: the best one scores, as in `similarity`.
    return SHARPNESS * (cosines.amax(1) if cosines.ndim == 3 else cosines)


def _draw(claims: Claims, num_new: int, config: FinetuneConfig, rng: np.random.Generator) -> np.ndarray:
    """A batch of new pairs, which come first, and old ones, int (B,); half of each part true where possible."""
    is_new = np.arange(len(claims.labels)) < num_new
    num_old = int(config.old_share * config.batch_pairs) if num_new < len(claims.labels) else 0
    drawn: list[int] = []
    for part, count in ((is_new, config.batch_pairs - num_old), (~is_new, num_old)):
        truths = [np.flatnonzero(part & (claims.labels == label)) for label in (True, False)]
        for which in range(count):
            choices = truths[which % 2] if len(truths[which % 2]) else truths[1 - which % 2]
            drawn.append(int(rng.choice(choices)))
    return np.array(drawn)


def _loss(
    logits: Float[Tensor, "B C"],
    levels: Float[Tensor, "C"],
    true: Bool[Tensor, "B C"],
    false: Bool[Tensor, "B C"],
) -> Tensor:
    """Each true pair against the false ones of its frame and of its sentence (InfoNCE), and all against the level of their
    family (SigLIP's loss), as in pretraining."""
    against = logits.masked_fill(~false, -1e4)
    rows, columns = against.logsumexp(1, keepdim=True), against.logsumexp(0, keepdim=True)
    count = true.sum().clamp(min=1)
    pull = (
        functional.softplus(rows - logits)
        + functional.softplus(columns - logits)
        + functional.softplus(levels - logits)
    )
    push = functional.softplus(logits - levels)
    return (pull * true).sum() / count + (push * false).sum() / count


def _optimizers(model: DualEncoder, levels: "_Levels", config: FinetuneConfig) -> list[torch.optim.Optimizer]:
    """Muon for convolutions, which it brings further in fewer steps; AdamW for everything else."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    large = [weight for weight in trained if weight.ndim == 4]
    others = [weight for weight in trained if weight.ndim != 4]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW([*others, levels.values], lr=config.learning_rate, weight_decay=0.0)
    ]
    return [*optimizers, Muon(large, config.muon_rate)] if large else optimizers


def hold_out(
    pairs: LabelledPairs, old_pairs: LabelledPairs, config: FinetuneConfig, seed: int
) -> tuple[LabelledPairs, LabelledPairs]:
    """The new and the old pairs that `finetune` never trains on when it is given the same arguments."""
    rng = np.random.default_rng(seed)
    held_new, _ = split(pairs, config.held_out_share, rng)
    held_old, _ = split(old_pairs, config.held_out_share, rng)
    return held_new, held_old


def _is_convolutional(model: DualEncoder) -> bool:
    """Whether pictures are better laid out channels last: of the embedded detectors."""
    return isinstance(model.vision_model, VisionTower | BoardTower)
