"""Editors read from and written to a directory as diffusers lays out a pipeline, or read from the hub.

    model_index.json    which class each part has; and daag's own `flat_colours` and `conditions`, see `EditorComponents`
    unet/               UNet2DConditionModel
    controlnet/         ControlNetModel, in further ones controlnet_1/ and so on; or elsewhere, by `PipelineConfig`
    vae/                AutoencoderKL, AutoencoderTiny or daag's PixelUnshuffleAutoencoder
    text_encoder/       CLIPTextModel; for SDXL also text_encoder_2/, CLIPTextModelWithProjection
    tokenizer/          tokenizer.json, or vocab.json and merges.txt; for SDXL also tokenizer_2/
    scheduler/          any scheduler of diffusers

The embedded editor is such a directory; one of Stable Diffusion is read by the same lines.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    ControlNetModel,
    MultiControlNetModel,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, PreTrainedTokenizerFast

from daag.diffusion.autoencoder import PixelUnshuffleAutoencoder
from daag.diffusion.components import EditorComponents
from daag.diffusion.control_images import CONDITIONS
from daag.diffusion.hub import locate, variant_of
from daag.errors import ConfigError, ModelError, UnknownNameError

Dtype = Literal["float32", "bfloat16", "float16"]

_CLASSES: dict[str, tuple[Any, ...]] = {
    "unet": (UNet2DConditionModel,),
    "controlnet": (ControlNetModel,),
    "vae": (AutoencoderKL, AutoencoderTiny, PixelUnshuffleAutoencoder),
}
_CONFIG_FILES = {
    "unet": "config.json",
    "vae": "config.json",
    "text_encoder": "config.json",
    "tokenizer": "tokenizer_config.json",
    "scheduler": "scheduler_config.json",
}
_SECOND = ("text_encoder_2", "tokenizer_2")


@dataclass(frozen=True)
class PipelineConfig:
    """Which models, and how they are run: what someone sets who brings Stable Diffusion. The embedded editor needs none.

    Source of the defaults: our choice; they leave everything to the directory.
    """

    controlnets: Mapping[str, str] = field(default_factory=dict)
    """ControlNets that are not in the directory: what each is shown ("depth", "normals", "edges") to a directory or hub
    id, such as {"depth": "lllyasviel/control_v11f1p_sd15_depth"}."""
    control_scales: Mapping[str, float] = field(default_factory=dict)
    """How much each counts; 1 where nothing is said."""
    scheduler: str = ""
    """diffusers' name of another scheduler than the directory's, made from its settings: "LCMScheduler"."""
    guidance_scale: float = 1.0
    """Of classifier-free guidance; 1 switches it off."""
    negative_prompt: str = ""
    """What shall not be seen, with guidance."""
    strength: float = 1.0
    """In (0, 1]: how much of the noise schedule is run; below 1 the repaint starts from the source."""
    look_back: bool = False
    """Whether each crop looks at the one before it, too, and not at the anchor alone."""
    dtype: Dtype = "float32"
    """What the models compute in. Random numbers, latents and the scheduler stay in float32."""
    device: str = "cpu"
    """Where, in torch's words: "cpu", "cuda", "cuda:1", "mps"."""
    compile: bool = False
    """Whether UNet and ControlNets are compiled, which takes minutes at the first batch and pays in long jobs."""

    def __post_init__(self) -> None:
        for name in (*self.controlnets, *self.control_scales):
            if name not in CONDITIONS:
                raise UnknownNameError("ControlNet condition", name, CONDITIONS)
        if self.dtype not in Dtype.__args__:  # type: ignore[attr-defined]
            raise UnknownNameError("dtype", self.dtype, Dtype.__args__)  # type: ignore[attr-defined]
        if self.guidance_scale < 1.0 or not 0.0 < self.strength <= 1.0:
            raise ConfigError(
                "expected guidance_scale >= 1 (1 switches guidance off) and strength in (0, 1], got "
                f"{self.guidance_scale} and {self.strength}"
            )
        if self.negative_prompt and self.guidance_scale == 1.0:
            raise ConfigError(
                "a negative_prompt acts through guidance; set guidance_scale above 1, for example 7.5"
            )

    @property
    def what_counts(self) -> str:
        """The settings that change what is painted, in words; empty for the defaults."""
        counts = replace(
            self, controlnets={}, device="cpu", compile=False
        )  # a ControlNet's weights count, not its name
        return "" if counts == PipelineConfig() else str(counts)


def load_components(name: Path | str, config: PipelineConfig | None = None) -> EditorComponents:
    """Read an editor's models.

    Args:
        name: a pipeline directory, or a hub id.
        config: which models besides, and how they are run.

    Raises:
        ModelError: a part is missing, unreadable, of a class that this editor does not know, or does not fit the others;
            or there is no such device.
        UnknownNameError: diffusers has no such scheduler.
    """
    config = config or PipelineConfig()
    dtype, half = getattr(torch, config.dtype), config.dtype == "float16"
    folders = ["", *_CONFIG_FILES, *_SECOND, *([] if config.controlnets else ["controlnet", "controlnet_1"])]
    root = locate(name, folders, half)
    index = _read_json(root / "model_index.json")
    for part in (*_CONFIG_FILES, *(part for part in _SECOND if _names(index, part))):
        file = root / part / _CONFIG_FILES[part.removesuffix("_2")]
        if not file.is_file():
            raise ModelError(
                f"expected {file}: the editor needs {', '.join(_CONFIG_FILES)}; "
                f"model_index.json names {', '.join(key for key in index if not key.startswith('_'))}"
            )
    nets = _controlnet_folders(root, index, config, half)
    two = [part for part in _SECOND if _names(index, part)]
    try:
        encoders = {
            part: kind.from_pretrained(
                root / part, dtype=dtype, local_files_only=True, variant=variant_of(root / part, half)
            ).eval()
            for part, kind in (
                ("text_encoder", CLIPTextModel),
                ("text_encoder_2", CLIPTextModelWithProjection),
            )
            if part == "text_encoder" or part in two
        }
        loaded = [_load(folder, "controlnet", dtype, half) for folder in nets.values()]
        vae = _load(root / "vae", "vae", dtype, half)
        if half and getattr(vae.config, "force_upcast", False):
            vae.to(torch.float32)  # SDXL's is known to overflow
        components = EditorComponents(
            unet=_load(root / "unet", "unet", dtype, half),
            controlnet=loaded[0] if len(loaded) == 1 else MultiControlNetModel(loaded),
            vae=vae,
            text_encoder=encoders["text_encoder"],
            tokenizer=_load_tokenizer(root / "tokenizer"),
            scheduler=_load_scheduler(root / "scheduler", config.scheduler),
            weights_hash=_hash(root, name, nets, config),
            flat_colours=bool(index.get("flat_colours", False)),
            conditions=tuple(nets),
            control_scales=tuple(float(config.control_scales.get(condition, 1.0)) for condition in nets),
            text_encoder_2=encoders.get("text_encoder_2"),
            tokenizer_2=_load_tokenizer(root / "tokenizer_2") if "tokenizer_2" in two else None,
            zero_negative=bool(two) and bool(index.get("force_zeros_for_empty_prompt", True)),
        )
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, UnknownNameError):
            raise
        raise ModelError(f"{root} cannot be read as an editor: {error}") from error
    _place(components, config)
    return components


def save_components(
    components: EditorComponents, directory: Path | str, dtype: torch.dtype = torch.float16
) -> None:
    """Write a pipeline directory. The parts in memory keep their dtype."""
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    for name, module in components.modules.items():
        before = next((parameter.dtype for parameter in module.parameters()), torch.float32)
        module.to(dtype).save_pretrained(str(root / name))  # type: ignore[operator]
        module.to(before)
    parts = {**components.modules, "tokenizer": components.tokenizer, "scheduler": components.scheduler}
    components.tokenizer.save_pretrained(root / "tokenizer")
    components.scheduler.save_pretrained(root / "scheduler")
    index: dict[str, object] = {
        "_class_name": "EditorComponents",
        "_diffusers_version": diffusers.__version__,
        "flat_colours": components.flat_colours,
    }
    if components.conditions != ("geometry",):
        index["conditions"] = list(components.conditions)
    if components.tokenizer_2 is not None:
        components.tokenizer_2.save_pretrained(root / "tokenizer_2")
        parts["tokenizer_2"] = components.tokenizer_2
        index["force_zeros_for_empty_prompt"] = components.zero_negative
    for name, part in parts.items():
        index[name] = [type(part).__module__.split(".")[0], type(part).__name__]
    (root / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def hash_directory(directory: Path) -> str:
    """SHA-256 of names and contents of all weight, configuration and vocabulary files."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.suffix in (".json", ".safetensors", ".txt", ".bin"):
            digest.update(path.relative_to(directory).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _controlnet_folders(
    root: Path, index: dict[str, Any], config: PipelineConfig, half: bool
) -> dict[str, Path]:
    """Condition to directory, of those named in the settings or else of those in the pipeline's directory."""
    if config.controlnets:
        return {condition: locate(name, [""], half) for condition, name in config.controlnets.items()}
    folders = [root / "controlnet", *(root / f"controlnet_{number}" for number in range(1, len(CONDITIONS)))]
    present = [folder for folder in folders if (folder / "config.json").is_file()]
    if not present:
        raise ModelError(
            f"expected {root / 'controlnet' / 'config.json'}: the editor needs a ControlNet that shows it the geometry. "
            'Name one that was made for this model, as in controlnets={"depth": '
            '"lllyasviel/control_v11f1p_sd15_depth"}'
        )
    told = index.get("conditions", ["geometry"])
    if len(told) != len(present) or _read_json(present[0] / "config.json").get("conditioning_channels") != (
        CONDITIONS[told[0]][0] if told[0] in CONDITIONS else None
    ):
        raise ModelError(
            f"{root / 'model_index.json'} does not say what the ControlNets in {', '.join(map(str, present))} are shown; "
            f'say it in the settings, as in controlnets={{"depth": "{present[0]}"}}; known: {", ".join(CONDITIONS)}'
        )
    return dict(zip(told, present, strict=True))


def _load(folder: Path, part: str, dtype: torch.dtype, half: bool) -> Any:
    known = {kind.__name__: kind for kind in _CLASSES[part]}
    found = str(_read_json(folder / "config.json").get("_class_name"))
    if found not in known:
        raise ModelError(
            f"expected {folder / 'config.json'} to describe one of {', '.join(known)}, got {found}"
        )
    kind = known[found]
    if kind is PixelUnshuffleAutoencoder:  # no weights to read
        return kind.from_config(kind.load_config(folder)).eval()
    return kind.from_pretrained(
        folder,
        torch_dtype=dtype,
        local_files_only=True,
        low_cpu_mem_usage=False,
        variant=variant_of(folder, half),
    ).eval()


def _load_tokenizer(folder: Path) -> Any:
    if (folder / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    if not (folder / "vocab.json").is_file() or not (folder / "merges.txt").is_file():
        raise ModelError(f"expected {folder} to hold tokenizer.json, or vocab.json and merges.txt")
    tokenizer, entries = (
        CLIPTokenizer.from_pretrained(folder, local_files_only=True),
        _read_json(folder / "vocab.json"),
    )
    if len(tokenizer) < len(entries):
        raise ModelError(
            f"{folder} was read as a tokenizer of {len(tokenizer)} entries, but vocab.json has {len(entries)}"
        )
    return tokenizer


def _load_scheduler(folder: Path, name: str) -> Any:
    asked = name or str(_read_json(folder / "scheduler_config.json").get("_class_name"))
    kind = getattr(diffusers, asked, None)
    if kind is None or not hasattr(kind, "set_timesteps"):
        if name:
            raise UnknownNameError(
                "scheduler", name, (each for each in dir(diffusers) if each.endswith("Scheduler"))
            )
        raise ModelError(
            f"expected {folder / 'scheduler_config.json'} to name a scheduler of diffusers, got {asked}"
        )
    return kind.from_pretrained(folder, local_files_only=True)


def _place(components: EditorComponents, config: PipelineConfig) -> None:
    """Move the models to their device and compile them, as asked. Channels last: a sixth faster on a CPU."""
    try:
        for module in components.modules.values():
            module.to(config.device)
        for module in (components.unet, *components.controlnets):
            module.to(memory_format=torch.channels_last)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch's ways to say so
        raise ModelError(f"the models cannot be moved to device {config.device!r}: {error}") from error
    if config.compile:
        for module in (components.unet, *components.controlnets):
            module.compile()


def _hash(root: Path, name: Path | str, nets: Mapping[str, Path], config: PipelineConfig) -> str:
    """Of a directory's files; of a download its commit, which stands for them. ControlNets from elsewhere count too."""
    if not config.controlnets:
        return _hash_one(root, name)
    parts = [f"{shown}={_hash_one(nets[shown], named)}" for shown, named in config.controlnets.items()]
    return hashlib.sha256(" ".join([_hash_one(root, name), *parts]).encode()).hexdigest()


def _hash_one(root: Path, name: Path | str) -> str:
    if Path(name).is_dir():
        return hash_directory(root)
    return hashlib.sha256(f"{name}@{root.name}".encode()).hexdigest()


def _names(index: Mapping[str, Any], part: str) -> bool:
    """Whether model_index.json names a part; diffusers writes [null, null] for one that was left out."""
    return bool(index.get(part)) and index[part][0] is not None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"expected a readable {path}, got: {error}; an editor is a directory as diffusers' save_pretrained "
            "lays it out"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"expected {path} to hold a JSON object, got {type(content).__name__}")
    return content
