"""Cross-frame attention: every crop also looks at an anchor crop, so that frames agree.

In self-attention, the keys and values of a crop are joined by those of its anchor, at the same timestep. What the
anchor decides (which shade of red, how glossy) is thereby visible to all frames of its clip.
Source: docs/paper.md (edits consistent in time); the mechanism is that of Text2Video-Zero (arXiv:2303.13439).
"""

import warnings
from typing import Any

from diffusers import ControlNetModel, MultiControlNetModel, UNet2DConditionModel
from diffusers.models.attention_dispatch import dispatch_attention_fn
from jaxtyping import Float
from torch import Tensor

from daag.diffusion.frame_memory import Glances
from daag.errors import DaagWarning


class AnchorAttention:
    """An attention processor for diffusers' `Attention` of transformer blocks.

    It keeps no state: who looks at whom comes with each call, as `cross_attention_kwargs={"glances": glances}`.
    Cross-attention (to text) is the usual one. Which kernel computes is diffusers' to say: `set_attention_backend` is
    heeded, and takes nothing away.
    """

    _attention_backend: Any = None  # what diffusers' `set_attention_backend` sets
    _parallel_config: Any = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Float[Tensor, "B L C"],
        encoder_hidden_states: Float[Tensor, "B M D"] | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        glances: Glances | None = None,
    ) -> Float[Tensor, "B L C"]:
        """Attend.

        Args:
            attn: the layer: projections and number of heads.
            hidden_states: of B crops.
            encoder_hidden_states: of their captions; None in self-attention.
            attention_mask: must be None; captions are not masked, as in Stable Diffusion.
            temb: unused; transformer blocks do not pass it.
            glances: whom each crop looks at, in this batch or in an earlier one; None for nobody.
        """
        del temb
        if attention_mask is not None:
            raise NotImplementedError("AnchorAttention does not take attention masks")
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        if encoder_hidden_states is None and glances is not None:
            key, value = glances.join(attn, key, value)
        attended = dispatch_attention_fn(
            *(part.unflatten(-1, (attn.heads, -1)) for part in (query, key, value)),
            backend=self._attention_backend,
            parallel_config=self._parallel_config,
        )
        return attn.to_out[1](attn.to_out[0](attended.flatten(2)))


def use_anchor_attention(*models: UNet2DConditionModel | ControlNetModel) -> None:
    """Make every attention layer of these models an `AnchorAttention`."""
    for model in models:
        model.set_attn_processor(AnchorAttention())


def keep_anchor_attention(*models: UNet2DConditionModel | ControlNetModel) -> None:
    """Put `AnchorAttention` back where someone has replaced it, and warn: without it frames would no longer agree."""
    for model in models:
        foreign = sorted(
            {
                type(processor).__name__
                for processor in model.attn_processors.values()
                if not isinstance(processor, AnchorAttention)
            }
        )
        if foreign:
            warnings.warn(
                f"the attention of {type(model).__name__} was replaced by {', '.join(foreign)}, which does not look at "
                "anchors; it was put back. To compute it by another kernel, call the model's set_attention_backend",
                DaagWarning,
                stacklevel=2,
            )
            use_anchor_attention(model)


def nets_of(controlnet: ControlNetModel | MultiControlNetModel | None) -> list[ControlNetModel]:
    """The single ControlNets."""
    if controlnet is None:
        return []
    return list(controlnet.nets) if isinstance(controlnet, MultiControlNetModel) else [controlnet]
