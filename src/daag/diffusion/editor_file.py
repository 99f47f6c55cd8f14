"""An editor and all its settings in one JSON file, which the command line takes wherever it takes an editor's name.

    {"model": "stable-diffusion-v1-5/stable-diffusion-inpainting",
     "controlnets": {"depth": "lllyasviel/control_v11f1p_sd15_depth"},
     "num_inference_steps": 20, "guidance_scale": 7.5, "batch_size": 4, "dtype": "float16", "device": "cuda"}

`model` is a directory or a hub id; all else are fields of `EditorConfig` and `PipelineConfig`. A directory may be given
relative to the file's.
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from daag.diffusion.controlnet import EMBEDDED, EditorConfig
from daag.diffusion.loading import PipelineConfig
from daag.errors import ConfigError, UnknownNameError


def read_editor_file(path: Path) -> tuple[str, EditorConfig, PipelineConfig]:
    """The model's name and its settings.

    Raises:
        ConfigError: the file cannot be read, names no model, or a value is out of range or of another type.
        UnknownNameError: a setting does not exist.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"expected {path} to be a JSON file of an editor's settings: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), str):
        raise ConfigError(
            f'{path}: expected an object with "model", a pipeline directory or a hub id, got {str(content)[:100]}'
        )
    settings: dict[str, Any] = {key: value for key, value in content.items() if key != "model"}
    known: dict[str, type] = {
        field.name: config for config in (EditorConfig, PipelineConfig) for field in fields(config)
    }
    for key, value in settings.items():
        if key not in known:
            raise UnknownNameError(f"setting in {path}", key, ["model", *known])
        settings[key] = _like(path, key, value, getattr(known[key](), key))
    if "controlnets" in settings:
        settings["controlnets"] = {
            shown: _beside(path, name) for shown, name in settings["controlnets"].items()
        }
    painting, models = (
        {key: value for key, value in settings.items() if known[key] is config}
        for config in (EditorConfig, PipelineConfig)
    )
    return _beside(path, content["model"]), EditorConfig(**painting), PipelineConfig(**models)


def _beside(path: Path, name: str) -> str:
    """A directory beside the file, where there is such; else the name as it is."""
    beside = path.parent / name
    return str(beside) if name not in EMBEDDED and beside.is_dir() else name


def _like(path: Path, key: str, value: object, default: object) -> object:
    """The value in the type of the default: JSON's 3 may stand for 3.0."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, type(default)) or isinstance(value, bool) != isinstance(default, bool):
        raise ConfigError(f"{path}: expected {key} to be like {default!r}, got {value!r}")
    return value
