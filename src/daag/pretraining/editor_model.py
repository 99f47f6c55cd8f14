"""The tiny editor before training: diffusers' own classes at a size that a CPU trains in about an hour."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from diffusers import (
    ControlNetModel,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from daag.diffusion.autoencoder import PixelUnshuffleAutoencoder
from daag.diffusion.components import EditorComponents
from daag.diffusion.crops import GEOMETRY_CHANNELS
from daag.errors import ConfigError, ModelError
from daag.tasks import COLOURS, STACKING

CAPTION_TOKENS = 8
"""Length to which captions are padded; "a red cube" has five tokens with its start and end."""


@dataclass(frozen=True)
class EditorModelConfig:
    """Sizes.  Source: our choice, by masked PSNR per second of training on one core."""

    crop_size: int = 32
    """Pixels."""
    channels: tuple[int, ...] = (48, 64, 96)
    """Of the blocks, from full latent resolution down; all but the first attend."""
    attention_heads: int = 4
    text_width: int = 64
    """Of a fresh text tower."""
    prediction: Literal["sample", "velocity"] = "sample"
    """What the UNet predicts. The clean latents: conditions nearly determine them, and few steps follow. Or the
    velocity of flow matching, for comparison."""

    def __post_init__(self) -> None:
        if any(channels % 16 for channels in self.channels) or len(self.channels) < 2:
            raise ConfigError(f"channels must be two or more multiples of 16, got {self.channels}")


def build_components(config: EditorModelConfig, text_tower: Path | None = None) -> EditorComponents:
    """Build an editor with random weights (torch's global generator), except for a given text tower.

    Args:
        config: sizes.
        text_tower: a directory with a CLIPModel or CLIPTextModel and its tokenizer; a fresh one otherwise.

    Raises:
        ModelError: the text tower cannot be read.
    """
    tokenizer, text_encoder = _load_text_tower(text_tower) if text_tower else _fresh_text_tower(config)
    vae = PixelUnshuffleAutoencoder(downscale_factor=2)
    latents, depth = vae.config.latent_channels, len(config.channels)
    unet = UNet2DConditionModel(
        sample_size=config.crop_size // 2,
        in_channels=2 * latents + 1,
        out_channels=latents,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * (depth - 1)),
        up_block_types=(*["CrossAttnUpBlock2D"] * (depth - 1), "UpBlock2D"),
        block_out_channels=config.channels,
        layers_per_block=1,
        cross_attention_dim=text_encoder.config.hidden_size,
        attention_head_dim=config.attention_heads,
        norm_num_groups=16,
    )
    controlnet = ControlNetModel(
        in_channels=latents,
        conditioning_channels=GEOMETRY_CHANNELS,
        down_block_types=unet.config.down_block_types,
        block_out_channels=config.channels,
        layers_per_block=1,
        cross_attention_dim=text_encoder.config.hidden_size,
        attention_head_dim=config.attention_heads,
        norm_num_groups=16,
        conditioning_embedding_out_channels=(16, 32),
    )
    _wake_zero_convolutions(controlnet)
    scheduler = (
        # First-order DPM-Solver++ on flow-matching sigmas is Euler's method, told in terms of the clean sample.
        DPMSolverMultistepScheduler(prediction_type="sample", use_flow_sigmas=True, solver_order=1)
        if config.prediction == "sample"
        else FlowMatchEulerDiscreteScheduler()
    )
    return EditorComponents(unet, controlnet, vae, text_encoder, tokenizer, scheduler, flat_colours=True)


def word_tokenizer(words: list[str], length: int = CAPTION_TOKENS) -> PreTrainedTokenizerFast:
    """A tokenizer with one entry per word; unknown words become one entry, `<unk>`."""
    special = ["<pad>", "<start>", "<end>", "<unk>"]
    vocabulary = {word: index for index, word in enumerate([*special, *dict.fromkeys(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=length,
        pad_token="<pad>",
        bos_token="<start>",
        eos_token="<end>",
        unk_token="<unk>",
    )


def _fresh_text_tower(config: EditorModelConfig) -> tuple[PreTrainedTokenizerFast, CLIPTextModel]:
    tokenizer = word_tokenizer(["a", *COLOURS, *STACKING.kinds])
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.text_width,
            intermediate_size=2 * config.text_width,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=CAPTION_TOKENS,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    return tokenizer, encoder


def _load_text_tower(directory: Path) -> tuple[PreTrainedTokenizerFast, CLIPTextModel]:
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        encoder = CLIPTextModel.from_pretrained(directory, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(f"expected a CLIPModel with its tokenizer in {directory}: {error}") from error
    encoder.requires_grad_(False)
    return tokenizer, encoder


def _wake_zero_convolutions(controlnet: ControlNetModel) -> None:
    """Give the ControlNet's outputs ordinary weights.

    Zeros protect a trained UNet; here both learn from the start, and zeros would only hold the ControlNet back.
    """
    for convolution in [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]:
        nn.init.kaiming_uniform_(convolution.weight, a=5**0.5)
    nn.init.kaiming_uniform_(controlnet.controlnet_cond_embedding.conv_out.weight, a=5**0.5)
