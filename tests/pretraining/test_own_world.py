"""A detector for a world of one's own: what it needs, that it repeats itself, and that it learns."""

import numpy as np
import pytest

from daag.errors import ConfigError, RewardDetectorError
from daag.pretraining.own_world import LabelledFrames, OwnWorldConfig, train_detector
from daag.rewards.detector import similarity

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220)}
DESCRIPTIONS = tuple(f"a {colour} ball" for colour in COLOURS)


def squares(count: int, seed: int) -> LabelledFrames:
    """Pictures of one square in one of three colours, or of none."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(80, 120, (count, 16, 16, 3)).astype(np.uint8)
    labels, objects = np.zeros((count, 3), dtype=bool), np.zeros((count, 16, 16), dtype=bool)
    for index in range(count):
        which = int(rng.integers(4))
        if which < 3:
            row, column = rng.integers(0, 9, 2)
            objects[index, row : row + 7, column : column + 7] = True
            frames[index][objects[index]] = list(COLOURS.values())[which]
            labels[index, which] = True
    return LabelledFrames(frames, DESCRIPTIONS, labels, objects)


def test_it_tells_what_it_was_taught_apart_on_new_pictures_and_in_darker_shades():
    detector = train_detector(squares(300, 0), OwnWorldConfig(image_size=16, steps=60), seed=0)
    new = squares(100, 1)
    dark = np.where(new.objects[..., None], new.frames * 0.4, new.frames).astype(np.uint8)
    for frames in (new.frames, dark):
        scores = similarity(detector.embed_frames(frames), detector.embed_texts(DESCRIPTIONS))
        shown = new.labels.any(axis=1)
        assert np.mean(scores[shown].argmax(axis=1) == new.labels[shown].argmax(axis=1)) > 0.95
        assert scores[new.labels].mean() > scores[~shown].max(axis=1).mean() + 0.1


def test_equal_seeds_give_equal_detectors_and_others_give_others():
    config = OwnWorldConfig(image_size=16, steps=2, batch_size=8)
    first, again, other = (train_detector(squares(20, 0), config, seed).hash for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_frames_that_all_show_something_are_enough():
    data = squares(60, 0)
    shown = data.labels.any(axis=1)
    only = LabelledFrames(data.frames[shown], DESCRIPTIONS, data.labels[shown])
    train_detector(only, OwnWorldConfig(image_size=16, steps=1, batch_size=8), seed=0)


def test_labels_that_do_not_fit_are_refused():
    data = squares(5, 0)
    with pytest.raises(RewardDetectorError, match="5 frames and 2 descriptions"):
        LabelledFrames(data.frames, DESCRIPTIONS[:2], data.labels)
    with pytest.raises(RewardDetectorError, match="with 0 true"):
        LabelledFrames(data.frames, DESCRIPTIONS, np.zeros_like(data.labels))
    with pytest.raises(RewardDetectorError, match="one mask a frame"):
        LabelledFrames(data.frames, DESCRIPTIONS, data.labels, np.zeros((5, 8, 8), dtype=bool))


@pytest.mark.parametrize(
    "wrong", [{"image_size": 60}, {"steps": 0}, {"shown_share": 1.0}, {"darkest_shade": 0.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        OwnWorldConfig(**wrong)
