"""Grounding DINO and OWLv2 as box models, through transformers and its image processors.

Grounding DINO reads all names in one text, "red ball. green ball.", and says of each box how well it fits each word piece;
a name's score is the mean over its pieces, as its authors count classes. OWLv2 reads each name alone.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import (
    AutoTokenizer,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
)

from daag.errors import ModelError
from daag.perception.boxes import Boxes
from daag.perception.checkpoints import load_model, told_as_model_error, weights_hash
from daag.perception.config import Dtype

BATCH_FRAMES = 2
"""Frames at once. Grounding DINO takes about 1 GB for each at its full size."""

MAX_BOXES = 100
"""Of a frame, the best."""

_CLASSES: dict[str, Any] = {
    "grounding-dino": GroundingDinoForObjectDetection,
    "owlv2": Owlv2ForObjectDetection,
}
_PROCESSORS: dict[str, Any] = {
    "grounding-dino": GroundingDinoImageProcessorPil,
    "owlv2": Owlv2ImageProcessorPil,
}
_MIN_SCORES = {"grounding-dino": 0.25, "owlv2": 0.1}
"""The library's own defaults."""


class TextBoxModel:
    """A `BoxModel` of transformers'; `from_pretrained` reads it.

    Args:
        model: Grounding DINO or OWLv2.
        tokenizer: its own, a fast one.
        processor: its image processor, of the library's PIL kind.
        device: where the model is.
    """

    def __init__(self, model: Any, tokenizer: Any, processor: Any, device: torch.device) -> None:
        self.model, self.tokenizer, self.processor, self.device = model, tokenizer, processor, device
        self.kind: str = model.config.model_type

    @classmethod
    def from_pretrained(cls, name: str, device: str = "cpu", dtype: Dtype = "float32") -> "TextBoxModel":
        """Read a checkpoint.

        Args:
            name: a directory, or the id of a repository on the hub.
            device: torch's name of where it computes.
            dtype: what it computes in.

        Raises:
            ModelError: it cannot be read, is neither, or there is no such device.
        """
        model, where = load_model(_CLASSES, name, "a box model", device, dtype)
        with told_as_model_error(name, "a box model's tokenizer and image processor"):
            tokenizer = AutoTokenizer.from_pretrained(name)
            processor = _PROCESSORS[model.config.model_type].from_pretrained(name)
        return cls(model, tokenizer, processor, where)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of weights, vocabulary and preprocessing."""
        vocabulary = sorted(self.tokenizer.get_vocab().items())
        return weights_hash(self.model, (vocabulary, self.processor.to_json_string()))

    @property
    def min_score(self) -> float:
        """The library's default for models of this kind."""
        return _MIN_SCORES[self.kind]

    def find(self, frames: UInt8[np.ndarray, "N H W 3"], names: Sequence[str]) -> list[Boxes]:
        """Look for objects; see `BoxModel`."""
        if not names:
            return [Boxes(np.zeros((0, 4), np.float32), np.zeros((0, 0), np.float32)) for _ in frames]
        ask = self._ask_phrases if self.kind == "grounding-dino" else self._ask_queries
        found: list[Boxes] = []
        for start in range(0, len(frames), BATCH_FRAMES):
            batch = frames[start : start + BATCH_FRAMES]
            # Rows first, so that no picture, however narrow, is taken for channels-first.
            inputs = self.processor(list(batch), input_data_format="channels_last", return_tensors="pt")
            inputs = {name: self._placed(value) for name, value in inputs.items()}
            with torch.inference_mode():
                scores, boxes = ask(inputs, names, len(batch))
            if bool(torch.isnan(scores).any() or torch.isnan(boxes).any()):
                raise ModelError(
                    f"the box model ({self.kind}, {self.model.dtype}) gave scores or boxes that are no numbers; "
                    "conditions_dtype float32 is exact, bfloat16 has its range"
                )
            found += self._boxes(scores.float(), boxes.float(), batch.shape[1:3])
        return found

    def _ask_phrases(
        self, inputs: dict[str, Tensor], names: Sequence[str], count: int
    ) -> tuple[Float[Tensor, "N Q M"], Float[Tensor, "N Q 4"]]:
        text, spans = phrases(names)
        tokens = self.tokenizer(text, return_offsets_mapping=True)
        offsets = tokens.pop("offset_mapping")
        longest = self.model.config.max_text_len
        if len(offsets) > longest:
            raise ModelError(
                f"the box model takes texts of {longest} word pieces, and {len(names)} names make {len(offsets)}; "
                "ask for fewer objects"
            )
        rows = {name: torch.tensor([value] * count, device=self.device) for name, value in tokens.items()}
        outputs = self.model(**inputs, **rows)
        probabilities = outputs.logits.sigmoid()
        per_name = [
            probabilities[..., _pieces(offsets, span)].mean(dim=-1) for span in spans
        ]  # words that the vocabulary lacks still are one piece
        return torch.stack(per_name, dim=-1), outputs.pred_boxes

    def _ask_queries(
        self, inputs: dict[str, Tensor], names: Sequence[str], count: int
    ) -> tuple[Float[Tensor, "N Q M"], Float[Tensor, "N Q 4"]]:
        texts = [f"a photo of a {name}" for name in names] * count
        tokens = self.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
        tokens = {name: value.to(self.device) for name, value in tokens.items() if name != "token_type_ids"}
        outputs = self.model(**inputs, **tokens)
        return outputs.logits.sigmoid(), outputs.pred_boxes

    def _boxes(
        self, scores: Float[Tensor, "N Q M"], boxes: Float[Tensor, "N Q 4"], shape: tuple[int, ...]
    ) -> Iterator[Boxes]:
        height, width = shape
        # OWLv2 pads pictures to squares, at the right and the bottom, and counts in these.
        scale = (width, height) if self.kind == "grounding-dino" else (max(shape), max(shape))
        for own, around in zip(scores, boxes, strict=True):
            middle, half = around[:, :2], around[:, 2:] / 2
            corners = torch.cat([middle - half, middle + half], dim=1) * torch.tensor(
                [*scale, *scale], device=around.device
            )
            corners = torch.minimum(
                corners.clamp(min=0), torch.tensor([width, height] * 2, device=around.device)
            )
            wide = ((corners[:, 2:] - corners[:, :2]) >= 1.0).all(dim=1)
            kept = own.amax(dim=1).masked_fill(~wide, -1.0).argsort(descending=True, stable=True)[:MAX_BOXES]
            kept = kept[wide[kept]]
            yield Boxes(corners[kept].cpu().numpy().astype(np.float32), own[kept].cpu().numpy())

    def _placed(self, value: Tensor) -> Tensor:
        """On the model's device; pictures in its precision, masks as they are."""
        return value.to(self.device, self.model.dtype if value.is_floating_point() else value.dtype)


def phrases(names: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Names as Grounding DINO's text, "red ball. green ball.", and where each stands in it."""
    text, spans = "", []
    for name in names:
        spans.append((len(text), len(text) + len(name)))
        text += f"{name.lower()}. "
    return text.rstrip(), spans


def _pieces(offsets: Sequence[tuple[int, int]], span: tuple[int, int]) -> list[int]:
    """The numbers of the word pieces within some characters."""
    return [number for number, (start, end) in enumerate(offsets) if span[0] <= start < end <= span[1]]
