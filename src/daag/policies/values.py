"""The network that values actions: what is seen at a moment once, and every action that could follow it."""

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from daag.policies.reader import Reader


class ValueNetwork(nn.Module):
    """From what is known of a moment, and an action's code, to the logit of the action's value.

    Args:
        reader: whose numbers what is known begins with, and whose eyes look.
        done_size: how many numbers follow: what was done before.
        code_size: length of an action's code.
        hidden: units of each of two layers.
    """

    def __init__(self, reader: Reader, done_size: int, code_size: int, hidden: int) -> None:
        super().__init__()
        self.eyes, self._told_size = reader.make_eyes(), reader.size
        self.layers = nn.Sequential(
            nn.Linear(self.eyes.width + done_size + code_size, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def see(
        self, numbers: Float32[Tensor, "B S"], pictures: UInt8[Tensor, "B N H W 3"]
    ) -> Float32[Tensor, "B F"]:
        """What all actions are judged by."""
        told, done = numbers[:, : self._told_size], numbers[:, self._told_size :]
        return torch.cat([self.eyes(told, pictures), done], dim=1)

    def judge(self, seen: Float32[Tensor, "*B F"], codes: Float32[Tensor, "*B C"]) -> Float32[Tensor, "*B"]:
        """The logit of one action's value at each moment."""
        logits: Tensor = self.layers(torch.cat([seen, codes], dim=-1))
        return logits[..., 0]

    def judge_each(
        self, seen: Float32[Tensor, "B F"], codes: Float32[Tensor, "K C"]
    ) -> Float32[Tensor, "B K"]:
        """The logits of the same actions at each moment."""
        each = seen[:, None].expand(-1, len(codes), -1)
        return self.judge(each, codes.expand(len(seen), -1, -1))
