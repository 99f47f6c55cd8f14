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
    cells: Int64[Tensor, "B K"], weight: Float[Tensor, "B K"], side: int
) -> tuple[Int64[Tensor, "B P"], Float[Tensor, "B P"]]:
    """For each of the places which point is most there, and how much, in [0, 1]."""
    spots = torch.stack([cells % side, cells // side], -1).to(weight.dtype)
    spots = (spots + 0.5) * ROWS / side
    steps = torch.arange(ROWS, device=cells.device, dtype=weight.dtype) + 0.5
    middles = torch.stack([steps.repeat(ROWS), steps.repeat_interleave(ROWS)], -1)
    apart = (middles[None, :, None] - spots[:, None]).square().sum(-1)
    share = weight[:, None] * (-0.5 * apart / SPREAD**2).exp()
    most, near = share.max(-1)
    return near, most
