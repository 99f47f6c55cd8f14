"""The parts of a diffusion pipeline, read from and written to a directory as diffusers lays it out.

    model_index.json   which class each part has; and daag's own `flat_colours`, see `EditorComponents`
    unet/              UNet2DConditionModel with the inpainting layout: noisy latents, mask, masked-image latents
    controlnet/        ControlNetModel on depth, normals, matte and shading, six channels
    vae/               AutoencoderKL, AutoencoderTiny or daag's PixelUnshuffleAutoencoder
    text_encoder/      CLIPTextModel
    tokenizer/         a fast tokenizer
    scheduler/         any scheduler of diffusers

The embedded editor is such a directory; a Stable-Diffusion-sized one is read by the same lines.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor, nn
from transformers import CLIPTextModel, PreTrainedTokenizerFast

from daag.diffusion.attention import use_anchor_attention
from daag.diffusion.autoencoder import PixelUnshuffleAutoencoder
from daag.diffusion.crops import GEOMETRY_CHANNELS
from daag.errors import ModelError

_AUTOENCODERS: dict[str, Any] = {
    "AutoencoderKL": AutoencoderKL,
    "AutoencoderTiny": AutoencoderTiny,
    "PixelUnshuffleAutoencoder": PixelUnshuffleAutoencoder,
}
_CONFIG_FILES = {
    "unet": "config.json",
    "controlnet": "config.json",
    "vae": "config.json",
    "text_encoder": "config.json",
    "tokenizer": "tokenizer.json",
    "scheduler": "scheduler_config.json",
}


@dataclass(frozen=True, eq=False)
class EditorComponents:
    """Models, in evaluation mode, with anchor attention in place.

    Raises:
        ModelError: the parts do not fit together.
    """

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    vae: Any
    """AutoencoderKL, AutoencoderTiny or PixelUnshuffleAutoencoder."""
    text_encoder: CLIPTextModel
    tokenizer: PreTrainedTokenizerFast
    scheduler: Any
    weights_hash: str = ""
    """SHA-256 of the files they were read from; empty for parts made in memory."""
    flat_colours: bool = False
    """Whether the models were taught to paint each object in one flat colour; what varies within it is an error then."""

    def __post_init__(self) -> None:
        latents, width = self.latent_channels, self.text_encoder.config.hidden_size
        _expect("unet", "in_channels", self.unet.config.in_channels, 2 * latents + 1)
        _expect("unet", "cross_attention_dim", self.unet.config.cross_attention_dim, width)
        _expect("controlnet", "in_channels", self.controlnet.config.in_channels, latents)
        _expect("controlnet", "cross_attention_dim", self.controlnet.config.cross_attention_dim, width)
        channels = self.controlnet.config.conditioning_channels
        _expect("controlnet", "conditioning_channels", channels, GEOMETRY_CHANNELS)
        shrink = 2 ** (len(self.controlnet.config.conditioning_embedding_out_channels) - 1)
        _expect("controlnet", "conditioning embedding's downscaling", shrink, self.downscale_factor)
        if len(self.tokenizer) > self.text_encoder.config.vocab_size:
            raise ModelError(
                f"the tokenizer has {len(self.tokenizer)} entries, but text_encoder/config.json says "
                f"vocab_size={self.text_encoder.config.vocab_size}; take both from one model"
            )
        use_anchor_attention(self.unet, self.controlnet)

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return int(self.vae.config.latent_channels)

    @property
    def downscale_factor(self) -> int:
        """How many pixels a latent is wide."""
        config = self.vae.config
        if isinstance(self.vae, PixelUnshuffleAutoencoder):
            return int(config.downscale_factor)
        blocks = (
            config.block_out_channels
            if isinstance(self.vae, AutoencoderKL)
            else config.encoder_block_out_channels
        )
        return int(2 ** (len(blocks) - 1))

    @property
    def crop_size(self) -> int:
        """Side of the crops that the model was trained on, in pixels."""
        return int(self.unet.config.sample_size) * self.downscale_factor

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The parts that have weights, by their directory's name."""
        return {
            "unet": self.unet,
            "controlnet": self.controlnet,
            "vae": self.vae,
            "text_encoder": self.text_encoder,
        }

    def encode_image(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Latents of pixels in [-1, 1], scaled as the UNet expects them. No randomness: the distribution's mode."""
        encoded = self.vae.encode(image)
        latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
        return latents * self.vae.config.scaling_factor

    def decode_latents(self, latents: Float[Tensor, "B C h w"]) -> Float[Tensor, "B 3 H W"]:
        """Pixels, about [-1, 1], of scaled latents."""
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample

    def encode_text(self, captions: list[str]) -> Float[Tensor, "B L D"]:
        """One vector per token; all captions padded to one length, so that a caption's vectors never depend on others."""
        length = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)
        tokens = self.tokenizer(
            captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        return self.text_encoder(tokens.input_ids).last_hidden_state


def load_components(directory: Path | str) -> EditorComponents:
    """Read a pipeline directory, in float32.

    Raises:
        ModelError: a part is missing, unreadable, or of a class that this editor does not know.
    """
    root = Path(directory)
    index = _read_json(root / "model_index.json")
    for part, file in _CONFIG_FILES.items():
        if not (root / part / file).is_file():
            raise ModelError(
                f"expected {root / part / file}: the editor needs {', '.join(_CONFIG_FILES)}; "
                f"model_index.json names {', '.join(key for key in index if not key.startswith('_'))}"
            )
    for part, expected in (("unet", "UNet2DConditionModel"), ("controlnet", "ControlNetModel")):
        found = _read_json(root / part / "config.json").get("_class_name")
        if found != expected:
            raise ModelError(f"expected {root / part / 'config.json'} to describe a {expected}, got {found}")
    vae_class = str(_read_json(root / "vae" / "config.json").get("_class_name"))
    if vae_class not in _AUTOENCODERS:
        raise ModelError(
            f"expected {root / 'vae' / 'config.json'} to describe one of {', '.join(_AUTOENCODERS)}, got {vae_class}"
        )
    scheduler_name = str(_read_json(root / "scheduler" / "scheduler_config.json").get("_class_name"))
    scheduler_class = getattr(diffusers, scheduler_name, None)
    if scheduler_class is None or not hasattr(scheduler_class, "set_timesteps"):
        raise ModelError(
            f"expected {root / 'scheduler' / 'scheduler_config.json'} to name a scheduler of diffusers, "
            f"got {scheduler_name}"
        )
    kind = {"torch_dtype": torch.float32, "local_files_only": True, "low_cpu_mem_usage": False}
    try:
        return EditorComponents(
            unet=UNet2DConditionModel.from_pretrained(root / "unet", **kind).eval(),
            controlnet=ControlNetModel.from_pretrained(root / "controlnet", **kind).eval(),
            vae=_load_autoencoder(root / "vae", _AUTOENCODERS[vae_class]),
            text_encoder=CLIPTextModel.from_pretrained(
                root / "text_encoder", dtype=torch.float32, local_files_only=True
            ).eval(),
            tokenizer=PreTrainedTokenizerFast.from_pretrained(root / "tokenizer", local_files_only=True),
            scheduler=scheduler_class.from_pretrained(root / "scheduler", local_files_only=True),
            weights_hash=hash_directory(root),
            flat_colours=bool(index.get("flat_colours", False)),
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{root} cannot be read as an editor: {error}") from error


def save_components(
    components: EditorComponents, directory: Path | str, dtype: torch.dtype = torch.float16
) -> None:
    """Write a pipeline directory. The parts in memory keep their dtype."""
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    for name, module in components.modules.items():
        before = next((parameter.dtype for parameter in module.parameters()), torch.float32)
        module.to(dtype).save_pretrained(root / name)  # type: ignore[operator]
        module.to(before)
    components.tokenizer.save_pretrained(root / "tokenizer")
    components.scheduler.save_pretrained(root / "scheduler")
    index: dict[str, object] = {
        "_class_name": "EditorComponents",
        "_diffusers_version": diffusers.__version__,
        "flat_colours": components.flat_colours,
    }
    for name, part in {
        **components.modules, "tokenizer": components.tokenizer, "scheduler": components.scheduler
    }.items():  # fmt: skip
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


def _load_autoencoder(directory: Path, autoencoder: Any) -> Any:
    if autoencoder is PixelUnshuffleAutoencoder:  # no weights to read
        return autoencoder.from_config(autoencoder.load_config(directory)).eval()
    return autoencoder.from_pretrained(directory, torch_dtype=torch.float32, local_files_only=True).eval()


def _expect(part: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ModelError(
            f"{part}/config.json: expected {what}={expected} to fit the other parts (inpainting layout: latents, "
            f"mask, masked-image latents; {GEOMETRY_CHANNELS} geometry channels), got {found}"
        )


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
