"""Cross-frame attention: every crop of a batch also looks at an anchor crop, so that frames agree.

In self-attention, the keys and values of a crop are joined by those of its anchor, at the same timestep. What the
anchor decides (which shade of red, how glossy) is thereby visible to all frames of its clip.
Source: docs/paper.md (edits consistent in time); the mechanism is that of Text2Video-Zero (arXiv:2303.13439).
"""

from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional


class AnchorAttention:
    """An attention processor for diffusers' `Attention` of transformer blocks.

    It keeps no state: which element is whose anchor comes with each call, as
    `cross_attention_kwargs={"anchor_index": index}`. Cross-attention (to text) is the usual one.
    """

    def __call__(
        self,
        attn: Any,
        hidden_states: Float[Tensor, "B L C"],
        encoder_hidden_states: Float[Tensor, "B M D"] | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        anchor_index: Int64[Tensor, "B"] | None = None,
    ) -> Float[Tensor, "B L C"]:
        """Attend.

        Args:
            attn: the layer: projections and number of heads.
            hidden_states: of B crops.
            encoder_hidden_states: of their captions; None in self-attention.
            attention_mask: must be None; captions are not masked, as in Stable Diffusion.
            temb: unused; transformer blocks do not pass it.
            anchor_index: for each crop, the position in the batch of its anchor; None switches anchors off.
        """
        del temb
        if attention_mask is not None:
            raise NotImplementedError("AnchorAttention does not take attention masks")
        batch, _, _ = hidden_states.shape
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        if encoder_hidden_states is None and anchor_index is not None:
            # A crop that is its own anchor sees each key twice, which leaves the softmax's average as it was.
            key = torch.cat([key, key[anchor_index]], dim=1)
            value = torch.cat([value, value[anchor_index]], dim=1)
        query, key, value = (x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in (query, key, value))
        attended = functional.scaled_dot_product_attention(query, key, value)
        attended = attended.transpose(1, 2).reshape(batch, -1, attn.inner_dim)
        return attn.to_out[1](attn.to_out[0](attended))


def use_anchor_attention(*models: UNet2DConditionModel | ControlNetModel) -> None:
    """Make every attention layer of these models an `AnchorAttention`."""
    for model in models:
        model.set_attn_processor(AnchorAttention())
