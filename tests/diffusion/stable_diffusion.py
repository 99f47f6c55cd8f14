"""Directories as the hub has them for Stable Diffusion, SDXL and ControlNets: the same classes, tiny, random weights."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from daag.diffusion import PipelineConfig

WIDTH, CHANNELS, PIXELS = 16, (16, 32), 32


def save_tokenizer(directory: Path) -> CLIPTokenizer:
    """CLIP's byte-pair tokenizer in its first form, vocab.json and merges.txt; it knows letters, "red" and "cube"."""
    directory.mkdir(parents=True)
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    merges = ["r e", "re d</w>", "c u", "cu b", "cub e</w>"]
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *(merge.replace(" ", "") for merge in merges),
    ]
    vocabulary = {word: index for index, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    (directory / "vocab.json").write_text(json.dumps(vocabulary))
    (directory / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    told = {"model_max_length": 8, "tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(told))
    return CLIPTokenizer.from_pretrained(directory)


def save_pipeline(
    directory: Path, in_channels: int = 9, xl: bool = False, guided: bool = False, **unet: object
) -> Path:
    """A pipeline directory without ControlNets; `guided`: its UNet is told the guidance scale."""
    torch.manual_seed(0)
    index: dict[str, object] = {
        "_class_name": "StableDiffusionXLInpaintPipeline" if xl else "StableDiffusionInpaintPipeline",
        "safety_checker": [None, None],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "force_zeros_for_empty_prompt": True,
    }
    for number, kind in enumerate(
        [CLIPTextModel, CLIPTextModelWithProjection] if xl else [CLIPTextModel], start=1
    ):
        suffix = "" if number == 1 else "_2"
        tokenizer = save_tokenizer(directory / f"tokenizer{suffix}")
        encoder = kind(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=WIDTH,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=8,
                projection_dim=WIDTH,
                pad_token_id=tokenizer.pad_token_id,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
        encoder.save_pretrained(directory / f"text_encoder{suffix}")
        index[f"text_encoder{suffix}"] = ["transformers", kind.__name__]
        index[f"tokenizer{suffix}"] = ["transformers", "CLIPTokenizer"]
    added = (
        {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + WIDTH,
        }
        if xl
        else {}
    )
    model = UNet2DConditionModel(
        sample_size=PIXELS // 4,
        in_channels=in_channels,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        cross_attention_dim=WIDTH * (2 if xl else 1),
        attention_head_dim=2,
        norm_num_groups=4,
        time_cond_proj_dim=16 if guided else None,
        **{**added, **unet},
    )
    for name, parameter in model.named_parameters():  # so that attention is plain to see
        if "attentions" in name and name.endswith("weight") and "norm" not in name:
            nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(directory / "unet")
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=PIXELS,
    )
    with torch.no_grad():
        vae.decoder.conv_out.weight *= 4.0  # strong colours
        # A sharp distribution: diffusers draws from it, daag takes its mode.
        vae.quant_conv.weight[4:] = 0.0
        vae.quant_conv.bias[4:] = -40.0
    vae.save_pretrained(directory / "vae")
    DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False).save_pretrained(directory / "scheduler")
    (directory / "model_index.json").write_text(json.dumps(index))
    return directory


def save_controlnet(directory: Path, xl: bool = False, seed: int = 1) -> Path:
    """A ControlNet of three channels."""
    torch.manual_seed(seed)
    net = ControlNetModel(
        in_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        cross_attention_dim=WIDTH * (2 if xl else 1),
        attention_head_dim=2,
        norm_num_groups=4,
        conditioning_embedding_out_channels=(8, 8, 16),
        **(
            {
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 8,
                "projection_class_embeddings_input_dim": 6 * 8 + WIDTH,
            }
            if xl
            else {}
        ),
    )
    for part in [
        *net.controlnet_down_blocks,
        net.controlnet_mid_block,
        net.controlnet_cond_embedding.conv_out,
    ]:
        nn.init.normal_(part.weight, std=0.3)  # zero until they are trained
    net.save_pretrained(directory)
    return directory


def shown(sd: Path, *conditions: str, **settings: object) -> PipelineConfig:
    return PipelineConfig(controlnets={name: str(sd / name) for name in conditions}, **settings)
