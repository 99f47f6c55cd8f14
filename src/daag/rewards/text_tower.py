"""The embedded detectors' text tower: a sentence is the sum of what each word says at its place.

A CLIP reads a sentence with a transformer, which gives every combination of words a vector of its own. Those it was
trained on fit their pictures; one it never met lies beside where it ought to, and "the red cube is on the blue cube"
scores low though red, blue and "on" are all known. Here each word has one vector for each position in a sentence, and a
sentence's is their sum, so that a combination of words that was never met has exactly the vector that its words make.
Source: our choice.
"""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling


class TextTowerConfig(PreTrainedConfig):
    """The shape of the tower. All values are our choice.

    Args:
        vocab_size: words and marks that the tokenizer knows.
        max_position_embeddings: tokens of the longest sentence.
        hidden_size: width of a sentence's vector.
        pad_token_id: says nothing, wherever it stands.
        kwargs: transformers' own.
    """

    model_type = "daag_text_tower"

    # Written out, for fields of this class would be made into an __init__ that takes none of transformers' own.
    def __init__(
        self,
        vocab_size: int = 32,
        max_position_embeddings: int = 16,
        hidden_size: int = 128,
        pad_token_id: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(pad_token_id=pad_token_id, **kwargs)
        self.vocab_size, self.max_position_embeddings = vocab_size, max_position_embeddings
        self.hidden_size = hidden_size


class TextTower(PreTrainedModel):
    """Token ids, int64 (M, T), to one vector for each sentence, float (M, C)."""

    config_class = TextTowerConfig
    main_input_name = "input_ids"
    input_modalities = ("text",)

    def __init__(self, config: TextTowerConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(config.max_position_embeddings * config.vocab_size, config.hidden_size)
        self.post_init()

    def forward(self, input_ids: Int64[Tensor, "M T"], **_: Any) -> BaseModelOutputWithPooling:
        """Vectors of sentences.

        Args:
            input_ids: each sentence from its first position on, padded behind.

        Returns:
            `last_hidden_state`, what each word says, (M, T, C), and `pooler_output`, its sum, (M, C).
        """
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        said: Float[Tensor, "M T C"] = self.words(positions * self.config.vocab_size + input_ids)
        said = said * (input_ids != self.config.pad_token_id)[..., None]
        return BaseModelOutputWithPooling(last_hidden_state=said, pooler_output=said.sum(1))

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.05)
