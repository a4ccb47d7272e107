"""The pose tower: frame features to one embedding a clip.

Decisions
* The tower is a BERT encoder of ``transformers``. Its input is the frame embeddings (Linear, GELU,
  LayerNorm, Linear) between the [CLS] and [SEP] of its own word table. Modules have the names of
  the authors' code, so that released weights load by name.
* The closing [SEP] always has position ``max_frames + 1``, as at the time of the paper. So neither
  the amount of padding nor its content (NaN included) changes an embedding, and a batch is only as
  long as its longest clip.
* Optional 1-D convolutions over time precede the frame network (version 0 of the released models).
  In the authors' code every clip is followed by zero frames up to ``max_frames``, and from the
  second layer on, the output of the first for these frames reaches back into the end of the clip.
  Here the result is the same, from only as many zero frames as reach back.
* Given a layout (:mod:`signclip.model.packed_attention`), the tower computes on real tokens only,
  with the same result. Then the frames of the clips follow each other without padding.
* Beyond the paper, each a switch: hand-centric features (:mod:`signclip.model.hands`), attention
  pooling (:mod:`signclip.model.pooling`), embedding dimensions from the body alone
  (:class:`BodyPart`).

Cost: attention over the longest clip of the batch.

Source: ``MMFusionSeparate``, ``MMBertForEncoder`` and ``VideoConv1D`` in the authors' code
(github.com/J22Melody/fairseq, examples/MMPT).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel

from signclip.core.errors import ConfigError
from signclip.model import packed_attention
from signclip.model.config import ModelConfig
from signclip.model.hands import BODY_POINTS, HandFeatures, frames_before
from signclip.model.packed_attention import Layout
from signclip.model.pooling import AttentionPooling, mean_without_cls, weighted_sum

CONV_KERNEL = 17  # frames
# The smallest spread that BodyPart divides by, in shoulder widths (below it is the rounding of the
# normalisation), and the largest standardised value (short clips and other cameras exceed it).
LEAST_SPREAD, LARGEST_DEVIATION = 0.002, 5.0


def _zero_where_padded(frames: Tensor, mask: Tensor) -> Tensor:
    """(b, t, dims), bool (b, t) -> (b, t, dims).

    A CPU fills whole rows four times as fast as single numbers. To know which rows, one would have
    to wait for a GPU.
    """
    if frames.device.type != "cpu":
        return frames.masked_fill(~mask[..., None], 0.0)
    padded = (~mask).flatten().nonzero()[:, 0]
    return frames.flatten(0, 1).index_fill(0, padded, 0.0).view_as(frames)


class FrameMLP(nn.Module):
    """Frame features to tower width: Linear, GELU, LayerNorm (eps 1e-5), Linear."""

    def __init__(self, frame_dims: int, hidden_size: int):
        super().__init__()
        self.linear1 = nn.Linear(frame_dims, hidden_size)
        self.LayerNorm = nn.LayerNorm(hidden_size)
        self.linear2 = nn.Linear(hidden_size, hidden_size)
        for linear in (self.linear1, self.linear2):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, frames: Tensor) -> Tensor:
        return self.linear2(self.LayerNorm(F.gelu(self.linear1(frames))))


class FrameConvolutions(nn.Module):
    """Convolutions over time, D channels to D, without activations between them."""

    def __init__(self, layers: int, frame_dims: int, max_frames: int):
        super().__init__()
        self.layers, self.max_frames = layers, max_frames
        for i in range(layers):
            conv = nn.Conv1d(frame_dims, frame_dims, CONV_KERNEL, padding="same")
            self.add_module(f"conv1d_{i}", conv)

    def forward(self, frames: Tensor) -> Tensor:
        """(b, t, dims), zero where padded -> (b, t, dims); see the module's decisions."""
        t = frames.shape[1]
        # each layer after the first looks half a kernel further into the zero frames
        reach = (self.layers - 1) * (CONV_KERNEL // 2)
        frames = F.pad(frames, (0, 0, 0, min(reach, self.max_frames - t))).transpose(1, 2)
        for i in range(self.layers):
            frames = self.get_submodule(f"conv1d_{i}")(frames)
        return frames.transpose(1, 2)[:, :t]


class BodyPart(nn.Module):
    """Who signs, and how they stand and move: linear in the upper body's points (x, y).

    The input is each coordinate's mean and spread over the clip, standardised, since signers differ
    by little. Its dimensions are separate from those of the hands: the most similar distractors are
    other letters of the same signer, so the hands' part cannot rely on the signer. It is linear and
    has strong dropout, because every clip stands a little differently and could be memorised.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, size: int, dropout: float):
        super().__init__()
        self.register_buffer("centre", torch.zeros(4 * BODY_POINTS))
        self.register_buffer("scale", torch.ones(4 * BODY_POINTS))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(4 * BODY_POINTS, size)

    def standardise(self, clips: Iterable[np.ndarray]) -> None:
        """Take centre and scale from clips, float32 (frames, 159) each."""
        batches = (torch.tensor(clip)[None] for clip in clips)
        seen = torch.cat([self._statistics(x, x.new_ones(x.shape[:2])) for x in batches])
        self.centre.copy_(seen.mean(dim=0))
        self.scale.copy_(seen.std(dim=0, correction=0).clamp_min(LEAST_SPREAD))

    @staticmethod
    def _statistics(frames: Tensor, mask: Tensor) -> Tensor:
        """Means and spreads: (b, t, 159), (b, t) -> float64 (b, 4 a point).

        In double precision, because differences between signers are small against the values.
        """
        weights = mask.double() / mask.sum(dim=1, keepdim=True)
        places = frames[..., : 3 * BODY_POINTS].double().unflatten(-1, (BODY_POINTS, 3))
        places = places[..., :2].flatten(-2)
        mean = weighted_sum(weights[:, None], places)
        spread = weighted_sum(weights[:, None], (places - mean) ** 2).sqrt()
        return torch.cat([mean, spread], dim=-1)[:, 0]

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Frames (b, t, 159), zero where padded, mask bool (b, t) -> (b, size)."""
        standard = (self._statistics(frames, mask) - self.centre) / self.scale
        standard = standard.clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
        return self.linear(self.dropout(standard.to(self.linear.weight.dtype)))


class PoseTower(nn.Module):
    """Frames to one embedding a clip; see the module."""

    end_ids: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        if config.conv_layers:
            self.videoconv = FrameConvolutions(
                config.conv_layers, config.frame_dims, config.max_frames
            )
        dims = config.frame_dims
        if config.frame_input == "hands":
            self.hands = HandFeatures()
            dims = self.hands.dims
        self.videomlp = FrameMLP(dims, config.hidden_size)
        bert = config.bert(layers=config.pose_layers, vocab_size=config.pose_vocab_size)
        self.bert = BertModel(bert, add_pooling_layer=False)
        if config.pooling == "attention":
            self.pooling = AttentionPooling(config.hidden_size, config.dropout)
        if config.body_dims:
            self.body = BodyPart(config.body_dims, config.dropout)
        # Rows of [CLS] and [SEP]: a buffer, because creating them for every batch would make the
        # CPU wait for a GPU.
        ends = torch.tensor([config.pose_cls_id, config.pose_sep_id])
        self.register_buffer("end_ids", ends, persistent=False)

    def standardise(self, clips: Iterable[np.ndarray]) -> None:
        """Take the scale of inputs from training clips, where a part of the tower has one."""
        if self.config.body_dims:
            self.body.standardise(clips)

    def forward(self, frames: Tensor, mask: Tensor | None, layout: Layout | None = None) -> Tensor:
        """frames (b, t, dims), mask bool (b, t), True = valid -> (b, d).

        Args:
            layout: of the clips with two more tokens each; then the tower computes on real tokens
                only, frames are (n, dims), clip after clip, and there is no mask.

        Raises:
            ConfigError: a clip has more than ``max_frames`` frames.
        """
        t = frames.shape[1] if layout is None else int(layout.lengths[0]) - 2
        if t > self.config.max_frames:
            raise ConfigError(
                f"{t} frames exceed max_frames {self.config.max_frames}: cut clips first"
            )
        if layout is None:
            assert mask is not None, "frames without a layout need a mask"
            mask = mask.bool()
            # a weight of 0 does not silence NaN, and convolutions do not weight padding at all
            frames = _zero_where_padded(frames, mask)
        elif self._needs_neighbours:
            frames, mask = layout.pad(frames, layout.counts - 2)
        if self.config.conv_layers:
            frames = self.videoconv(frames)
        ends = self.bert.embeddings.word_embeddings(self.end_ids)
        if layout is not None:
            pooled = self._packed(frames, ends, layout)
        else:
            assert mask is not None
            pooled = self._padded(frames, mask, ends)
        if not self.config.body_dims:
            return pooled
        of_hands = pooled[:, : -self.config.body_dims]
        return torch.cat([of_hands, self.body(frames, mask).to(pooled.dtype)], dim=1)

    @property
    def _needs_neighbours(self) -> bool:
        """Does a frame's embedding depend on other frames? Then packed clips must be separated."""
        config = self.config
        return bool(config.conv_layers or config.body_dims or config.frame_input == "hands")

    def _padded(self, frames: Tensor, mask: Tensor, ends: Tensor) -> Tensor:
        """frames (b, t, dims), mask bool (b, t), [CLS] and [SEP] (2, d) -> (b, d)."""
        b, t, _ = frames.shape
        cls, sep = ends.expand(b, 2, -1).split(1, dim=1)
        positions = torch.arange(t + 2, device=frames.device)
        positions[-1] = self.config.max_frames + 1
        whole = torch.cat([mask.new_ones(b, 1), mask, mask.new_ones(b, 1)], dim=1)
        hidden = self.bert(
            inputs_embeds=torch.cat([cls, self.videomlp(self._frame_input(frames)), sep], dim=1),
            attention_mask=whole,
            position_ids=positions[None],
        ).last_hidden_state
        mean = mean_without_cls(hidden, whole)
        if self.config.pooling == "mean":
            return mean
        return self.pooling(hidden[:, 1:], whole[:, 1:], mean)

    def _frame_input(self, frames: Tensor, rows: Tensor | None = None) -> Tensor:
        """The frame network's input: from (b, t, dims), or from these rows of (frames, dims)."""

        def chosen(x: Tensor) -> Tensor:
            return x if rows is None else x.flatten(0, -2)[rows]

        if self.config.frame_input == "plain":
            return chosen(frames)
        return self.hands(chosen(frames), chosen(frames_before(frames)))

    def _packed(self, frames: Tensor, ends: Tensor, layout: Layout) -> Tensor:
        """frames (n, dims), or (b, t, dims), [CLS] and [SEP] (2, d) -> (b, d)."""
        packed_attention.check(self.bert)
        last = layout.is_last
        is_frame = (layout.place > 0) & ~last
        counts = layout.counts - 2
        firsts = (
            np.cumsum(counts) - counts
            if frames.ndim == 2
            else np.arange(len(counts)) * frames.shape[1]
        )
        rows = (firsts[layout.owner] + layout.place - 1)[is_frame]
        source = np.where(last, 1, 0)  # rows of `table`: [CLS], [SEP], then the frames
        source[is_frame] = 2 + np.arange(is_frame.sum())
        positions = np.where(last, self.config.max_frames + 1, layout.place)
        table = torch.cat([ends, self.videomlp(self._frame_input(frames, layout.tensor(rows)))])
        hidden = self.bert(
            inputs_embeds=table[layout.tensor(source)][None],
            position_ids=layout.tensor(positions)[None],
            layout=layout,
        ).last_hidden_state
        mean = weighted_sum(layout.mean_weights(), hidden[0])
        if self.config.pooling == "mean":
            return mean
        padded, real = layout.pad_tokens(hidden[0])
        return self.pooling(padded[:, 1:], real[:, 1:], mean)
