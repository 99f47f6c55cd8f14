"""A lossless autoencoder: latents are pixels, rearranged.

Where an autoencoder's own error would be larger than the error that an edit may make, rearranging is the better
choice: four neighbouring pixels become twelve channels of one latent, and nothing is lost.  Source: our choice; the
rearrangement is that of sub-pixel convolution (arXiv:1609.05158).
"""

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from daag.errors import ConfigError


class PixelUnshuffleAutoencoder(ModelMixin, ConfigMixin):
    """`encode` and `decode` as diffusers' autoencoders have them; `decode(encode(x)) == x`. No weights.

    Args:
        downscale_factor: by how much width and height shrink; latents have 3 * factor**2 channels.
        scaling_factor: what a pipeline multiplies latents by; pixels in [-1, 1] need no scaling.
        latent_channels: as diffusers' autoencoders say it; follows from the factor.

    Raises:
        ConfigError: `latent_channels` does not follow from the factor.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        downscale_factor: int = 2,
        scaling_factor: float = 1.0,  # noqa: ARG002 - the decorator keeps it
        latent_channels: int | None = None,
    ) -> None:
        super().__init__()
        follows = 3 * downscale_factor**2
        if latent_channels not in (None, follows):
            raise ConfigError(
                f"downscale_factor {downscale_factor} makes {follows} latent channels, got {latent_channels}"
            )
        self.register_to_config(latent_channels=follows)

    def encode(
        self, x: Float[Tensor, "B 3 H W"], return_dict: bool = True
    ) -> AutoencoderTinyOutput | tuple[Tensor]:
        """Rearrange pixels into latents, (B, 3 * factor**2, H / factor, W / factor)."""
        latents = functional.pixel_unshuffle(x, self.config.downscale_factor)
        return AutoencoderTinyOutput(latents=latents) if return_dict else (latents,)

    def decode(self, z: Float[Tensor, "B C h w"], return_dict: bool = True) -> DecoderOutput | tuple[Tensor]:
        """Rearrange latents into pixels, (B, 3, h * factor, w * factor)."""
        sample = functional.pixel_shuffle(z, self.config.downscale_factor)
        return DecoderOutput(sample=sample) if return_dict else (sample,)

    def forward(self, sample: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """Encode and decode."""
        (latents,) = self.encode(sample, return_dict=False)
        return self.decode(latents, return_dict=False)[0]
