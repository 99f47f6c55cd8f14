"""CLIP-class dual encoders as reward detectors.  Source: docs/paper.md; Radford et al. 2021 (arXiv:2103.00020), Zhai et
al. 2023 (SigLIP, arXiv:2303.15343), Tschannen et al. 2025 (SigLIP 2, arXiv:2502.14786).

The embedded models, a checkpoint in a directory and a checkpoint on the hub are loaded by one code path. A model's
directory holds config.json, model.safetensors, tokenizer.json, preprocessor_config.json and calibration.json; all
but the last are as transformers writes them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

import daag
from daag.errors import ModelError, RewardDetectorError, UnknownNameError
from daag.rewards.adapters import ADAPTER_CONFIG, base_of, has_adapters, load_adapters, save_adapters
from daag.rewards.calibration import Calibration, family_of
from daag.rewards.dual_encoder import (
    PADDED_TO_THE_END,
    Dtype,
    DualEncoder,
    check_fits,
    flatten_pooling,
    image_features,
    load_model,
    load_preprocessing,
    load_tokenizer,
    read_file,
    register_towers,
    vector_length,
)
from daag.rewards.preprocessing import PREPROCESSOR_FILE, Preprocessing, View

__all__ = [
    "GENERIC",
    "PRETRAINED",
    "ClipDetector",
    "Preprocessing",
    "View",
    "pretrained",
    "register_towers",
]

GENERIC = ("base", "ready")
"""Kinds of embedded detectors: `base` knows objects and colours, `ready` relations too."""

PRETRAINED = (*GENERIC, "base-room", "ready-room", "base-language-table", "ready-language-table")
"""The embedded detectors: those without a world's name are RGB Stacking's."""

CALIBRATION_FILE = "calibration.json"

BATCH_FRAMES = {"cpu": 32}
"""Frames that are encoded at once, by the kind of device, where nobody says; 256 elsewhere. On a CPU larger batches leave its
caches and are slower (benchmarks/labelling.py)."""

_NOT_OF_FRAMES = ("text_", "logit_")
"""How the names of weights begin that frames' embeddings do not depend on."""


class ClipDetector:
    """A `RewardDetector` around one of transformers' dual encoders. Never changed in place."""

    def __init__(
        self,
        model: DualEncoder,
        tokenizer: PreTrainedTokenizerFast,
        preprocessing: Preprocessing,
        calibration: Calibration | None = None,
        batch_frames: int | None = None,
    ) -> None:
        """Put the parts together; `from_pretrained` reads them from files.

        Args:
            model: computes where it is and in the dtype that it has.
            tokenizer: the model's own.
            preprocessing: likewise.
            calibration: thresholds; without it, scores only.
            batch_frames: how many frames are encoded at once; by default what suits the device.

        Raises:
            ModelError: tokenizer or preprocessing do not fit the model.
        """
        check_fits(model, tokenizer, preprocessing)
        self.model = flatten_pooling(model).eval()
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self.calibration = calibration or Calibration()
        self.batch_frames = batch_frames or BATCH_FRAMES.get(self.device.type, 256)
        self._texts: dict[str, np.ndarray] = {}
        self._hash = self._image_hash = ""

    @classmethod
    def from_pretrained(
        cls,
        name_or_directory: str | Path,
        device: str = "cpu",
        dtype: Dtype = "float32",
        batch_frames: int | None = None,
    ) -> "ClipDetector":
        """Load a CLIP, SigLIP or SigLIP 2 checkpoint.

        Args:
            name_or_directory: a directory, or the id of a repository on the hub.
            device: torch's name of where the model computes: "cpu", "cuda", "cuda:1", "mps".
            dtype: what it computes in.
            batch_frames: how many frames are encoded at once; by default what suits the device.

        Raises:
            ModelError: files are missing or broken, the checkpoint is not a dual encoder, or there is no such device.
            RewardDetectorError: calibration.json is broken.
        """
        name = str(name_or_directory)
        try:
            if (Path(name) / ADAPTER_CONFIG).is_file():
                model = load_adapters(load_model(base_of(Path(name)), device), Path(name))
                model = model.to(getattr(torch, dtype))
            else:
                model = load_model(name, device, dtype)
            tokenizer = load_tokenizer(name, model)
            preprocessing = load_preprocessing(name)
        except ModelError:
            raise
        except Exception as error:  # transformers raises many kinds; for the caller they are one
            raise ModelError(f"cannot load a dual encoder from {name}: {error}") from error
        text = read_file(name, CALIBRATION_FILE)
        calibration = Calibration.from_json(text) if text else None
        return cls(model, tokenizer, preprocessing, calibration, batch_frames)

    def save_pretrained(self, directory: Path, half: bool = False) -> None:
        """Write what `from_pretrained` reads; of a model with adapters these, and not the weights of its base.

        Args:
            directory: is made if missing.
            half: unless the model has adapters, store the weights as float16. Unless they were read from such a file, this changes the hash.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save_pretrained(directory)
        (directory / PREPROCESSOR_FILE).write_text(self.preprocessing.to_json() + "\n")
        (directory / CALIBRATION_FILE).write_text(self.calibration.to_json() + "\n")
        if has_adapters(self.model):
            save_adapters(self.model, directory)
            return
        state = {name: tensor.half() if half else tensor for name, tensor in self.model.state_dict().items()}
        self.model.save_pretrained(directory, state_dict=state)

    def with_calibration(self, calibration: Calibration) -> "ClipDetector":
        """The same weights with other thresholds; another detector with another hash."""
        return ClipDetector(self.model, self.tokenizer, self.preprocessing, calibration, self.batch_frames)

    def with_model(self, model: DualEncoder) -> "ClipDetector":
        """The same tokenizer, preprocessing and thresholds around another model; another detector with another hash."""
        return ClipDetector(model, self.tokenizer, self.preprocessing, self.calibration, self.batch_frames)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in."""
        return next(self.model.parameters()).dtype

    @property
    def vector_size(self) -> int:
        """Length of the vectors of frames and sentences."""
        return vector_length(self.model)

    @property
    def hash(self) -> str:
        """SHA-256 of weights, vocabulary, preprocessing and calibration, and of the dtype if it is not float32."""
        if not self._hash:
            digest = self._digest_of_weights(leave_out=())
            digest.update(repr(sorted(self.tokenizer.get_vocab().items())).encode())
            digest.update(self.preprocessing.fingerprint.encode())
            digest.update(self.calibration.to_json().encode())
            self._hash = digest.hexdigest()
        return self._hash

    @property
    def image_hash(self) -> str:
        """SHA-256 of all that embeddings of frames depend on: the vision tower, its projection and the preprocessing.

        Neither another calibration nor another text tower changes it, so that embeddings that are kept stay good.
        """
        if not self._image_hash:
            digest = self._digest_of_weights(leave_out=_NOT_OF_FRAMES)
            digest.update(self.preprocessing.fingerprint.encode())
            self._image_hash = digest.hexdigest()
        return self._image_hash

    def _digest_of_weights(self, leave_out: tuple[str, ...]) -> "hashlib._Hash":
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            if not name.startswith(leave_out or ("\0",)):
                digest.update(name.encode())
                digest.update(tensor.float().cpu().contiguous().numpy().tobytes())
        if self.dtype != torch.float32:
            digest.update(str(self.dtype).encode())
        return digest

    def __repr__(self) -> str:
        millions = sum(weights.numel() for weights in self.model.parameters()) / 1e6
        families = ", ".join(sorted(self.calibration.thresholds)) or "nothing"
        return (
            f"ClipDetector({type(self.model).__name__}, {millions:.1f} million parameters, {self.device}, "
            f"{str(self.dtype).removeprefix('torch.')}, calibrated for {families})"
        )

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
        views = self.preprocessing.views[:num_views]
        seen: list[list[Tensor]] = [[] for _ in views]
        with torch.inference_mode():
            for start in range(0, len(frames), self.batch_frames):
                pixels = self.preprocessing(frames[start : start + self.batch_frames], self.device)
                inputs = [self.preprocessing.inputs(view(pixels)) for view in views]
                if len(pixels) == 1:  # as an agent asks at every step: one pass, not one for each view
                    together = {name: torch.cat([each[name] for each in inputs]) for name in inputs[0]}
                    features: Sequence[Tensor] = image_features(self.model, together).split(1)
                else:
                    features = [image_features(self.model, each) for each in inputs]
                for part, parts in zip(features, seen, strict=True):
                    parts.append(part)
        vectors = np.stack([_unit_vectors(parts, self.vector_size) for parts in seen], axis=1)
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
            return np.zeros((0, self.vector_size), dtype=np.float32)
        return np.stack([self._texts[text] for text in descriptions])

    @property
    def hysteresis(self) -> float:
        """How far below its threshold a description's score must have been before it can come to be shown again; 0: any."""
        return self.calibration.hysteresis

    @property
    def patience(self) -> int:
        """For how many looks in a row that must have been so, unless it was so from the start."""
        return self.calibration.patience

    def unseen_below(self, description: str) -> float:
        """The score below which a frame does not show what a description speaks of, so that it may be so or not; -1: none."""
        return self.calibration.unseen.get(family_of(description), -1.0)

    @property
    def num_rows(self) -> int:
        """Rows of places that come first among a frame's vectors, and columns; 1 where a frame has one vector."""
        return int(getattr(self.model.vision_model, "num_rows", 1))

    def success_threshold(self, description: str) -> float:
        """The cosine similarity in [-1, 1] at or above which a frame counts as showing `description`.

        Raises:
            RewardDetectorError: the detector is not calibrated for this family of descriptions.
        """
        return self.calibration.threshold(description)

    def tokenize(self, descriptions: Sequence[str]) -> dict[str, Tensor]:
        """What the text tower takes: token ids and, where its tokenizer gives one, an attention mask, int64 (M, T).

        Raises:
            RewardDetectorError: a description is empty, too long, or has a word that the tokenizer does not know.
        """
        limit = self.model.config.text_config.max_position_embeddings
        to_the_end = self.model.config.model_type in PADDED_TO_THE_END
        texts = [text.lower() for text in descriptions] if to_the_end else list(descriptions)
        for text in texts:
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
        padding = {"padding": "max_length", "max_length": limit} if to_the_end else {"padding": True}
        tokens = self.tokenizer(texts, return_tensors="pt", **padding)
        # A SigLIP's tokenizer gives no mask: its text tower was trained to see the padding.
        taken = ("input_ids", "attention_mask")
        return {name: tokens[name].to(self.device) for name in taken if name in tokens}

    def _embed_new_texts(self, descriptions: list[str]) -> Float32[np.ndarray, "M D"]:
        tokens = self.tokenize(descriptions)
        with torch.inference_mode():
            features = self.model.get_text_features(**tokens).pooler_output
            return _unit_vectors([features], self.vector_size)

    def _words(self) -> str:
        words = sorted(self.tokenizer.get_vocab())
        return ", ".join(words[:40]) + (", ..." if len(words) > 40 else "")


def pretrained(name: str, device: str = "cpu", dtype: Dtype = "float32") -> ClipDetector:
    """Load an embedded detector.

    Args:
        name: one of `PRETRAINED`.
        device: torch's name of where it computes.
        dtype: what it computes in.

    Raises:
        UnknownNameError: no such detector.
        ModelError: its files are missing from the installation, or there is no such device.
    """
    if name not in PRETRAINED:
        raise UnknownNameError("embedded detector", name, PRETRAINED)
    directory = Path(daag.__file__).parent / "pretrained" / f"detector-{name}"
    if not (directory / "model.safetensors").exists():
        raise ModelError(
            f"the embedded detector {name!r} is not in this installation ({directory}); reinstall daag, or train it "
            "with 'python -m daag.pretraining.detector'"
        )
    return ClipDetector.from_pretrained(directory, device, dtype)


def _unit_vectors(parts: Sequence[Tensor], width: int) -> Float32[np.ndarray, "N *L D"]:
    if not parts:
        return np.zeros((0, width), dtype=np.float32)
    vectors = functional.normalize(torch.cat(list(parts)).float(), dim=-1).cpu().numpy()
    if not np.isfinite(vectors).all():
        raise RewardDetectorError("the model gives embeddings that are not finite; its weights are broken")
    return vectors
