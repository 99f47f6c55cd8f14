"""SAM 2 with its memory as a mask model, through transformers.

The library's processors for it need torchvision, so resizing, normalising and the form of prompts are here; the tests
compare the numbers. Frames are brought to size one at a time, when the model asks for them, so that memory stays flat.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float16, UInt8
from torch import Tensor
from torch.nn import functional
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from daag.errors import EditError
from daag.perception.checkpoints import load_model, weights_hash
from daag.perception.config import Dtype
from daag.perception.masks import Prompt

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in [0, 1], as all SAM 2 were trained."""

CORNERS = (2, 3)
"""SAM's labels for the left upper and the right lower corner of a box."""


class Sam2MaskModel:
    """A `MaskModel`; `from_pretrained` reads it.

    Args:
        model: a Sam2VideoModel.
        device: where it is.
    """

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model, self.device = model, device
        size = model.config.image_size
        self.image_size = int(size if isinstance(size, int) else size[0])

    @classmethod
    def from_pretrained(cls, name: str, device: str = "cpu", dtype: Dtype = "float32") -> "Sam2MaskModel":
        """Read a checkpoint.

        Args:
            name: a directory, or the id of a repository on the hub.
            device: torch's name of where it computes.
            dtype: what it computes in.

        Raises:
            ModelError: it cannot be read, is no SAM 2 with memory, or there is no such device.
        """
        return cls(*load_model({"sam2_video": Sam2VideoModel}, name, "a mask model", device, dtype))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the weights."""
        return weights_hash(self.model, (self.image_size, MEAN, STD))

    def track(
        self, frames: UInt8[np.ndarray, "F H W 3"], prompts: Sequence[Prompt]
    ) -> Float16[np.ndarray, "K F h w"]:
        """Follow objects; see `MaskModel`."""
        found: dict[tuple[int, int], np.ndarray] = {}
        for frame in sorted({prompt.frame for prompt in prompts}):
            # Objects that are prompted in one frame are followed together: a picture is encoded once for all of them.
            mine = [number for number, prompt in enumerate(prompts) if prompt.frame == frame]
            session = self._prompted(frames, frame, [prompts[number] for number in mine])
            for position, logits in self._propagated(session, frame):
                for number, own in zip(mine, logits, strict=True):
                    found[number, position] = own
        return np.stack(
            [
                np.stack([found[number, position] for position in range(len(frames))])
                for number in range(len(prompts))
            ]
        )

    def _prompted(
        self, frames: UInt8[np.ndarray, "F H W 3"], frame: int, prompts: Sequence[Prompt]
    ) -> Sam2VideoInferenceSession:
        height, width = frames.shape[1:3]
        session = Sam2VideoInferenceSession(
            video_height=height,
            video_width=width,
            inference_device=self.device,
            inference_state_device=self.device,
            video_storage_device=self.device,
            dtype=self.model.dtype,
        )
        session.processed_frames = _Frames(frames, self.image_size, self.device, self.model.dtype)
        for number, prompt in enumerate(prompts):
            index = session.obj_id_to_idx(number)
            session.add_point_inputs(index, frame, box_inputs(prompt.box, (height, width), self.image_size))
        session.obj_with_new_inputs = list(range(len(prompts)))
        return session

    def _propagated(
        self, session: Sam2VideoInferenceSession, frame: int
    ) -> Iterator[tuple[int, Float16[np.ndarray, "K h w"]]]:
        """Each frame with the logits of the session's objects; the prompted one comes twice."""
        for reverse in (False, True):
            for output in self.model.propagate_in_video_iterator(session, frame, reverse=reverse):
                if bool(torch.isnan(output.pred_masks).any()):
                    raise EditError(
                        f"the mask model gave something that is no number in frame {output.frame_idx}, computing in "
                        f"{self.model.dtype}; conditions_dtype float32 is exact, bfloat16 has its range"
                    )
                # Of what the session keeps of each frame this is by far the most, and nothing reads it again.
                for kept in session.output_dict_per_obj.values():
                    for outputs in kept.values():
                        outputs.get(output.frame_idx, {}).pop("high_res_masks", None)
                logits = output.pred_masks[:, 0].float().clamp(-1e4, 1e4)
                yield int(output.frame_idx), logits.cpu().numpy().astype(np.float16)


class _Frames(Mapping[int, Tensor]):
    """Frames as the model takes them, made when they are asked for."""

    def __init__(
        self, frames: UInt8[np.ndarray, "F H W 3"], size: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._frames, self._size, self._device, self._dtype = frames, size, device, dtype

    def __getitem__(self, index: int) -> Tensor:
        return brought_to_size(self._frames[index], self._size, self._device).to(self._dtype)

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._frames)))


def brought_to_size(
    frame: UInt8[np.ndarray, "H W 3"], size: int, device: torch.device | str = "cpu"
) -> Float[Tensor, "3 S S"]:
    """A frame as SAM 2 takes it: a square, whatever its shape was; bilinear, antialiased, then normalised."""
    pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(device).permute(2, 0, 1)[None].float()
    if pixels.shape[2:] != (size, size):
        pixels = functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
        pixels = pixels.round().clamp(0, 255)  # torchvision, which the library uses, gives whole numbers
    mean, std = (torch.tensor(three, device=device).view(3, 1, 1) for three in (MEAN, STD))
    return (pixels[0] / 255 - mean) / std


def box_inputs(box: np.ndarray, shape: tuple[int, int], size: int) -> dict[str, Tensor]:
    """A box as SAM 2 takes it: its two corners, in pixels of the square.

    Args:
        box: left, top, right, bottom, in pixels of the frame.
        shape: height and width of the frame.
        size: side of the square.
    """
    height, width = shape
    scale = torch.tensor([size / width, size / height], dtype=torch.float32)
    corners = torch.from_numpy(np.asarray(box, dtype=np.float32)).reshape(1, 1, 2, 2) * scale
    return {"point_coords": corners, "point_labels": torch.tensor([[CORNERS]], dtype=torch.int32)}
