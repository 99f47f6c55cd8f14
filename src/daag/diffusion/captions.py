"""Captions, and what they are as vectors, by one text encoder (Stable Diffusion 1 and 2) or two (SDXL)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def caption_of(name: str) -> str:
    """How a crop of an object is described: "a red cube"."""
    return f"a {name}"


@dataclass(frozen=True, eq=False)
class Captions:
    """B encoded captions."""

    tokens: Float[Tensor, "B L D"]
    """One vector per token, which cross-attention looks at."""
    pooled: Float[Tensor, "B P"] | None = None
    """One vector for the whole, which SDXL adds to the timestep's; None for models that take none."""

    def __len__(self) -> int:
        return len(self.tokens)

    def pick(self, index: Sequence[int]) -> "Captions":
        """Those at these positions, repeated as asked."""
        at = torch.tensor(index, dtype=torch.long, device=self.tokens.device)
        return Captions(self.tokens[at], None if self.pooled is None else self.pooled[at])

    @staticmethod
    def join(parts: Sequence["Captions"]) -> "Captions":
        """One behind the other."""
        pooled = [part.pooled for part in parts if part.pooled is not None]
        return Captions(torch.cat([part.tokens for part in parts]), torch.cat(pooled) if pooled else None)


def encode_captions(captions: list[str], tokenizers: Sequence[Any], encoders: Sequence[Any]) -> Captions:
    """Encode, all padded to one length, so that a caption's vectors never depend on others.

    One encoder gives its last layer. Of two, as in SDXL, each gives its last but one, side by side, and the second its
    projection of the whole.  Source: diffusers' pipelines, which the weights were trained for.

    Args:
        captions: longer than an encoder takes, they are cut.
        tokenizers: of each encoder.
        encoders: one or two.
    """
    hidden, pooled = [], None
    for tokenizer, encoder in zip(tokenizers, encoders, strict=True):
        length = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
        ids = tokenizer(
            captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids.to(encoder.device)
        if len(encoders) == 1:
            return Captions(encoder(ids).last_hidden_state)
        output = encoder(ids, output_hidden_states=True)
        hidden.append(output.hidden_states[-2])
        pooled = getattr(output, "text_embeds", pooled)
    return Captions(torch.cat(hidden, dim=-1), pooled)
