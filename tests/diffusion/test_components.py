import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from daag.diffusion.controlnet import ControlNetEditor, EditorConfig
from daag.diffusion.loading import hash_directory, load_components, save_components
from daag.errors import ConfigError, ModelError

PARTS = ["unet", "controlnet", "vae", "text_encoder", "tokenizer", "scheduler"]


@pytest.fixture
def copied(tiny_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_directory, tmp_path / "editor"))


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("flat", [False, True])
def test_saved_components_are_read_back_with_equal_weights(components, tmp_path, flat):
    components = replace(components, flat_colours=flat)
    save_components(components, tmp_path, torch.float32)
    again = load_components(tmp_path)
    for name, module in components.modules.items():
        for key, weights in module.state_dict().items():
            assert torch.equal(weights, again.modules[name].state_dict()[key]), f"{name} {key}"
    assert again.flat_colours == components.flat_colours
    text = ["a red cube", "a blue sphere"]
    assert torch.equal(components.encode_text(text).tokens, again.encode_text(text).tokens)


def test_weights_are_stored_in_half_precision_and_read_in_single(components, tmp_path):
    save_components(components, tmp_path)
    assert next(components.unet.parameters()).dtype == torch.float32
    assert next(load_components(tmp_path).unet.parameters()).dtype == torch.float32
    size = (tmp_path / "unet/diffusion_pytorch_model.safetensors").stat().st_size
    expected = 2 * sum(parameter.numel() for parameter in components.unet.parameters())
    assert expected <= size < 1.2 * expected + 50_000


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(copied, part):
    shutil.rmtree(copied / part)
    with pytest.raises(ModelError, match=f"expected .*{part}"):
        load_components(copied)


def test_missing_weights_are_an_error(copied):
    (copied / "unet/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read as an editor"):
        load_components(copied)


def test_a_directory_that_is_no_pipeline_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="model_index"):
        load_components(tmp_path)


def test_a_unet_that_does_not_fit_the_autoencoder_is_refused(copied):
    change_json(copied / "vae/config.json", downscale_factor=4, latent_channels=48)
    with pytest.raises(ModelError, match=r"unet/config\.json: expected in_channels=48, or 97"):
        load_components(copied)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("unet/config.json", "UNet3DConditionModel"),
        ("vae/config.json", "VQModel"),
        ("scheduler/scheduler_config.json", "X"),
    ],
)
def test_a_part_of_another_class_is_refused(copied, file, name):
    change_json(copied / file, _class_name=name)
    with pytest.raises(ModelError, match=name):
        load_components(copied)


@pytest.mark.parametrize("kind", ["kl", "tiny"])
def test_other_autoencoders_fit_in(components, kind):
    if kind == "kl":
        vae = AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=12,
            norm_num_groups=4,
        )
    else:
        vae = AutoencoderTiny(
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
            latent_channels=12,
        )
    other = type(components)(
        components.unet,
        components.controlnet,
        vae,
        components.text_encoder,
        components.tokenizer,
        components.scheduler,
    )
    image = torch.zeros(1, 3, 16, 16)
    latents = other.encode_image(image)
    assert latents.shape == (1, 12, 8, 8) and other.crop_size == 16
    assert other.decode_latents(latents).shape == image.shape


def test_the_hash_follows_weights_and_settings(tiny_directory, copied):
    assert hash_directory(copied) == hash_directory(tiny_directory)
    editor = ControlNetEditor.from_pretrained(tiny_directory)
    assert editor.hash == ControlNetEditor.from_pretrained(copied).hash
    assert editor.hash != ControlNetEditor.from_pretrained(copied, EditorConfig(num_inference_steps=3)).hash
    assert editor.hash != ControlNetEditor.per_frame(copied).hash
    weights = copied / "unet/diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert editor.hash != ControlNetEditor.from_pretrained(copied).hash


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="inference step"):
        EditorConfig(num_inference_steps=0)
    with pytest.raises(ConfigError, match="batch"):
        EditorConfig(batch_size=0)
