"""Train the embedded reward detectors: a small CLIP from scratch, on one core.

Two stages. `base` learns objects and colours only, as CLIP does: "a red cube", "a cube", "red", on whole frames and
on crops. `ready` goes on from it with relations: "the red cube is on the blue cube", "... is next to ...".

    python -m daag.pretraining.detector --stage base --pool checkpoints/pool --out checkpoints/detector
    python -m daag.pretraining.detector --stage ready --pool checkpoints/pool --out checkpoints/detector

`--start DIRECTORY` goes on from the weights of a finished detector instead, such as the shipped one; of a detector of
another shape it takes what fits.

Each stage leaves a checkpoint every few minutes and goes on from it when called again, and in the end writes the
model's directory: weights, tokenizer, preprocessing, calibration and card. The learning rate follows the time that
was trained, not the steps, so that a stage ends when it was said to, on a machine of any speed.
"""

import hashlib
import json
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Int64
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    PreTrainedTokenizerFast,
)

from daag.errors import ConfigError, ModelError
from daag.pretraining.captions import captions_of
from daag.pretraining.detector_card import write_card
from daag.pretraining.detector_metrics import calibrated, measure
from daag.pretraining.detector_model import (
    MAX_TOKENS,
    Pretraining,
    Stage,
    build_model,
    preprocessing_of,
    settle,
)
from daag.pretraining.label_calibration import HYSTERESIS, TARGET, TARGETS, calibrated_for_labels, judge
from daag.pretraining.labelled_scenes import Batch, LabelledScenes, draw_batch
from daag.pretraining.scenes import ScenePool, WorldName, random_scene
from daag.rewards.clip import ClipDetector
from daag.rewards.muon import Muon
from daag.rewards.vision_tower import VisionTowerConfig
from daag.rewards.vocabulary import word_tokenizer
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
    """Of the pictures of each batch, in [0, 1); grows from none to this in stage `base`."""
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
        self.run = Pretraining(
            build_model(VisionTowerConfig(), len(tokenizer)),
            captions.attribute_sizes,
            config.stage,
            config.dense_weight,
            config.patch_weight,
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
            elif self.config.stage == "ready":
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

    def step(self, scenes: LabelledScenes) -> None:
        """One update."""
        config, started = self.config, time.process_time()
        index = choose_scenes(len(scenes), config.batch_size, scenes.frames_per_clip, self.generator)
        # Crops come in gradually: they show kinds so large that whole frames would be learned much later.
        crop_share = config.crop_share * (self.share_done if config.stage == "base" else 1.0)
        batch = draw_batch(scenes, index, self.generator, crop_share)
        columns = choose_captions(batch, config.relation_captions, config.stage, self.rng)
        for name, rate in (("muon", config.muon_rate), ("adamw", config.learning_rate)):
            for group in self.optimizers[name].param_groups:
                group["lr"] = rate * self._schedule()
        self.run.train()  # a measurement in between leaves it in evaluation mode
        losses = self.run(batch, self.tokens[columns], columns, self.generator)
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

    def detector(self, scenes: LabelledScenes | None) -> ClipDetector:
        """The model as it stands, calibrated on scenes where any are given."""
        preprocessing = preprocessing_of(captions_of(language_of(self.config.world)))
        detector = ClipDetector(self.run.model, self.tokenizer, preprocessing)
        return calibrated(detector, scenes, np.random.default_rng(self.config.seed)) if scenes else detector

    @property
    def share_done(self) -> float:
        """Of the stage, in [0, 1]."""
        return min(1.0, self.progress.seconds / (60 * self.config.minutes))

    def _schedule(self) -> float:
        """Warm-up over 100 steps, then a cosine to zero at the end of the stage's minutes."""
        return float(min(1.0, (self.progress.step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * self.share_done)))


def fresh_scenes(config: PretrainConfig, count: int, purpose: int) -> LabelledScenes:
    """Scenes that no training sees: without held-out combinations to calibrate (purpose 0), half with to measure (1)."""
    rng = np.random.default_rng((config.seed, purpose, 1_000_003))
    return LabelledScenes.from_scenes(
        [random_scene(config.world, rng, held_out=bool(purpose and index % 2)) for index in range(count)],
        config.world,
    )


def train(config: PretrainConfig, console: Console) -> None:
    """Train one stage and export it.

    Raises:
        ModelError: there is no pool, no `base` to go on from, or a checkpoint of another architecture.
    """
    torch.set_num_threads(config.threads)
    config.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        config, word_tokenizer(captions_of(language_of(config.world)).vocabulary_texts, MAX_TOKENS)
    )
    trainer.restore()
    pool = ScenePool(config.pool)
    if pool.world != config.world:
        raise ModelError(
            f"expected a pool of the world {config.world!r}, got one of {pool.world!r} in {config.pool}"
        )
    to_calibrate, to_measure = (fresh_scenes(config, config.eval_scenes, purpose) for purpose in (0, 1))
    saved = measured = trainer.progress.seconds
    log = (config.out / f"{config.stage}.jsonl").open("a")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with log, Progress(*columns, console=console) as bar:
        task = bar.add_task(config.stage, total=1.0, note="")
        # Reading the pool takes minutes: a training that has only its export left is spared it.
        unfinished = trainer.share_done < 1.0
        scenes = LabelledScenes.from_pool(pool, np.arange(len(pool))) if unfinished else None
        while scenes is not None and trainer.share_done < 1.0:
            trainer.step(scenes)
            losses = " ".join(f"{name} {value:.3f}" for name, value in trainer.progress.losses.items())
            bar.update(task, completed=trainer.share_done, note=f"step {trainer.progress.step} {losses}")
            if trainer.progress.seconds - saved > 60 * config.checkpoint_minutes:
                saved = trainer.progress.seconds
                trainer.save()
            if trainer.progress.seconds - measured > 60 * config.measure_minutes:
                measured = trainer.progress.seconds
                metrics = measure(trainer.detector(to_calibrate), to_measure)
                log.write(json.dumps({**vars(trainer.progress), "metrics": metrics}) + "\n")
                log.flush()
                console.print_json(data={"step": trainer.progress.step, **metrics}, indent=None)
    trainer.save()
    # Calibrated and measured as it will be loaded: after the weights were rounded to float16.
    settle(trainer.run.model)
    directory = config.out / f"detector-{config.name}"
    trainer.detector(None).save_pretrained(directory, half=True)
    rng = np.random.default_rng(config.seed)
    detector = calibrated(ClipDetector.from_pretrained(directory), to_calibrate, rng)
    if config.stage == "ready":
        judged = judge(config.world, detector, config.label_episodes)
        detector = calibrated_for_labels(
            detector, judged, rng, HYSTERESIS.get(config.world, 0.0), TARGETS.get(config.world, TARGET)
        )
    detector.save_pretrained(directory, half=True)
    facts = {
        **({"Started from": came_from} if (came_from := trainer.progress.started_from) else {}),
        "Seed": str(config.seed),
        "Processor time": f"{trainer.progress.seconds / 60:.0f} minutes on {config.threads} thread(s), "
        f"{trainer.progress.step} steps of {config.batch_size} pictures, from {len(pool)} rendered frames",
    }
    metrics = measure(detector, to_measure)
    console.print_json(data=metrics, indent=None)
    write_card(directory, detector, config.name, config.command, facts, metrics)
    console.print(f"wrote {directory}; hash {detector.hash}")


if __name__ == "__main__":
    train(tyro.cli(PretrainConfig), Console())
