"""A text-conditioned pick-and-place policy: where to pick and where to place, as two maps over the image.

Source: our choice, after Transporter Networks (arXiv:2010.14406) and CLIPort (arXiv:2109.12098), made small enough to
be trained anew between two episodes on one CPU core.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from daag.errors import ConfigError, ModelError
from daag.policies.policy import Locator, Observation, TextEncoder
from daag.policies.workspace import Workspace, pixels_to_metres

CELL_PIXELS = 2
"""Side of a map's cell, in pixels of the image."""
DECODE_RADIUS = 2
"""A click is the mean over the cells at most so far from the likeliest, in cells."""


@dataclass(frozen=True)
class SpatialConfig:
    """The network's size. All values are our choice, measured in docs/policies.md.

    Raises:
        ConfigError: a size is out of range.
    """

    text_dim: int
    """Length of the text encoder's vectors."""
    num_maps: int = 0
    """How many maps the locator gives of each picture; 0 without one."""
    fine_channels: int = 24
    """Channels at half resolution; a multiple of 4."""
    coarse_channels: int = 48
    """Channels at quarter resolution; a multiple of 4."""
    dilations: tuple[int, ...] = (1, 2)
    """Of the residual convolutions at quarter resolution; more and larger ones see farther and cost time."""

    def __post_init__(self) -> None:
        sizes = (self.text_dim, self.fine_channels, self.coarse_channels, *self.dilations)
        if min(sizes) < 1 or self.num_maps < 0:
            raise ConfigError(f"the network's sizes must be at least 1, got {self}")
        if self.fine_channels % 4 or self.coarse_channels % 4:
            raise ConfigError(f"fine_channels and coarse_channels must be multiples of 4, got {self}")


class SpatialNetwork(nn.Module):
    """From an image and a sentence's vector to pick and place logits.

    Where the sentence's objects are comes in at the start, as maps by someone who knows; so what is learnt is what to do
    with them. All else is computed without the sentence, and the sentence chooses among it at the end: it scales the
    features whose sum is each map (the scaling of FiLM, arXiv:1709.07871). What one task taught to see then serves
    the next.
    """

    def __init__(self, config: SpatialConfig) -> None:
        super().__init__()
        fine, coarse = config.fine_channels, config.coarse_channels
        self.num_maps = config.num_maps
        self.stem = _convolution(3 * CELL_PIXELS**2 + config.num_maps, fine)
        self.down = _convolution(fine, coarse, stride=2)
        self.blocks = nn.ModuleList(_convolution(coarse, coarse, dilation=d) for d in config.dilations)
        self.up = nn.Conv2d(coarse, fine, 1)
        self.mix = _convolution(fine, fine)
        # Linear in the sentence: a hidden layer did no better, on known pairs or unknown ones (docs/policies.md).
        self.query = nn.Sequential(nn.LayerNorm(config.text_dim), nn.Linear(config.text_dim, 2 * fine))
        self.bias = nn.Conv2d(fine, 2, 1)

    def forward(
        self,
        images: Float32[Tensor, "B 3 H W"],
        texts: Float32[Tensor, "B D"],
        maps: Float32[Tensor, "B K Y X"] | None = None,
    ) -> Float32[Tensor, "B 2 h w"]:
        """Logits of the pick and of the place, one per cell of 2 x 2 pixels.

        Args:
            images: RGB in [-1, 1]; height and width are multiples of 4.
            texts: the instructions' vectors.
            maps: where the instructions' objects are, of any resolution; None if the network takes none.
        """
        cells = F.pixel_unshuffle(images, CELL_PIXELS)
        if maps is not None:
            fitted = F.interpolate(maps, cells.shape[2:], mode="bilinear", align_corners=False)
            cells = torch.cat([cells, fitted], dim=1)
        # Channels last: on a CPU the small convolutions run up to three times faster than with planes.
        cells = cells.contiguous(memory_format=torch.channels_last)
        fine = F.relu(self.stem(cells))
        coarse = F.relu(self.down(fine))
        for block in self.blocks:
            coarse = coarse + F.relu(block(coarse))
        up = F.interpolate(self.up(coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
        features = F.relu(self.mix(fine + up))
        query = self.query(texts).unflatten(1, (2, -1))
        return self.bias(features) + torch.einsum("bchw,bkc->bkhw", features, query)


def _convolution(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    # Group, not batch statistics: batches are small, and one image is seen when acting.
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation)
    return nn.Sequential(convolution, nn.GroupNorm(4, outputs))


def make_network(config: SpatialConfig, seed: int) -> SpatialNetwork:
    """A network with fresh weights, the same for equal seeds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SpatialNetwork(config)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub forgets it
    return network


def to_tensor(frames: UInt8[np.ndarray, "B H W 3"]) -> Float32[Tensor, "B 3 H W"]:
    """Images as the network takes them, RGB in [-1, 1].

    Raises:
        ConfigError: height or width is not a multiple of 4.
    """
    if frames.shape[1] % 4 or frames.shape[2] % 4:
        raise ConfigError(
            f"the spatial policy needs images whose sides are multiples of 4 pixels, got {frames.shape[1:3]}"
        )
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def decode(
    logits: Float32[Tensor, "B 2 h w"], cells: Float32[Tensor, "B 2 h w"] | None = None
) -> Float32[Tensor, "B 2 2"]:
    """Clicks finer than a cell: the mean position around the likeliest cell, weighted by probability.

    Args:
        logits: the maps.
        cells: where to look for the likeliest cell; by default the probability summed over 3 x 3 cells, so that a
            broad hill wins over a lonely peak.

    Returns:
        Pixels (x, y) of the pick and of the place, pixel centres at .5.
    """
    height, width = logits.shape[2:]
    probabilities = logits.flatten(2).softmax(-1).view_as(logits)
    if cells is None:
        cells = F.avg_pool2d(probabilities, 3, stride=1, padding=1)
    best = cells.flatten(2).argmax(-1)
    rows, columns = torch.arange(height), torch.arange(width)
    near_row = (rows - (best // width)[..., None]).abs() <= DECODE_RADIUS
    near_column = (columns - (best % width)[..., None]).abs() <= DECODE_RADIUS
    # A far cell's probability can underflow to zero around a sampled cell: the smallest float keeps the sum positive.
    hill = (
        (probabilities + torch.finfo(torch.float32).tiny) * near_row[..., :, None] * near_column[..., None, :]
    )
    hill = hill / hill.sum((-1, -2), keepdim=True)
    x = (hill.sum(-2) * (columns + 0.5)).sum(-1)
    y = (hill.sum(-1) * (rows + 0.5)).sum(-1)
    return torch.stack([x, y], dim=-1) * CELL_PIXELS


class SpatialPolicy:
    """Clicks where the maps are highest. A policy for the action pick x, pick y, place x, place y.

    Args:
        network: its weights may change later, as a learner goes on.
        text_encoder: of the instructions; called once for each.
        workspace: what actions are scaled by.
        temperature: 0 takes the likeliest click, 1 draws it from the maps as they are.
        locate: says where the instructions' objects are, to networks that take such maps.

    Raises:
        ConfigError: the temperature is negative.
    """

    def __init__(
        self,
        network: SpatialNetwork,
        text_encoder: TextEncoder,
        workspace: Workspace,
        temperature: float = 0.0,
        locate: Locator | None = None,
    ) -> None:
        if temperature < 0.0:
            raise ConfigError(f"the temperature must be at least 0, got {temperature}")
        self.network, self.workspace, self.temperature = network, workspace, temperature
        self.embeddings = InstructionEmbeddings(text_encoder)
        self._locate = locate

    def maps(
        self, frames: UInt8[np.ndarray, "B H W 3"], instructions: list[str]
    ) -> Float32[Tensor, "B K Y X"] | None:
        """Where each picture shows the objects of its instruction; None without a locator.

        Raises:
            ModelError: the locator gives another number of maps than the network takes.
        """
        if self._locate is None:
            return None
        maps = self._locate(frames, instructions)
        expected = (len(frames), self.network.num_maps)
        if maps.shape[:2] != expected:
            raise ModelError(f"expected maps {expected} from the locator, got {maps.shape[:2]}")
        return torch.from_numpy(maps)

    def act(
        self, observation: Observation, instruction: str, rng: np.random.Generator
    ) -> Float32[np.ndarray, "4"]:
        """Pick x, pick y, place x, place y in [-1, 1].

        Args:
            observation: with the camera's calibration.
            instruction: what to do, "stack the red cube on the blue cube".
            rng: drawn from only where the temperature is above 0.

        Raises:
            ConfigError: the observation is not calibrated, or its sides are not multiples of 4 pixels.
        """
        if observation.pixel_to_table is None:
            raise ConfigError(
                "the spatial policy turns clicks into table positions and needs the observation's pixel_to_table, "
                "got None; calibrate the camera or use another policy"
            )
        clicks = self.clicks(observation.rgb, instruction, rng)
        return self.workspace.to_action(pixels_to_metres(clicks, observation.pixel_to_table)).reshape(4)

    def clicks(
        self, rgb: UInt8[np.ndarray, "H W 3"], instruction: str, rng: np.random.Generator
    ) -> Float64[np.ndarray, "2 2"]:
        """Pixels (x, y) of the pick and of the place."""
        with torch.inference_mode():
            maps = self.maps(rgb[None], [instruction])
            logits = self.network(to_tensor(rgb[None]), self.embeddings([instruction]), maps)
            cells = None
            if self.temperature > 0.0:
                # The largest of logits with Gumbel noise is a draw from their softmax.
                noise = torch.from_numpy(rng.gumbel(size=logits.shape).astype(np.float32))
                cells = logits / self.temperature + noise
            return decode(logits, cells)[0].double().numpy()


class InstructionEmbeddings:
    """Vectors of instructions, each asked for once.

    Raises:
        ModelError: the encoder gives vectors of another shape than one per sentence.
    """

    def __init__(self, text_encoder: TextEncoder) -> None:
        self._text_encoder = text_encoder
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, instructions: list[str]) -> Float32[Tensor, "B D"]:
        new = sorted(set(instructions) - self._known.keys())
        if new:
            vectors = self._text_encoder(new)
            if vectors.ndim != 2 or len(vectors) != len(new):
                raise ModelError(
                    f"expected {len(new)} vectors from the text encoder, got shape {vectors.shape}"
                )
            self._known.update(zip(new, vectors.astype(np.float32), strict=True))
        return torch.from_numpy(np.stack([self._known[instruction] for instruction in instructions]))
