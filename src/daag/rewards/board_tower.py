"""The vision tower of a board's detector: blocks as points, and a vector for each block and each pair of blocks.

What is true on a board is a matter of millimetres between two blocks, where a pixel is eight. One vector of a place
(`vision_tower`) can say which two blocks it speaks of, but not where they are. So here blocks and the effector are
found as points, as in CenterNet (arXiv:1904.07850), and measured in metres on the board. From positions alone follows
how blocks lie to each other, from shapes their kinds, and from a few pixels each their colours; none of the three
learns from another, so that no pair of colours is unlikely to it.

A vector's dimensions are words: the subject's colour and kind, the target's, and relations and places. One more takes
up what is missing to length 1, so that a score is the sum of what each word of a sentence finds. Source: our choice.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from daag.rewards.cells import REACH, ROWS, WINDOW, around, nearest_to_places, peaks, spots_of, windows
from daag.rewards.vision_tower import begin_with, make_trunk

LOOK_LENGTH, RELATION_LENGTH = 0.42, 0.36
"""How much of a vector one word of an object's look takes, and one relation that surely holds."""

SOFTNESS = 4.0
"""By which the log odds of a relation are divided before they become its length, so that surer is longer still."""

SEEN_FROM = 0.5
"""Height of the map of blocks at which one counts in full."""

_METRES = 0.1
"""What positions are measured in within the networks."""


class BoardTowerConfig(PreTrainedConfig):
    """The shape of the tower. All values are our choice.

    Args:
        image_size: pixels along each edge.
        widths: channels of the shapes' network at 32, 16 and 8 places along each edge.
        depths: layers of the last two of them.
        detail_width: channels of the map in which points are looked for.
        colour_width: channels of the colours' network.
        num_points: at most so many blocks are found.
        num_colours: of the world.
        num_kinds: likewise.
        num_pair_relations: between two blocks.
        num_places: in which a block can lie. One more is said of single blocks, that the effector is at it.
        kwargs: transformers' own.
    """

    model_type = "daag_board_tower"

    # Written out, for fields of this class would be made into an __init__ that takes none of transformers' own.
    def __init__(
        self,
        image_size: int = 64,
        widths: Sequence[int] = (32, 64, 128),
        depths: Sequence[int] = (2, 3),
        detail_width: int = 48,
        colour_width: int = 32,
        num_points: int = 8,
        num_colours: int = 4,
        num_kinds: int = 4,
        num_pair_relations: int = 4,
        num_places: int = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_size = image_size
        self.widths, self.depths = list(widths), list(depths)
        self.detail_width, self.colour_width = detail_width, colour_width
        self.num_points, self.num_colours, self.num_kinds = num_points, num_colours, num_kinds
        self.num_pair_relations, self.num_places = num_pair_relations, num_places

    @property
    def look_size(self) -> int:
        """Dimensions that tell one block's colour and kind."""
        return self.num_colours + self.num_kinds

    @property
    def relation_size(self) -> int:
        """Dimensions that tell relations of two blocks, places, and that the effector is there."""
        return self.num_pair_relations + self.num_places + 1

    @property
    def hidden_size(self) -> int:
        """Dimensions of a vector: subject, target, relations, what is missing to length 1, and one that sentences alone
        use."""
        return 2 * self.look_size + self.relation_size + 2


class Features(NamedTuple):
    """What the networks make of B pictures before anything is found in them."""

    detail: Float[Tensor, "B D G G"]
    """Of cells."""
    colours: Float[Tensor, "B C G G"]
    """Likewise, from colours alone."""
    camera: Float[Tensor, "B E"]
    """Of the whole picture: where the board is in it."""
    shapes: Float[Tensor, "B 3 H W"]
    """What shapes were seen in, to be looked at more closely."""


class Points(NamedTuple):
    """K points in each of B pictures."""

    metres: Float[Tensor, "B K 2"]
    """On the board, x to the right and y away from the camera."""
    colours: Float[Tensor, "B K C"]
    """Logits."""
    kinds: Float[Tensor, "B K S"]
    """Logits."""


class BoardTower(PreTrainedModel):
    """Pictures, float (N, 3, 64, 64), to 64 + P + P (P - 1) vectors each, float (N, L, C), of places row by row, of up to P
    blocks, and of pairs of blocks."""

    config_class = BoardTowerConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    num_rows = ROWS

    def __init__(self, config: BoardTowerConfig) -> None:
        super().__init__(config)
        first, second, third = config.widths
        detail, colours = config.detail_width, config.colour_width
        self.trunk = make_trunk(config.widths, config.depths)
        self.from_third, self.from_second, self.from_first = (
            _normed(width, wide, 1) for width, wide in ((third, second), (second, second), (first, detail))
        )
        self.merged = _normed(second, detail, 3)
        self.detail = nn.Sequential(_normed(detail, detail, 3), _normed(detail, detail, 3))
        self.heat = nn.Conv2d(detail, 2, 1)
        self.camera = nn.Sequential(_normed(third, 16, 1), nn.Flatten(), nn.Linear(16 * ROWS**2, 32))
        self.colours = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, colours, 1, bias=False),
            nn.BatchNorm2d(colours),
            nn.ReLU(),
        )
        self.closer = nn.Sequential(
            _normed(3, 32, 3, stride=2),
            _normed(32, 64, 3),
            _normed(64, 64, 3, stride=2),
            nn.Flatten(),
            nn.Linear(64 * (WINDOW // 4) ** 2, 64),
            nn.ReLU(),
        )
        told = detail + 32 + 64 + 5
        self.point = nn.Sequential(nn.Linear(told, 128), nn.ReLU())
        self.nominal, self.offset = nn.Linear(5, 2), nn.Linear(128, 2)
        self.kind = nn.Linear(128, config.num_kinds)
        self.where = nn.Linear(128, (2 * REACH + 1) ** 2)
        self.colour = nn.Sequential(nn.Linear(colours, 64), nn.ReLU(), nn.Linear(64, config.num_colours))
        self.effector = nn.Sequential(nn.Linear(told, 64), nn.ReLU(), nn.Linear(64, 2))
        self.between = _perceptron(3, config.num_pair_relations)
        self.place = _perceptron(2, config.num_places)
        self.pointed = _perceptron(4, 1)
        self.post_init()
        assert self.heat.bias is not None
        nn.init.constant_(self.heat.bias, -5.0)  # nearly all cells show nothing

    def forward(self, pixel_values: Float[Tensor, "N 3 H W"], **_: Any) -> BaseModelOutputWithPooling:
        """The vectors of each picture.

        Args:
            pixel_values: normalised pictures.

        Returns:
            `pooler_output`, (N, L, C), of length 1. `last_hidden_state`, the map of cells, (N, G * G, D).
        """
        with torch.autocast(pixel_values.device.type, enabled=False):  # millimetres need all bits
            features = self.look(pixel_values.to(self.offset.weight.dtype))
            heat = self.heat(features.detail)
            cells, height = peaks(heat[:, 0], self.config.num_points)
            points = self.measure(features, cells)
            highest = heat[:, 1].flatten(1).max(1)
            effector = self.measure_effector(features, highest.indices)
            there, hand_there = (
                (each.sigmoid() / SEEN_FROM).clamp(max=1.0) for each in (height, highest.values)
            )
            # Where things are is learnt from where they are, never from sentences.
            between, alone = self.relate(points.metres.detach(), effector.detach(), there)
            between, alone = ((each / SOFTNESS).sigmoid() for each in (between, alone))
            alone = torch.cat([alone[..., :-1], alone[..., -1:] * hand_there[:, None, None]], -1)
            vectors = self._vectors(points, between, alone, there)
            places = self._places(points, spots_of(heat[:, 0], cells), there, heat.shape[-1])
        return BaseModelOutputWithPooling(
            last_hidden_state=features.detail.flatten(2).transpose(1, 2),
            pooler_output=torch.cat([places, vectors], 1),
        )

    def look(
        self, pixels: Float[Tensor, "B 3 H W"], shapes: Float[Tensor, "B 3 H W"] | None = None
    ) -> Features:
        """Run the networks.

        Args:
            pixels: normalised pictures.
            shapes: the same with objects in any colours, for all but colours; in training only.
        """
        states = self.trunk(pixels if shapes is None else shapes, output_hidden_states=True).hidden_states
        first, second, third = states
        coarse = functional.interpolate(self.from_third(third), scale_factor=2.0) + self.from_second(second)
        fine = functional.interpolate(self.merged(coarse), scale_factor=2.0) + self.from_first(first)
        shapes = pixels if shapes is None else shapes
        return Features(self.detail(fine), self.colours(pixels), self.camera(third), shapes)

    def measure(self, features: Features, cells: Int64[Tensor, "B K"]) -> Points:
        """What is seen of blocks in some cells.

        Args:
            features: of the pictures.
            cells: row by row, in [0, G * G).
        """
        told = self._told(features, cells)
        hidden = self.point(told)
        metres = _METRES * (self.nominal(told[..., -5:]) + self.offset(hidden))
        seen = around(features.colours, cells)
        looked = (self.where(hidden).softmax(-1)[..., None] * seen).sum(-2)
        return Points(metres, self.colour(looked), self.kind(hidden))

    def measure_effector(self, features: Features, cells: Int64[Tensor, "B"]) -> Float[Tensor, "B 2"]:
        """Where the effector in a cell of each picture is, metres."""
        told = self._told(features, cells[:, None])
        return (_METRES * (self.nominal(told[..., -5:]) + self.effector(told)))[:, 0]

    def relate(
        self, metres: Float[Tensor, "B K 2"], effector: Float[Tensor, "B 2"], there: Float[Tensor, "B K"]
    ) -> tuple[Float[Tensor, "B K K R"], Float[Tensor, "B K S"]]:
        """Log odds of relations of each block to each, and of places and pointing of each.

        Args:
            metres: where blocks are.
            effector: where it is.
            there: whether there is such a block, in [0, 1]; what is not there is not nearer to the effector.
        """
        scaled = metres / _METRES
        offset = scaled[:, None] - scaled[:, :, None]
        between = self.between(torch.cat([offset, offset.norm(dim=-1, keepdim=True)], -1))
        to_effector = effector[:, None] / _METRES - scaled
        distance = to_effector.norm(dim=-1)
        others = (distance + 9.0 * (there < SEEN_FROM))[:, None].expand(-1, distance.shape[1], -1).clone()
        others.diagonal(dim1=1, dim2=2).fill_(9.0)
        lead = (others.amin(-1) - distance).clamp(-1.0, 1.0)
        pointed = self.pointed(torch.cat([to_effector, distance[..., None], lead[..., None]], -1))
        return between, torch.cat([self.place(scaled), pointed], -1)

    def _told(self, features: Features, cells: Int64[Tensor, "B K"]) -> Float[Tensor, "B K T"]:
        """What is known of cells: their detail, the camera, a closer look, and where they are in the picture, which is last."""
        side = features.detail.shape[-1]
        index = cells[:, None].expand(-1, features.detail.shape[1], -1)
        detail = features.detail.flatten(2).gather(2, index).transpose(1, 2)
        x, y = (2.0 * (part + 0.5) / side - 1.0 for part in (cells % side, cells // side))
        spot = torch.stack([x, y, x * y, y * y, x * y * y], -1).to(detail.dtype)
        camera = features.camera[:, None].expand(-1, cells.shape[1], -1)
        closer = self.closer(windows(features.shapes, cells)).unflatten(0, cells.shape)
        return torch.cat([detail, camera, closer, spot], -1)

    def _vectors(
        self,
        points: Points,
        between: Float[Tensor, "B K K R"],
        alone: Float[Tensor, "B K S"],
        there: Float[Tensor, "B K"],
    ) -> Float[Tensor, "B Q C"]:
        """Of blocks, and of ordered pairs of them."""
        looks = _lengths(points)
        first, second = (index.to(looks.device) for index in _pairs(looks.shape[1]))
        single = torch.cat(
            [
                looks,
                looks.new_zeros(*looks.shape[:2], looks.shape[-1] + between.shape[-1]),
                RELATION_LENGTH * alone,
            ],
            -1,
        )
        pairs = torch.cat(
            [
                looks[:, first],
                looks[:, second],
                RELATION_LENGTH * between[:, first, second],
                alone.new_zeros(len(alone), len(first), alone.shape[-1]),
            ],
            -1,
        )
        weights = torch.cat([there, there[:, first] * there[:, second]], 1)
        return _completed(torch.cat([single, pairs], 1) * weights[..., None])

    def _places(
        self, points: Points, spots: Float[Tensor, "B K 2"], there: Float[Tensor, "B K"], side: int
    ) -> Float[Tensor, "B P C"]:
        """What the block nearest to each place looks like, the less the farther it is."""
        near, share = nearest_to_places(spots, there, side)
        looks = _lengths(points)
        looks = looks.gather(1, near[..., None].expand(-1, -1, looks.shape[-1])) * share[..., None]
        return _completed(functional.pad(looks, (0, self.config.hidden_size - 2 - looks.shape[-1])))

    def _init_weights(self, module: nn.Module) -> None:
        begin_with(module)


def _normed(width: int, wide: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, wide, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(wide),
        nn.ReLU(),
    )


def _perceptron(size: int, told: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, told))


def _lengths(points: Points) -> Float[Tensor, "B K L"]:
    """A vector's dimensions of an object's look."""
    return LOOK_LENGTH * torch.cat([points.colours.softmax(-1), points.kinds.softmax(-1)], -1)


def _completed(said: Float[Tensor, "B L S"]) -> Float[Tensor, "B L C"]:
    """With what is missing to length 1, and nothing where sentences alone say something."""
    missing = (1.0 - said.square().sum(-1, keepdim=True)).clamp(min=1e-6).sqrt()  # a root of 0 has no slope
    return torch.cat([said, missing, torch.zeros_like(missing)], -1)


def _pairs(count: int) -> tuple[Int64[Tensor, "Q"], Int64[Tensor, "Q"]]:
    """All ordered pairs of different points."""
    first, second = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
    return first[first != second], second[first != second]
