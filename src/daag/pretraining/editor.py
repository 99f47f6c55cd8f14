"""Train the tiny editor on single renders: reconstruct an object from mask, surroundings, geometry and caption.

    python -m daag.pretraining.editor --pool checkpoints/pool --out checkpoints/editor --minutes 80

Half of the batches hold pairs: one object in two frames of a clip, noised alike, the second looking at the first, so
that the model learns to take the shade from its anchor. `--out` gets `checkpoint.pt` (to go on from with `--resume`),
`editor/` (the pipeline directory, averaged weights in fp16) and `log.jsonl`.
"""

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from daag.diffusion.captions import Captions
from daag.diffusion.components import EditorComponents
from daag.diffusion.frame_memory import Glances
from daag.diffusion.loading import save_components
from daag.diffusion.sampling import inpainting_channels, predict
from daag.errors import ConfigError, RunError
from daag.pretraining.editor_data import CropSampler, TrainingBatch
from daag.pretraining.editor_evaluation import reconstruction_scores
from daag.pretraining.editor_model import EditorModelConfig, build_components
from daag.pretraining.scenes import ScenePool

TIMESTEPS = 1000


@dataclass(frozen=True)
class EditorTrainingConfig:
    """Train the editor.  Source of all values: our choice."""

    pool: Path
    """Pool of rendered clips, from `python -m daag.pretraining.scenes`."""
    out: Path
    """Directory for checkpoint, weights and log."""
    minutes: float = 80.0
    """Training time; learning rate falls to zero over it."""
    resume: bool = False
    """Go on from `out/checkpoint.pt`."""
    text_tower: Path | None = None
    """Directory of a CLIP whose text tower is used, frozen; without it a small one is trained along."""
    model: EditorModelConfig = field(default_factory=EditorModelConfig)
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    averaging: float = 0.998
    """Decay per step of the averaged weights."""
    no_text: float = 0.1
    """Probability that a crop goes without its caption."""
    anchored: float = 0.5
    """Share of batches with pairs."""
    outside_weight: float = 0.05
    """Of the loss outside the mask; inside it is 1."""
    threads: int = 1
    seed: int = 0
    checkpoint_minutes: float = 3.0
    evaluation_minutes: float = 4.0
    held_out_clips: float = 0.03
    """Share of the pool's clips that is never trained on."""

    def __post_init__(self) -> None:
        if self.batch_size < 2 or self.batch_size % 2:
            raise ConfigError(f"batch_size must be even, for pairs, got {self.batch_size}")
        if self.minutes <= 0 or not 0 < self.averaging < 1 or not 0 < self.held_out_clips < 1:
            raise ConfigError("minutes must be positive; averaging and held_out_clips must lie in (0, 1)")


class EditorTraining:
    """The state of one training: models, their averages, optimizer and randomness.

    Args:
        config: settings.
        components: the models to train.
    """

    def __init__(self, config: EditorTrainingConfig, components: EditorComponents) -> None:
        self.config, self.components = config, components
        self._trained = [components.unet, components.controlnet]
        if config.text_tower is None:
            self._trained.append(components.text_encoder)
        self.averaged = copy.deepcopy(components)
        averages = [self.averaged.unet, self.averaged.controlnet, self.averaged.text_encoder]
        self._averages = averages[: len(self._trained)]
        self._parameters = [parameter for module in self._trained for parameter in module.parameters()]
        self._optimizer = torch.optim.AdamW(
            self._parameters,
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._rng = np.random.default_rng(config.seed)
        self._generator = torch.Generator().manual_seed(config.seed)
        self.step, self.seconds = 0, 0.0

    def update(self, sampler: CropSampler) -> float:
        """Make one step; returns its loss."""
        started = time.process_time()
        config = self.config
        rate = self._learning_rate()
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        batch = sampler.batch(self._rng, config.batch_size, bool(self._rng.random() < config.anchored))
        loss = self._loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._average()
        self.seconds += (time.process_time() - started) / config.threads
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write everything that training needs to go on; a kill never leaves half a file."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "trained": [module.state_dict() for module in self._trained],
            "averages": [module.state_dict() for module in self._averages],
            "optimizer": self._optimizer.state_dict(),
            "rng": json.dumps(self._rng.bit_generator.state),
            "generator": self._generator.get_state(),
        }
        temporary = path.with_suffix(".partial")
        torch.save(state, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote.

        Raises:
            RunError: there is no checkpoint, or it is of another model.
        """
        try:
            state = torch.load(path, weights_only=True)
            for module, weights in zip(self._trained, state["trained"], strict=True):
                module.load_state_dict(weights)
            for module, weights in zip(self._averages, state["averages"], strict=True):
                module.load_state_dict(weights)
            self._optimizer.load_state_dict(state["optimizer"])
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise RunError(
                f"cannot resume from {path}: {error}; resume with the model settings it was started with"
            ) from error
        self._rng.bit_generator.state = json.loads(state["rng"])
        self._generator.set_state(state["generator"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _loss(self, batch: TrainingBatch) -> Float[Tensor, ""]:
        """Squared error of the prediction, mainly inside the mask."""
        config, components = self.config, self.components
        size = len(batch.captions)
        clean = components.encode_image(batch.crops.image)
        noise = torch.randn(clean.shape, generator=self._generator)
        # Few-step sampling lives at high noise: draw sigma with a density that grows linearly in it.
        strata = (torch.arange(size) + torch.rand(size, generator=self._generator)) / size
        sigma = strata[torch.randperm(size, generator=self._generator)].sqrt().clamp(1e-3, 1.0 - 1e-3)
        if batch.anchor_index is not None:
            sigma = sigma[batch.anchor_index]
            if (
                torch.rand((), generator=self._generator) < 0.5
            ):  # the editor shares the noise too, or does not
                noise = noise[batch.anchor_index]
        level = sigma[:, None, None, None]
        noisy = (1.0 - level) * clean + level * noise
        target = clean if config.model.prediction == "sample" else noise - clean
        dropped = torch.rand(size, generator=self._generator) < config.no_text
        captions = ["" if drop else caption for drop, caption in zip(dropped, batch.captions, strict=True)]
        predicted = predict(
            components,
            noisy,
            sigma * TIMESTEPS,
            inpainting_channels(components, batch.crops),
            _encode_distinct(components, captions),
            batch.crops.controls,
            Glances.within(batch.anchor_index) if batch.anchor_index is not None else None,
        )
        inside = components.encode_image(
            batch.crops.mask.expand(-1, 3, -1, -1)
        )  # rearranged as the pixels are
        weight = config.outside_weight + (1.0 - config.outside_weight) * inside
        return (weight * (predicted - target).square()).sum() / weight.sum()

    def _learning_rate(self) -> float:
        done = min(1.0, self.seconds / (60.0 * self.config.minutes))
        cosine = 0.5 * (1.0 + float(np.cos(np.pi * done)))
        return (
            self.config.learning_rate
            * min(1.0, (self.step + 1) / self.config.warmup_steps)
            * max(cosine, 0.01)
        )

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.averaging, self.step / (self.step + 10.0))
        for average, module in zip(self._averages, self._trained, strict=True):
            mean, now = list(average.parameters()), list(module.parameters())
            torch._foreach_lerp_(mean, now, 1.0 - decay)


def _encode_distinct(components: EditorComponents, captions: list[str]) -> Captions:
    """Encode each distinct caption once."""
    distinct = list(dict.fromkeys(captions))
    return components.encode_text(distinct).pick([distinct.index(caption) for caption in captions])


def train(config: EditorTrainingConfig) -> Iterator[dict[str, float]]:
    """Train until the time is up, yielding what is logged.

    Raises:
        RunError: `out` holds a training already and `resume` is off, or cannot be resumed.
        ModelError: the pool or the text tower cannot be read.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    checkpoint = config.out / "checkpoint.pt"
    if checkpoint.exists() and not config.resume:
        raise RunError(f"{checkpoint} exists; pass --resume to go on from it, or choose another --out")
    pool = ScenePool(config.pool)
    num_clips = len(pool) // pool.frames_per_clip
    first_held_out = num_clips - max(1, round(num_clips * config.held_out_clips))
    training = EditorTraining(config, build_components(config.model, config.text_tower))
    if config.resume:
        training.load(checkpoint)
    config.out.mkdir(parents=True, exist_ok=True)
    sampler = CropSampler(pool, (0, first_held_out), config.model.crop_size)
    held_out = CropSampler(pool, (first_held_out, num_clips), config.model.crop_size)
    saved = evaluated = training.seconds
    losses: list[float] = []
    while True:
        losses.append(training.update(sampler))
        finished = training.seconds >= 60.0 * config.minutes
        record = {"step": training.step, "seconds": training.seconds, "loss": float(np.mean(losses[-50:]))}
        if finished or training.seconds - evaluated >= 60.0 * config.evaluation_minutes:
            evaluated = training.seconds
            record |= reconstruction_scores(training.averaged, held_out)
        if finished or training.seconds - saved >= 60.0 * config.checkpoint_minutes:
            saved = training.seconds
            training.save(checkpoint)
            save_components(training.averaged, config.out / "editor")
        yield record
        if finished:
            return


def main(config: EditorTrainingConfig) -> None:
    """Train with a progress bar and a log of one JSON object per line."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("training the editor", total=60.0 * config.minutes)
        for record in train(config):
            shown = f"step {record['step']:.0f}, loss {record['loss']:.4f}"
            progress.update(bar, completed=record["seconds"], description=shown)
            if len(record) > 3 or record["step"] % 50 == 0:
                with (config.out / "log.jsonl").open("a") as log:
                    log.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(tyro.cli(EditorTrainingConfig))
