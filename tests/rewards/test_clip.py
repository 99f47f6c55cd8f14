"""The embedded detectors, and what loading and feeding one refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch

from daag.errors import ModelError, RewardDetectorError, UnknownNameError
from daag.rewards.clip import PRETRAINED, ClipDetector, View, pretrained

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=PRETRAINED)
def detector(request: pytest.FixtureRequest) -> ClipDetector:
    return pretrained(request.param)


def test_embeddings_are_unit_vectors_of_one_length(detector: ClipDetector) -> None:
    frames, texts = detector.embed_frames(FRAMES), detector.embed_texts(["a red", "a blue"])
    views, vectors = len(detector.preprocessing.views), frames.shape[2]
    assert frames.shape == (3, views, vectors, texts.shape[1]) and vectors >= detector.num_rows**2 == 64
    assert np.allclose(np.linalg.norm(frames, axis=3), 1.0, atol=1e-5)
    assert np.allclose(np.linalg.norm(texts, axis=1), 1.0, atol=1e-5)


def test_embeddings_are_the_librarys_own(detector: ClipDetector) -> None:
    with torch.no_grad():
        features = detector.model.get_image_features(
            pixel_values=detector.preprocessing(FRAMES)
        ).pooler_output
    expected = torch.nn.functional.normalize(features, dim=-1).numpy()
    assert np.allclose(detector.embed_frames(FRAMES, num_views=1)[:, 0], expected, atol=1e-4)


def test_the_first_view_shows_frames_as_they_are_and_the_others_move_and_mirror_them(
    detector: ClipDetector,
) -> None:
    views = detector.preprocessing.views
    assert views[0] == View()
    moved = np.pad(FRAMES, ((0, 0), (0, 4), (0, 4), (0, 0)), mode="edge")[:, 4:, 4:]
    mirrored = FRAMES[:, :, ::-1]
    pixels = detector.preprocessing(FRAMES)
    assert torch.allclose(View(4, 4)(pixels), detector.preprocessing(moved))
    assert torch.allclose(View(mirrored=True)(pixels), detector.preprocessing(mirrored))
    for which, view in enumerate(views):
        with torch.no_grad():
            features = detector.model.get_image_features(pixel_values=view(pixels)).pooler_output
        expected = torch.nn.functional.normalize(features, dim=-1).numpy()
        assert np.allclose(detector.embed_frames(FRAMES)[:, which], expected, atol=1e-4)


def test_a_sentence_is_told_from_the_one_with_its_objects_exchanged() -> None:
    first, second = pretrained("ready").embed_texts(
        ["the red cube is on the blue cube", "the blue cube is on the red cube"]
    )
    assert first @ second < 0.95


def test_a_saved_detector_is_the_same_when_it_is_loaded_again(detector: ClipDetector, tmp_path: Path) -> None:
    detector.save_pretrained(tmp_path, half=True)
    again = ClipDetector.from_pretrained(tmp_path)
    assert again.hash == detector.hash
    assert np.array_equal(again.embed_frames(FRAMES), detector.embed_frames(FRAMES))


def test_frames_of_another_layout_or_type_are_never_guessed_at(detector: ClipDetector) -> None:
    for wrong in (FRAMES.transpose(0, 3, 1, 2), FRAMES.astype(np.float32), FRAMES[0]):
        with pytest.raises(RewardDetectorError):
            detector.embed_frames(wrong)


def test_words_that_were_never_learnt_are_named(detector: ClipDetector) -> None:
    with pytest.raises(RewardDetectorError, match="not trained on"):
        detector.embed_texts(["a turquoise teapot"])


def test_unknown_names_and_directories_without_a_model_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="ready"):
        pretrained("redy")
    with pytest.raises(ModelError):
        ClipDetector.from_pretrained(tmp_path)


def test_all_views_of_a_single_frame_are_embedded_in_one_pass(detector: ClipDetector) -> None:
    """An agent asks so at every step; of several frames each view has a pass of its own."""
    passes: list[int] = []
    hook = detector.model.vision_model.register_forward_hook(lambda *_: passes.append(1))
    try:
        together = [detector.embed_frames(frame[None])[0] for frame in FRAMES]
        assert len(passes) == len(FRAMES)
        passes.clear()
        apart = detector.embed_frames(FRAMES)
    finally:
        hook.remove()
    assert len(passes) == len(detector.preprocessing.views) == apart.shape[1]
    assert np.abs(np.stack(together) - apart).max() < 1e-5
    if len(passes) > 1:  # views do differ, so a wrong order would show
        assert np.abs(apart[:, 0] - apart[:, 1]).max() > 1e-2
