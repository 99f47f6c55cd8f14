"""How frames become what a vision tower takes: brought to size, normalised, looked at in several views.

The numbers are those of transformers' image processors, whose files are read and written; the resizing is our own,
because theirs goes picture by picture, or needs torchvision.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from daag.errors import ModelError

PREPROCESSOR_FILE = "preprocessor_config.json"

Fit = Literal["crop", "squash", "patches"]

_RESAMPLING = {2: "bilinear", 3: "bicubic"}
"""PIL's numbers, which preprocessor_config.json uses, in torch's words."""


@dataclass(frozen=True)
class View:
    """How a picture is looked at: mirrored or not, and moved by some pixels, its border repeated.

    A tower that keeps 8 x 8 places apart sees an object differently where it lies across two of them, and errs in other
    places; so what several views say is averaged.
    """

    left: int = 0
    """Pixels of the tower's input that the picture moves to the left, at least 0."""
    up: int = 0
    """Likewise, upwards."""
    mirrored: bool = False

    def __call__(self, pixels: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 H W"]:
        """Pictures as this view has them."""
        if self.mirrored:
            pixels = pixels.flip(-1)
        padded = functional.pad(pixels, (0, self.left, 0, self.up), mode="replicate")
        return padded[..., self.up :, self.left :]


@dataclass(frozen=True)
class Preprocessing:
    """How frames become the vision tower's input. Defaults are those of the embedded models."""

    size: int = 64
    """Pixels along each edge of the input; of one patch, where frames are made to fit as `patches`."""
    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    """RGB, of values in [0, 1]."""
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    resample: int = 3
    """2: bilinear, 3: bicubic; both antialiased, as PIL does it."""
    views: tuple[View, ...] = (View(),)
    """Every frame is looked at in these ways. Checkpoints of others do not say, and have the one."""
    fit: Fit = "crop"
    """How a frame of another shape is made to fit. `crop`, CLIP's: the shorter edge is brought to size, and a square is
    cut from the middle. `squash`, SigLIP's: both edges are brought to size. `patches`, SigLIP 2's (NaFlex): nearly
    the frame's own shape, as large as `max_patches` allow."""
    max_patches: int = 0
    """At most so many patches; 0 unless frames are made to fit as `patches`."""

    @property
    def fingerprint(self) -> str:
        """All settings as a text, for a detector's hash.

        Settings that earlier detectors did not have are left out where they have their defaults, so that theirs stay.
        """
        settings = asdict(self)
        if self.fit == "crop":
            del settings["fit"], settings["max_patches"]
        return repr(settings)

    def to_json(self) -> str:
        """As transformers' image processors write it."""
        size = self.size
        kinds: dict[Fit, dict[str, Any]] = {
            "crop": {
                "image_processor_type": "CLIPImageProcessor",
                "do_resize": True,
                "size": {"shortest_edge": size},
                "resample": self.resample,
                "do_center_crop": True,
                "crop_size": {"height": size, "width": size},
            },
            "squash": {
                "image_processor_type": "SiglipImageProcessor",
                "do_resize": True,
                "size": {"height": size, "width": size},
                "resample": self.resample,
            },
            "patches": {
                "image_processor_type": "Siglip2ImageProcessor",
                "do_resize": True,
                "patch_size": size,
                "max_num_patches": self.max_patches,
                "resample": self.resample,
            },
        }
        return json.dumps(
            {
                **kinds[self.fit],
                "do_rescale": True,
                "rescale_factor": 1 / 255,
                "do_normalize": True,
                "image_mean": list(self.mean),
                "image_std": list(self.std),
                "do_convert_rgb": True,
                "views": [asdict(view) for view in self.views],
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> "Preprocessing":
        """Read a preprocessor_config.json, or the image processor's part of a processor_config.json.

        Raises:
            ModelError: a field is missing or has an unknown form, or asks for something that is not done here.
        """
        try:
            raw = json.loads(text)
            raw = raw.get("image_processor") or raw
            _check_done(raw)
            fit, size = _fit_and_size(raw)
            preprocessing = cls(
                size,
                _three(raw.get("image_mean") if raw.get("do_normalize", True) else (0, 0, 0)),
                _three(raw.get("image_std") if raw.get("do_normalize", True) else (1, 1, 1)),
                int(raw.get("resample", 2 if fit == "patches" else 3)),
                tuple(View(**view) for view in raw["views"]) if "views" in raw else (View(),),
                fit,
                int(raw.get("max_num_patches", 256)) if fit == "patches" else 0,
            )
            if preprocessing.resample not in _RESAMPLING:
                raise ValueError(f"resample {preprocessing.resample} is neither bilinear nor bicubic")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"{PREPROCESSOR_FILE} is not that of an image processor of CLIP's, SigLIP's or SigLIP 2's: {error}"
            ) from error
        return preprocessing

    def __call__(self, frames: np.ndarray, device: torch.device | str = "cpu") -> Float[Tensor, "N 3 H W"]:
        """Bring uint8 (N, H, W, 3) frames to size and normalise them; those of the right size are not resampled."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(0, 3, 1, 2)
        height, width = pixels.shape[2:]
        shape = self._shape(height, width)
        if shape != (height, width):
            # PIL, on whose results real checkpoints were trained, computes in whole numbers of 0..255. So does torch on a
            # CPU, ten times as fast as in floating point; elsewhere it cannot.
            whole = pixels.device.type == "cpu"
            pixels = functional.interpolate(
                pixels if whole else pixels.float(), shape, mode=_RESAMPLING[self.resample], antialias=True
            )
            pixels = pixels if whole else pixels.round().clamp(0, 255)
        pixels = pixels.float()
        if self.fit == "crop":
            top, left = (pixels.shape[2] - self.size) // 2, (pixels.shape[3] - self.size) // 2
            pixels = pixels[:, :, top : top + self.size, left : left + self.size]
        mean, std = (torch.tensor(three, device=device).view(3, 1, 1) for three in (self.mean, self.std))
        return (pixels / 255 - mean) / std

    def inputs(self, pixels: Float[Tensor, "N 3 H W"]) -> dict[str, Tensor]:
        """The arguments of transformers' `get_image_features` for pictures that are brought to size."""
        if self.fit != "patches":
            return {"pixel_values": pixels}
        count, edge = len(pixels), self.size
        rows, columns = pixels.shape[2] // edge, pixels.shape[3] // edge
        cells = pixels.unflatten(3, (columns, edge)).unflatten(2, (rows, edge))
        patches = cells.permute(0, 2, 4, 3, 5, 1).reshape(count, rows * columns, -1)
        padding = self.max_patches - rows * columns
        mask = torch.ones(count, rows * columns, dtype=torch.int32, device=pixels.device)
        return {
            "pixel_values": functional.pad(patches, (0, 0, 0, padding)),
            "pixel_attention_mask": functional.pad(mask, (0, padding)),
            "spatial_shapes": torch.tensor([[rows, columns]] * count, device=pixels.device).reshape(count, 2),
        }

    def _shape(self, height: int, width: int) -> tuple[int, int]:
        if self.fit == "squash":
            return self.size, self.size
        if self.fit == "crop":
            short = min(height, width)
            return self.size * height // short, self.size * width // short
        return _largest_shape(height, width, self.size, self.max_patches)


def _largest_shape(height: int, width: int, edge: int, max_patches: int) -> tuple[int, int]:
    """The largest picture of nearly the same shape that whole patches make up, found by halving as SigLIP 2's own is."""

    def scaled(scale: float, pixels: int) -> int:
        return max(edge, int(np.ceil(pixels * scale / edge)) * edge)

    low, high = 1e-6, 100.0
    while high - low >= 1e-5:
        middle = (low + high) / 2
        fits = (scaled(middle, height) // edge) * (scaled(middle, width) // edge) <= max_patches
        low, high = (middle, high) if fits else (low, middle)
    return scaled(low, height), scaled(low, width)


def _check_done(raw: Mapping[str, Any]) -> None:
    for step in ("do_resize", "do_rescale"):
        if not raw.get(step, True):
            raise ValueError(
                f"{step} is false, but frames are always resized, and brought from 0..255 to [0, 1]"
            )
    if abs(float(raw.get("rescale_factor", 1 / 255)) * 255 - 1) > 1e-6:
        raise ValueError(f"expected rescale_factor 1 / 255, got {raw['rescale_factor']}")


def _fit_and_size(raw: Mapping[str, Any]) -> tuple[Fit, int]:
    if "max_num_patches" in raw:
        return "patches", int(raw.get("patch_size", 16))
    size = raw["size"] if "size" in raw else raw["crop_size"]
    crop = raw.get("crop_size") or size
    cut = int(crop if isinstance(crop, int) else crop.get("height") or crop["shortest_edge"])
    crops = raw.get("do_center_crop", "crop_size" in raw)
    if isinstance(size, dict) and size.get("height") is not None:
        if size["height"] != size["width"] or (crops and size["height"] != cut):
            raise ValueError(
                f"expected a square as large as what is cut from it, got size {size} and crop {crop}"
            )
        return "squash", int(size["height"])
    short = int(size if isinstance(size, int) else size["shortest_edge"])
    if not crops or short != cut:
        raise ValueError(
            f"the shorter edge is brought to {short} pixels, so a square as large must be cut from the middle, got "
            f"do_center_crop {bool(crops)} and crop_size {crop}"
        )
    return "crop", cut


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
