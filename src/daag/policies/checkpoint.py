"""A learner's state in one file: weights, optimizer and settings, which can then never come from two moments.

The file is safetensors, the settings are JSON in its header. It appears whole or not at all.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from daag.errors import ModelError


def save_learner(
    path: Path,
    file_format: str,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    settings: Mapping[str, Any],
    extra: Mapping[str, Tensor],
) -> None:
    """Write a learner's state.

    Args:
        path: of the file.
        file_format: name and version of what is saved.
        network: whose weights.
        optimizer: whose state.
        settings: what JSON can hold.
        extra: further tensors by name.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    unfinished = path.with_name(f"{path.name}.unfinished")
    save_file(
        {name: value.contiguous() for name, value in {**tensors, **extra}.items()},
        unfinished,
        metadata={"format": file_format, "settings": json.dumps(settings)},
    )
    unfinished.replace(path)


@dataclass(frozen=True)
class LearnerState:
    """What a file holds."""

    path: Path
    settings: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def read(cls, path: Path, file_format: str) -> "LearnerState":
        """Read what `save_learner` wrote.

        Raises:
            ModelError: there is no such file, or it is of another format.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"cannot read a policy from {path}: {error}; expected a file that a learner saved"
            ) from error
        if header.get("format") != file_format:
            raise ModelError(f"expected {path} to be of format {file_format!r}, got {header.get('format')!r}")
        try:
            settings = json.loads(header["settings"])
        except (KeyError, ValueError) as error:
            raise ModelError(f"the settings in {path} are of another architecture: {error!r}") from error
        return cls(path, settings, tensors)

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Give weights and optimizer what the file holds.

        Raises:
            ModelError: the weights are of another architecture.
        """
        self.restore_part("network", network)
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in self.tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})

    def restore_part(self, part: str, network: nn.Module) -> None:
        """Give a network the weights whose names begin with `part`.

        Raises:
            ModelError: they are of another architecture.
        """
        weights = {
            name.removeprefix(f"{part}."): value
            for name, value in self.tensors.items()
            if name.startswith(f"{part}.")
        }
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ModelError(f"the weights in {self.path} are of another architecture: {error}") from error
