"""Pooling: the states of a tower's last layer to one embedding.

Decision: the mean leaves out [CLS] and keeps the closing [SEP], as the authors' code does; sums are
taken in float32 at least, whatever precision the towers compute in. Cost: negligible.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

POOLING_HEADS = 4


def weighted_sum(weights: Tensor, hidden: Tensor) -> Tensor:
    """``weights @ hidden``, in float32 or better."""
    precision = torch.promote_types(hidden.dtype, torch.float32)
    with torch.autocast(hidden.device.type, enabled=False):
        return weights.to(precision) @ hidden.to(precision)


def mean_without_cls(hidden: Tensor, mask: Tensor) -> Tensor:
    """Masked mean over all positions but the first: (b, length, d), (b, length) -> (b, d)."""
    weights = mask[:, 1:].to(torch.promote_types(hidden.dtype, torch.float32))
    weights = weights / weights.sum(dim=1, keepdim=True)
    return weighted_sum(weights[:, None], hidden[:, 1:])[:, 0]


class AttentionPooling(nn.Module):
    """The mean of a clip's frames and several averages with learned weights, mapped linearly.

    A fingerspelled letter is held for some frames of a clip; the mean dilutes them with the
    movement before and after.
    """

    def __init__(self, size: int, dropout: float):
        super().__init__()
        self.weight = nn.Linear(size, POOLING_HEADS)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear((1 + POOLING_HEADS) * size, size)

    def forward(self, hidden: Tensor, mask: Tensor, mean: Tensor) -> Tensor:
        """hidden (b, length, d), mask bool (b, length), mean (b, d) -> (b, d)."""
        scores = self.weight(hidden).float().masked_fill(~mask[..., None], -torch.inf)
        averages = weighted_sum(scores.softmax(dim=1).transpose(1, 2), hidden)
        both = torch.cat([mean[:, None].to(averages.dtype), averages], dim=1)
        return self.output(self.dropout(both.flatten(1)))
