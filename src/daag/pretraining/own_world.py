"""Train a small reward detector on a world of one's own: frames that its simulator has labelled, a minute of one core.

The form is that of the embedded detectors, a quarter of their size. Every description is asked of every frame, so labels
must be known for all of them.  Source: our choice; measured on BabyAI in docs/your-own-environment.md.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

from daag.errors import ConfigError, RewardDetectorError
from daag.pretraining.detector_model import MAX_TOKENS, build_model
from daag.rewards.clip import ClipDetector, Preprocessing
from daag.rewards.muon import Muon
from daag.rewards.vision_tower import VisionTowerConfig
from daag.rewards.vocabulary import word_tokenizer

_WARM_UP_STEPS = 10


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """N frames, M descriptions, and which are true of which.

    Raises:
        RewardDetectorError: the counts do not fit together, or no frame shows anything.
    """

    frames: UInt8[np.ndarray, "N H W 3"]
    descriptions: tuple[str, ...]
    """What a detector can be asked, what no frame shows included."""
    labels: Bool[np.ndarray, "N M"]
    objects: np.ndarray | None = None
    """bool (N, H, W), where objects are seen. With it, training also shows them in darker shades, as editors may paint them."""

    def __post_init__(self) -> None:
        expected = (len(self.frames), len(self.descriptions))
        if self.labels.shape != expected or not self.labels.any():
            raise RewardDetectorError(
                f"expected labels for {expected[0]} frames and {expected[1]} descriptions, some of them true, got "
                f"{self.labels.shape} with {int(self.labels.sum())} true"
            )
        if self.objects is not None and (
            self.objects.dtype != bool or self.objects.shape != self.frames.shape[:3]
        ):
            raise RewardDetectorError(
                f"expected objects as bool {self.frames.shape[:3]}, one mask a frame, got {self.objects.dtype} "
                f"{self.objects.shape}"
            )


@dataclass(frozen=True)
class OwnWorldConfig:
    """How long, and on what size of picture. All values are our choice."""

    image_size: int = 64
    """Pixels, a multiple of 8. The detector judges places of 8 x 8 pixels, and frames are resized to this."""
    steps: int = 150
    batch_size: int = 32
    shown_share: float = 0.75
    """Of each batch, frames of which some description is true, in (0, 1)."""
    darkest_shade: float = 0.3
    """Objects are shown in 1 to this many times their brightness, in (0, 1]; where masks are known."""
    muon_rate: float = 0.05
    """Of convolutions, relative to their norm."""
    learning_rate: float = 3e-3
    """Of everything else, by AdamW."""

    def __post_init__(self) -> None:
        if self.image_size < 16 or self.image_size % 8 or self.steps < 1 or self.batch_size < 4:
            raise ConfigError(
                f"expected an image_size of 16, 24, ... pixels, a step and a batch of 4 at least, got {self}"
            )
        if not 0 < self.shown_share < 1 or not 0 < self.darkest_shade <= 1:
            raise ConfigError(f"expected shown_share in (0, 1) and darkest_shade in (0, 1], got {self}")


def train_detector(data: LabelledFrames, config: OwnWorldConfig, seed: int) -> ClipDetector:
    """Train from scratch. The result has no thresholds yet: calibrate it on frames that it has not seen.

    Args:
        data: frames of many scenes, with labels.
        config: how long.
        seed: of weights, batches and shades.

    Raises:
        RewardDetectorError: a loss is not finite.
    """
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = word_tokenizer(data.descriptions, MAX_TOKENS)
        vision = VisionTowerConfig(
            image_size=config.image_size,
            widths=(16, 32, 64),
            depths=(1, 2),
            colour_width=16,
            colour_size=16,
            hidden_size=80,
        )
        model = build_model(vision, len(tokenizer))
    detector = ClipDetector(model, tokenizer, Preprocessing(size=config.image_size))
    tokens, labels = detector.tokenize(data.descriptions), torch.from_numpy(data.labels)
    shows = np.asarray(data.labels.any(axis=1))
    level = torch.nn.Parameter(torch.tensor([3.0, -8.0]))  # logarithm of the logits' scale, and their bias
    optimizers = _optimizers(model, level, config)
    for step in range(config.steps):
        index = _draw(shows, config, rng)
        pixels = detector.preprocessing(_shaded(data, index, config.darkest_shade, rng))
        model.train()
        places = functional.normalize(model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
        texts = functional.normalize(model.get_text_features(**tokens).pooler_output, dim=-1)
        loss = _loss(places @ texts.T, labels[index], level)
        if not torch.isfinite(loss):
            raise RewardDetectorError(f"the loss is {loss.item()} at step {step}; try smaller rates")
        for optimizer, rate in optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = rate * _schedule(step, config.steps)
        loss.backward()
        for optimizer, _ in optimizers:
            optimizer.step()
    return ClipDetector(model, tokenizer, detector.preprocessing)


def _optimizers(
    model: torch.nn.Module, level: torch.nn.Parameter, config: OwnWorldConfig
) -> list[tuple[torch.optim.Optimizer, float]]:
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    convolutions = [weight for weight in trained if weight.ndim == 4]
    others = [weight for weight in trained if weight.ndim != 4]
    return [
        (Muon(convolutions, config.muon_rate), config.muon_rate),
        (torch.optim.AdamW([*others, level], lr=config.learning_rate), config.learning_rate),
    ]


def _schedule(step: int, steps: int) -> float:
    """A short warm-up, then a cosine to zero."""
    return float(min(1.0, (step + 1) / _WARM_UP_STEPS) * 0.5 * (1 + np.cos(np.pi * step / steps)))


def _draw(shows: Bool[np.ndarray, "N"], config: OwnWorldConfig, rng: np.random.Generator) -> np.ndarray:
    """Frames that show something and frames that do not, int (B,); what there is, where there is only one sort."""
    num_shown = round(config.shown_share * config.batch_size) if not shows.all() else config.batch_size
    parts = [
        rng.choice(np.flatnonzero(shows == which), count)
        for which, count in ((True, num_shown), (False, config.batch_size - num_shown))
        if count
    ]
    return np.concatenate(parts)


def _shaded(
    data: LabelledFrames, index: np.ndarray, darkest: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "B H W 3"]:
    frames = data.frames[index]
    if data.objects is None:
        return frames
    gain = np.where(data.objects[index], rng.uniform(darkest, 1.0, size=(len(index), 1, 1)), 1.0)
    return np.rint(frames * gain[..., None]).astype(np.uint8)


def _loss(
    cosines: Float[Tensor, "B L M"], true: Bool[Tensor, "B M"], level: Float[Tensor, "2"]
) -> Float[Tensor, ""]:
    """Each pair against a fixed level (SigLIP's), which a threshold needs, and each true one against the false ones of its
    frame, which tells apart what differs by a word."""
    # A soft maximum over the places: with a hard one, that learns from the single place which happens to be best at first,
    # some seeds never got anywhere.
    logits = (level[0].exp() * cosines).logsumexp(1)
    against_level = logits + level[1]
    count = true.sum().clamp(min=1)
    push = (functional.softplus(against_level) * ~true).sum() / count
    pull = (functional.softplus(-against_level) * true).sum() / count
    rivals = logits.masked_fill(true, -1e4).logsumexp(1, keepdim=True)
    apart = (functional.softplus(rivals - logits) * true).sum() / count
    return pull + push + apart
