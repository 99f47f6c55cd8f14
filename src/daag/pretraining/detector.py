"""Train the embedded reward detectors: a small CLIP from scratch, on one core.

Two stages. `base` learns objects and colours only, as CLIP does: "a red cube", "a cube", "red", on whole frames and
on crops. `ready` goes on from it with relations: "the red cube is on the blue cube", "... is next to ...".

    python -m daag.pretraining.detector --stage base --pool checkpoints/pool --out checkpoints/detector
    python -m daag.pretraining.detector --stage ready --pool checkpoints/pool --out checkpoints/detector

On Language Table `ready` finds blocks as points and begins anew, without `base`:

    python -m daag.pretraining.detector --stage ready --world language-table --pool checkpoints/pool-board --out checkpoints/board

`--start DIRECTORY` goes on from the weights of a finished detector instead, such as the shipped one; of a detector of
another shape it takes what fits.

Each stage leaves a checkpoint every few minutes and goes on from it when called again, and in the end writes the
model's directory: weights, tokenizer, preprocessing, calibration and card. The learning rate follows the time that
was trained, not the steps, so that a stage ends when it was said to, on a machine of any speed.
"""

import json

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from daag.errors import ModelError
from daag.pretraining.board_lessons import BoardTruth
from daag.pretraining.captions import captions_of
from daag.pretraining.detector_card import write_card
from daag.pretraining.detector_metrics import calibrated, measure
from daag.pretraining.detector_model import MAX_TOKENS, settle
from daag.pretraining.label_calibration import FLICKER, TARGET, TARGETS, calibrated_for_labels, judge
from daag.pretraining.labelled_scenes import LabelledScenes
from daag.pretraining.scenes import ScenePool, random_scene
from daag.pretraining.trainer import PretrainConfig, Trainer
from daag.rewards.clip import ClipDetector
from daag.rewards.vocabulary import word_tokenizer
from daag.tasks import language_of


def fresh_scenes(config: PretrainConfig, count: int, purpose: int) -> LabelledScenes:
    """Scenes that no training sees: without held-out combinations to calibrate (purpose 0), half with to measure (1)."""
    rng = np.random.default_rng((config.seed, purpose, 1_000_003))
    return LabelledScenes.from_scenes(
        [random_scene(config.world, rng, held_out=bool(purpose and index % 2)) for index in range(count)],
        config.world,
    )


def lessons(config: PretrainConfig, pool: ScenePool) -> LabelledScenes | BoardTruth:
    """All that a stage is told of a pool."""
    scenes = LabelledScenes.from_pool(pool, np.arange(len(pool)))
    return BoardTruth.of(scenes) if config.finds_points else scenes


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
        scenes = lessons(config, pool) if unfinished else None
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
            detector, judged, rng, FLICKER.get(config.world), TARGETS.get(config.world, TARGET)
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
