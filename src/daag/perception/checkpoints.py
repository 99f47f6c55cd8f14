"""Models of transformers', read from a directory or from the hub, with errors that say what to do."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig

from daag.errors import ModelError
from daag.perception.config import Dtype


def load_model(
    classes: dict[str, Any], name: str, what: str, device: str, dtype: Dtype
) -> tuple[Any, torch.device]:
    """Read a model, for inference.

    Args:
        classes: transformers' names of the kinds that will do, and their classes.
        name: a directory, or the id of a repository on the hub.
        what: the model's role, for errors.
        device: torch's name of where it computes.
        dtype: what it computes in.

    Raises:
        ModelError: it cannot be read or reached, is of another kind, lacks weights, or there is no such device.
    """
    with told_as_model_error(name, what):
        kind = AutoConfig.from_pretrained(name).model_type
        if kind not in classes:
            raise ModelError(
                f"expected {what} ({', '.join(classes)}) in {name}, got a model of type {kind!r}"
            )
        model, report = classes[kind].from_pretrained(
            name, dtype=getattr(torch, dtype), output_loading_info=True
        )
        missing = sorted(report["missing_keys"])
        if missing:  # transformers would go on with random numbers in their place
            raise ModelError(f"{name} lacks weights: {', '.join(missing[:3])} and {len(missing)} in all")
        where = torch.device(device)
        return model.to(where).eval(), where


@contextmanager
def told_as_model_error(name: str, what: str) -> Iterator[None]:
    """transformers, the hub and torch raise many kinds of errors; for the caller they are one."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        advice = (
            ""
            if Path(name).is_dir()
            else f"; if the hub cannot be reached, fetch it elsewhere (hf download {name} --local-dir DIR) and name the directory"
        )
        reason = (str(error) or repr(error)).splitlines()[0].rstrip(".")
        raise ModelError(f"cannot load {what} from {name}: {reason}{advice}") from error


def weights_hash(model: nn.Module, settings: Sequence[object]) -> str:
    """SHA-256 of a model's weights, of what it computes in, and of the settings that its answers depend on."""
    digest = hashlib.sha256(repr((type(model).__name__, *settings)).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
