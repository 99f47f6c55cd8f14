"""From noise to repainted crops: inpainting under a mask, a caption and geometry, in a few steps."""

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import MultiControlNetModel
from diffusers.models.embeddings import get_timestep_embedding
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from daag.diffusion.attention import keep_anchor_attention
from daag.diffusion.captions import Captions
from daag.diffusion.components import EditorComponents
from daag.diffusion.control_images import control_image
from daag.diffusion.crops import Crop
from daag.diffusion.frame_memory import Glances
from daag.errors import ConfigError, EditError


@dataclass(frozen=True)
class Sampling:
    """How crops are sampled.  Source of the defaults: our choice."""

    num_inference_steps: int = 1
    guidance_scale: float = 1.0
    """Of classifier-free guidance; 1 switches it off."""
    strength: float = 1.0
    """In (0, 1]: how much of the noise schedule is run; below 1 the repaint starts from the source."""

    def __post_init__(self) -> None:
        if self.num_inference_steps < 1 or not 0.0 < self.strength <= 1.0 or self.guidance_scale < 1.0:
            raise ConfigError(
                "expected at least one inference step, strength in (0, 1] and guidance_scale >= 1, got "
                f"{self.num_inference_steps}, {self.strength} and {self.guidance_scale}"
            )


@dataclass(frozen=True, eq=False)
class CropBatch:
    """B crops as tensors, of the models' resolution."""

    image: Float[Tensor, "B 3 S S"]
    """RGB in [-1, 1]."""
    mask: Float[Tensor, "B 1 S S"]
    """1 where the model repaints, else 0."""
    controls: tuple[Float[Tensor, "B _ S S"], ...]
    """What each ControlNet is shown."""

    @classmethod
    def of(cls, crops: list[Crop], size: int, conditions: Sequence[str] = ("geometry",)) -> "CropBatch":
        """Bring crops to one size and stack them; `conditions` names what each ControlNet is shown."""
        rgb = torch.from_numpy(np.stack([crop.rgb_at(size) for crop in crops])).permute(0, 3, 1, 2)
        mask = torch.from_numpy(np.stack([crop.mask_at(size) for crop in crops]))[:, None]
        controls = tuple(
            torch.from_numpy(np.stack([control_image(crop, condition, size) for crop in crops]))
            for condition in conditions
        )
        return cls(image=rgb.float() / 127.5 - 1.0, mask=mask.float(), controls=controls)

    @property
    def masked_image(self) -> Float[Tensor, "B 3 S S"]:
        """The image with mid-grey in the mask: what is repainted is hidden."""
        return self.image * (1.0 - self.mask)


def predict(
    components: EditorComponents,
    latents: Float[Tensor, "B C h w"],
    timestep: Tensor,
    masked: Float[Tensor, "B M h w"] | None,
    captions: Captions,
    controls: Sequence[Float[Tensor, "B _ S S"]],
    glances: Glances | None = None,
    timestep_cond: Float[Tensor, "B E"] | None = None,
) -> Float[Tensor, "B C h w"]:
    """What the UNet, steered by the ControlNets, says of noisy latents.

    Args:
        components: the models.
        latents: noisy.
        timestep: of the scheduler, shape () or (B,).
        masked: mask and masked-image latents, from `inpainting_channels`; None for a UNet that takes none.
        captions: what shall be seen.
        controls: one for each ControlNet; daag's own takes zeros where nothing is known. None at all leave all out.
        glances: which crops each crop looks at; None for none.
        timestep_cond: the guidance scale, embedded, for UNets that are told it.
    """
    dtype = components.unet.dtype
    attention, added = {"glances": glances}, _added_conditions(components, captions, latents)
    latents, tokens = latents.to(dtype), captions.tokens.to(dtype)
    down, middle = None, None
    controlnet = components.controlnet
    if controls and controlnet is not None:
        shown, scales = [control.to(dtype) for control in controls], list(components.control_scales)
        several = isinstance(controlnet, MultiControlNetModel)
        down, middle = controlnet(
            latents,
            timestep,
            tokens,
            shown if several else shown[0],
            conditioning_scale=scales if several else scales[0],
            added_cond_kwargs=added,
            cross_attention_kwargs=attention,
            return_dict=False,
        )
    return components.unet(
        latents if masked is None else torch.cat([latents, masked.to(dtype)], dim=1),
        timestep,
        tokens,
        timestep_cond=None if timestep_cond is None else timestep_cond.to(dtype),
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
        added_cond_kwargs=added,
        cross_attention_kwargs=attention,
        return_dict=False,
    )[0]


def inpainting_channels(components: EditorComponents, batch: CropBatch) -> Float[Tensor, "B M h w"]:
    """The mask at latent size, and the latents of the masked image: what never changes over the steps."""
    latents = components.encode_image(batch.masked_image)
    return torch.cat([_latent_mask(batch.mask, latents), latents], dim=1)


@torch.no_grad()
def repaint(
    components: EditorComponents,
    batch: CropBatch,
    captions: Captions,
    noise: Float[Tensor, "B C h w"],
    sampling: Sampling,
    glances: Glances | None = None,
    negative: Captions | None = None,
    generators: list[torch.Generator] | None = None,
) -> Float[Tensor, "B 3 S S"]:
    """Repaint crops.

    A UNet of inpainting's layout is told what is around the mask. Any other paints the whole crop, and outside the
    mask its latents are replaced, after each step, by the source's at that step's noise.

    Args:
        components: the models.
        batch: what to repaint, and where.
        captions: what shall be seen.
        noise: standard normal.
        sampling: how.
        glances: which crops each crop looks at; None for none.
        negative: what shall not be seen, with guidance.
        generators: of the noise that some schedulers add at each step, one per crop.

    Returns:
        RGB in [0, 1]; outside the mask too it is the model's, to be discarded.

    Raises:
        EditError: the scheduler cannot make so many steps, or the models produced NaN or infinity.
    """
    keep_anchor_attention(components.unet, *components.controlnets)
    device = components.device
    image, mask, noise = batch.image.to(device), batch.mask.to(device), noise.to(device)
    batch = CropBatch(image, mask, tuple(control.to(device) for control in batch.controls))
    scheduler, timesteps = _schedule(components.scheduler, sampling, device)
    masked = inpainting_channels(components, batch) if components.sees_the_mask else None
    source = components.encode_image(batch.image) if masked is None or sampling.strength < 1.0 else None
    if sampling.strength < 1.0 and source is not None:
        latents = _noised(scheduler, source, noise, timesteps[0])
    else:
        latents = noise * float(getattr(scheduler, "init_noise_sigma", 1.0))
    guided = sampling.guidance_scale > 1.0 and components.guidance_width is None
    told, shown, seen = captions, batch.controls, masked
    if guided:
        assert negative is not None
        told, shown = Captions.join([negative, captions]), tuple(torch.cat([c, c]) for c in batch.controls)
        seen = None if masked is None else torch.cat([masked, masked])
    scale = _embedded_guidance(components, sampling, latents)
    extra: dict[str, Any] = {}
    if generators is not None and "generator" in inspect.signature(scheduler.step).parameters:
        extra["generator"] = generators
    for number, timestep in enumerate(timesteps):
        if glances is not None:
            glances.step = number
        scaled = torch.cat([latents, latents]) if guided else latents
        if hasattr(scheduler, "scale_model_input"):
            scaled = scheduler.scale_model_input(scaled, timestep)
        output = predict(components, scaled, timestep, seen, told, shown, glances, scale).to(latents.dtype)
        if guided:
            without, with_caption = output.chunk(2)
            output = without + sampling.guidance_scale * (with_caption - without)
        latents = scheduler.step(output, timestep, latents, return_dict=False, **extra)[0]
        if masked is None:
            assert source is not None
            later = timesteps[number + 1 :]
            around = _noised(scheduler, source, noise, later[0]) if len(later) else source
            inside = _latent_mask(mask, latents)
            latents = (1.0 - inside) * around + inside * latents
    if not torch.isfinite(latents).all():
        raise EditError(
            "the diffusion model produced NaN or infinity; load its weights in float32 or bfloat16, or check the "
            "checkpoint"
        )
    return (components.decode_latents(latents) / 2.0 + 0.5).clamp(0.0, 1.0)


def _schedule(original: Any, sampling: Sampling, device: torch.device) -> tuple[Any, Tensor]:
    """A scheduler of its own, since it counts its steps, and the timesteps that are run."""
    scheduler = copy.deepcopy(original)
    try:
        scheduler.set_timesteps(sampling.num_inference_steps, device=device)
    except ValueError as error:
        raise EditError(
            f"{type(scheduler).__name__} cannot make {sampling.num_inference_steps} steps: {error}"
        ) from error
    # As diffusers' image-to-image pipelines count; but at least one step is run.
    skipped = sampling.num_inference_steps - max(1, int(sampling.num_inference_steps * sampling.strength))
    first = skipped * getattr(scheduler, "order", 1)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return scheduler, scheduler.timesteps[first:]


def _noised(scheduler: Any, latents: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
    """Latents at a timestep's noise; flow matching has a word of its own for it."""
    if hasattr(scheduler, "add_noise"):
        return scheduler.add_noise(latents, noise, timestep[None])
    if "Heun" in type(scheduler).__name__:  # it takes a single timestep, and keeps count by itself
        return scheduler.scale_noise(latents, timestep, noise)
    return scheduler.scale_noise(latents, timestep[None], noise)


def _latent_mask(mask: Float[Tensor, "B 1 S S"], latents: Float[Tensor, "B C h w"]) -> Tensor:
    """A latent is masked as soon as any pixel of it is."""
    return functional.adaptive_max_pool2d(mask, latents.shape[-2:])


def _added_conditions(
    components: EditorComponents, captions: Captions, latents: Tensor
) -> dict[str, Tensor] | None:
    """What SDXL is told besides: the whole caption; and that the crop is a picture of its own, not cut from a larger."""
    if captions.pooled is None:
        return None
    height, width = (side * components.downscale_factor for side in latents.shape[-2:])
    sizes = torch.tensor([[height, width, 0, 0, height, width]], device=latents.device)
    dtype = components.unet.dtype
    return {
        "text_embeds": captions.pooled.to(dtype),
        "time_ids": sizes.to(dtype).expand(len(latents), -1),
    }


def _embedded_guidance(components: EditorComponents, sampling: Sampling, latents: Tensor) -> Tensor | None:
    """The guidance scale as a vector, for UNets that were distilled to follow it (latent consistency models)."""
    width = components.guidance_width
    if width is None:
        return None
    scale = torch.full((len(latents),), 1000.0 * (sampling.guidance_scale - 1.0), device=latents.device)
    return get_timestep_embedding(scale, width, downscale_freq_shift=1)
