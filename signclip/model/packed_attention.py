"""Sequences behind one another: no layer but attention computes on padding, and that on little.

Decisions
* All tokens of a batch form one row, longest sequence first. Linear layers, norms and dropout see
  each real token once; attention sees each sequence by itself, those of like length in one call:
  no sequence of a group is shorter than a share ``ratio`` of its longest (1: equal lengths only).
* On a GPU, where a call costs more than what it computes, FlashAttention takes sequences of any
  lengths in one call. It is the operator below torch's own ``varlen_attn``, which has no dropout.
* The towers' modules stay as they are: ``transformers`` hands :func:`attend` what it needs. Their
  layers may be compiled; attention is left out of it, since its groups differ from batch to batch.

Cost: an index of the batch's tokens and one number a sequence and token, made once a batch; a call
of attention a layer and group, or a layer.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from signclip.core.errors import ConfigError

_log = logging.getLogger(__name__)
ATTENTION, BESIDE_COMPILED = "signclip_unpadded", "signclip_unpadded_beside_compiled"


@lru_cache
def takes_flash(device: torch.device, size: int) -> bool:
    """Can a device attend to all sequences in one call, with heads of this size, in 16 bits?

    Else a layout's groups serve; a GPU for which they do is told of once.
    """
    if device.type != "cuda":
        return False
    able = torch.backends.cuda.is_flash_attention_available() and size % 8 == 0
    able = able and torch.cuda.get_device_capability(device) >= (8, 0)
    if not able:
        _log.warning("%s: no FlashAttention for heads of %d; attention in groups", device, size)
    return able


def groups_of(lengths: Sequence[int], ratio: float) -> list[slice]:
    """Slices of lengths that fall: ``ratio`` 0 makes one group, 1 one for each length."""
    starts = [0]
    for position, length in enumerate(lengths):
        if length < ratio * lengths[starts[-1]]:
            starts.append(position)
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(lengths)], strict=True)]


class Group(NamedTuple):
    """Sequences that attend in one call."""

    tokens: int
    shape: tuple[int, int]  # sequences, tokens of the longest
    # None where all are as long: then there is no padding
    gather: Tensor | None = None  # int (sequences * longest,): token at each place, 0 for padding
    back: Tensor | None = None  # int (tokens,): place of each token
    mask: Tensor | None = None  # bool (sequences, 1, 1, longest), True = real

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, *, dropout: float, scaling: float | None
    ) -> Tensor:
        """(heads, tokens of this group, size) each -> (tokens, heads, size)."""

        def apart(x: Tensor) -> Tensor:
            x = x if self.gather is None else x[:, self.gather]
            return x.unflatten(1, self.shape).transpose(0, 1)

        out = F.scaled_dot_product_attention(
            apart(query), apart(key), apart(value), self.mask, dropout_p=dropout, scale=scaling
        )
        out = out.transpose(1, 2).flatten(0, 1)
        return out if self.back is None else out[self.back]


class Layout:
    """Where the tokens of a batch stand once they are behind one another.

    Args:
        lengths: tokens of each sequence, in the batch's order.
        ratio: see the module.
        flash: attend to all sequences in one call (a GPU, float16 or bfloat16).

    Attributes:
        counts: int (b,), the tokens of each sequence, in the batch's order.
        order: int (b,), rows of the batch, longest first.
        lengths: int (b,), their tokens.
        place: int (n,), each token's place in its sequence.
        is_last: bool (n,), is it its sequence's last?
        owner: int (n,), its row in the batch.
    """

    def __init__(
        self, lengths: Sequence[int], ratio: float, device: torch.device, *, flash: bool = False
    ):
        self.counts, self.ratio, self.flash = np.asarray(lengths), ratio, flash
        self.order = np.argsort(-self.counts, kind="stable")
        self.lengths = self.counts[self.order]
        starts = np.cumsum(self.lengths) - self.lengths
        self.owner = np.repeat(self.order, self.lengths)
        self.place = np.arange(self.lengths.sum()) - np.repeat(starts, self.lengths)
        self.is_last = self.place == np.repeat(self.lengths, self.lengths) - 1
        self.device = device

    @cached_property
    def groups(self) -> list[Group]:
        """Sequences of like length."""
        return [self._group(rows) for rows in groups_of(self.lengths, self.ratio)]

    @cached_property
    def ends(self) -> Tensor:
        """int32 (b + 1,): 0, then the token behind each sequence."""
        return self.tensor(np.cumsum([0, *self.lengths], dtype=np.int32))

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, *, dropout: float, scaling: float | None
    ) -> Tensor:
        """(heads, n, size) each -> (n, heads, size)."""
        if self.flash:
            sides = (side.transpose(0, 1) for side in (query, key, value))
            longest = int(self.lengths[0])
            return torch.ops.aten._flash_attention_forward(
                *sides, self.ends, self.ends, longest, longest, dropout, False, False, scale=scaling
            )[0]
        # split and not sliced: the gradient of a slice is as large as what it was cut from
        sizes = [group.tokens for group in self.groups]
        sides = zip(*(side.split(sizes, dim=1) for side in (query, key, value)), strict=True)
        parts = [
            group.attend(*own, dropout=dropout, scaling=scaling)
            for group, own in zip(self.groups, sides, strict=True)
        ]
        return torch.cat(parts)

    def _group(self, rows: slice) -> Group:
        lengths = self.lengths[rows]
        tokens = int(lengths.sum())
        shape = (len(lengths), int(lengths[0]))
        if lengths[0] == lengths[-1]:
            return Group(tokens, shape)
        real = np.arange(shape[1])[None] < lengths[:, None]
        gather = np.zeros(shape, dtype=np.int64)
        gather[real] = np.arange(real.sum())
        back = np.flatnonzero(real)
        mask = real[:, None, None, :]
        return Group(tokens, shape, *map(self.tensor, (gather.ravel(), back, mask)))

    def tensor(self, array: np.ndarray) -> Tensor:
        """An array on the batch's device; pinned before, so that nothing waits for a GPU."""
        array = torch.from_numpy(array)
        if self.device.type == "cuda":
            array = array.pin_memory()
        return array.to(self.device, non_blocking=True)

    def apart(self, frames: Tensor, counts: np.ndarray) -> tuple[Tensor, Tensor]:
        """Clips behind one another -> side by side.

        (n, dims) -> (b, t, dims), zero behind each clip, and bool (b, t), the real.

        Args:
            counts: int (b,), the frames of each.
        """
        real = np.arange(counts.max()) < counts[:, None]
        owner, place = map(self.tensor, np.nonzero(real))
        room = frames.new_zeros(*real.shape, frames.shape[1])
        return room.index_put((owner, place), frames), self.tensor(real)

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(n, d) -> (b, longest, d), zero behind each sequence, and bool (b, longest), the real."""
        shape = (len(self.order), int(self.lengths[0]))
        owner, place = self.tensor(self.owner), self.tensor(self.place)
        real = torch.zeros(shape, dtype=torch.bool, device=self.device)
        real[owner, place] = True
        return rows.new_zeros(*shape, rows.shape[1]).index_put((owner, place), rows), real

    def mean_weights(self) -> Tensor:
        """float32 (b, n): times the tokens it gives each sequence's mean over all but its first."""
        behind = np.flatnonzero(self.place)
        of_row = np.empty(len(self.order), dtype=np.float32)
        of_row[self.order] = 1 / (self.lengths - 1)
        owner = self.owner[behind]
        weights = torch.zeros(len(self.order), len(self.owner), device=self.device)
        weights[self.tensor(owner), self.tensor(behind)] = self.tensor(of_row[owner])
        return weights


@lru_cache(maxsize=1)  # another function would be another program
def beside_compiled() -> str:
    """The name of this module's attention for towers whose layers are compiled."""
    # not as a decorator: it would load the compiler wherever a model is used
    AttentionInterface.register(BESIDE_COMPILED, torch.compiler.disable(attend))
    AttentionMaskInterface.register(BESIDE_COMPILED, sdpa_mask)
    return BESIDE_COMPILED


def check(bert: PreTrainedModel) -> None:
    """Refuse a tower whose attention knows nothing of layouts: its clips would attend to others.

    Raises:
        ConfigError: ``bert.set_attn_implementation(ATTENTION)`` was not called.
    """
    if bert.config._attn_implementation not in (ATTENTION, BESIDE_COMPILED):
        raise ConfigError(f"a layout needs attention {ATTENTION!r}")


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout | None = None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention as ``transformers`` calls it: (1, heads, n, size) -> (1, n, heads, size).

    Without a ``layout``, the batch is a padded one and ``attention_mask`` says what is real.
    """
    if layout is None:
        padded = AttentionInterface()["sdpa"]
        return padded(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    out = layout.attend(query[0], key[0], value[0], dropout=dropout, scaling=scaling)
    return out[None], None


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
