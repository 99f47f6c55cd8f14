"""From noise to repainted crops: inpainting under a mask, a caption and geometry, in a few steps."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from daag.diffusion.components import EditorComponents
from daag.diffusion.crops import Crop
from daag.errors import EditError


@dataclass(frozen=True, eq=False)
class CropBatch:
    """B crops as tensors."""

    image: Float[Tensor, "B 3 S S"]
    """RGB in [-1, 1]."""
    mask: Float[Tensor, "B 1 S S"]
    """1 where the model repaints, else 0."""
    geometry: Float[Tensor, "B 6 S S"]

    @classmethod
    def of(cls, crops: list[Crop]) -> "CropBatch":
        """Stack crops of one size."""
        rgb = torch.from_numpy(np.stack([crop.rgb for crop in crops])).permute(0, 3, 1, 2)
        mask = torch.from_numpy(np.stack([crop.mask for crop in crops]))[:, None]
        geometry = torch.from_numpy(np.stack([crop.geometry for crop in crops]))
        return cls(image=rgb.float() / 127.5 - 1.0, mask=mask.float(), geometry=geometry)

    @property
    def masked_image(self) -> Float[Tensor, "B 3 S S"]:
        """The image with mid-grey in the mask: what is repainted is hidden."""
        return self.image * (1.0 - self.mask)


def predict(
    components: EditorComponents,
    latents: Float[Tensor, "B C h w"],
    timestep: Tensor,
    masked: Float[Tensor, "B M h w"],
    text: Float[Tensor, "B L D"],
    geometry: Float[Tensor, "B 6 S S"],
    anchor_index: Int64[Tensor, "B"] | None = None,
) -> Float[Tensor, "B C h w"]:
    """What the UNet, steered by the ControlNet, says of noisy latents.

    Args:
        components: the models.
        latents: noisy.
        timestep: of the scheduler, shape () or (B,).
        masked: mask and masked-image latents, from `inpainting_channels`.
        text: from `encode_text`.
        geometry: the ControlNet's condition; zeros say that nothing is known.
        anchor_index: each crop's anchor within the batch; None for no anchors.
    """
    attention = {"anchor_index": anchor_index}
    down, middle = components.controlnet(
        latents, timestep, text, geometry, cross_attention_kwargs=attention, return_dict=False
    )
    return components.unet(
        torch.cat([latents, masked], dim=1),
        timestep,
        text,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
        cross_attention_kwargs=attention,
        return_dict=False,
    )[0]


def inpainting_channels(components: EditorComponents, batch: CropBatch) -> Float[Tensor, "B M h w"]:
    """The mask at latent size, and the latents of the masked image: what never changes over the steps."""
    latents = components.encode_image(batch.masked_image)
    return torch.cat([functional.adaptive_max_pool2d(batch.mask, latents.shape[-2:]), latents], dim=1)


@torch.no_grad()
def repaint(
    components: EditorComponents,
    batch: CropBatch,
    text: Float[Tensor, "B L D"],
    noise: Float[Tensor, "B C h w"],
    num_inference_steps: int,
    anchor_index: Int64[Tensor, "B"] | None = None,
) -> Float[Tensor, "B 3 S S"]:
    """Repaint crops.

    Args:
        components: the models.
        batch: what to repaint, and where.
        text: encoded captions of what shall be seen.
        noise: standard normal.
        num_inference_steps: of the scheduler.
        anchor_index: each crop's anchor within the batch; None for no anchors.

    Returns:
        RGB in [0, 1]; outside the mask too it is the model's, to be discarded.

    Raises:
        EditError: the model produced NaN or infinity.
    """
    scheduler = copy.deepcopy(components.scheduler)  # it counts its steps
    scheduler.set_timesteps(num_inference_steps)
    masked = inpainting_channels(components, batch)
    latents = noise * float(getattr(scheduler, "init_noise_sigma", 1.0))
    for timestep in scheduler.timesteps:
        scaled = (
            scheduler.scale_model_input(latents, timestep)
            if hasattr(scheduler, "scale_model_input")
            else latents
        )
        output = predict(components, scaled, timestep, masked, text, batch.geometry, anchor_index)
        latents = scheduler.step(output, timestep, latents, return_dict=False)[0]
    pixels = components.decode_latents(latents)
    if not torch.isfinite(pixels).all():
        raise EditError(
            "the diffusion model produced NaN or infinity; load its weights in float32, or check the checkpoint"
        )
    return (pixels / 2.0 + 0.5).clamp(0.0, 1.0)
