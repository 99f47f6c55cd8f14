"""CLIP, SigLIP and SigLIP 2, saved and loaded back: the numbers are those of the library's own forward pass."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.rewards.tiny_encoders import KINDS, LENGTH, TEXTS, save_checkpoint
from transformers import (
    AutoModel,
    CLIPImageProcessorPil,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    Siglip2ImageProcessorPil,
    Siglip2Tokenizer,
    SiglipImageProcessorPil,
    SiglipProcessor,
)

from daag.errors import ModelError, RewardDetectorError
from daag.rewards.clip import ClipDetector
from daag.rewards.detector import similarity
from daag.rewards.preprocessing import Preprocessing

PROCESSORS = {
    "clip": CLIPImageProcessorPil,
    "siglip": SiglipImageProcessorPil,
    "siglip2": Siglip2ImageProcessorPil,
}
TOKENIZERS = {"clip": CLIPTokenizer, "siglip": PreTrainedTokenizerFast, "siglip2": Siglip2Tokenizer}


def smooth_frames(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Pictures without hard edges, on which resizers that round differently agree within a few of 255."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    pictures = [Image.fromarray(each).resize((width, height), Image.Resampling.BICUBIC) for each in coarse]
    return np.stack([np.asarray(picture) for picture in pictures])


@pytest.fixture(scope="module", params=KINDS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return request.param, save_checkpoint(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("shape", [(32, 32), (48, 80), (75, 40)])
def test_scores_are_those_of_the_librarys_own_forward_pass(checkpoint, shape):
    kind, directory = checkpoint
    frames, texts = smooth_frames(3, *shape), [text.lower() for text in TEXTS]
    detector = ClipDetector.from_pretrained(directory)
    scores = similarity(detector.embed_frames(frames), detector.embed_texts(TEXTS))

    model = AutoModel.from_pretrained(directory).eval()
    images = PROCESSORS[kind].from_pretrained(directory)(
        [Image.fromarray(frame) for frame in frames], return_tensors="pt"
    )
    tokenizer = TOKENIZERS[kind].from_pretrained(directory)
    padding = {"padding": True} if kind == "clip" else {"padding": "max_length"}
    tokens = tokenizer(texts, return_tensors="pt", **padding)
    with torch.no_grad():
        output = model(**images, **tokens)
    logits = torch.from_numpy(scores) * model.logit_scale.exp()
    if kind != "clip":
        logits = logits + model.logit_bias
    # Where nothing is resized, nothing may differ; PIL rounds a resized picture otherwise, by 1 of 255.
    exact = shape == (32, 32)
    cosines = (output.image_embeds @ output.text_embeds.T).numpy()
    assert np.abs(scores - cosines).max() < (1e-5 if exact else 1e-2)
    assert np.ptp(cosines) > 0.1, "all scores are alike, and nothing was compared"
    if exact:
        assert torch.allclose(logits, output.logits_per_image, atol=1e-3)


@pytest.mark.parametrize("shape", [(32, 32), (64, 64), (48, 80), (75, 40), (20, 90)])
def test_pixels_are_those_of_the_librarys_own_image_processor(checkpoint, shape):
    kind, directory = checkpoint
    frames = smooth_frames(2, *shape)
    detector = ClipDetector.from_pretrained(directory)
    own = detector.preprocessing.inputs(detector.preprocessing(frames))
    pictures = [Image.fromarray(frame) for frame in frames]
    library = PROCESSORS[kind].from_pretrained(directory)(pictures, return_tensors="pt")
    assert own.keys() == library.keys()
    levels = (own["pixel_values"] - library["pixel_values"]).abs() * 255 * min(detector.preprocessing.std)
    assert levels.max() < 2.5, f"{levels.max():.1f} of 255"
    assert levels.mean() < 0.5
    for name in own.keys() - {"pixel_values"}:
        assert torch.equal(own[name], library[name])


def test_sentences_reach_the_text_tower_as_the_librarys_tokenizer_writes_them(checkpoint):
    kind, directory = checkpoint
    tokens = ClipDetector.from_pretrained(directory).tokenize(TEXTS)
    assert set(tokens) == ({"input_ids"} if kind == "siglip" else {"input_ids", "attention_mask"})
    if kind == "siglip":  # padded with the end, to the end
        assert tokens["input_ids"].shape == (3, LENGTH) and (tokens["input_ids"][:, -1] == 1).all()
    if kind == "siglip2":  # its tokenizer pads in front
        assert tokens["input_ids"].shape == (3, 64) and (tokens["input_ids"][:, -1] != 0).all()
    lower = ClipDetector.from_pretrained(directory).tokenize([text.lower() for text in TEXTS])
    assert torch.equal(tokens["input_ids"], lower["input_ids"])


def test_a_saved_detector_is_the_same_when_it_is_loaded_again(checkpoint, tmp_path):
    kind, directory = checkpoint
    detector = ClipDetector.from_pretrained(directory)
    detector.save_pretrained(tmp_path)
    again, frames = ClipDetector.from_pretrained(tmp_path), smooth_frames(2, 40, 50)
    assert again.hash == detector.hash and again.preprocessing == detector.preprocessing
    assert np.array_equal(again.embed_frames(frames), detector.embed_frames(frames))
    assert np.array_equal(again.embed_texts(TEXTS), detector.embed_texts(TEXTS))
    PROCESSORS[kind].from_pretrained(tmp_path)  # the library understands our file too


def test_batches_change_nothing(checkpoint):
    _, directory = checkpoint
    frames = smooth_frames(5, 32, 32)
    whole = ClipDetector.from_pretrained(directory).embed_frames(frames)
    parts = ClipDetector.from_pretrained(directory, batch_frames=2).embed_frames(frames)
    assert whole.shape == parts.shape == (5, 1, 1, whole.shape[-1])
    assert np.allclose(whole, parts, atol=1e-5)


def test_no_frames_and_no_sentences_are_empty_arrays(checkpoint):
    detector = ClipDetector.from_pretrained(checkpoint[1])
    frames, texts = detector.embed_frames(smooth_frames(1, 32, 32)[:0]), detector.embed_texts([])
    assert frames.shape == (0, 1, 1, detector.vector_size) and texts.shape == (0, detector.vector_size)


def test_a_half_precision_detector_says_so_and_is_another_one(checkpoint):
    _, directory = checkpoint
    full, half = (ClipDetector.from_pretrained(directory, dtype=dtype) for dtype in ("float32", "bfloat16"))
    frames = smooth_frames(3, 32, 32)
    assert half.dtype == torch.bfloat16 and "bfloat16" in repr(half) and "cpu" in repr(half)
    assert half.embed_frames(frames).dtype == np.float32
    assert half.hash != full.hash and half.image_hash != full.image_hash
    difference = similarity(half.embed_frames(frames), half.embed_texts(TEXTS)) - similarity(
        full.embed_frames(frames), full.embed_texts(TEXTS)
    )
    assert 0 < np.abs(difference).max() < 0.1


def test_weights_that_half_precision_holds_exactly_still_make_another_detector(checkpoint, tmp_path):
    ClipDetector.from_pretrained(checkpoint[1]).save_pretrained(tmp_path, half=True)
    full, half = (ClipDetector.from_pretrained(tmp_path, dtype=dtype) for dtype in ("float32", "float16"))
    assert half.hash != full.hash and half.image_hash != full.image_hash


@pytest.mark.gpu
def test_a_gpu_gives_the_numbers_of_the_cpu(checkpoint):
    _, directory = checkpoint
    frames = smooth_frames(3, 40, 50)
    cpu, gpu = (ClipDetector.from_pretrained(directory, device=device) for device in ("cpu", "cuda"))
    assert np.allclose(cpu.embed_frames(frames), gpu.embed_frames(frames), atol=1e-3)
    assert np.allclose(cpu.embed_texts(TEXTS), gpu.embed_texts(TEXTS), atol=1e-3)


def test_a_device_that_is_not_there_is_named(checkpoint):
    for wrong in ("gpu", "cuda:99"):
        with pytest.raises(ModelError, match=wrong):
            ClipDetector.from_pretrained(checkpoint[1], device=wrong)


def test_texts_that_are_empty_or_too_long_are_refused(checkpoint):
    detector = ClipDetector.from_pretrained(checkpoint[1])
    with pytest.raises(RewardDetectorError, match="empty"):
        detector.embed_texts([" "])
    with pytest.raises(RewardDetectorError, match="at most"):
        detector.embed_texts(["red " * 70])


def test_the_image_hash_is_of_what_frames_depend_on_alone(checkpoint):
    detector = ClipDetector.from_pretrained(checkpoint[1])
    model = AutoModel.from_pretrained(checkpoint[1]).eval()
    with torch.no_grad():
        next(model.text_model.parameters()).add_(1.0)
    other_text = detector.with_model(model)
    assert other_text.hash != detector.hash and other_text.image_hash == detector.image_hash
    with torch.no_grad():
        next(model.vision_model.parameters()).add_(1.0)
    assert detector.with_model(model).image_hash != detector.image_hash


def test_preprocessing_of_another_kind_of_model_is_refused(checkpoint, tmp_path):
    kind, directory = checkpoint
    shutil.copytree(directory, tmp_path / "mixed")
    file = tmp_path / "mixed" / "preprocessor_config.json"
    other = Preprocessing(32) if kind == "siglip2" else Preprocessing(8, fit="patches", max_patches=16)
    file.write_text(other.to_json())
    with pytest.raises(ModelError, match="makes frames fit"):
        ClipDetector.from_pretrained(tmp_path / "mixed")
    file.write_text(Preprocessing(24, fit=PREPROCESSED[kind], max_patches=9).to_json())
    with pytest.raises(ModelError, match="24"):
        ClipDetector.from_pretrained(tmp_path / "mixed")


PREPROCESSED = {"clip": "crop", "siglip": "squash", "siglip2": "patches"}


def test_a_tokenizer_of_another_model_is_refused(checkpoint, tmp_path):
    kind, directory = checkpoint
    shutil.copytree(directory, tmp_path / "mixed")
    foreign = save_checkpoint("siglip" if kind != "siglip" else "clip", tmp_path / "foreign")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(foreign / file, tmp_path / "mixed" / file)
    with pytest.raises(ModelError, match="tokenizer of"):
        ClipDetector.from_pretrained(tmp_path / "mixed")


def test_a_processors_one_file_is_read_too(tmp_path):
    directory = save_checkpoint("siglip", tmp_path)
    expected = ClipDetector.from_pretrained(directory).preprocessing
    (directory / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="found none"):
        ClipDetector.from_pretrained(directory)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    SiglipProcessor(SiglipImageProcessorPil(size={"height": 32, "width": 32}), tokenizer).save_pretrained(
        directory
    )
    assert ClipDetector.from_pretrained(directory).preprocessing == expected


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json"])
def test_a_checkpoint_without_a_file_is_refused(checkpoint, missing, tmp_path):
    shutil.copytree(checkpoint[1], tmp_path / "part")
    (tmp_path / "part" / missing).unlink()
    with pytest.raises(ModelError):
        ClipDetector.from_pretrained(tmp_path / "part")


def test_a_model_that_is_no_dual_encoder_is_named(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="'bert'"):
        ClipDetector.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"do_resize": False}, "do_resize"),
        ({"rescale_factor": 1.0}, "rescale_factor"),
        ({"crop_size": {"height": 24, "width": 24}}, "cut from the middle"),
        ({"do_center_crop": False}, "cut from the middle"),
        ({"size": {"height": 32, "width": 64}, "do_center_crop": False}, "square"),
        ({"resample": 1}, "neither bilinear nor bicubic"),
        ({"image_mean": [0.5]}, "image processor"),
    ],
)
def test_preprocessing_that_would_be_done_wrongly_is_refused(change, match):
    known = json.loads(Preprocessing(32).to_json())
    with pytest.raises(ModelError, match=match):
        Preprocessing.from_json(json.dumps({**known, **change}))
