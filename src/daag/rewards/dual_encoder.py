"""The dual encoders that transformers has, read from a directory or from the hub by one code path.

A CLIP, a SigLIP, a SigLIP 2 and the embedded models differ in their classes, in how a sentence is padded and in where
the length of a vector is written; here is all that knows which is which.
"""

from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    CLIPModel,
    PreTrainedTokenizerFast,
    Siglip2Model,
    Siglip2Tokenizer,
    SiglipModel,
    VisionTextDualEncoderModel,
)
from transformers.utils.hub import cached_file

from daag.errors import ModelError
from daag.rewards.board_tower import BoardTower, BoardTowerConfig
from daag.rewards.open_clip import CONFIG_FILE, load_open_clip, open_clip_preprocessing
from daag.rewards.preprocessing import PREPROCESSOR_FILE, Preprocessing
from daag.rewards.text_tower import TextTower, TextTowerConfig
from daag.rewards.vision_tower import VisionTower, VisionTowerConfig

DualEncoder: TypeAlias = CLIPModel | SiglipModel | Siglip2Model | VisionTextDualEncoderModel

Dtype = Literal["float32", "bfloat16", "float16"]
"""What a model computes in. The halves are for GPUs; most CPUs are slower with them."""

MODEL_CLASSES: dict[str, Any] = {
    "clip": CLIPModel,
    "siglip": SiglipModel,
    "siglip2": Siglip2Model,
    "vision-text-dual-encoder": VisionTextDualEncoderModel,
}
"""transformers' name of a kind of model, and its class. The embedded detectors are of the last. SigLIP 2 with pictures
of a fixed size calls itself "siglip"; "siglip2" is the one that keeps a picture's shape (NaFlex)."""

PADDED_TO_THE_END = ("siglip", "siglip2")
"""Kinds that read a sentence off its last place, and were trained on lower-case sentences padded to full length."""

_TOKENIZERS = {"siglip2": Siglip2Tokenizer}
"""Classes whose defaults count; the others' files say all. SigLIP's own class would need sentencepiece."""


def load_model(name: str, device: str = "cpu", dtype: Dtype = "float32") -> DualEncoder:
    """Read a dual encoder.

    Args:
        name: a directory, or the id of a repository on the hub.
        device: torch's name of where it computes: "cpu", "cuda", "cuda:1", "mps".
        dtype: what it computes in.

    Raises:
        ModelError: there is no such device, the checkpoint is no dual encoder, or lacks weights.
    """
    register_towers()
    where = find_device(device)
    foreign = _open_clip_config(name)
    if foreign:
        return load_open_clip(name, foreign).to(where, getattr(torch, dtype))
    config = AutoConfig.from_pretrained(name)
    if config.model_type not in MODEL_CLASSES:
        raise ModelError(
            f"expected a dual encoder ({', '.join(MODEL_CLASSES)}) in {name}, got a model of type "
            f"{config.model_type!r}"
        )
    model, report = MODEL_CLASSES[config.model_type].from_pretrained(
        name, dtype=getattr(torch, dtype), output_loading_info=True
    )
    missing = sorted(report["missing_keys"])
    if missing:  # transformers would go on with random numbers in their place
        raise ModelError(f"{name} lacks weights: {', '.join(missing[:3])} and {len(missing)} in all")
    return model.to(where)


def load_tokenizer(name: str, model: DualEncoder) -> PreTrainedTokenizerFast:
    """Read the tokenizer beside a model; whether it fits, the detector checks."""
    return _TOKENIZERS.get(model.config.model_type, PreTrainedTokenizerFast).from_pretrained(name)


def load_preprocessing(name: str) -> Preprocessing:
    """Read the preprocessing beside a model. transformers 5 writes it into one file with the tokenizer's, if at all.

    Raises:
        ModelError: there is none, or an unknown one.
    """
    foreign = _open_clip_config(name)
    if foreign:
        return open_clip_preprocessing(foreign)
    text = read_file(name, PREPROCESSOR_FILE) or read_file(name, "processor_config.json")
    if not text:
        raise ModelError(
            f"expected {PREPROCESSOR_FILE} in {name}, found none; save the image processor there"
        )
    return Preprocessing.from_json(text)


def read_file(name: str, file: str) -> str:
    """A file of a checkpoint; "" where there is none."""
    path = cached_file(name, file, _raise_exceptions_for_missing_entries=False)
    return Path(path).read_text() if path else ""


def _open_clip_config(name: str) -> str:
    """The settings of a checkpoint of open_clip's; "" where there is one of transformers', perhaps beside it."""
    return "" if read_file(name, "config.json") else read_file(name, CONFIG_FILE)


def find_device(name: str) -> torch.device:
    """A device by name.

    Raises:
        ModelError: this machine, or this torch, has none of that name.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(
            f"expected a device that this machine has, such as 'cpu', got {name!r}: {str(error).splitlines()[0]}"
        ) from error
    return device


def vector_length(model: DualEncoder) -> int:
    """Dimensions of the vectors that frames and sentences become."""
    config = model.config
    if config.model_type in PADDED_TO_THE_END:
        return int(config.text_config.projection_size or config.text_config.hidden_size)
    return int(config.projection_dim)


def check_fits(model: DualEncoder, tokenizer: PreTrainedTokenizerFast, preprocessing: Preprocessing) -> None:
    """Check that three parts belong together.

    Raises:
        ModelError: tokenizer or preprocessing do not fit the model.
    """
    text, vision = model.config.text_config, model.config.vision_config
    # Offline, a missing tokenizer file does not fail: transformers makes one of two tokens without a word.
    if not 0.9 * text.vocab_size <= len(tokenizer) <= text.vocab_size:
        raise ModelError(
            f"expected a tokenizer of {text.vocab_size} tokens, as the text tower has, got one of "
            f"{len(tokenizer)}; is tokenizer.json missing?"
        )
    in_patches = model.config.model_type == "siglip2"
    if in_patches != (preprocessing.fit == "patches"):
        raise ModelError(
            f"a {model.config.model_type} takes {'patches' if in_patches else 'whole pictures'}, but "
            f"{PREPROCESSOR_FILE} makes frames fit as {preprocessing.fit!r}; is it another model's?"
        )
    # Convolutions take any size, and say none.
    expected = vision.patch_size if in_patches else getattr(vision, "image_size", preprocessing.size)
    if preprocessing.size != expected:
        raise ModelError(
            f"expected {'patches' if in_patches else 'pictures'} of {expected} pixels, as the vision tower takes, but "
            f"{PREPROCESSOR_FILE} makes them {preprocessing.size}"
        )


def register_towers() -> None:
    """Tell transformers' Auto classes of the embedded detectors' towers, so that `from_pretrained` finds them. Harmless
    if repeated."""
    towers = (VisionTowerConfig, VisionTower), (BoardTowerConfig, BoardTower), (TextTowerConfig, TextTower)
    for config, tower in towers:
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModel.register(config, tower, exist_ok=True)


def flatten_pooling(model: DualEncoder) -> DualEncoder:
    """Let a convolutional vision tower pool to (N, C) as transformers' projection expects, not to (N, C, 1, 1)."""
    pooler = getattr(model.vision_model, "pooler", None)
    if isinstance(pooler, nn.AdaptiveAvgPool2d):
        model.vision_model.pooler = nn.Sequential(pooler, nn.Flatten(1))
    return model


def image_features(model: DualEncoder, inputs: dict[str, Tensor]) -> Tensor:
    """What the vision tower makes of pictures, not yet of unit length: (N, D), or (N, L, D) of places kept apart."""
    dtype = next(model.parameters()).dtype
    return model.get_image_features(
        **{**inputs, "pixel_values": inputs["pixel_values"].to(dtype)}
    ).pooler_output
