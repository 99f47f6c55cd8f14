"""CLIP-class dual encoders as reward detectors.  Source: docs/paper.md; Radford et al. 2021 (arXiv:2103.00020).

The embedded models, a checkpoint in a directory and a checkpoint on the hub are loaded by one code path. A model's
directory holds config.json, model.safetensors, tokenizer.json, preprocessor_config.json and calibration.json; all
but the last are as transformers writes them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, CLIPModel, PreTrainedTokenizerFast, VisionTextDualEncoderModel
from transformers.utils.hub import cached_file

import daag
from daag.errors import ModelError, RewardDetectorError, UnknownNameError
from daag.rewards.calibration import Calibration
from daag.rewards.text_tower import TextTower, TextTowerConfig
from daag.rewards.vision_tower import VisionTower, VisionTowerConfig

DualEncoder: TypeAlias = CLIPModel | VisionTextDualEncoderModel

_CLASSES = {"clip": CLIPModel, "vision-text-dual-encoder": VisionTextDualEncoderModel}
"""transformers' name of a kind of model, and its class. The embedded detectors are of the second."""

GENERIC = ("base", "ready")
"""Kinds of embedded detectors: `base` knows objects and colours, `ready` relations too."""

PRETRAINED = (*GENERIC, "ready-room", "ready-language-table")
"""The embedded detectors: those without a world's name are RGB Stacking's."""

CALIBRATION_FILE = "calibration.json"
PREPROCESSOR_FILE = "preprocessor_config.json"

BATCH_FRAMES = 256

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

    def __call__(self, pixels: Float[Tensor, "N 3 S S"]) -> Float[Tensor, "N 3 S S"]:
        """Pictures as this view has them."""
        if self.mirrored:
            pixels = pixels.flip(-1)
        padded = functional.pad(pixels, (0, self.left, 0, self.up), mode="replicate")
        return padded[..., self.up :, self.left :]


@dataclass(frozen=True)
class Preprocessing:
    """How frames become the vision tower's input. Defaults are those of the embedded models."""

    size: int = 64
    """Pixels to which the shorter edge is brought, and the edge of the square cut from the middle."""
    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    """RGB, of values in [0, 1]."""
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    resample: int = 3
    """2: bilinear, 3: bicubic; both antialiased, as PIL does it."""
    views: tuple[View, ...] = (View(),)
    """Every frame is looked at in these ways. Checkpoints of others do not say, and have the one."""

    def to_json(self) -> str:
        """As transformers' image processors write it."""
        size = self.size
        return json.dumps(
            {
                "image_processor_type": "CLIPImageProcessor",
                "do_resize": True,
                "size": {"shortest_edge": size},
                "resample": self.resample,
                "do_center_crop": True,
                "crop_size": {"height": size, "width": size},
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
        """Read a preprocessor_config.json.

        Raises:
            ModelError: a field is missing or has an unknown form.
        """
        try:
            raw = json.loads(text)
            crop = raw.get("crop_size") or raw["size"]
            size = crop if isinstance(crop, int) else crop.get("height") or crop["shortest_edge"]
            (r, g, b), (sr, sg, sb) = raw["image_mean"], raw["image_std"]
            views = tuple(View(**view) for view in raw["views"]) if "views" in raw else (View(),)
            preprocessing = cls(int(size), (r, g, b), (sr, sg, sb), int(raw.get("resample", 3)), views)
            if preprocessing.resample not in _RESAMPLING:
                raise ValueError(f"resample {preprocessing.resample} is neither bilinear nor bicubic")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"{PREPROCESSOR_FILE} is not that of a CLIP image processor: {error}") from error
        return preprocessing

    def __call__(self, frames: np.ndarray) -> Float[Tensor, "N 3 S S"]:
        """Resize, cut and normalise uint8 (N, H, W, 3) frames. Frames of the right size are not resampled."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
        height, width = pixels.shape[2:]
        if min(height, width) != self.size:
            scale = self.size / min(height, width)
            shape = (max(self.size, int(height * scale)), max(self.size, int(width * scale)))
            pixels = functional.interpolate(pixels, shape, mode=_RESAMPLING[self.resample], antialias=True)
            # PIL, on whose results real checkpoints were trained, gives whole numbers of 0..255.
            pixels = pixels.round().clamp(0, 255)
        top, left = (pixels.shape[2] - self.size) // 2, (pixels.shape[3] - self.size) // 2
        pixels = pixels[:, :, top : top + self.size, left : left + self.size] / 255
        return (pixels - torch.tensor(self.mean).view(3, 1, 1)) / torch.tensor(self.std).view(3, 1, 1)


class ClipDetector:
    """A `RewardDetector` around transformers' CLIPModel. Never changed in place."""

    def __init__(
        self,
        model: DualEncoder,
        tokenizer: PreTrainedTokenizerFast,
        preprocessing: Preprocessing,
        calibration: Calibration | None = None,
    ) -> None:
        """Put the parts together; `from_pretrained` reads them from files.

        Raises:
            ModelError: tokenizer or preprocessing do not fit the model.
        """
        text, vision = model.config.text_config, model.config.vision_config
        # Offline, a missing tokenizer file does not fail: transformers makes one of two tokens without a word.
        if not 0.9 * text.vocab_size <= len(tokenizer) <= text.vocab_size:
            raise ModelError(
                f"expected a tokenizer of {text.vocab_size} tokens, as the text tower has, got one of "
                f"{len(tokenizer)}; is tokenizer.json missing?"
            )
        expected_size = getattr(vision, "image_size", preprocessing.size)  # convolutions take any
        if preprocessing.size != expected_size:
            raise ModelError(
                f"expected pictures of {expected_size} pixels, as the vision tower takes, but "
                f"{PREPROCESSOR_FILE} makes them {preprocessing.size}"
            )
        self.model = flatten_pooling(model).eval()
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self.calibration = calibration or Calibration()
        self._texts: dict[str, np.ndarray] = {}
        self._hash = ""

    @classmethod
    def from_pretrained(cls, name_or_directory: str | Path) -> "ClipDetector":
        """Load a CLIP checkpoint.

        Args:
            name_or_directory: a directory, or the id of a repository on the hub.

        Raises:
            ModelError: files are missing or broken, or the checkpoint is not a dual encoder.
            RewardDetectorError: calibration.json is broken.
        """
        name = str(name_or_directory)
        register_towers()
        try:
            config = AutoConfig.from_pretrained(name)
            if config.model_type not in _CLASSES:
                raise ModelError(
                    f"expected a dual encoder ({', '.join(_CLASSES)}) in {name}, got a model of type "
                    f"{config.model_type!r}"
                )
            kind = _CLASSES[config.model_type]
            model, report = kind.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
            missing = sorted(report["missing_keys"])
            if missing:  # transformers would go on with random numbers in their place
                raise ModelError(f"{name} lacks weights: {', '.join(missing[:3])} and {len(missing)} in all")
            tokenizer = PreTrainedTokenizerFast.from_pretrained(name)
            preprocessing = Preprocessing.from_json(_read(name, PREPROCESSOR_FILE))
        except ModelError:
            raise
        except Exception as error:  # transformers raises many kinds; for the caller they are one
            raise ModelError(f"cannot load a CLIP checkpoint from {name}: {error}") from error
        calibration = _read(name, CALIBRATION_FILE, required=False)
        return cls(
            model, tokenizer, preprocessing, Calibration.from_json(calibration) if calibration else None
        )

    def save_pretrained(self, directory: Path, half: bool = False) -> None:
        """Write what `from_pretrained` reads.

        Args:
            directory: is made if missing.
            half: store the weights as float16. Unless they were read from such a file, this changes the hash.
        """
        directory.mkdir(parents=True, exist_ok=True)
        state = {name: tensor.half() if half else tensor for name, tensor in self.model.state_dict().items()}
        self.model.save_pretrained(directory, state_dict=state)
        self.tokenizer.save_pretrained(directory)
        (directory / PREPROCESSOR_FILE).write_text(self.preprocessing.to_json() + "\n")
        (directory / CALIBRATION_FILE).write_text(self.calibration.to_json() + "\n")

    def with_calibration(self, calibration: Calibration) -> "ClipDetector":
        """The same weights with other thresholds; another detector with another hash."""
        return ClipDetector(self.model, self.tokenizer, self.preprocessing, calibration)

    @property
    def hash(self) -> str:
        """SHA-256 of weights, vocabulary, preprocessing and calibration."""
        if not self._hash:
            digest = hashlib.sha256()
            for name, tensor in sorted(self.model.state_dict().items()):
                digest.update(name.encode())
                digest.update(tensor.float().contiguous().numpy().tobytes())
            for part in (sorted(self.tokenizer.get_vocab().items()), asdict(self.preprocessing)):
                digest.update(repr(part).encode())
            digest.update(self.calibration.to_json().encode())
            self._hash = digest.hexdigest()
        return self._hash

    def embed_frames(
        self, frames: np.ndarray, num_views: int | None = None
    ) -> Float32[np.ndarray, "N V L D"]:
        """Unit vectors of RGB frames in each view: one for the whole frame (L = 1), or one for each place of the embedded
        models.

        Args:
            frames: uint8, shape (N, H, W, 3), any size.
            num_views: only the first so many views; all by default.

        Raises:
            RewardDetectorError: another dtype or layout, or the model gives something that is not finite.
        """
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
            raise RewardDetectorError(
                f"expected RGB frames as uint8 (N, H, W, 3), got {frames.dtype} {frames.shape}; layouts and ranges "
                "are never guessed, so convert them first"
            )
        with torch.inference_mode():
            batches = [
                self.preprocessing(frames[start : start + BATCH_FRAMES])
                for start in range(0, len(frames), BATCH_FRAMES)
            ]
            views = [
                [self.model.get_image_features(view(pixels)).pooler_output for pixels in batches]
                for view in self.preprocessing.views[:num_views]
            ]
        vectors = np.stack(
            [_unit_vectors(parts, self.model.config.projection_dim) for parts in views], axis=1
        )
        return vectors if vectors.ndim == 4 else vectors[:, :, None]

    def embed_texts(self, descriptions: Sequence[str]) -> Float32[np.ndarray, "M D"]:
        """Unit vectors of descriptions; each is computed once.

        Raises:
            RewardDetectorError: a description is empty, too long, or has a word that the tokenizer does not know.
        """
        # One by one: in a batch the last bits depend on the others, and a resumed run asks in other batches.
        for text in {text for text in descriptions if text not in self._texts}:
            self._texts[text] = self._embed_new_texts([text])[0]
        if not descriptions:
            return np.zeros((0, self.model.config.projection_dim), dtype=np.float32)
        return np.stack([self._texts[text] for text in descriptions])

    def success_threshold(self, description: str) -> float:
        """The cosine similarity in [-1, 1] at or above which a frame counts as showing `description`.

        Raises:
            RewardDetectorError: the detector is not calibrated for this family of descriptions.
        """
        return self.calibration.threshold(description)

    def tokenize(self, descriptions: Sequence[str]) -> dict[str, Tensor]:
        """Token ids and attention mask, int64 (M, T).

        Raises:
            RewardDetectorError: a description is empty, too long, or has a word that the tokenizer does not know.
        """
        limit = self.model.config.text_config.max_position_embeddings
        for text in descriptions:
            if not text.strip():
                raise RewardDetectorError("expected a description such as 'a red cube', got an empty one")
            ids = self.tokenizer(text)["input_ids"]
            if len(ids) > limit:
                raise RewardDetectorError(f"expected at most {limit} tokens, got {len(ids)}: {text!r}")
            unknown = self.tokenizer.unk_token_id
            # Byte-level vocabularies use the end token for "unknown", and have no unknown words.
            if unknown is not None and unknown != self.tokenizer.eos_token_id and unknown in ids:
                raise RewardDetectorError(
                    f"{text!r} has a word that this detector was not trained on; it knows: {self._words()}"
                )
        tokens = self.tokenizer(list(descriptions), padding=True, return_tensors="pt")
        return {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}

    def _embed_new_texts(self, descriptions: list[str]) -> Float32[np.ndarray, "M D"]:
        tokens = self.tokenize(descriptions)
        with torch.inference_mode():
            features = self.model.get_text_features(**tokens).pooler_output
            return _unit_vectors([features], self.model.config.projection_dim)

    def _words(self) -> str:
        words = sorted(self.tokenizer.get_vocab())
        return ", ".join(words[:40]) + (", ..." if len(words) > 40 else "")


def pretrained(name: str) -> ClipDetector:
    """Load an embedded detector.

    Args:
        name: one of `PRETRAINED`.

    Raises:
        UnknownNameError: no such detector.
        ModelError: its files are missing from the installation.
    """
    if name not in PRETRAINED:
        raise UnknownNameError("embedded detector", name, PRETRAINED)
    directory = Path(daag.__file__).parent / "pretrained" / f"detector-{name}"
    if not (directory / "model.safetensors").exists():
        raise ModelError(
            f"the embedded detector {name!r} is not in this installation ({directory}); reinstall daag, or train it "
            "with 'python -m daag.pretraining.detector'"
        )
    return ClipDetector.from_pretrained(directory)


def register_towers() -> None:
    """Tell transformers' Auto classes of the embedded detectors' towers, so that `from_pretrained` finds them. Harmless
    if repeated."""
    for config, tower in ((VisionTowerConfig, VisionTower), (TextTowerConfig, TextTower)):
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModel.register(config, tower, exist_ok=True)


def flatten_pooling(model: DualEncoder) -> DualEncoder:
    """Let a convolutional vision tower pool to (N, C) as transformers' projection expects, not to (N, C, 1, 1)."""
    pooler = getattr(model.vision_model, "pooler", None)
    if isinstance(pooler, nn.AdaptiveAvgPool2d):
        model.vision_model.pooler = nn.Sequential(pooler, nn.Flatten(1))
    return model


def _read(name: str, file: str, required: bool = True) -> str:
    """A file of a checkpoint; "" where it may be missing and is."""
    path = cached_file(name, file, _raise_exceptions_for_missing_entries=required)
    return Path(path).read_text() if path else ""


def _unit_vectors(parts: Sequence[Tensor], width: int) -> Float32[np.ndarray, "N *L D"]:
    if not parts:
        return np.zeros((0, width), dtype=np.float32)
    vectors = functional.normalize(torch.cat(list(parts)).float(), dim=-1).numpy()
    if not np.isfinite(vectors).all():
        raise RewardDetectorError("the model gives embeddings that are not finite; its weights are broken")
    return vectors
