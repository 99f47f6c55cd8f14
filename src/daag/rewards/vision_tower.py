"""The embedded detectors' vision tower: convolutions, and "is it anywhere?" in place of an average.

A RegNet gives features of 8 x 8 locations; a small head turns each location's features into many units that are zero
or positive; the picture's features are each unit's largest value over the locations. Several things that are true of
one picture then add up as in a Bloom filter: each switches on units of its own, wherever it is, however small, and
the empty table switches on none. An average over the locations mixes what belongs to different objects: of two
stacks, A on B and C on D, it could hardly say whether A is on D. Source: our choice.
"""

from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel, RegNetConfig, RegNetModel
from transformers.modeling_outputs import BaseModelOutputWithPooling


class VisionTowerConfig(PreTrainedConfig):
    """The shape of the tower. All values are our choice."""

    model_type = "daag_vision_tower"

    image_size: int = 64
    """Pixels along each edge."""
    widths: list[int] | tuple[int, ...] = (32, 32, 64, 128)
    """Channels at 32, 32, 16 and 8 locations along each edge."""
    depths: list[int] | tuple[int, ...] = (1, 2, 3)
    head_width: int = 384
    """Channels of the head's hidden layer, at each location."""
    hidden_size: int = 512
    """Units; the width of what is pooled."""


class VisionTower(PreTrainedModel):
    """Pictures, float (N, 3, 64, 64), to units, float (N, U), all of them zero or positive."""

    config_class = VisionTowerConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)

    def __init__(self, config: VisionTowerConfig) -> None:
        super().__init__(config)
        trunk = RegNetConfig(
            embedding_size=config.widths[0],
            hidden_sizes=list(config.widths[1:]),
            depths=list(config.depths),
            groups_width=max(config.widths),  # one group: grouped convolutions are slow on a CPU
            layer_type="x",
            downsample_in_first_stage=False,
        )
        self.trunk = RegNetModel(trunk)
        self.head = nn.Sequential(
            nn.Conv2d(config.widths[-1], config.head_width, 1, bias=False),
            nn.BatchNorm2d(config.head_width),
            nn.ReLU(),
            nn.Conv2d(config.head_width, config.hidden_size, 1, bias=False),
            nn.BatchNorm2d(config.hidden_size),
            nn.ReLU(),
        )
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Units of the picture, and of each location.

        Args:
            pixel_values: normalised pictures, float (N, 3, H, W).

        Returns:
            `pooler_output` (N, U), `last_hidden_state` (N, U, H / 8, W / 8), and as the only entry of `hidden_states`
            the trunk's features (N, C, H / 8, W / 8).
        """
        features = self.trunk(pixel_values).last_hidden_state
        units = self.head(features)
        return BaseModelOutputWithPooling(
            last_hidden_state=units, pooler_output=units.amax(dim=(2, 3)), hidden_states=(features,)
        )

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def register() -> None:
    """Tell transformers' Auto classes of the tower, so that `from_pretrained` finds it. Harmless if repeated."""
    AutoConfig.register(VisionTowerConfig.model_type, VisionTowerConfig, exist_ok=True)
    AutoModel.register(VisionTowerConfig, VisionTower, exist_ok=True)
