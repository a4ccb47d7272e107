"""SignCLIP: a pose tower and a text tower in one embedding space.

Decisions
* Two BERT encoders of ``transformers`` without shared weights; one runs without the other.
* An embedding is the mean of the last layer over the real frames (or tokens) and the closing [SEP],
  without [CLS]. The score is a plain dot product, or a cosine with the switch ``normalise``.
* Beyond the paper: a learned temperature (:meth:`SignCLIP.scale`).

Cost: the two towers; see :mod:`signclip.model.pose_tower`.

Source: Jiang et al., "SignCLIP" (EMNLP 2024); ``MMFusionSeparate`` in the authors' code
(github.com/J22Melody/fairseq, examples/MMPT).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel

from signclip.model import packed_attention
from signclip.model.config import ModelConfig
from signclip.model.packed_attention import Layout
from signclip.model.pooled_tower import PooledTower
from signclip.model.pooling import mean_without_cls, weighted_sum
from signclip.model.pose_tower import PoseTower

# Bounds of the temperature's scale: Radford et al., "Learning Transferable Visual Models From
# Natural Language Supervision" (2021).
FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0


class Embeddings(NamedTuple):
    """Both sides of a batch, float32 (b, d); a side that was not given is None."""

    pose_embeddings: Tensor | None
    text_embeddings: Tensor | None


class Projection(nn.Module):
    """A linear map without bias (``multimodal_projection`` in the authors' code)."""

    def __init__(self, size: int):
        super().__init__()
        self.linear = nn.Linear(size, size, bias=False)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.linear(embeddings)


class SignCLIP(nn.Module):
    """Pose tower and text tower; see the module."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        pose_tower = PooledTower if config.pose_tower == "pooled" else PoseTower
        self.video_encoder = pose_tower(config)
        text = config.bert(layers=config.text_layers, vocab_size=config.vocab_size)
        self.text_encoder = BertModel(text, add_pooling_layer=False)
        if config.projection:
            self.video_projection = Projection(config.hidden_size)
            self.text_projection = Projection(config.hidden_size)
        if config.temperature:
            self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def scale(self) -> Tensor | float:
        """The factor on scores: the inverse of the temperature, 1 without one."""
        if not self.config.temperature:
            return 1.0
        return self.log_scale.clamp(max=math.log(LARGEST_SCALE)).exp()

    def pose_embeddings(
        self, frames: Tensor, frame_mask: Tensor | None, layout: Layout | None = None
    ) -> Tensor:
        """frames float (b, t, dims), frame_mask bool (b, t) -> (b, d).

        Args:
            layout: see :class:`PoseTower`; needs :data:`signclip.model.packed_attention.ATTENTION`.
        """
        pooled = self.video_encoder(frames, frame_mask, layout)
        if self.config.projection:
            pooled = self.video_projection(pooled)
        return F.normalize(pooled, dim=1) if self.config.normalise else pooled

    def text_embeddings(
        self, token_ids: Tensor, token_mask: Tensor, layout: Layout | None = None
    ) -> Tensor:
        """token_ids int64 (b, l) as ``[CLS] pieces [SEP]``, token_mask bool (b, l) -> (b, d).

        Args:
            layout: of the texts' tokens; as above.
        """
        if layout is None:
            hidden = self.text_encoder(input_ids=token_ids, attention_mask=token_mask)
            pooled = mean_without_cls(hidden.last_hidden_state, token_mask)
        else:
            packed_attention.check(self.text_encoder)
            rows = layout.owner * token_ids.shape[1] + layout.place
            hidden = self.text_encoder(
                input_ids=token_ids.flatten()[layout.tensor(rows)][None],
                position_ids=layout.tensor(layout.place)[None],
                layout=layout,
            )
            pooled = weighted_sum(layout.mean_weights(), hidden.last_hidden_state[0])
        if self.config.projection:
            pooled = self.text_projection(pooled)
        return F.normalize(pooled, dim=1) if self.config.normalise else pooled

    def forward(
        self,
        frames: Tensor | None = None,
        frame_mask: Tensor | None = None,
        token_ids: Tensor | None = None,
        token_mask: Tensor | None = None,
    ) -> Embeddings:
        """Embed poses, texts or both. Masks: True = valid. Shapes as in the two methods above."""
        poses = texts = None
        if frames is not None:
            poses = self.pose_embeddings(frames, frame_mask)
        if token_ids is not None:
            assert token_mask is not None, "token_ids need a token_mask"
            texts = self.text_embeddings(token_ids, token_mask)
        return Embeddings(poses, texts)
