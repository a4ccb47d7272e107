"""The pooled tower: the mean hand shape of a clip's middle to one embedding, without attention.

Decisions
* Its input is the hand-centric features (:mod:`signclip.model.hands`) averaged over the middle half
  of the clip, where a fingerspelled letter is held. That is all that the strongest floor, a support
  vector machine on these averages, reads of a clip; a few hundred clips do not teach an encoder
  over time more than that.
* The averages are standardised and projected on their first principal components, both taken from
  the training clips before the first update. One hidden layer and strong dropout follow.
* The body has separate dimensions (:class:`signclip.model.pose_tower.BodyPart`). Both parts have
  unit length before they are joined, so neither outweighs the other.
* The middle of a clip is that of the frames given: in training the augmentation ``crop`` shifts it.

Cost: the features of each frame, and three small matrix products a clip.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signclip.core.errors import ConfigError
from signclip.model.config import ModelConfig
from signclip.model.hands import HandFeatures, frames_before
from signclip.model.packed_attention import Layout
from signclip.model.pose_tower import LARGEST_DEVIATION, BodyPart

COMPONENTS = 96  # principal components that are kept: 97 % of the variance on 451 clips
LEAST_DEVIATION = 0.02  # smallest divisor of a feature; their spread is about a half
INPUT_DROPOUT, HIDDEN_DROPOUT = 0.1, 0.5  # of the hands; `dropout` is that of body and texts


def middle_half(mask: Tensor) -> Tensor:
    """The middle half of each clip, at least one frame: bool (b, t) -> bool (b, t).

    Args:
        mask: True = valid; a clip's frames come before its padding.
    """
    frames = mask.sum(dim=1, keepdim=True)
    place = torch.arange(mask.shape[1], device=mask.device)
    start = frames // 4
    return (place >= start) & (place < torch.maximum(frames - start, start + 1))


class PooledTower(nn.Module):
    """Frames to one embedding a clip; see the module."""

    centre: Tensor
    scale: Tensor
    components: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.hands = HandFeatures()
        dims = self.hands.dims
        self.register_buffer("centre", torch.zeros(dims))
        self.register_buffer("scale", torch.ones(dims))
        self.register_buffer("components", torch.eye(dims)[:COMPONENTS])
        self.network = nn.Sequential(
            nn.Dropout(INPUT_DROPOUT),
            nn.Linear(COMPONENTS, config.intermediate_size),
            nn.GELU(),
            nn.LayerNorm(config.intermediate_size),
            nn.Dropout(HIDDEN_DROPOUT),
            nn.Linear(config.intermediate_size, config.hidden_size - config.body_dims),
        )
        if config.body_dims:
            self.body = BodyPart(config.body_dims, config.dropout)

    def standardise(self, clips: Iterable[np.ndarray]) -> None:
        """Take centre, scale and principal components from clips, float32 (frames, 159) each."""
        clips = list(clips)
        batches = (torch.tensor(clip)[None] for clip in clips)
        seen = torch.cat([self._mean_shape(x, x.new_ones(x.shape[:2]).bool()) for x in batches])
        self.centre.copy_(seen.mean(dim=0))
        self.scale.copy_(seen.std(dim=0, correction=0) + LEAST_DEVIATION)
        # numpy's decomposition of the covariance: as many components for few clips as for many
        standard = self._standard(seen).double().numpy()
        _, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
        self.components.copy_(torch.from_numpy(vectors.T[::-1][:COMPONENTS].copy()))
        if self.config.body_dims:
            self.body.standardise(clips)

    @torch.no_grad()
    def _mean_shape(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Hand features averaged over the middle: (b, t, 159), bool (b, t) -> (b, dims)."""
        middle = middle_half(mask)
        features = self.hands(frames[middle], frames_before(frames)[middle])
        owner = middle.nonzero()[:, 0]
        total = features.new_zeros(len(frames), features.shape[1]).index_add(0, owner, features)
        return total / middle.sum(dim=1, keepdim=True)

    def _standard(self, shapes: Tensor) -> Tensor:
        standard = (shapes - self.centre) / self.scale
        return standard.clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)

    def forward(self, frames: Tensor, mask: Tensor | None, layout: Layout | None = None) -> Tensor:
        """frames (b, t, dims), mask bool (b, t), True = valid -> (b, d).

        Args:
            layout: see :class:`signclip.model.pose_tower.PoseTower`.

        Raises:
            ConfigError: a clip has more than ``max_frames`` frames.
        """
        if layout is not None:
            frames, mask = layout.pad(frames, layout.counts - 2)
        assert mask is not None, "frames without a layout need a mask"
        if frames.shape[1] > self.config.max_frames:
            raise ConfigError(
                f"{frames.shape[1]} frames exceed max_frames {self.config.max_frames}: cut clips "
                "first"
            )
        mask = mask.bool()
        # a weight of 0 does not silence NaN
        frames = frames.masked_fill(~mask[..., None], 0.0)
        standard = self._standard(self._mean_shape(frames, mask))
        # a standardised clip has a length of about the square root of its number of features
        of_hands = self.network(standard @ self.components.T * (10 / standard.shape[1] ** 0.5))
        if not self.config.body_dims:
            return of_hands
        of_body = self.body(frames, mask).to(of_hands.dtype)
        return torch.cat([F.normalize(of_hands, dim=1), F.normalize(of_body, dim=1)], dim=1)
