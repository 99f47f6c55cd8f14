"""One stage of a detector's training: its settings, its steps, and a checkpoint from which it goes on.  Source: our choice."""

import hashlib
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from daag.errors import ConfigError, ModelError
from daag.pretraining.board_lessons import BoardTruth, draw_lesson
from daag.pretraining.board_model import BoardPretraining, build_board_model
from daag.pretraining.captions import captions_of
from daag.pretraining.detector_metrics import calibrated
from daag.pretraining.detector_model import (
    Pretraining,
    Stage,
    build_model,
    preprocessing_of,
)
from daag.pretraining.labelled_scenes import Batch, LabelledScenes, draw_batch
from daag.pretraining.scenes import WorldName
from daag.rewards.clip import ClipDetector
from daag.rewards.muon import Muon
from daag.rewards.preprocessing import Preprocessing
from daag.rewards.vision_tower import VisionTowerConfig
from daag.tasks import language_of


@dataclass(frozen=True)
class PretrainConfig:
    """Train one stage of the embedded reward detector."""

    stage: Stage
    pool: Path
    """A directory written by daag.pretraining.scenes."""
    out: Path
    """Checkpoints and logs go here; the finished model to `out/detector-STAGE`."""
    world: WorldName = "rgb-stacking"
    """Whose pictures and language it learns; that of the pool."""
    start: Path | None = None
    """A finished detector's directory to go on from, where there is no checkpoint yet; by default `ready` goes on from
    the end of `base` in `out`."""
    minutes: float = 12.0
    """Of training, in processor time per thread (on an idle machine: wall time), so that a busy machine makes the
    training longer and not worse. What a resumed training has used counts."""
    threads: int = 1
    seed: int = 0
    batch_size: int = 48
    relation_captions: int = 224
    """Captions of relations compared with each batch."""
    muon_rate: float = 0.03
    """Of convolutions, relative to their norm."""
    learning_rate: float = 2e-3
    """Of everything else, by AdamW."""
    weight_decay: float = 0.05
    crop_share: float = 0.2
    """Of the pictures of each batch, in [0, 1); grows from none to this where a training begins anew: in stage `base`,
    and where points are found."""
    checkpoint_minutes: float = 2.0
    measure_minutes: float = 4.0
    dense_weight: float = 1.0
    patch_weight: float = 0.5
    eval_scenes: int = 800
    label_episodes: int = 400
    """Exploring episodes on which the thresholds of relations are chosen in the end."""

    @property
    def name(self) -> str:
        """What the detector is called: "base", "ready", "ready-room"."""
        return self.stage if self.world == "rgb-stacking" else f"{self.stage}-{self.world}"

    @property
    def finds_points(self) -> bool:
        """Whether blocks are learnt as points, which begins anew and not from `base`."""
        return self.stage == "ready" and self.world == "language-table"

    @property
    def command(self) -> str:
        """What trains this stage again, without the paths of this machine."""
        settings = {setting.name: setting.default for setting in fields(self)}
        changed = {
            name: getattr(self, name)
            for name, default in settings.items()
            if name not in ("stage", "pool", "out", "start") and getattr(self, name) != default
        }
        options = ["--start START"] * (self.start is not None)
        options += [f"--{name.replace('_', '-')} {_said(value)}" for name, value in changed.items()]
        return " ".join(
            [f"python -m daag.pretraining.detector --stage {self.stage} --pool POOL --out OUT", *options]
        )

    def __post_init__(self) -> None:
        if self.minutes <= 0 or self.batch_size < 2 or not 0 <= self.crop_share < 1:
            raise ConfigError(
                "expected minutes > 0, batch_size >= 2 and crop_share in [0, 1), got "
                f"{self.minutes}, {self.batch_size} and {self.crop_share}"
            )


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def choose_scenes(
    num_scenes: int, count: int, frames_per_clip: int, generator: torch.Generator
) -> Int64[Tensor, "B"]:
    """Whole clips. The frames of a clip show the same objects in other places, so that what is true of one is a hard
    negative of the others, in their text and in their picture."""
    clips = torch.randint(num_scenes // frames_per_clip, (count // frames_per_clip,), generator=generator)
    return (clips[:, None] * frames_per_clip + torch.arange(frames_per_clip)).flatten()


def choose_captions(batch: Batch, count: int, stage: Stage, rng: np.random.Generator) -> Int64[Tensor, "C"]:
    """All object captions; for `ready` also the batch's true relations and others between objects of one scene.

    These are what an exploring agent asks about. Every scene's questions are also asked of all other scenes, where
    they differ from the truth by a word or two.
    """
    captions = batch.captions
    objects = np.arange(captions.num_objects)
    if stage == "base":
        return torch.from_numpy(objects)
    true = np.flatnonzero(batch.positive.any(0).numpy())
    true = true[true >= captions.num_objects]
    scenes = {tuple(sorted(look for look in looks if look >= 0)) for looks in batch.looks.tolist()}
    asked = np.array(
        sorted({position for looks in scenes for position in captions.about(looks)}), dtype=np.int64
    )
    others = np.setdiff1d(asked, true)
    extra = rng.choice(others, size=max(0, min(count - len(true), len(others))), replace=False)
    return torch.from_numpy(np.concatenate([objects, true, extra]).astype(np.int64))


def take_over(model: nn.Module, directory: Path) -> str:
    """Give a model the weights of a finished detector, as far as their names and shapes fit.

    Returns:
        What was taken, in words.

    Raises:
        ModelError: there are no weights, or none fits.
    """
    file = directory / "model.safetensors"
    try:
        theirs = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read the weights to start from, {file}: {error}") from error
    mine = model.state_dict()
    fitting = {
        name: weight for name, weight in theirs.items() if name in mine and mine[name].shape == weight.shape
    }
    if not fitting:
        raise ModelError(f"no weight in {file} has the name and shape of one of this model's")
    model.load_state_dict(fitting, strict=False)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{len(fitting)} of {len(mine)} tensors from a model.safetensors with SHA-256 {digest}"


def _takes_large_steps(weight: Tensor) -> bool:
    """Convolutions. The others are not all before a norm, or are words' vectors, where such steps do harm."""
    return weight.ndim == 4


@dataclass
class _Progress:
    """How far a training is; saved with every checkpoint."""

    step: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    started_from: str = ""
    """Whose weights it went on from, if anybody's."""


class Trainer:
    """One stage of the training, resumable."""

    def __init__(self, config: PretrainConfig, tokenizer: PreTrainedTokenizerFast) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.tokenizer = tokenizer
        captions = captions_of(language_of(config.world))
        texts = list(captions.texts)
        self.tokens = tokenizer(texts, padding=True, return_tensors="pt")["input_ids"]
        self.run = (
            BoardPretraining(build_board_model(captions.language, tokenizer))
            if config.finds_points
            else Pretraining(
                build_model(VisionTowerConfig(), len(tokenizer)),
                captions.attribute_sizes,
                config.stage,
                config.dense_weight,
                config.patch_weight,
            )
        )
        trained = [weight for weight in self.run.parameters() if weight.requires_grad]
        large = [weight for weight in trained if _takes_large_steps(weight)]
        others = [weight for weight in trained if not _takes_large_steps(weight)]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "muon": Muon(large, config.muon_rate),
            "adamw": torch.optim.AdamW(
                [
                    {"params": [p for p in others if p.ndim >= 2], "weight_decay": config.weight_decay},
                    {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
                ],
                lr=config.learning_rate,
                betas=(0.9, 0.98),
            ),
        }
        self.generator = torch.Generator().manual_seed(config.seed)
        self.rng = np.random.default_rng(config.seed)
        self.progress = _Progress()

    @property
    def checkpoint(self) -> Path:
        """Where this stage's state is kept."""
        return self.config.out / f"{self.config.stage}.pt"

    def restore(self) -> None:
        """Go on from this stage's checkpoint, else from `start`, else, for `ready`, from the end of `base`.

        Raises:
            ModelError: `ready` is asked for and there is nothing to go on from, or a checkpoint does not fit.
        """
        try:
            if self.checkpoint.exists():
                state = torch.load(self.checkpoint, weights_only=False)
                self.run.load_state_dict(state["run"])
                for name, optimizer in self.optimizers.items():
                    optimizer.load_state_dict(state["optimizers"][name])
                self.generator.set_state(state["generator"])
                self.rng.bit_generator.state = state["rng"]
                self.progress = _Progress(**state["progress"])
            elif self.config.start is not None:
                self.progress.started_from = take_over(self.run.model, self.config.start)
            elif self.config.stage == "ready" and not self.config.finds_points:
                base = self.config.out / "base.pt"
                if not base.exists():
                    raise ModelError(
                        f"stage ready goes on from {base}, which does not exist; run stage base first, or name a "
                        "finished detector with --start"
                    )
                self.run.load_state_dict(torch.load(base, weights_only=False)["run"])
        except RuntimeError as error:
            raise ModelError(
                f"the checkpoint in {self.config.out} is of another architecture ({error}); choose another --out"
            ) from error

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the old one."""
        state = {
            "run": self.run.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "generator": self.generator.get_state(),
            "rng": self.rng.bit_generator.state,
            "progress": vars(self.progress),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def step(self, scenes: LabelledScenes | BoardTruth) -> None:
        """One update."""
        config, started = self.config, time.process_time()
        for name, rate in (("muon", config.muon_rate), ("adamw", config.learning_rate)):
            for group in self.optimizers[name].param_groups:
                group["lr"] = rate * self._schedule()
        self.run.train()  # a measurement in between leaves it in evaluation mode
        losses = self._losses(scenes)
        self.run.zero_grad(set_to_none=True)
        sum(losses.values(), torch.zeros(())).backward()
        nn.utils.clip_grad_norm_(self.run.parameters(), 1.0)
        for optimizer in self.optimizers.values():
            optimizer.step()
        self.progress.step += 1
        self.progress.seconds += (time.process_time() - started) / config.threads
        for name, loss in losses.items():
            previous = self.progress.losses.get(name, loss.item())
            self.progress.losses[name] = 0.95 * previous + 0.05 * loss.item()

    def _losses(self, scenes: LabelledScenes | BoardTruth) -> dict[str, Tensor]:
        """Of a batch that is drawn for it."""
        config = self.config
        pictures = scenes.scenes if isinstance(scenes, BoardTruth) else scenes
        index = choose_scenes(len(pictures), config.batch_size, pictures.frames_per_clip, self.generator)
        # Crops come in gradually: they show kinds so large that whole frames would be learned much later.
        gradually = config.stage == "base" or config.finds_points
        crop_share = config.crop_share * (self.share_done if gradually else 1.0)
        if isinstance(scenes, BoardTruth):
            lesson = draw_lesson(scenes, index, self.generator, crop_share)
            told: dict[str, Tensor] = self.run(lesson, self.generator)
            return told
        batch = draw_batch(scenes, index, self.generator, crop_share)
        columns = choose_captions(batch, config.relation_captions, config.stage, self.rng)
        losses: dict[str, Tensor] = self.run(batch, self.tokens[columns], columns, self.generator)
        return losses

    def detector(self, scenes: LabelledScenes | None) -> ClipDetector:
        """The model as it stands, calibrated on scenes where any are given."""
        captions = captions_of(language_of(self.config.world))
        # Points are found wherever they are; what lies across two places needs more views.
        preprocessing = Preprocessing() if self.config.finds_points else preprocessing_of(captions)
        detector = ClipDetector(self.run.model, self.tokenizer, preprocessing)
        return calibrated(detector, scenes, np.random.default_rng(self.config.seed)) if scenes else detector

    @property
    def share_done(self) -> float:
        """Of the stage, in [0, 1]."""
        return min(1.0, self.progress.seconds / (60 * self.config.minutes))

    def _schedule(self) -> float:
        """Warm-up over 100 steps, then a cosine to zero at the end of the stage's minutes."""
        return float(min(1.0, (self.progress.step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * self.share_done)))
