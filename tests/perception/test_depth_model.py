"""Depth Anything, against the library's own processor, and how checkpoints are read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from daag.errors import ModelError
from daag.perception.box_model import TextBoxModel
from daag.perception.depth_model import DepthAnythingModel
from daag.perception.geometry import DepthModel
from daag.perception.mask_model import Sam2MaskModel
from daag.perception.masks import Prompt

FRAMES = np.random.default_rng(2).integers(0, 256, (10, 45, 61, 3), dtype=np.uint8)


def test_depth_is_what_the_librarys_processor_makes_of_it(checkpoints):
    ours = DepthAnythingModel.from_pretrained(checkpoints["metric"])
    assert isinstance(ours, DepthModel) and ours.metric
    assert not DepthAnythingModel.from_pretrained(checkpoints["relative"]).metric
    inputs = ours.processor(list(FRAMES[:2]), return_tensors="pt")
    with torch.inference_mode():
        outputs = ours.model(**inputs)
    theirs = ours.processor.post_process_depth_estimation(outputs, [(45, 61)] * 2)
    predicted = ours.predict(FRAMES)
    assert predicted.shape == (10, 45, 61) and predicted.dtype == np.float32 and predicted.std() > 0.1
    for mine, true in zip(predicted, theirs, strict=False):
        np.testing.assert_allclose(mine, true["predicted_depth"].numpy(), atol=1e-4)
    assert ours.predict(FRAMES[:0]).shape == (0, 45, 61)


def test_all_models_run_in_half_precision(checkpoints):
    dtype = "bfloat16"
    assert np.isfinite(
        DepthAnythingModel.from_pretrained(checkpoints["metric"], "cpu", dtype).predict(FRAMES[:1])
    ).all()
    box = np.array([5, 5, 30, 30], dtype=np.float32)
    assert (
        Sam2MaskModel.from_pretrained(checkpoints["sam2"], "cpu", dtype)
        .track(FRAMES[:2], [Prompt(1, box)])
        .any()
    )
    for kind in ("grounding-dino", "owlv2"):
        assert len(
            TextBoxModel.from_pretrained(checkpoints[kind], "cpu", dtype).find(FRAMES[:1], ["box"])[0].corners
        )


LOADERS = {
    "grounding-dino": TextBoxModel,
    "sam2": Sam2MaskModel,
    "metric": DepthAnythingModel,
}


@pytest.mark.parametrize("kind", LOADERS)
def test_a_checkpoint_that_cannot_be_read_is_a_named_error_with_the_remedy(checkpoints, kind, tmp_path):
    load = LOADERS[kind].from_pretrained
    with pytest.raises(ModelError, match=r"from some/model: .*hf download some/model --local-dir DIR"):
        load("some/model")
    foreign = checkpoints["sam2" if kind == "metric" else "metric"]
    with pytest.raises(ModelError, match="got a model of type"):
        load(foreign)
    with pytest.raises(ModelError, match="cannot load"):
        load(checkpoints[kind], "cuda:99")
    broken = tmp_path / "broken"
    shutil.copytree(checkpoints[kind], broken)
    weights = load_file(broken / "model.safetensors")
    gone = next(name for name in sorted(weights) if weights[name].ndim > 1)
    save_file({n: w for n, w in weights.items() if n != gone}, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=f"lacks weights: {gone}"):
        load(str(broken))
    (broken / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ModelError, match="cannot load"):
        load(str(broken))
    config = Path(broken / "config.json")
    config.write_text(json.dumps({"model_type": "gizmo"}))
    with pytest.raises(ModelError):
        load(str(broken))


def test_a_box_model_without_its_tokenizer_says_so(checkpoints, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(checkpoints["owlv2"], broken)
    (broken / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="a box model's tokenizer and image processor"):
        TextBoxModel.from_pretrained(str(broken))
