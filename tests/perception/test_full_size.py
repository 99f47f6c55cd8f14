"""The real sizes, with random weights: that shapes, dtypes and memory go through; what they see means nothing."""

import numpy as np
import pytest
import torch
from tests.perception.tiny_checkpoints import save_grounding_dino, save_owlv2
from transformers import (
    BertTokenizer,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DPTImageProcessorPil,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
    Sam2VideoConfig,
    Sam2VideoModel,
)

from daag.perception.box_model import TextBoxModel
from daag.perception.depth_model import DepthAnythingModel
from daag.perception.mask_model import Sam2MaskModel
from daag.perception.masks import Prompt

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), dtype=np.uint8)
CPU = torch.device("cpu")


@pytest.mark.slow
def test_grounding_dino_of_full_size(tmp_path):
    save_grounding_dino(tmp_path)
    model = GroundingDinoForObjectDetection(GroundingDinoConfig()).eval()
    boxes = TextBoxModel(
        model, BertTokenizer.from_pretrained(tmp_path), GroundingDinoImageProcessorPil(), CPU
    ).find(FRAMES[:2], ("red cube", "green ball"))
    assert [one.scores.shape[1] for one in boxes] == [2, 2] and all(len(one.corners) for one in boxes)


@pytest.mark.slow
def test_owlv2_of_full_size(tmp_path):
    save_owlv2(tmp_path)
    tokenizer = TextBoxModel.from_pretrained(str(tmp_path)).tokenizer
    tokenizer.model_max_length = 16
    config = Owlv2Config(vision_config={"image_size": 960, "patch_size": 16})
    model = Owlv2ForObjectDetection(config).eval()
    boxes = TextBoxModel(model, tokenizer, Owlv2ImageProcessorPil(), CPU).find(FRAMES[:1], ("red cube",))
    assert len(boxes) == 1 and boxes[0].scores.shape[1] == 1


@pytest.mark.slow
def test_sam2_of_full_size():
    model = Sam2MaskModel(Sam2VideoModel(Sam2VideoConfig()).eval(), CPU)
    box = np.array([20, 20, 60, 60], dtype=np.float32)
    assert model.image_size == 1024
    assert model.track(FRAMES, [Prompt(1, box), Prompt(1, box + 40)]).shape == (2, 3, 256, 256)


@pytest.mark.slow
def test_depth_anything_of_full_size():
    processor = DPTImageProcessorPil(
        size={"height": 518, "width": 518}, keep_aspect_ratio=True, ensure_multiple_of=14
    )
    model = DepthAnythingForDepthEstimation(DepthAnythingConfig()).eval()
    depth = DepthAnythingModel(model, processor, CPU).predict(FRAMES)
    assert depth.shape == (3, 120, 160) and np.isfinite(depth).all()
