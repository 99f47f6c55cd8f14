"""Depth Anything, of either version, relative or metric, as a depth model, through transformers and its image processor."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.nn import functional
from transformers import AutoModelForDepthEstimation, DPTImageProcessorPil

from daag.perception.checkpoints import load_model, told_as_model_error, weights_hash
from daag.perception.config import Dtype

BATCH_FRAMES = 8
"""Frames at once."""


class DepthAnythingModel:
    """A `DepthModel`; `from_pretrained` reads it.

    Args:
        model: a DepthAnythingForDepthEstimation.
        processor: its image processor, of the library's PIL kind.
        device: where the model is.
    """

    def __init__(self, model: Any, processor: Any, device: torch.device) -> None:
        self.model, self.processor, self.device = model, processor, device

    @classmethod
    def from_pretrained(
        cls, name: str, device: str = "cpu", dtype: Dtype = "float32"
    ) -> "DepthAnythingModel":
        """Read a checkpoint.

        Args:
            name: a directory, or the id of a repository on the hub.
            device: torch's name of where it computes.
            dtype: what it computes in.

        Raises:
            ModelError: it cannot be read, is no Depth Anything, or there is no such device.
        """
        classes = {"depth_anything": AutoModelForDepthEstimation}
        model, where = load_model(classes, name, "a depth model", device, dtype)
        with told_as_model_error(name, "a depth model's image processor"):
            processor = DPTImageProcessorPil.from_pretrained(name)
        return cls(model, processor, where)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of weights and preprocessing."""
        return weights_hash(self.model, (self.processor.to_json_string(), self.metric))

    @property
    def metric(self) -> bool:
        """Whether it says metres."""
        return str(self.model.config.depth_estimation_type) == "metric"

    def predict(self, frames: UInt8[np.ndarray, "F H W 3"]) -> Float32[np.ndarray, "F H W"]:
        """Metres, or inverse depth; see `DepthModel`."""
        predicted = []
        for start in range(0, len(frames), BATCH_FRAMES):
            batch = frames[start : start + BATCH_FRAMES]
            inputs = self.processor(list(batch), input_data_format="channels_last", return_tensors="pt")
            pixels = inputs["pixel_values"].to(self.device, self.model.dtype)
            with torch.inference_mode():
                depth = self.model(pixel_values=pixels).predicted_depth.float()
            full = functional.interpolate(
                depth[:, None], batch.shape[1:3], mode="bicubic", align_corners=False
            )
            predicted.append(full[:, 0].cpu().numpy())
        return np.concatenate(predicted) if predicted else np.zeros(frames.shape[:3], dtype=np.float32)
