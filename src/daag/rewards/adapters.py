"""Low-rank adapters (LoRA) for large dual encoders: a few weights are learnt beside the others, which stay as they are.

Source: Hu et al. 2021 (arXiv:2106.09685), by peft. A directory of adapters is in peft's own format, with base.json, which
names the model they belong to and the hash of its weights: on other weights they would mean nothing.
"""

import copy
import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from daag.errors import ConfigError, ModelError
from daag.rewards.dual_encoder import DualEncoder

ADAPTER_CONFIG, ADAPTER_WEIGHTS, BASE_FILE = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "base.json",
)

_PREFIX = "base_model.model."
"""Before each name in peft's files."""


@dataclass(frozen=True)
class AdapterConfig:
    """How large the adapters are and where they sit. All values are our choice."""

    rank: int = 8
    """Of the two matrices whose product is added to a layer's."""
    alpha: float = 16.0
    """That product is scaled by alpha / rank."""
    layers: tuple[str, ...] = ("q_proj", "v_proj")
    """Names of the linear layers that get one: of both towers' attention, as transformers names them."""

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not self.layers:
            raise ConfigError("expected a positive rank and alpha, and at least one kind of layer")


def with_adapters(model: DualEncoder, config: AdapterConfig, seed: int = 0) -> DualEncoder:
    """A copy of a model with adapters, which alone will learn; it gives the same numbers until they have.

    Args:
        model: is left as it is.
        config: how large the adapters are, and where.
        seed: of their first weights.

    Raises:
        ModelError: peft is not installed, the model has no such layers, or has adapters already.
    """
    if has_adapters(model):
        raise ModelError("the model has adapters already; go on with these, or start from its base")
    peft, adapted = _peft(), copy.deepcopy(model)
    lora = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(config.layers))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            peft.inject_adapter_in_model(lora, adapted)
        except ValueError as error:
            raise ModelError(
                f"{type(model).__name__} has no layers called {' or '.join(config.layers)} ({error}); a small model is "
                "better trained as a whole"
            ) from error
    return adapted


def has_adapters(model: DualEncoder) -> bool:
    """Whether a model has adapters beside its weights."""
    return any(".lora_" in name for name, _ in model.named_parameters())


def base_hash(model: DualEncoder) -> str:
    """SHA-256 of a model's weights without its adapters: that of the model before it had any."""
    digest = hashlib.sha256()
    weights = {
        name.replace(".base_layer.", "."): tensor
        for name, tensor in model.state_dict().items()
        if ".lora_" not in name
    }
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(tensor.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_adapters(model: DualEncoder, directory: Path) -> None:
    """Write a model's adapters, and what they belong to, but none of its other weights.

    Raises:
        ModelError: it is not known where the model came from.
    """
    name = str(model.name_or_path)
    if not name:
        raise ModelError(
            "adapters mean something beside their base only, and this base was not loaded from anywhere; save it, "
            "load it, and give it adapters then"
        )
    weights = {
        _PREFIX + key.replace(".default.", "."): tensor.detach().cpu().contiguous()
        for key, tensor in model.state_dict().items()
        if ".lora_" in key
    }
    save_file(weights, directory / ADAPTER_WEIGHTS)
    settings = model.peft_config["default"]
    settings.base_model_name_or_path = name
    settings.save_pretrained(str(directory))
    (directory / BASE_FILE).write_text(json.dumps({"name": name, "hash": base_hash(model)}, indent=1) + "\n")


def base_of(directory: Path) -> str:
    """The name of the model that a directory's adapters belong to.

    Raises:
        ModelError: base.json is missing or damaged.
    """
    return str(_base(directory)["name"])


def load_adapters(model: DualEncoder, directory: Path) -> DualEncoder:
    """Give a model the adapters of a directory, in place.

    Args:
        model: as `base_of` names it, in float32.
        directory: as `save_adapters` wrote it.

    Raises:
        ModelError: peft is not installed, the model is another one than the adapters were made for, or a file is missing
            or damaged.
    """
    expected, found = _base(directory)["hash"], base_hash(model)
    if found != expected:
        raise ModelError(
            f"the adapters in {directory} were made for weights with the hash {expected}, but {model.name_or_path} has "
            f"{found}; has it been replaced since?"
        )
    peft = _peft()
    try:
        settings = peft.LoraConfig.from_pretrained(str(directory))
        weights = load_file(directory / ADAPTER_WEIGHTS)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"cannot read the adapters in {directory}: {error}") from error
    peft.inject_adapter_in_model(settings, model)
    _fill(model, weights, directory)
    return model


def _fill(model: DualEncoder, weights: Mapping[str, Tensor], directory: Path) -> None:
    places = {
        _PREFIX + name.replace(".default.", "."): tensor
        for name, tensor in model.state_dict().items()
        if ".lora_" in name
    }
    if places.keys() != weights.keys():
        wrong = sorted(places.keys() ^ weights.keys())
        raise ModelError(f"the adapters in {directory} do not fit their settings: {', '.join(wrong[:3])}")
    with torch.no_grad():
        for name, tensor in places.items():
            tensor.copy_(weights[name])


def _base(directory: Path) -> dict[str, Any]:
    try:
        raw = json.loads((directory / BASE_FILE).read_text())
        return {"name": raw["name"], "hash": raw["hash"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"expected {BASE_FILE} beside the adapters in {directory}: {error!r}") from error


def _peft() -> Any:
    try:
        return importlib.import_module("peft")
    except ImportError as error:
        raise ModelError("adapters need peft; install it with: pip install 'daag[lora]'") from error
