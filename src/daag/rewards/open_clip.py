"""Checkpoints of open_clip, read into transformers' CLIPModel; the package itself, which needs torchvision, is not.

The layout is that of Radford et al.'s own code: a ViT that is read off its class token, and a causal text transformer
that is read off the end of the sentence. Of what open_clip has besides (ResNets, timm's and Hugging Face's towers,
CoCa, SigLIP's, other poolings, layer scale), each is refused by name: half of a conversion would score nonsense.
Source: https://github.com/mlfoundations/open_clip, its names and defaults.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPConfig, CLIPModel
from transformers.utils.hub import cached_file

from daag.errors import ModelError
from daag.rewards.preprocessing import Preprocessing

CONFIG_FILE = "open_clip_config.json"
WEIGHT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of open_clip's pictures where a checkpoint does not say."""

_UNDERSTOOD = {
    "model": {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale"},
    "vision": {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size", "patch_dropout"},
    "text": {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"},
    "preprocess": {"size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color"},
}
"""Settings that are converted, or mean nothing where nothing is trained."""

_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_VISION = {
    "class_embedding": "embeddings.class_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "ln_pre.weight": "pre_layrnorm.weight",  # spelt so by transformers
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}
_TEXT = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}


def open_clip_model(settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> CLIPModel:
    """Make a CLIPModel that gives the numbers that open_clip would.

    Args:
        settings: `model_cfg` of an open_clip_config.json.
        weights: open_clip's state dict.

    Raises:
        ModelError: the model has a part that CLIPModel has not, or settings and weights are not of one model.
    """
    model = CLIPModel(_config(settings)).eval()
    converted = _converted(weights)
    expected = model.state_dict()
    missing, left = sorted(expected.keys() - converted.keys()), sorted(converted.keys() - expected.keys())
    wrong = [name for name in expected if name in converted and expected[name].shape != converted[name].shape]
    if missing or left or wrong:
        raise ModelError(
            f"{CONFIG_FILE} and the weights are not of one model that can be read as a CLIPModel: "
            f"missing {_some(missing)}; not expected {_some(left)}; of another shape {_some(wrong)}"
        )
    model.load_state_dict(converted)
    return model


def load_open_clip(name: str, text: str) -> CLIPModel:
    """Read a checkpoint of open_clip's.

    Args:
        name: a directory, or the id of a repository on the hub.
        text: its open_clip_config.json.

    Raises:
        ModelError: there are no weights, or `open_clip_model` cannot make a model of them.
    """
    paths = (cached_file(name, file, _raise_exceptions_for_missing_entries=False) for file in WEIGHT_FILES)
    path = next((Path(path) for path in paths if path), None)
    if path is None:
        raise ModelError(f"expected {' or '.join(WEIGHT_FILES)} in {name}, found neither")
    if path.suffix == ".safetensors":
        weights = load_file(path)
    else:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        weights = weights.get("state_dict", weights)
    return open_clip_model(json.loads(text)["model_cfg"], weights)


def open_clip_preprocessing(text: str) -> Preprocessing:
    """How an open_clip_config.json has frames brought to size.

    Raises:
        ModelError: it asks for something that is not done here.
    """
    raw = json.loads(text)
    settings = raw.get("preprocess_cfg", {})
    _check_understood("preprocess", settings)
    modes, fits = {"bilinear": 2, "bicubic": 3}, {"shortest": "crop", "squash": "squash"}
    interpolation, resize = settings.get("interpolation", "bicubic"), settings.get("resize_mode", "shortest")
    if interpolation not in modes or resize not in fits:
        raise ModelError(
            f"expected interpolation {' or '.join(modes)} and resize_mode {' or '.join(fits)} in {CONFIG_FILE}, got "
            f"{interpolation!r} and {resize!r}"
        )
    return Preprocessing(
        size=_square(settings.get("size", raw["model_cfg"]["vision_cfg"]["image_size"])),
        mean=tuple(settings.get("mean", _CLIP_MEAN)),
        std=tuple(settings.get("std", _CLIP_STD)),
        resample=modes[interpolation],
        fit="crop" if fits[resize] == "crop" else "squash",
    )


def _config(settings: Mapping[str, Any]) -> CLIPConfig:
    vision, text = settings["vision_cfg"], settings["text_cfg"]
    for part, named in (("model", settings), ("vision", vision), ("text", text)):
        _check_understood(part, named)
    if not isinstance(vision["layers"], int):
        raise ModelError(f"expected a ViT, got a ResNet: vision_cfg layers {vision['layers']}")
    act = "quick_gelu" if settings.get("quick_gelu", False) else "gelu"
    vocabulary = text.get("vocab_size", 49408)
    return CLIPConfig(
        projection_dim=settings["embed_dim"],
        vision_config={
            "hidden_size": vision["width"],
            "intermediate_size": int(vision["width"] * vision.get("mlp_ratio", 4.0)),
            "num_hidden_layers": vision["layers"],
            "num_attention_heads": vision["width"] // vision.get("head_width", 64),
            "image_size": _square(vision.get("image_size", 224)),
            "patch_size": _square(vision["patch_size"]),
            "hidden_act": act,
        },
        text_config={
            "vocab_size": vocabulary,
            "hidden_size": text["width"],
            "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4.0)),
            "num_hidden_layers": text["layers"],
            "num_attention_heads": text["heads"],
            "max_position_embeddings": text.get("context_length", 77),
            "hidden_act": act,
            # open_clip reads a sentence off its highest id, which is the end's: the last of the vocabulary.
            "bos_token_id": vocabulary - 2,
            "eos_token_id": vocabulary - 1,
            "pad_token_id": 0,
        },
    )


def _converted(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """open_clip's names to transformers'; those that are not known keep theirs, for the message."""
    converted: dict[str, Tensor] = {}
    for full, tensor in weights.items():
        name = full.removeprefix("module.").removeprefix("text.")
        if name == "attn_mask":  # computed, not learnt
            continue
        tower, names = ("vision_model.", _VISION) if name.startswith("visual.") else ("text_model.", _TEXT)
        name = name.removeprefix("visual.")
        if name == "proj" or name == "text_projection":
            projection = "visual_projection.weight" if name == "proj" else "text_projection.weight"
            converted[projection] = tensor.T.contiguous()
        elif name == "logit_scale":
            converted[name] = tensor.reshape(())
        elif name.startswith("transformer.resblocks."):
            index, rest = name.removeprefix("transformer.resblocks.").split(".", 1)
            converted |= _block(f"{tower}encoder.layers.{index}.", rest, tensor, full)
        else:
            converted[tower + names[name] if name in names else full] = tensor
    return {name: tensor.float() for name, tensor in converted.items()}


def _block(prefix: str, name: str, tensor: Tensor, full: str) -> dict[str, Tensor]:
    module, _, kind = name.rpartition(".")
    if name.startswith("attn.in_proj_"):
        kind = name.removeprefix("attn.in_proj_")
        parts = zip("qkv", tensor.chunk(3), strict=True)
        return {f"{prefix}self_attn.{which}_proj.{kind}": part.contiguous() for which, part in parts}
    return {f"{prefix}{_BLOCK[module]}.{kind}" if module in _BLOCK else full: tensor}


def _check_understood(part: str, settings: Mapping[str, Any]) -> None:
    unknown = sorted(
        name for name in settings.keys() - _UNDERSTOOD[part] if settings[name] not in (None, False)
    )
    if unknown:
        raise ModelError(
            f"{CONFIG_FILE} asks for something that cannot be converted: {', '.join(unknown)} in the {part}'s settings; "
            f"understood are {', '.join(sorted(_UNDERSTOOD[part]))}"
        )


def _square(size: Any) -> int:
    if isinstance(size, int):
        return size
    height, width = size
    if height != width:
        raise ModelError(f"expected squares in {CONFIG_FILE}, got {height} x {width} pixels")
    return int(height)


def _some(names: list[str]) -> str:
    return f"{', '.join(names[:3])} ({len(names)} in all)" if names else "nothing"
