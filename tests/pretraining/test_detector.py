"""What the detector is trained on, and that its training learns, stops and goes on."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

import daag
from daag.errors import ConfigError, ModelError
from daag.pretraining.captions import captions_of
from daag.pretraining.detector import train
from daag.pretraining.detector_model import MAX_TOKENS, build_model, settle
from daag.pretraining.labelled_scenes import LabelledScenes, draw_batch, plain_batch
from daag.pretraining.scenes import PoolConfig, ScenePool, random_scene, write_pool
from daag.pretraining.trainer import (
    PretrainConfig,
    Trainer,
    choose_captions,
    choose_scenes,
    take_over,
)
from daag.rewards.clip import ClipDetector, pretrained
from daag.rewards.muon import Muon, orthogonalised
from daag.rewards.vision_tower import VisionTowerConfig
from daag.rewards.vocabulary import word_tokenizer
from daag.tasks import STACKING, Fact, caption_is_held_out, is_held_out, possible_facts

CAPTIONS = captions_of(STACKING)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pool")
    write_pool(PoolConfig(directory, num_clips=10))
    return directory


@pytest.fixture(scope="module")
def scenes(pool: Path) -> LabelledScenes:
    return LabelledScenes.from_pool(ScenePool(pool), np.arange(40))


def test_no_training_caption_is_held_out_and_every_other_relation_has_one() -> None:
    assert not any(caption_is_held_out(text) for text in CAPTIONS.texts)
    assert set(CAPTIONS.facts) == {
        fact for fact in possible_facts(CAPTIONS.looks, STACKING.relations) if not is_held_out(fact)
    }
    assert len(set(CAPTIONS.texts)) == len(CAPTIONS)


def test_no_training_picture_shows_a_held_out_combination(scenes: LabelledScenes) -> None:
    assert not any(is_held_out(fact) for facts in scenes.facts for fact in facts)


def test_a_pool_that_shows_one_is_refused(pool: Path) -> None:
    told = ScenePool(pool)
    told.facts[0] = (Fact.parse("the red cube is on the blue cube"),)
    with pytest.raises(ModelError, match="without held-out"):
        LabelledScenes.from_pool(told, np.arange(4))


def test_exactly_the_true_relations_are_labelled_true(scenes: LabelledScenes) -> None:
    texts = np.array(CAPTIONS.texts)
    for facts, row in zip(scenes.facts, CAPTIONS.labels(scenes.facts), strict=True):
        assert set(texts[row]) == {fact.description for fact in facts}


def test_object_captions_are_true_of_visible_objects_and_unknown_of_barely_visible_ones() -> None:
    rng = np.random.default_rng(0)
    rendered = [random_scene("rgb-stacking", rng) for _ in range(20)]
    batch = plain_batch(LabelledScenes.from_scenes(rendered), torch.arange(20))
    for scene, positive, known in zip(rendered, batch.positive, batch.known, strict=True):
        pixels = {name: int((scene.segmentation == key).sum()) for key, name in scene.object_names.items()}
        for which, look in enumerate(CAPTIONS.looks):
            seen = pixels.get(str(look), 0)
            assert bool(positive[which]) == (seen >= 16)
            assert bool(known[which]) == (seen >= 16 or seen == 0)


def test_a_batch_is_of_whole_clips_and_asks_about_their_objects(scenes: LabelledScenes) -> None:
    generator = torch.Generator().manual_seed(0)
    index = choose_scenes(len(scenes), 8, scenes.frames_per_clip, generator)
    assert (index.view(2, 4) - index.view(2, 4)[:, :1] == torch.arange(4)).all()
    batch = draw_batch(scenes, index, generator, 0.0)
    columns = choose_captions(batch, 200, "ready", np.random.default_rng(0))
    asked = {int(column) for column in columns if column >= CAPTIONS.num_objects}
    about = {
        position
        for looks in batch.looks.tolist()
        for position in CAPTIONS.about([x for x in looks if x >= 0])
    }
    assert asked == about
    assert set(choose_captions(batch, 200, "base", np.random.default_rng(0)).tolist()) == set(
        range(CAPTIONS.num_objects)
    )


def test_crops_are_asked_about_objects_only(scenes: LabelledScenes) -> None:
    batch = draw_batch(scenes, torch.arange(40), torch.Generator().manual_seed(0), 0.99)
    crops = ~batch.known[:, CAPTIONS.num_objects :].any(1)
    assert crops.sum() > 30
    assert not batch.positive[crops][:, CAPTIONS.num_objects :].any()
    assert batch.coverage[..., 1:].sum((1, 2))[crops].min() > 0


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    matrix = torch.randn(40, 70, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrix, steps=6).float())
    assert values.min() > 0.4 and values.max() < 1.4
    assert not orthogonalised(torch.zeros(3, 5)).any()


def test_muon_steps_are_as_long_as_asked_and_go_downhill() -> None:
    weight = torch.nn.Parameter(torch.randn(8, 6, generator=torch.Generator().manual_seed(0)))
    target, optimizer = torch.zeros(8, 6), Muon([weight], lr=0.05)
    before, norm = weight.detach().clone(), weight.norm().item()
    loss = (weight - target).square().sum()
    loss.backward()
    optimizer.step()
    assert (weight - before).norm().item() == pytest.approx(0.05 * norm, rel=1e-3)
    assert (weight - target).square().sum() < loss


def test_training_learns_and_a_restored_trainer_goes_on_in_the_same_way(
    scenes: LabelledScenes, tmp_path: Path
) -> None:
    config = PretrainConfig("base", Path(), tmp_path, batch_size=8)
    tokenizer = word_tokenizer(CAPTIONS.texts, MAX_TOKENS)
    trainer = Trainer(config, tokenizer)
    for step in range(12):
        trainer.step(scenes)
        trainer.progress.seconds = 0.0  # the learning rate follows the clock, which is never twice the same
        if step == 0:
            first = trainer.progress.losses["objects"]
        if step == 9:
            trainer.save()
    again = Trainer(config, tokenizer)
    again.restore()
    for _ in range(2):
        again.step(scenes)
        again.progress.seconds = 0.0
    assert trainer.progress.losses["objects"] < first
    assert again.progress.step == 12
    states = trainer.run.state_dict(), again.run.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_both_stages_run_from_the_pool_to_a_model_directory(pool: Path, tmp_path: Path) -> None:
    for stage in ("base", "ready"):
        config = PretrainConfig(
            stage, pool, tmp_path, minutes=0.005, batch_size=8, eval_scenes=150, label_episodes=2
        )
        train(config, Console(quiet=True))
        directory = tmp_path / f"detector-{stage}"
        detector = ClipDetector.from_pretrained(directory)
        assert detector.hash in (directory / "README.md").read_text()
        assert "object" in detector.calibration.thresholds
        assert (directory / "model.safetensors").stat().st_size < 6_000_000


def test_a_training_goes_on_from_a_finished_detector_and_the_card_says_which(tmp_path: Path) -> None:
    shipped = pretrained("ready")
    start = Path(daag.__file__).parent / "pretrained" / "detector-ready"
    config = PretrainConfig("ready", Path(), tmp_path, start=start, threads=2)
    trainer = Trainer(config, word_tokenizer(CAPTIONS.texts, MAX_TOKENS))
    trainer.restore()
    frames = np.stack([random_scene("rgb-stacking", np.random.default_rng(0)).rgb])
    assert np.array_equal(trainer.detector(None).embed_frames(frames), shipped.embed_frames(frames))
    digest = hashlib.sha256((start / "model.safetensors").read_bytes()).hexdigest()
    assert trainer.progress.started_from.endswith(digest)
    assert config.command.endswith("--out OUT --start START --threads 2")


def test_a_detector_of_another_shape_gives_what_fits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    wide, narrow = (build_model(VisionTowerConfig(colour_size=size), 30) for size in (24, 12))
    before = {name: weight.clone() for name, weight in narrow.state_dict().items()}
    wide.save_pretrained(tmp_path)
    count = len(before)
    # Not the last layers of colours and of shapes, each with weight and bias.
    assert take_over(narrow, tmp_path).startswith(f"{count - 4} of {count} tensors")
    taken, theirs = narrow.state_dict(), wide.state_dict()
    same = {name for name in taken if torch.equal(taken[name], theirs.get(name, torch.zeros(0)))}
    assert count - len(same) == 4
    assert all(torch.equal(taken[name], before[name]) for name in set(taken) - same)
    with pytest.raises(ModelError, match="no weight in"):
        take_over(torch.nn.Linear(2, 2), tmp_path)
    with pytest.raises(ModelError, match="cannot read the weights"):
        take_over(narrow, tmp_path / "nowhere")


def test_ready_without_base_says_what_to_run_first(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="run stage base first"):
        train(PretrainConfig("ready", pool, tmp_path), Console(quiet=True))


def test_a_card_names_every_setting_that_is_not_the_default() -> None:
    config = PretrainConfig("ready", Path("/home/me/pool"), Path("out"), minutes=7.5, muon_rate=0.02)
    assert config.command == (
        "python -m daag.pretraining.detector --stage ready --pool POOL --out OUT --minutes 7.5 --muon-rate 0.02"
    )


def test_silly_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="crop_share"):
        PretrainConfig("base", Path(), Path(), crop_share=1.0)


def test_settled_convolutions_are_small_and_say_the_same() -> None:
    torch.manual_seed(0)
    model = build_model(VisionTowerConfig(), 30).eval()
    tower = model.vision_model
    first = tower.trunk.embedder.embedder
    first.convolution.weight.data *= 1e6
    first.normalization.running_var *= 1e12
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = tower(pixels).pooler_output
        settle(model)
        after = tower(pixels).pooler_output
    assert first.convolution.weight.abs().max() < 100
    assert torch.allclose(before, after, rtol=1e-2, atol=1e-3)
