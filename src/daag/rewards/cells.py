"""Cells of a picture: the highest of a map of them, and what lies around some.  Source: our choice."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

CELL = 2
"""Pixels along each edge of the cells in which points are looked for."""

ROWS = 8
"""Rows of places that come first among a picture's vectors, and columns."""

REACH = 3
"""Cells around a point, to each side, whose colours it looks at."""

WINDOW = 16
"""Pixels along each edge of what is looked at once more around a point."""

SPREAD = 0.7
"""Standard deviation, in places, of how far around a block its place reaches."""


def peaks(heat: Float[Tensor, "B G G"], count: int) -> tuple[Int64[Tensor, "B K"], Float[Tensor, "B K"]]:
    """The highest cells that no cell beside them exceeds, and their logits."""
    highest = functional.max_pool2d(heat[:, None], 3, stride=1, padding=1)[:, 0]
    height, cells = heat.masked_fill(heat < highest, -1e4).flatten(1).topk(count, dim=1)
    return cells, height


def spots_of(heat: Float[Tensor, "B G G"], cells: Int64[Tensor, "B K"]) -> Float[Tensor, "B K 2"]:
    """Where in the picture the peaks are whose highest cells these are, x and y in cells.

    Around a peak the map is a bell of deviation 1, whose logarithm is a parabola; from a cell to either side it tells where
    the top is.
    """
    side = heat.shape[-1]
    height = functional.pad(functional.logsigmoid(heat)[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    padded = (cells // side + 1) * (side + 2) + cells % side + 1
    flat = height.flatten(1)
    steps = [
        ((flat.gather(1, padded + step) - flat.gather(1, padded - step)) / 2).clamp(-0.5, 0.5)
        for step in (1, side + 2)
    ]
    middles = torch.stack([cells % side, cells // side], -1) + 0.5
    return middles + torch.stack(steps, -1)


def windows(pixels: Float[Tensor, "B 3 H W"], cells: Int64[Tensor, "B K"]) -> Float[Tensor, "Q 3 E E"]:
    """The pixels around some cells, one after the other, the picture's edge repeated."""
    height, width = pixels.shape[-2:]
    side = width // CELL
    steps = torch.arange(WINDOW, device=cells.device) - WINDOW // 2 + CELL // 2
    rows = ((cells // side * CELL)[..., None] + steps).clamp(0, height - 1)
    columns = ((cells % side * CELL)[..., None] + steps).clamp(0, width - 1)
    index = (rows[..., :, None] * width + columns[..., None, :]).flatten(1)
    seen = pixels.flatten(2).gather(2, index[:, None].expand(-1, 3, -1))
    return seen.unflatten(2, (cells.shape[1], WINDOW, WINDOW)).transpose(1, 2).flatten(0, 1)


def around(colours: Float[Tensor, "B C G G"], cells: Int64[Tensor, "B K"]) -> Float[Tensor, "B K W C"]:
    """The colours of the cells around some, the picture's edge repeated."""
    side = colours.shape[-1]
    steps = torch.arange(-REACH, REACH + 1, device=cells.device)
    rows = ((cells // side)[..., None] + steps).clamp(0, side - 1)
    columns = ((cells % side)[..., None] + steps).clamp(0, side - 1)
    index = (rows[..., :, None] * side + columns[..., None, :]).flatten(1)
    seen = colours.flatten(2).transpose(1, 2)
    seen = seen.gather(1, index[..., None].expand(-1, -1, seen.shape[-1]))
    return seen.unflatten(1, (cells.shape[1], len(steps) ** 2))


def nearest_to_places(
    spots: Float[Tensor, "B K 2"], weight: Float[Tensor, "B K"], side: int
) -> tuple[Int64[Tensor, "B P"], Float[Tensor, "B P"]]:
    """For each of the places which point is most there, and how much, in [0, 1]; points are given in cells."""
    steps = torch.arange(ROWS, device=spots.device, dtype=weight.dtype) + 0.5
    middles = torch.stack([steps.repeat(ROWS), steps.repeat_interleave(ROWS)], -1)
    apart = (middles[None, :, None] - spots[:, None] * ROWS / side).square().sum(-1)
    share = weight[:, None] * (-0.5 * apart / SPREAD**2).exp()
    most, near = share.max(-1)
    return near, most
