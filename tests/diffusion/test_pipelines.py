"""Pipelines of Stable Diffusion's classes: read, run, and beside diffusers' own."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    MultiControlNetModel,
    StableDiffusionControlNetInpaintPipeline,
    StableDiffusionXLControlNetInpaintPipeline,
)
from diffusers.models.attention_processor import AttnProcessor2_0
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.diffusion.stable_diffusion import PIXELS, shown

from daag.diffusion import ControlNetEditor, EditorConfig, PipelineConfig, painting
from daag.diffusion.compositing import box_mask, tight_mask
from daag.diffusion.control_images import control_image
from daag.diffusion.crops import cut_crop
from daag.diffusion.loading import load_components
from daag.diffusion.sampling import CropBatch, Sampling, repaint
from daag.errors import DaagWarning, EditError
from daag.tasks import EditPlan, ObjectEdit

GREEN = EditPlan((ObjectEdit("modify", "red cube", "green cube"),))
SPHERE = EditPlan((ObjectEdit("replace", "red cube", "red sphere"),))
PATH = [(4, 4, 12, 11), (5, 6, 13, 13), (9, 15, 18, 22)]


@pytest.fixture(scope="module")
def pipelines(sd: Path) -> list[ControlNetEditor]:
    """With a UNet of either layout, in single and in half precision."""
    return [
        ControlNetEditor.from_pretrained(sd / "inpaint", None, shown(sd, "depth", dtype="bfloat16")),
        ControlNetEditor.from_pretrained(sd / "plain", None, shown(sd, "depth", "edges")),
    ]


def a_batch(size: int, num_controls: int) -> CropBatch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(2, 1, size, size)
    mask[..., 8:24, 8:20] = 1.0
    controls = tuple(torch.rand(2, 3, size, size, generator=generator) for _ in range(num_controls))
    return CropBatch(torch.rand(2, 3, size, size, generator=generator) * 2 - 1, mask, controls)


@pytest.mark.parametrize(
    ("model", "nets", "scheduler"),
    [
        ("inpaint", ("depth", "normals"), ""),
        ("inpaint", ("depth",), "DPMSolverMultistepScheduler"),
        ("plain", ("depth",), "EulerDiscreteScheduler"),
        ("plain", ("depth", "normals"), "LCMScheduler"),
        ("xl", ("depth-xl",), "EulerDiscreteScheduler"),
    ],
)
def test_without_anchors_it_paints_what_diffusers_own_pipeline_paints(sd, model, nets, scheduler):
    config = PipelineConfig(
        controlnets={name.removesuffix("-xl"): str(sd / name) for name in nets},
        control_scales={"depth": 0.7},
        scheduler=scheduler,
        guidance_scale=3.0,
    )
    ours = load_components(sd / model, config)
    scales = list(ours.control_scales)
    assert len(scales) == len(nets) and scales[0] == 0.7
    batch = a_batch(PIXELS, len(nets))
    noise = torch.randn(2, 4, PIXELS // 4, PIXELS // 4, generator=torch.Generator().manual_seed(2))
    captions = ours.encode_text(["a red cube", "a blue cube"])
    negative = ours.encode_negative("red").pick([0, 0])
    steps = [torch.Generator().manual_seed(seed) for seed in (5, 6)]
    painted = repaint(ours, batch, captions, noise, Sampling(4, 3.0), None, negative, steps)
    theirs = load_components(sd / model, config)
    for part in (theirs.unet, *theirs.controlnets):
        part.set_attn_processor(AttnProcessor2_0())
    kind = (
        StableDiffusionXLControlNetInpaintPipeline
        if model == "xl"
        else StableDiffusionControlNetInpaintPipeline
    )
    second = {"text_encoder_2": theirs.text_encoder_2, "tokenizer_2": theirs.tokenizer_2}
    pipeline = kind(
        vae=theirs.vae,
        text_encoder=theirs.text_encoder,
        tokenizer=theirs.tokenizer,
        unet=theirs.unet,
        controlnet=theirs.controlnet,
        scheduler=theirs.scheduler,
        **(second if model == "xl" else {"safety_checker": None, "feature_extractor": None}),
    )
    pipeline.set_progress_bar_config(disable=True)
    several = isinstance(theirs.controlnet, MultiControlNetModel)
    # diffusers draws from the autoencoder's distribution first; LCM's own noise must come from where ours does.
    generators = [torch.Generator().manual_seed(seed) for seed in (5, 6)]
    if scheduler == "LCMScheduler":
        pipeline._encode_vae_image = lambda image, generator: theirs.encode_image(image)
    output = pipeline(
        prompt=["a red cube", "a blue cube"],
        negative_prompt=["red", "red"],
        image=batch.image / 2 + 0.5,
        mask_image=batch.mask,
        control_image=list(batch.controls) if several else batch.controls[0],
        controlnet_conditioning_scale=scales if several else scales[0],
        num_inference_steps=4,
        guidance_scale=3.0,
        strength=1.0,
        generator=generators,
        latents=noise,
        output_type="pt",
    ).images
    assert painted.std() > 0.02
    assert torch.allclose(painted, output, atol=1e-2), (painted - output).abs().max()


@pytest.mark.parametrize(
    ("model", "nets", "how"),
    [
        ("inpaint", ("depth", "normals"), {"guidance_scale": 4.0, "negative_prompt": "blue"}),
        ("inpaint", ("depth",), {"scheduler": "FlowMatchEulerDiscreteScheduler", "look_back": True}),
        ("plain", ("depth",), {"scheduler": "FlowMatchHeunDiscreteScheduler", "strength": 0.7}),
        ("plain", ("depth", "edges"), {"scheduler": "EulerAncestralDiscreteScheduler", "strength": 0.6}),
        ("plain", ("normals",), {"scheduler": "UniPCMultistepScheduler", "dtype": "bfloat16"}),
        ("xl", ("depth",), {"guidance_scale": 4.0, "dtype": "float16", "scheduler": "HeunDiscreteScheduler"}),
        ("lcm", ("depth",), {"guidance_scale": 8.0, "scheduler": "LCMScheduler"}),
    ],
)
def test_pipelines_edit_episodes_and_leave_all_else_as_it_is(sd, make_episode, model, nets, how):
    folders = {net: str(sd / (f"{net}-xl" if model == "xl" else net)) for net in nets}
    config = PipelineConfig(controlnets=folders, **how)
    editor = ControlNetEditor.from_pretrained(sd / model, EditorConfig(num_inference_steps=3), config)
    episode = make_episode(PATH, (10, 2, 19, 10))
    edited = editor.edit(episode, np.arange(3), GREEN, 0)
    for frame in range(3):
        mask = tight_mask(episode.segmentation[frame], episode.depth[frame], 1)
        changed = (edited[frame] != episode.frames[frame]).any(axis=-1)
        assert not changed[~mask].any() and changed[mask].mean() > 0.5
    again = ControlNetEditor.from_pretrained(sd / model, EditorConfig(num_inference_steps=3), config)
    assert np.array_equal(again.edit(episode, np.arange(3), GREEN, 0), edited)
    assert again.hash == editor.hash != ControlNetEditor.from_pretrained(sd / model, None, config).hash


@pytest.mark.parametrize(("guidance_scale", "look_back"), [(1.0, True), (3.0, False), (3.0, True)])
def test_where_batches_begin_does_not_matter(sd, make_episode, guidance_scale, look_back):
    episode = make_episode([*PATH, (2, 15, 10, 22), (12, 12, 20, 20)], (10, 2, 19, 10))
    config = shown(sd, "depth", guidance_scale=guidance_scale, look_back=look_back)
    components = load_components(sd / "inpaint", config)
    large, small, single = (
        ControlNetEditor(components, EditorConfig(num_inference_steps=2, batch_size=size), config).edit(
            episode, np.arange(5), SPHERE, 3
        )
        for size in (64, 2, 1)
    )
    assert np.abs(large.astype(int) - small).max() <= 1
    assert np.abs(large.astype(int) - single).max() <= 1


def test_an_anchor_ties_all_frames_and_looking_back_ties_each_to_the_one_before(sd, make_episode):
    box = (4, 4, 12, 11)
    episode = make_episode([box, (4, 4, 13, 12), box, box, box])
    frames = episode.frames.copy()
    frames[:, 1] = np.arange(5)[:, None, None] * 20  # so that no two crops look alike

    def edited(changed: int | None, ties: EditorConfig, look_back: bool) -> np.ndarray:
        mine = frames.copy()
        if changed is not None:
            mine[changed] = 255 - mine[changed]
        config = shown(sd, "depth", look_back=look_back)
        editor = ControlNetEditor(load_components(sd / "inpaint", config), ties, config)
        return editor.edit(replace(episode, frames=mine), np.arange(5), SPHERE, 0).astype(int)

    def moved(changed: int, use_anchor: bool, look_back: bool) -> list[bool]:
        ties = EditorConfig(num_inference_steps=3, use_anchor=use_anchor)
        inside = episode.segmentation == 1
        before, after = (edited(which, ties, look_back) for which in (None, changed))
        return [bool(np.abs(before[f] - after[f])[inside[f]].max() > 1) for f in range(5)]

    # Frame 1 shows most of the object: it is the anchor.
    assert moved(1, use_anchor=True, look_back=False) == [True] * 5
    assert moved(3, use_anchor=True, look_back=False) == [False, False, False, True, False]
    assert moved(2, use_anchor=True, look_back=True) == [False, False, True, True, True]
    assert moved(3, use_anchor=False, look_back=False) == [False, False, False, True, False]


def test_batches_that_do_not_fit_the_memory_are_halved_and_said(components, make_episode, monkeypatch):
    episode = make_episode([*PATH, (2, 15, 10, 22), (12, 12, 20, 20)], (10, 2, 19, 10))
    straight = ControlNetEditor(components).edit(episode, np.arange(5), SPHERE, 3)
    sizes = []

    def cramped(components, batch, *args):
        sizes.append(len(batch.image))
        if len(batch.image) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return repaint(components, batch, *args)

    monkeypatch.setattr(painting, "repaint", cramped)
    room = 2
    editor = ControlNetEditor(components, EditorConfig())
    with pytest.warns(DaagWarning, match="do not fit the memory; from now on at most"):
        edited = editor.edit(episode, np.arange(5), SPHERE, 3)
    assert np.abs(edited.astype(int) - straight).max() <= 1
    assert sizes == [5, 3, 2, 1, 2]
    editor.edit(episode, np.arange(5), SPHERE, 3)
    assert sizes[5:] == [2, 2, 1]
    room = 0
    with pytest.warns(DaagWarning), pytest.raises(EditError, match="single crop"):
        editor.edit(episode, np.arange(5), SPHERE, 3)


def test_an_autoencoder_that_overflows_in_half_precision_computes_in_single(sd, make_episode, tmp_path):
    shutil.copytree(sd / "inpaint", tmp_path / "overflowing")
    vae = AutoencoderKL.from_pretrained(sd / "inpaint" / "vae")
    with (
        torch.no_grad()
    ):  # beyond 65504 after the convolution; the normalisation behind it takes the scale out
        vae.decoder.conv_in.weight *= 6e4 / vae.decoder.conv_in.weight.abs().max()
    vae.register_to_config(force_upcast=False)
    vae.save_pretrained(tmp_path / "overflowing" / "vae")
    config = shown(sd, "depth", dtype="float16")
    editor = ControlNetEditor.from_pretrained(tmp_path / "overflowing", None, config)
    episode = make_episode(PATH)
    with pytest.warns(DaagWarning, match=r"overflows in torch\.float16"):
        edited = editor.edit(episode, np.arange(3), GREEN, 0)
    assert (edited != episode.frames).any()
    with torch.no_grad():
        editor.components.unet.conv_out.bias.fill_(torch.nan)
    with pytest.raises(EditError, match="NaN"):
        editor.edit(episode, np.arange(3), GREEN, 0)


def test_control_images_follow_the_conventions_of_the_public_controlnets():
    frame, mask = np.full((64, 64, 3), 90, dtype=np.uint8), np.zeros((64, 64), dtype=bool)
    mask[24:40, 24:40] = True
    depth = np.where(mask, 1.0, 1.06).astype(np.float16)
    normals = np.zeros((64, 64, 3), dtype=np.int8)
    normals[..., 2] = -127  # at the camera
    normals[24:32, 24:40] = (0, -127, 0)  # up
    normals[32:40, 24:32] = (-127, 0, 0)  # to the left
    crop = cut_crop(frame, mask, mask, depth, normals, 128, "natural")
    assert crop.window.side == 40 and (crop.window.top, crop.window.left) == (12, 12)
    middle = {"up": (51, 64), "left": (77, 51), "at": (77, 77), "table": (8, 8)}
    near = control_image(crop, "depth", 128)
    assert near.shape == (3, 128, 128) and (near[0] == near[2]).all()
    assert near[0][middle["at"]] > near[0][middle["table"]] + 0.2 and 0 <= near.min() <= near.max() <= 1
    colours = control_image(crop, "normals", 128)
    for direction, expected in {"up": (0.5, 1, 0.5), "left": (1, 0.5, 0.5), "at": (0.5, 0.5, 1)}.items():
        assert np.allclose(colours[:, *middle[direction]], expected, atol=0.02)
    lines = control_image(crop, "edges", 128)[0]
    assert set(np.unique(lines)) == {0.0, 1.0}
    assert lines[51, 33:44].any() and lines[60:69, 64].any()  # an outline, and a bend inside
    assert not lines[:20].any() and lines.mean() < 0.1


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_outside_the_masks_every_byte_is_the_source(components, pipelines, make_episode, data):
    height, width = data.draw(st.integers(9, 40)), data.draw(st.integers(9, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    num_frames = data.draw(st.integers(1, 2))
    episode = make_episode([None] * max(2, num_frames), size=(height, width))
    # Any shape of mask, in pieces too, and anything in front of it.
    share = data.draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))
    segmentation = (rng.random(episode.segmentation.shape) < share).astype(np.int16)
    segmentation[rng.random(segmentation.shape) < 0.1] = 2
    depth = rng.choice([0.0, 0.5, 0.9, 1.0], size=segmentation.shape).astype(np.float16)
    episode = replace(episode, segmentation=segmentation, depth=depth)
    editor = data.draw(st.sampled_from([ControlNetEditor(components), *pipelines]))
    plan = data.draw(st.sampled_from([GREEN, SPHERE]))
    frames = np.arange(num_frames)
    if not (segmentation[frames] == 1).any():
        with pytest.raises(EditError, match="nothing of red cube is visible"):
            editor.edit(episode, frames, plan, 0)
        return
    edited = editor.edit(episode, frames, plan, 0)
    assert edited.shape == (num_frames, height, width, 3) and edited.dtype == np.uint8
    for frame in frames:
        draw = box_mask if plan is SPHERE else tight_mask
        mask = draw(segmentation[frame], depth[frame], 1)
        assert np.array_equal(edited[frame][~mask], episode.frames[frame][~mask])


@pytest.mark.slow
def test_compiled_models_paint_what_the_others_paint(sd, make_episode):
    episode = make_episode([*PATH, (2, 15, 10, 22)])
    plain, compiled = (
        ControlNetEditor.from_pretrained(
            sd / "inpaint",
            EditorConfig(num_inference_steps=2, batch_size=2),
            shown(sd, "depth", compile=compile, guidance_scale=3.0),
        ).edit(episode, np.arange(4), SPHERE, 3)
        for compile in (False, True)
    )
    assert np.abs(plain.astype(int) - compiled).max() <= 2
