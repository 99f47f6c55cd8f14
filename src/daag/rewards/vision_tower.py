"""The embedded detectors' vision tower: convolutions that keep the features of 8 x 8 places of a picture apart.

A CLIP pools a picture into one vector. Whatever that pooling is, it mixes what belongs to different objects: of two
stacks, A on B and C on D, one vector can hardly say whether A is on D. So nothing is pooled here: each place has a
vector of its own, and the score of a description is that of the place that fits it best, as in FILIP
(arXiv:2111.07783). What a place sees of its surroundings reaches about half of the picture. Source: our choice.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel, RegNetConfig, RegNetModel
from transformers.modeling_outputs import BaseModelOutputWithPooling


class VisionTowerConfig(PreTrainedConfig):
    """The shape of the tower. All values are our choice.

    Args:
        image_size: pixels along each edge.
        widths: channels at 32, 16 and 8 places along each edge.
        depths: layers of the last two of them.
        hidden_size: of the head; the width of each place's features.
        kwargs: transformers' own.
    """

    model_type = "daag_vision_tower"

    # Written out, for fields of this class would be made into an __init__ that takes none of transformers' own.
    def __init__(
        self,
        image_size: int = 64,
        widths: Sequence[int] = (32, 64, 128),
        depths: Sequence[int] = (2, 3),
        hidden_size: int = 384,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_size = image_size
        self.widths, self.depths = list(widths), list(depths)
        self.hidden_size = hidden_size


class VisionTower(PreTrainedModel):
    """Pictures, float (N, 3, 64, 64), to features of 64 places each, float (N, 64, C), row by row."""

    config_class = VisionTowerConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)

    def __init__(self, config: VisionTowerConfig) -> None:
        super().__init__(config)
        trunk = RegNetConfig(
            embedding_size=config.widths[0],
            hidden_sizes=config.widths[1:],
            depths=config.depths,
            groups_width=max(config.widths),  # one group: grouped convolutions are slow on a CPU
            layer_type="x",
            downsample_in_first_stage=True,
        )
        self.trunk = RegNetModel(trunk)
        self.head = nn.Sequential(
            nn.Conv2d(config.widths[-1], config.hidden_size, 1, bias=False),
            nn.BatchNorm2d(config.hidden_size),
            nn.ReLU(),
        )
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Features of each place.

        Args:
            pixel_values: normalised pictures, float (N, 3, H, W); H and W are multiples of 8.

        Returns:
            `pooler_output`, which transformers' dual encoder projects, (N, L, C) of L = H / 8 * W / 8 places: nothing
            is pooled. `last_hidden_state`, the trunk's features (N, L, C').
        """
        features = self.trunk(pixel_values).last_hidden_state
        head = self.head(features)
        return BaseModelOutputWithPooling(
            last_hidden_state=features.flatten(2).transpose(1, 2),
            pooler_output=head.flatten(2).transpose(1, 2),
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
