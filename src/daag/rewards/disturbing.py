"""Small changes of pictures that leave what they show alone: moved, nearer or farther, lighter or darker.

A few hundred frames are learnt by heart within minutes; disturbed anew at each step they are not.  Source: our choice.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from daag.errors import ConfigError
from daag.rewards.preprocessing import Preprocessing


@dataclass(frozen=True)
class Disturbance:
    """How much pictures are changed, at most. All values are our choice; 0 changes nothing."""

    shift: float = 0.06
    """Of the picture's edge, along x and y."""
    zoom: float = 0.06
    """By which share objects become larger or smaller."""
    brightness: float = 0.15
    """By which share all is lighter or darker."""

    def __post_init__(self) -> None:
        if not all(0 <= value < 1 for value in (self.shift, self.zoom, self.brightness)):
            raise ConfigError(f"expected shares in [0, 1), got {self}")

    def __call__(
        self, pixels: Float[Tensor, "N 3 H W"], preprocessing: Preprocessing, generator: torch.Generator
    ) -> Float[Tensor, "N 3 H W"]:
        """Disturb pictures, each in its own way; half of them mirrored, if the detector looks at mirrored ones itself.

        Args:
            pixels: as the preprocessing leaves them.
            preprocessing: which did.
            generator: where chance comes from, on the CPU.
        """
        count = len(pixels)

        def drawn(*shape: int) -> Tensor:
            return (2 * torch.rand(count, *shape, generator=generator) - 1).to(pixels.device)

        mirrored = any(view.mirrored for view in preprocessing.views)
        sides = torch.sign(drawn()) if mirrored else torch.ones(count, device=pixels.device)
        scale = 1 + self.zoom * drawn()
        theta = torch.zeros(count, 2, 3, device=pixels.device)
        theta[:, 0, 0], theta[:, 1, 1] = scale * sides, scale
        theta[:, :, 2] = 2 * self.shift * drawn(2)
        grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
        moved = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
        mean, std = (
            torch.tensor(three, device=pixels.device).view(3, 1, 1)
            for three in (preprocessing.mean, preprocessing.std)
        )
        light = (moved * std + mean) * (1 + self.brightness * drawn(1, 1, 1))
        return (light.clamp(0, 1) - mean) / std
