"""The models of an editor, as diffusers' Stable Diffusion and Stable Diffusion XL have them, and whether they fit.

The UNet may have the inpainting layout (noisy latents, mask, masked-image latents) or none. ControlNets, one or
several, are shown what `control_images` draws. The autoencoder is an AutoencoderKL, an AutoencoderTiny or daag's own.
`loading` reads them from a directory or from the hub.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, MultiControlNetModel, UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, PreTrainedTokenizerFast

from daag.diffusion.attention import nets_of, use_anchor_attention
from daag.diffusion.autoencoder import PixelUnshuffleAutoencoder
from daag.diffusion.captions import Captions, encode_captions
from daag.diffusion.control_images import CONDITIONS
from daag.errors import DaagWarning, EditError, ModelError, UnknownNameError


@dataclass(frozen=True, eq=False)
class EditorComponents:
    """Models, in evaluation mode, with anchor attention in place.

    Raises:
        ModelError: the parts do not fit together.
        UnknownNameError: a ControlNet is to be shown what nobody can draw.
    """

    unet: UNet2DConditionModel
    controlnet: ControlNetModel | MultiControlNetModel
    vae: Any
    """AutoencoderKL, AutoencoderTiny or PixelUnshuffleAutoencoder."""
    text_encoder: CLIPTextModel
    tokenizer: PreTrainedTokenizerFast
    scheduler: Any
    weights_hash: str = ""
    """SHA-256 of the files they were read from; empty for parts made in memory."""
    flat_colours: bool = False
    """Whether the models were taught to paint each object in one flat colour; what varies within it is an error then."""
    conditions: tuple[str, ...] = ("geometry",)
    """What each ControlNet is shown; see `control_images`."""
    control_scales: tuple[float, ...] = (1.0,)
    """How much each ControlNet counts."""
    text_encoder_2: CLIPTextModelWithProjection | None = None
    """Of SDXL."""
    tokenizer_2: PreTrainedTokenizerFast | None = None
    zero_negative: bool = False
    """Whether an empty negative caption is all zeros, as SDXL's base model wants it, and not the encoder's word."""

    def __post_init__(self) -> None:
        self._check_unet()
        if not len(self.controlnets) == len(self.conditions) == len(self.control_scales):
            raise ModelError(
                f"expected a condition and a scale for each of {len(self.controlnets)} ControlNets, got "
                f"{len(self.conditions)} and {len(self.control_scales)}"
            )
        for net, condition in zip(self.controlnets, self.conditions, strict=True):
            self._check_controlnet(net, condition)
        for tokenizer, encoder in zip(self.tokenizers, self.text_encoders, strict=True):
            if len(tokenizer) > encoder.config.vocab_size:
                raise ModelError(
                    f"the tokenizer has {len(tokenizer)} entries, but text_encoder/config.json says "
                    f"vocab_size={encoder.config.vocab_size}; take both from one model"
                )
        use_anchor_attention(self.unet, *self.controlnets)

    @property
    def controlnets(self) -> list[ControlNetModel]:
        """Each ControlNet."""
        return nets_of(self.controlnet)

    @property
    def text_encoders(self) -> list[Any]:
        """One, or SDXL's two."""
        return [encoder for encoder in (self.text_encoder, self.text_encoder_2) if encoder is not None]

    @property
    def tokenizers(self) -> list[PreTrainedTokenizerFast]:
        """Of each text encoder."""
        return [tokenizer for tokenizer in (self.tokenizer, self.tokenizer_2) if tokenizer is not None]

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
    def sees_the_mask(self) -> bool:
        """Whether the UNet has the inpainting layout."""
        return int(self.unet.config.in_channels) == 2 * self.latent_channels + 1

    @property
    def guidance_width(self) -> int | None:
        """Length of the vector that tells a distilled UNet the guidance scale; None for all others."""
        width = self.unet.config.time_cond_proj_dim
        return None if width is None else int(width)

    @property
    def device(self) -> torch.device:
        """Where the models compute."""
        return next(self.unet.parameters()).device

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The parts that have weights, by their directory's name."""
        parts = {
            "unet": self.unet,
            "controlnet": self.controlnet,
            "vae": self.vae,
            "text_encoder": self.text_encoder,
        }
        return parts if self.text_encoder_2 is None else {**parts, "text_encoder_2": self.text_encoder_2}

    def encode_image(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Latents of pixels in [-1, 1], scaled as the UNet expects them. No randomness: the distribution's mode.

        Raises:
            EditError: they are NaN or infinite.
        """

        def encode() -> Tensor:
            encoded = self.vae.encode(image.to(self._vae_dtype))
            return encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()

        shift = getattr(self.vae.config, "shift_factor", None) or 0.0
        return (self._finite(encode) - shift) * self.vae.config.scaling_factor

    def decode_latents(self, latents: Float[Tensor, "B C h w"]) -> Float[Tensor, "B 3 H W"]:
        """Pixels, about [-1, 1], of scaled latents.

        Raises:
            EditError: they are NaN or infinite.
        """
        shift = getattr(self.vae.config, "shift_factor", None) or 0.0
        scaled = latents / self.vae.config.scaling_factor + shift
        return self._finite(lambda: self.vae.decode(scaled.to(self._vae_dtype)).sample)

    def encode_text(self, captions: list[str]) -> Captions:
        """Captions as vectors."""
        return encode_captions(captions, self.tokenizers, self.text_encoders)

    def encode_negative(self, caption: str) -> Captions:
        """What shall not be seen, of one crop."""
        encoded = self.encode_text([caption])
        if caption or not self.zero_negative:
            return encoded
        assert encoded.pooled is not None
        return Captions(torch.zeros_like(encoded.tokens), torch.zeros_like(encoded.pooled))

    @property
    def _vae_dtype(self) -> torch.dtype:
        return next((parameter.dtype for parameter in self.vae.parameters()), torch.float32)

    def _finite(self, run: Callable[[], Tensor]) -> Tensor:
        """What the autoencoder gives, in float32; where half precision overflows, it is run once more in float32."""
        result, dtype = run(), self._vae_dtype
        if not torch.isfinite(result).all() and dtype != torch.float32:
            warnings.warn(
                f"the autoencoder overflows in {dtype}; it computes in float32 from now on",
                DaagWarning,
                stacklevel=3,
            )
            self.vae.to(torch.float32)
            result = run()
        if not torch.isfinite(result).all():
            raise EditError(
                "the autoencoder produced NaN or infinity; load the models in float32, or check the checkpoint"
            )
        return result.float()

    def _check_unet(self) -> None:
        unet, latents = self.unet.config, self.latent_channels
        layouts = (latents, 2 * latents + 1)
        if unet.in_channels not in layouts:
            raise ModelError(
                f"unet/config.json: expected in_channels={layouts[0]}, or {layouts[1]} with the inpainting layout "
                f"(latents, mask, masked-image latents), to fit the autoencoder's {latents}, got {unet.in_channels}"
            )
        width = sum(int(encoder.config.hidden_size) for encoder in self.text_encoders)
        _expect("unet", "cross_attention_dim", unet.cross_attention_dim, width)
        _expect("unet", "out_channels", unet.out_channels, latents)
        if not isinstance(unet.sample_size, int):
            raise ModelError(
                f"unet/config.json: expected sample_size, the side of a square latent, got {unet.sample_size}"
            )
        added = unet.addition_embed_type
        if added not in (None, "text_time") or unet.encoder_hid_dim_type or unet.class_embed_type:
            raise ModelError(
                "unet/config.json: expected a UNet of Stable Diffusion or Stable Diffusion XL, which is told captions, "
                f"got one with addition_embed_type={added}, encoder_hid_dim_type={unet.encoder_hid_dim_type}, "
                f"class_embed_type={unet.class_embed_type}"
            )
        if (added == "text_time") != (self.text_encoder_2 is not None):
            raise ModelError(
                "expected text_encoder_2 with a UNet of Stable Diffusion XL (addition_embed_type=text_time), and with "
                f"no other; got addition_embed_type={added} and text encoders "
                f"{', '.join(type(encoder).__name__ for encoder in self.text_encoders)}"
            )
        if self.text_encoder_2 is not None:
            numbers = self.unet.add_embedding.linear_1.in_features
            told = 6 * unet.addition_time_embed_dim + self.text_encoder_2.config.projection_dim
            _expect("unet", "projection_class_embeddings_input_dim", numbers, told)

    def _check_controlnet(self, net: ControlNetModel, condition: str) -> None:
        if condition not in CONDITIONS:
            raise UnknownNameError("ControlNet condition", condition, CONDITIONS)
        _expect("controlnet", "in_channels", net.config.in_channels, self.latent_channels)
        _expect(
            "controlnet",
            "cross_attention_dim",
            net.config.cross_attention_dim,
            self.unet.config.cross_attention_dim,
        )
        blocks = list(self.unet.config.block_out_channels)
        _expect("controlnet", "block_out_channels", list(net.config.block_out_channels), blocks)
        _expect(
            "controlnet",
            f"conditioning_channels of {condition!r}",
            net.config.conditioning_channels,
            CONDITIONS[condition][0],
        )
        shrink = 2 ** (len(net.config.conditioning_embedding_out_channels) - 1)
        _expect("controlnet", "conditioning embedding's downscaling", shrink, self.downscale_factor)


def _expect(part: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ModelError(
            f"{part}/config.json: expected {what}={expected} to fit the other parts, got {found}; take parts that were "
            "made for one model (SD 1.5, SD 2.1, SDXL)"
        )
