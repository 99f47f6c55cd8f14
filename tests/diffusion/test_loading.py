"""Pipelines of Stable Diffusion's classes from directories, the hub and files of settings."""

import json
import shutil

import httpx2
import numpy as np
import pytest
import torch
from tests.diffusion.stable_diffusion import PIXELS, shown
from transformers import CLIPTokenizer

from daag.assembly import load_editor
from daag.diffusion import ControlNetEditor, EditorConfig, PipelineConfig
from daag.diffusion.hub import wanted_files
from daag.diffusion.loading import load_components, save_components
from daag.errors import ConfigError, ModelError, UnknownNameError
from daag.tasks import EditPlan, ObjectEdit

GREEN = EditPlan((ObjectEdit("modify", "red cube", "green cube"),))
SPHERE = EditPlan((ObjectEdit("replace", "red cube", "red sphere"),))
PATH = [(4, 4, 12, 11), (5, 6, 13, 13), (9, 15, 18, 22)]


def test_a_controlnet_must_be_told_what_it_is_shown(sd, tmp_path):
    shutil.copytree(sd / "inpaint", tmp_path / "whole")
    shutil.copytree(sd / "depth", tmp_path / "whole" / "controlnet")
    with pytest.raises(ModelError, match="controlnets="):
        load_components(sd / "inpaint")
    with pytest.raises(ModelError, match="does not say what"):
        load_components(tmp_path / "whole")
    with pytest.raises(ModelError, match="conditioning_channels of 'geometry'=6"):
        load_components(sd / "inpaint", PipelineConfig(controlnets={"geometry": str(sd / "depth")}))
    with pytest.raises(UnknownNameError, match="Did you mean 'depth'"):
        PipelineConfig(controlnets={"depht": str(sd / "depth")})


def test_several_controlnets_and_sdxl_are_saved_and_read_back(sd, tmp_path):
    for model, nets in (("inpaint", ("depth", "normals")), ("xl", ("depth",))):
        folders = {net: str(sd / (f"{net}-xl" if model == "xl" else net)) for net in nets}
        components = load_components(sd / model, PipelineConfig(controlnets=folders))
        save_components(components, tmp_path / model, torch.float32)
        again = load_components(tmp_path / model)
        assert again.conditions == nets and again.zero_negative == components.zero_negative
        for name, module in components.modules.items():
            for key, weights in module.state_dict().items():
                assert torch.equal(weights, again.modules[name].state_dict()[key]), f"{name} {key}"


@pytest.mark.parametrize("part", ["text_encoder_2", "tokenizer_2", "unet"])
def test_a_missing_part_of_sdxl_is_named(sd, tmp_path, part):
    shutil.copytree(sd / "xl", tmp_path / "xl")
    shutil.rmtree(tmp_path / "xl" / part)
    with pytest.raises(ModelError, match=f"expected .*{part}"):
        load_components(tmp_path / "xl", PipelineConfig(controlnets={"depth": str(sd / "depth-xl")}))


def test_parts_of_different_models_are_refused(sd):
    with pytest.raises(ModelError, match="cross_attention_dim=32"):
        load_components(sd / "xl", shown(sd, "depth"))
    with pytest.raises(UnknownNameError, match="LCMScheduler"):
        load_components(sd / "inpaint", shown(sd, "depth", scheduler="LCMSheduler"))
    with pytest.raises(ModelError, match="device"):
        load_components(sd / "inpaint", shown(sd, "depth", device="cuda:9"))
    with pytest.raises(ConfigError, match="guidance"):
        PipelineConfig(negative_prompt="blurred")
    with pytest.raises(ConfigError, match="strength"):
        PipelineConfig(strength=0.0)


def test_a_byte_pair_tokenizer_is_read_from_its_vocabulary(sd, tmp_path):
    components = load_components(sd / "inpaint", shown(sd, "depth"))
    assert isinstance(components.tokenizer, CLIPTokenizer)
    ids = components.tokenizer("red cube").input_ids
    assert components.tokenizer.convert_ids_to_tokens(ids) == [
        "<|startoftext|>",
        "red</w>",
        "cube</w>",
        "<|endoftext|>",
    ]
    shutil.copytree(sd / "inpaint", tmp_path / "broken")
    (tmp_path / "broken" / "tokenizer" / "merges.txt").unlink()
    with pytest.raises(ModelError, match=r"vocab\.json and merges\.txt"):
        load_components(tmp_path / "broken", shown(sd, "depth"))


def test_what_was_downloaded_is_found_by_its_hub_id_and_what_was_not_is_a_named_error(
    sd, tmp_path, monkeypatch
):
    snapshot = tmp_path / "models--someone--inpaint" / "snapshots" / ("0" * 40)
    shutil.copytree(sd / "inpaint", snapshot)
    (tmp_path / "models--someone--inpaint" / "refs").mkdir()
    (tmp_path / "models--someone--inpaint" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def unreachable(*_: object) -> None:
        raise httpx2.ConnectError("Name or service not known")

    for offline in (True, False):  # asked for, or met with
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
        monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", unreachable)
        assert load_components("someone/inpaint", shown(sd, "depth")).crop_size == PIXELS
        with pytest.raises(ModelError, match="hf download someone/else"):
            load_components("someone/else", shown(sd, "depth"))
    with pytest.raises(ModelError, match="directory or a hub id"):
        load_components("nowhere", shown(sd, "depth"))


def test_one_set_of_weights_of_each_part_is_downloaded():
    weights = ["model", "model.fp16", "model.non_ema"]
    files = [f"unet/diffusion_pytorch_{name}{end}" for name in weights for end in (".safetensors", ".bin")]
    files += ["unet/config.json", "vae/diffusion_pytorch_model.bin", "vae/config.json", "model_index.json"]
    files += [
        "README.md",
        "v1-5-pruned.safetensors",
        "safety_checker/model.safetensors",
        "tokenizer/merges.txt",
    ]
    folders = ["", "unet", "vae", "tokenizer"]
    small = ["vae/diffusion_pytorch_model.bin", "vae/config.json", "model_index.json", "tokenizer/merges.txt"]
    for half, name in ((False, "model"), (True, "model.fp16")):
        expected = {f"unet/diffusion_pytorch_{name}.safetensors", "unet/config.json", *small}
        assert set(wanted_files(files, folders, half)) == expected


def test_an_editor_and_its_settings_are_read_from_a_file(sd, tmp_path, make_episode):
    for name in ("inpaint", "depth"):
        shutil.copytree(sd / name, tmp_path / name)
    file = tmp_path / "sd.json"
    told = {
        "model": "inpaint",
        "controlnets": {"depth": "depth"},
        "num_inference_steps": 2,
        "batch_size": 4,
    }
    file.write_text(json.dumps({**told, "guidance_scale": 3}))
    editor, rival = load_editor("hea", str(file)), load_editor("per-frame", str(file))
    assert isinstance(editor, ControlNetEditor) and isinstance(rival, ControlNetEditor)
    assert editor.config == EditorConfig(num_inference_steps=2, batch_size=4) != rival.config
    assert editor.pipeline.guidance_scale == 3 and editor.components.conditions == ("depth",)
    edited = [each.edit(make_episode(PATH), np.arange(3), GREEN, 0) for each in (editor, rival)]
    assert not np.array_equal(*edited)
    for changes, message in (
        ({"guidence_scale": 2}, "Did you mean 'guidance_scale'"),
        ({"num_inference_steps": "2"}, "num_inference_steps to be like 1"),
        ({"strength": 2.0}, "strength in"),
    ):
        file.write_text(json.dumps({**told, **changes}))
        with pytest.raises(ConfigError, match=message):
            load_editor("hea", str(file))
    with pytest.raises(ConfigError, match="JSON file"):
        load_editor("hea", str(tmp_path / "none.json"))
