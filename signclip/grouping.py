"""Groups of like length: a batch embedded with little padding and the same result.

Decision: the items of a batch are sorted by length and cut into groups; a group ends where the next
item would be shorter than a share ``ratio`` of the group's longest. Each group passes its tower by
itself, and only the loss sees the whole batch, so membership, embeddings and gradients are those of
the padded batch.

Cost: the padding that stays is below ``1 - ratio`` of the work; a call of the tower a group, at
most ``log(longest / shortest) / log(1 / ratio)`` of them and one a length.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def groups_of(lengths: Sequence[int], ratio: float) -> list[list[int]]:
    """Positions in groups, longest first; ``ratio`` 0 makes one group, 1 one for each length."""
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    groups = [[order[0]]]
    for position in order[1:]:
        if lengths[position] >= ratio * lengths[groups[-1][0]]:
            groups[-1].append(position)
        else:
            groups.append([position])
    return groups


def embed(
    tower: Callable[[Tensor, Tensor], Tensor],
    values: Tensor,
    mask: Tensor,
    lengths: Sequence[int],
    ratio: float,
) -> Tensor:
    """What ``tower(values, mask)`` gives, group by group.

    Args:
        tower: (b, t, ...), bool (b, t) -> (b, d), each row from its own valid positions alone.
        lengths: valid positions of each row; they come first.
    """
    groups = groups_of(lengths, ratio)
    if len(groups) == 1:
        return tower(values, mask)
    parts = []
    for group in groups:
        longest = lengths[group[0]]
        parts.append(tower(values[group, :longest], mask[group, :longest]))
    order = torch.tensor(list(itertools.chain.from_iterable(groups)), device=values.device)
    return torch.cat(parts)[torch.argsort(order)]
