"""Packed sequences: only attention computes on padding, and on little of it.

Decisions
* All tokens of a batch form one row, longest sequence first. Linear layers, norms and dropout
  process each real token once. Attention is within sequences; sequences of similar length share a
  call: no sequence of a group is shorter than ``ratio`` times its longest (1: equal lengths only).
* On a GPU, where calls are expensive, FlashAttention takes sequences of any lengths in one call. It
  is the operator beneath torch's ``varlen_attn``, which has no dropout.
* The towers' modules are unchanged: ``transformers`` passes the layout on to :func:`attend`. Their
  layers may be compiled; attention is excluded, since its groups differ from batch to batch.

Cost: an index of the batch's tokens and a (sequences, tokens) matrix of weights, made once a batch;
one call of attention a layer and group (FlashAttention: a layer).
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
# Names of this attention for transformers; the second is for towers whose layers are compiled.
ATTENTION, ATTENTION_COMPILED = "signclip_packed", "signclip_packed_compiled"


@lru_cache
def takes_flash(device: torch.device, size: int) -> bool:
    """Does FlashAttention work on this device, in 16 bits, with heads of this size?

    Otherwise attention is computed group by group; on a GPU this is logged once.
    """
    if device.type != "cuda":
        return False
    works = torch.backends.cuda.is_flash_attention_available() and size % 8 == 0
    works = works and torch.cuda.get_device_capability(device) >= (8, 0)
    if not works:
        _log.warning("%s: no FlashAttention for heads of %d; attention in groups", device, size)
    return works


def groups_of(lengths: Sequence[int] | np.ndarray, ratio: float) -> list[slice]:
    """Group descending lengths into slices: ``ratio`` 0 gives one group, 1 one for each length."""
    starts = [0]
    for position, length in enumerate(lengths):
        if length < ratio * lengths[starts[-1]]:
            starts.append(position)
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(lengths)], strict=True)]


class Group(NamedTuple):
    """Sequences whose attention is computed in one call."""

    tokens: int
    shape: tuple[int, int]  # sequences, tokens of the longest
    # None where all lengths are equal: then there is no padding
    gather: Tensor | None = None  # int (sequences * longest,): token at each place, 0 for padding
    back: Tensor | None = None  # int (tokens,): place of each token
    mask: Tensor | None = None  # bool (sequences, 1, 1, longest), True = real

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, *, dropout: float, scaling: float | None
    ) -> Tensor:
        """(heads, tokens of this group, size) each -> (tokens, heads, size)."""

        def batched(x: Tensor) -> Tensor:
            x = x if self.gather is None else x[:, self.gather]
            return x.unflatten(1, self.shape).transpose(0, 1)

        out = F.scaled_dot_product_attention(
            batched(query),
            batched(key),
            batched(value),
            self.mask,
            dropout_p=dropout,
            scale=scaling,
        )
        out = out.transpose(1, 2).flatten(0, 1)
        return out if self.back is None else out[self.back]


class Layout:
    """The position of each token of a batch in the packed row.

    Args:
        lengths: tokens of each sequence, in the batch's order.
        ratio: see the module.
        flash: use FlashAttention (a GPU, float16 or bfloat16).

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
        """Groups of sequences of similar length."""
        return [self._group(rows) for rows in groups_of(self.lengths, self.ratio)]

    @cached_property
    def ends(self) -> Tensor:
        """int32 (b + 1,): 0, then the token after each sequence."""
        return self.tensor(np.cumsum([0, *self.lengths], dtype=np.int32))

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, *, dropout: float, scaling: float | None
    ) -> Tensor:
        """(heads, n, size) each -> (n, heads, size)."""
        if self.flash:
            packed = (side.transpose(0, 1) for side in (query, key, value))
            longest = int(self.lengths[0])
            return torch.ops.aten._flash_attention_forward(
                *packed,
                self.ends,
                self.ends,
                longest,
                longest,
                dropout,
                False,
                False,
                scale=scaling,
            )[0]
        # split, not slices: the gradient of a slice is as large as the whole tensor
        sizes = [group.tokens for group in self.groups]
        sides = zip(*(side.split(sizes, dim=1) for side in (query, key, value)), strict=True)
        parts = [
            group.attend(*part, dropout=dropout, scaling=scaling)
            for group, part in zip(self.groups, sides, strict=True)
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
        """An array on the batch's device; pinned first, so that the CPU does not wait for a GPU."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def pad(self, frames: Tensor, counts: np.ndarray) -> tuple[Tensor, Tensor]:
        """Packed clips to padded ones: (n, dims) -> (b, t, dims), zero behind each clip.

        With it comes the mask bool (b, t), True = real.

        Args:
            counts: int (b,), the frames of each.
        """
        real = np.arange(counts.max()) < counts[:, None]
        owner, place = map(self.tensor, np.nonzero(real))
        room = frames.new_zeros(*real.shape, frames.shape[1])
        return room.index_put((owner, place), frames), self.tensor(real)

    def pad_tokens(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(n, d) -> (b, longest, d), zero behind each sequence, and the mask bool (b, longest)."""
        shape = (len(self.order), int(self.lengths[0]))
        owner, place = self.tensor(self.owner), self.tensor(self.place)
        real = torch.zeros(shape, dtype=torch.bool, device=self.device)
        real[owner, place] = True
        return rows.new_zeros(*shape, rows.shape[1]).index_put((owner, place), rows), real

    def mean_weights(self) -> Tensor:
        """float32 (b, n): weights @ tokens is each sequence's mean over all but its first token."""
        behind = np.flatnonzero(self.place)
        of_row = np.empty(len(self.order), dtype=np.float32)
        of_row[self.order] = 1 / (self.lengths - 1)
        owner = self.owner[behind]
        weights = torch.zeros(len(self.order), len(self.owner), device=self.device)
        weights[self.tensor(owner), self.tensor(behind)] = self.tensor(of_row[owner])
        return weights


@lru_cache(maxsize=1)  # a second function would be compiled again
def attention_compiled() -> str:
    """Register the attention for towers whose layers are compiled; returns its name."""
    # not a decorator: it would load the compiler wherever a model is used
    AttentionInterface.register(ATTENTION_COMPILED, torch.compiler.disable(attend))
    AttentionMaskInterface.register(ATTENTION_COMPILED, sdpa_mask)
    return ATTENTION_COMPILED


def check(bert: PreTrainedModel) -> None:
    """Refuse a tower whose attention ignores layouts: its clips would attend to each other.

    Raises:
        ConfigError: ``bert.set_attn_implementation(ATTENTION)`` was not called.
    """
    if bert.config._attn_implementation not in (ATTENTION, ATTENTION_COMPILED):
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

    Without a ``layout``, the batch is padded and ``attention_mask`` marks the real tokens.
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
