"""Views of rooms for pretraining: what one stands before is told, and what is held out is not shown."""

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from daag.errors import ModelError
from daag.pretraining.captions import captions_of
from daag.pretraining.detector import train
from daag.pretraining.labelled_scenes import LabelledScenes, plain_batch
from daag.pretraining.scenes import PoolConfig, ScenePool, random_clip, write_pool
from daag.pretraining.trainer import PretrainConfig, choose_captions
from daag.rewards.clip import ClipDetector
from daag.tasks import ROOM, is_held_out

CAPTIONS = captions_of(ROOM)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("rooms")
    write_pool(PoolConfig(directory, "room", num_clips=12))
    return directory


def test_rooms_are_seen_from_before_objects_and_from_elsewhere_and_nothing_held_out_is_stood_before():
    frames = [
        frame
        for seed in range(10)
        for frame in random_clip("room", np.random.default_rng(seed), 4, size_pixels=8)
    ]
    before = [bool(frame.facts) for frame in frames]
    assert 0.12 < np.mean(before) < 0.6  # a twentieth, were one anywhere
    assert not any(is_held_out(fact) for frame in frames for fact in frame.facts)


def test_a_held_out_look_is_stood_before_when_asked_for():
    for seed in range(3):
        for frame in random_clip("room", np.random.default_rng(seed), 2, held_out=True, size_pixels=8):
            assert any(map(is_held_out, frame.facts))


def test_objects_of_several_parts_have_one_colour_in_any_colours(pool):
    frame = ScenePool(pool)[0]
    for object_id in frame.object_names:
        shades = frame.shapes[frame.segmentation == object_id].astype(float)
        bright = shades[shades.sum(axis=1) > 60]
        if len(bright) > 30:
            hue = bright / bright.sum(axis=1, keepdims=True)
            assert np.median(np.abs(hue - np.median(hue, axis=0))) < 0.05


def test_labels_say_what_one_stands_before(pool):
    scenes = LabelledScenes.from_pool(ScenePool(pool), np.arange(48))
    batch = plain_batch(scenes, torch.arange(48))
    texts = np.array(CAPTIONS.texts)
    for facts, row in zip(scenes.facts, batch.positive.numpy(), strict=True):
        said = set(texts[CAPTIONS.num_objects :][row[CAPTIONS.num_objects :]])
        assert said == {fact.description for fact in facts if not fact.place}
    columns = choose_captions(batch, 40, "ready", np.random.default_rng(0))
    assert len(columns) > CAPTIONS.num_objects


def test_a_detector_of_the_room_is_trained_and_says_so(pool, tmp_path):
    config = PretrainConfig(
        "ready", pool, tmp_path, "room", Path("src/daag/pretrained/detector-ready"),
        minutes=0.02, batch_size=8, eval_scenes=60, label_episodes=2,
    )  # fmt: skip
    train(config, Console(quiet=True))
    detector = ClipDetector.from_pretrained(tmp_path / "detector-ready-room")
    assert detector.embed_texts(["the red ball is right in front"]).shape[0] == 1
    card = (tmp_path / "detector-ready-room" / "README.md").read_text()
    assert "ready-room" in card and "which object one stands before" in card


def test_a_pool_of_another_world_is_refused(pool, tmp_path):
    config = PretrainConfig("base", pool, tmp_path, minutes=0.02)
    with pytest.raises(ModelError, match="expected a pool of the world 'rgb-stacking', got one of 'room'"):
        train(config, Console(quiet=True))
