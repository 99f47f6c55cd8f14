"""Muon: steps that are orthogonal matrices, for the weights of convolutions and of linear layers in between.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; the size of a step relative to
the weights is our choice. On rendered objects of ten pixels it brought the vision tower in 240 steps further (63 % of
kinds) than AdamW in 600 (51 %).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum, then every matrix's singular values are brought to about 1, then scaled to the weights' norm.

    Args:
        parameters: with two axes or more; the first against all others is the matrix.
        lr: how far a step goes, relative to the weights' norm.
        momentum: of Nesterov's kind, in [0, 1).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.9) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        assert closure is None, "Muon takes no closure"
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                average = state.setdefault("average", torch.zeros_like(parameter))
                average.mul_(group["momentum"]).add_(parameter.grad)
                ahead = parameter.grad.add(average, alpha=group["momentum"])
                update = orthogonalised(ahead.flatten(1)).view_as(parameter)
                length = parameter.norm() / update.norm().clamp(min=1e-7)
                parameter.sub_(group["lr"] * length * update)


def orthogonalised(matrix: Float[Tensor, "M N"], steps: int = 4) -> Float[Tensor, "M N"]:
    """The nearest orthogonal matrix, roughly: singular values end between about 0.5 and 1.5 (Newton-Schulz).

    Args:
        matrix: any; zero stays zero.
        steps: of the quintic iteration.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16()
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)
