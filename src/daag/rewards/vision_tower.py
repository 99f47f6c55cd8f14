"""The embedded detectors' vision tower: places of a picture kept apart, and shapes kept apart from colours.

A CLIP pools a picture into one vector. Whatever that pooling is, it mixes what belongs to different objects: of two
stacks, A on B and C on D, one vector can hardly say whether A is on D. So nothing is pooled here: each of 8 x 8 places
has a vector of its own, and the score of a description is that of the place that fits it best, as in FILIP
(arXiv:2111.07783).

Two networks look at a picture. One sees shapes: kinds, and what rests on what; in training every object of its pictures
has any colour, so that none means anything to it. The other sees colours, a few pixels at a time, and nothing
else. At each place the first says where the second shall look: for the colour of the object here, of what it rests on,
and of what it carries or stands beside. Shapes and each of these colours have dimensions of their own in a place's
vector. So "red on blue" is red, blue and "on" put together, whether red was ever seen on blue or not; a single network
learns that it never is. Source: our choice.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel, RegNetConfig, RegNetModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

NUM_LOOKS_ROUND = 3
"""Colours that each place asks for."""

WINDOW = 8
"""Cells of 4 x 4 pixels along each edge of what a place may look at."""


class VisionTowerConfig(PreTrainedConfig):
    """The shape of the tower. All values are our choice.

    Args:
        image_size: pixels along each edge.
        widths: channels of the shapes' network at 32, 16 and 8 places along each edge.
        depths: layers of the last two of them.
        colour_width: channels of the colours' network.
        colour_size: dimensions of a place's vector that tell one colour.
        hidden_size: dimensions of a place's vector: of shapes, and of `NUM_LOOKS_ROUND` colours.
        kwargs: transformers' own.
    """

    model_type = "daag_vision_tower"

    # Written out, for fields of this class would be made into an __init__ that takes none of transformers' own.
    def __init__(
        self,
        image_size: int = 64,
        widths: Sequence[int] = (32, 64, 128),
        depths: Sequence[int] = (2, 3),
        colour_width: int = 32,
        colour_size: int = 24,
        hidden_size: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_size = image_size
        self.widths, self.depths = list(widths), list(depths)
        self.colour_width, self.colour_size, self.hidden_size = colour_width, colour_size, hidden_size


class VisionTower(PreTrainedModel):
    """Pictures, float (N, 3, 64, 64), to vectors of 64 places each, float (N, 64, C), row by row."""

    config_class = VisionTowerConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    num_rows = 8

    def __init__(self, config: VisionTowerConfig) -> None:
        super().__init__(config)
        width, colours = config.widths[-1], config.colour_width
        self.trunk = make_trunk(config.widths, config.depths)
        self.colours = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, colours, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(colours),
            nn.ReLU(),
            nn.Conv2d(colours, colours, 1),
        )
        self.where = nn.Conv2d(width, NUM_LOOKS_ROUND * WINDOW**2, 1)
        self.shape_head = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU()
        )
        self.shape_vector = nn.Linear(2 * width, config.hidden_size - NUM_LOOKS_ROUND * config.colour_size)
        self.colour_head = nn.Sequential(
            nn.Linear(colours, 2 * colours), nn.ReLU(), nn.Linear(2 * colours, config.colour_size)
        )
        self.post_init()

    def forward(
        self, pixel_values: Tensor, shape_values: Tensor | None = None, **_: Any
    ) -> BaseModelOutputWithPooling:
        """The vector of each place.

        Args:
            pixel_values: normalised pictures, float (N, 3, H, W); H and W are multiples of 8.
            shape_values: the same with objects in any colours, for the network that sees shapes; in training only.

        Returns:
            `pooler_output`, (N, L, C) of L = H / 8 * W / 8 places: nothing is pooled. `last_hidden_state`, what shapes
            and colours it is made of, (N, L, C').
        """
        features = self.trunk(pixel_values if shape_values is None else shape_values).last_hidden_state
        cells = self.colours(pixel_values)
        seen = functional.unfold(cells, WINDOW, stride=2, padding=WINDOW // 2 - 1)
        seen = seen.unflatten(1, (cells.shape[1], WINDOW**2))
        weights = self.where(features).flatten(2).unflatten(1, (NUM_LOOKS_ROUND, -1)).softmax(2)
        looked = torch.einsum("nckl,nhkl->nlhc", seen, weights.to(seen.dtype))
        named = self.colour_head(looked).flatten(2)
        shapes = self.shape_vector(self.shape_head(features).flatten(2).transpose(1, 2))
        return BaseModelOutputWithPooling(
            last_hidden_state=torch.cat([features.flatten(2).transpose(1, 2), looked.flatten(2)], dim=-1),
            pooler_output=torch.cat([shapes, named.to(shapes.dtype)], dim=-1),
        )

    def _init_weights(self, module: nn.Module) -> None:
        begin_with(module)


def make_trunk(widths: Sequence[int], depths: Sequence[int]) -> RegNetModel:
    """The network that sees shapes: maps of 32, 16 and 8 places along each edge of a picture of 64 pixels.

    Args:
        widths: channels of the three maps.
        depths: layers of the last two.
    """
    return RegNetModel(
        RegNetConfig(
            embedding_size=widths[0],
            hidden_sizes=widths[1:],
            depths=depths,
            groups_width=max(widths),  # one group: grouped convolutions are slow on a CPU
            layer_type="x",
            downsample_in_first_stage=True,
        )
    )


def begin_with(module: nn.Module) -> None:
    """Give a part of a tower its first weights."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
