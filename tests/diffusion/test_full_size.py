"""Stable Diffusion 1.5 with a ControlNet at full size, random weights, one step on a small crop: shapes, dtypes and memory go
through.

Not part of the default run: `make slow`. It needs about 6 GB and a few minutes of one core; nothing is downloaded.
"""

import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from tests.diffusion.stable_diffusion import save_tokenizer
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from daag.diffusion import ControlNetEditor, EditorConfig, PipelineConfig
from daag.diffusion.compositing import tight_mask
from daag.tasks import EditPlan, ObjectEdit

GREEN = EditPlan((ObjectEdit("modify", "red cube", "green cube"),))


def save(model: nn.Module, directory: Path) -> None:
    model.to(torch.bfloat16).save_pretrained(directory)


@pytest.fixture(scope="module")
def full_size(tmp_path_factory) -> Path:
    """In bfloat16 from the start, so that the disk and the memory hold 2 GB and not 4."""
    root = tmp_path_factory.mktemp("sd15")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        save(
            UNet2DConditionModel(
                sample_size=16, in_channels=9, cross_attention_dim=768, attention_head_dim=8
            ),
            root / "unet",
        )
        save(ControlNetModel(cross_attention_dim=768, attention_head_dim=8), root / "depth")
        save(
            AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                sample_size=128,
                scaling_factor=0.18215,
            ),
            root / "vae",
        )
        text = CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
        )
        save(CLIPTextModel(text), root / "text_encoder")
    finally:
        torch.set_default_dtype(before)
    save_tokenizer(root / "tokenizer")
    DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False).save_pretrained(root / "scheduler")
    (root / "model_index.json").write_text("{}")
    return root


@pytest.mark.slow
def test_stable_diffusion_with_a_controlnet_goes_through_at_full_size(full_size, make_episode):
    config = PipelineConfig(controlnets={"depth": str(full_size / "depth")}, dtype="bfloat16")
    editor = ControlNetEditor.from_pretrained(full_size, EditorConfig(batch_size=1), config)
    parts = editor.components.modules
    assert sum(weight.numel() for weight in parts["unet"].parameters()) == 859_535_364
    assert {part.dtype for part in parts.values()} == {torch.bfloat16} and editor.components.crop_size == 128
    episode = make_episode([(4, 4, 12, 11), (5, 6, 13, 13)])
    (edited,) = editor.edit(episode, np.array([1]), GREEN, 0)
    mask = tight_mask(episode.segmentation[1], episode.depth[1], 1)
    changed = (edited != episode.frames[1]).any(axis=-1)
    assert changed[mask].mean() > 0.5 and not changed[~mask].any()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.1f} GB")
    assert peak < 8.0
