"""SignCLIP's two towers.

Decisions
* Two BERT encoders of ``transformers`` without shared weights. The pose tower is fed with frame
  embeddings (Linear, GELU, LayerNorm, Linear) between the [CLS] and [SEP] of its own word table;
  the modules bear the reference's names, so released weights fit by name.
* The closing [SEP] of the pose tower always has position ``max_frames + 1``, as at the time of the
  paper: padding a clip little, much or not at all changes nothing, whatever the padding holds (NaN
  included), and a batch need only be as long as its longest clip. Cost: attention over the longest
  clip instead of ``max_frames``.
* An embedding is the mean of the last layer over the real frames (tokens) and the closing [SEP],
  without [CLS]. The score is a plain dot product unless ``normalise`` makes it a cosine.
* Optional 1-D convolutions over time stand before the frame network (the reference's v0 models).
  There every clip is followed by zero frames up to ``max_frames``, and from the second layer on,
  what the first made of them reaches back into the clip's end. Here the same numbers come out, from
  only as many zero frames as reach back: whatever the padding holds, and however much it is.
* Given a layout (:mod:`signclip.model.packed_attention`), a tower computes on real tokens alone, with the same
  result: for training, where it is worth its bookkeeping. Clips then come one behind another.
* One tower runs without the other.
* Beyond the paper, each a switch: what a frame's points say of the hands (:mod:`signclip.model.hands`),
  pooling by attention, a learned temperature.

Source: facts sections 2 and 8; reference ``MMFusionSeparate``, ``MMBertForEncoder``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from signclip.core.errors import ConfigError
from signclip.model import packed_attention
from signclip.model.hands import BODY_POINTS, POINT_DIMS, HandFeatures, frames_before
from signclip.model.packed_attention import Layout

POOLING_HEADS = 4
# Of a temperature: Radford et al. (2021).
FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0
CONV_KERNEL = 17  # frames a convolution sees (reference: VideoConv1D)
# The smallest value of each size. Three tokens: [CLS], the reference's two [SEP], and no word.
_LEAST = {
    "max_tokens": 3,
    "body_dims": 0,
    "conv_layers": 0,
    "pose_cls_id": 0,
    "pose_sep_id": 0,
} | dict.fromkeys(
    (
        *("frame_dims", "vocab_size", "hidden_size", "attention_heads", "intermediate_size"),
        *("pose_layers", "text_layers", "max_frames", "position_embeddings", "pose_vocab_size"),
    ),
    1,
)
# Of a ModelConfig, beside the sizes of the towers: what a run's configuration has by the same name.
SWITCHES = (
    *("projection", "normalise", "temperature"),
    *("frame_input", "pooling", "body_dims"),
)
_CHOICES = {"frame_input": ("plain", "hands"), "pooling": ("mean", "attention")}


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a model; a run stores them, so a model is rebuilt from its run alone."""

    frame_dims: int  # numbers a frame
    vocab_size: int  # of the text tower
    hidden_size: int = 768
    attention_heads: int = 12
    intermediate_size: int = 3072
    pose_layers: int = 12
    text_layers: int = 12
    max_frames: int = 256  # longer clips are cut
    max_tokens: int = 64  # the paper's max_len: at most max_tokens - 3 word pieces
    position_embeddings: int = 512
    dropout: float = 0.1
    pose_vocab_size: int = 2  # rows of the pose tower's word table; two are used
    pose_cls_id: int = 0  # of the pose tower's own table (101 and 102 in released weights)
    pose_sep_id: int = 1
    projection: bool = False  # a linear map behind each tower (E5.1)
    normalise: bool = False  # unit length, so that the score is a cosine (E5.2)
    conv_layers: int = 0  # 1-D convolutions over time before the frame network
    frame_input: str = "plain"  # hands: what signclip.model.hands computes of a frame's points
    pooling: str = "mean"  # attention: by learned weights of the frames, too
    temperature: bool = False  # scores are multiplied by a learned number
    body_dims: int = 0  # dims of a pose's embedding that come from the body alone (hands: the rest)

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"model: {name} is {value!r}, must be an int of at least {least}")
        for name in ("projection", "normalise", "temperature"):
            value = getattr(self, name)
            if not isinstance(value, bool):  # the text "false" would count as true
                raise ConfigError(f"model: {name} is {value!r}, must be true or false")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"model: {name} is {getattr(self, name)!r}, must be one of {', '.join(choices)}"
                )
        if self.body_dims and (
            self.frame_input != "hands" or self.body_dims >= self.hidden_size or self.projection
        ):
            raise ConfigError(
                f"model: body_dims {self.body_dims} needs frame_input hands, a larger hidden_size, "
                "and no projection, which would mix what is told apart"
            )
        if self.frame_input == "hands" and (self.conv_layers or self.frame_dims != POINT_DIMS):
            raise ConfigError(
                f"model: frame_input hands takes the {POINT_DIMS} numbers of the variant signing, "
                "without convolutions"
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"model: dropout is {self.dropout}, must be in [0, 1)")
        if not max(self.pose_cls_id, self.pose_sep_id) < self.pose_vocab_size:
            raise ConfigError(
                f"model: [CLS] and [SEP] are rows {self.pose_cls_id} and {self.pose_sep_id} of the "
                f"pose tower's word table, which has {self.pose_vocab_size}"
            )
        if self.hidden_size % self.attention_heads:
            raise ConfigError(
                f"model: hidden_size {self.hidden_size} is no multiple of attention_heads "
                f"{self.attention_heads}"
            )
        needed = max(self.max_frames + 2, self.max_tokens - 1)
        if self.position_embeddings < needed:
            raise ConfigError(
                f"model: position_embeddings {self.position_embeddings} cannot hold max_frames "
                f"{self.max_frames} and max_tokens {self.max_tokens} ({needed} are needed)"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for ``config.yaml``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Rebuild; an unknown or missing key is a ConfigError."""
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"model: {error}") from None

    def bert(self, *, layers: int, vocab_size: int) -> BertConfig:
        """The ``transformers`` configuration of one tower."""
        return BertConfig(
            vocab_size=vocab_size,
            hidden_size=self.hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=self.attention_heads,
            intermediate_size=self.intermediate_size,
            max_position_embeddings=self.position_embeddings,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            pad_token_id=None if vocab_size < 3 else 0,
        )


class Embeddings(NamedTuple):
    """Both sides of a batch, float32 (b, d); a side that was not asked for is None."""

    pose_embeddings: Tensor | None
    text_embeddings: Tensor | None


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
    """Convolutions over time, D channels to D, nothing in between (reference: ``VideoConv1D``)."""

    def __init__(self, layers: int, frame_dims: int, max_frames: int):
        super().__init__()
        self.layers, self.max_frames = layers, max_frames
        for i in range(layers):
            conv = nn.Conv1d(frame_dims, frame_dims, CONV_KERNEL, padding="same")
            self.add_module(f"conv1d_{i}", conv)

    def forward(self, frames: Tensor) -> Tensor:
        """(b, t, dims), zero where padded -> (b, t, dims); see the module's decisions."""
        t = frames.shape[1]
        # each layer behind the first looks half a kernel further into the zero frames
        reach = (self.layers - 1) * (CONV_KERNEL // 2)
        frames = F.pad(frames, (0, 0, 0, min(reach, self.max_frames - t))).transpose(1, 2)
        for i in range(self.layers):
            frames = self.get_submodule(f"conv1d_{i}")(frames)
        return frames.transpose(1, 2)[:, :t]


class Projection(nn.Module):
    """A linear map without bias (the reference's ``multimodal_projection``)."""

    def __init__(self, size: int):
        super().__init__()
        self.linear = nn.Linear(size, size, bias=False)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.linear(embeddings)


def _mean(weights: Tensor, hidden: Tensor) -> Tensor:
    """Weighted sums, at least in float32, whatever the towers compute in."""
    precision = torch.promote_types(hidden.dtype, torch.float32)
    with torch.autocast(hidden.device.type, enabled=False):
        return weights.to(precision) @ hidden.to(precision)


def _mean_without_cls(hidden: Tensor, mask: Tensor) -> Tensor:
    """Masked mean over all positions but the first: (b, length, d), (b, length) -> (b, d)."""
    weights = mask[:, 1:].to(torch.promote_types(hidden.dtype, torch.float32))
    weights = weights / weights.sum(dim=1, keepdim=True)
    return _mean(weights[:, None], hidden[:, 1:])[:, 0]


class AttentionPooling(nn.Module):
    """The mean of a clip's frames beside averages by learned weights of theirs, and a linear map.

    A letter is held for some frames of a clip; the mean dilutes them with the way there.
    """

    def __init__(self, size: int, dropout: float):
        super().__init__()
        self.weight = nn.Linear(size, POOLING_HEADS)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear((1 + POOLING_HEADS) * size, size)

    def forward(self, hidden: Tensor, mask: Tensor, mean: Tensor) -> Tensor:
        """hidden (b, length, d), mask bool (b, length), mean (b, d) -> (b, d)."""
        scores = self.weight(hidden).float().masked_fill(~mask[..., None], -torch.inf)
        averages = _mean(scores.softmax(dim=1).transpose(1, 2), hidden)
        both = torch.cat([mean[:, None].to(averages.dtype), averages], dim=1)
        return self.output(self.dropout(both.flatten(1)))


# Of the body part's numbers: a spread below is the rounding of the normalisation by the shoulders,
# in shoulder widths; and how many spreads from its centre a number may be (short clips, others'
# cameras).
LEAST_SPREAD, FAR = 0.002, 5.0


class BodyPart(nn.Module):
    """Who signs, and how they stand and move: linear in places (x, y) of the upper body's points.

    Of each the mean over the clip and the spread, standardised, since signers differ by little. Its
    dims are told apart from those of the hands: a signer's other letters are the nearest
    distractors, so what the hands say cannot lean on it. It is linear and strongly dropped out, for
    each clip stands a little differently and could be known by heart.
    """

    def __init__(self, size: int, dropout: float):
        super().__init__()
        self.register_buffer("centre", torch.zeros(4 * BODY_POINTS))
        self.register_buffer("scale", torch.ones(4 * BODY_POINTS))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(4 * BODY_POINTS, size)

    def standardise(self, clips: Iterable[np.ndarray]) -> None:
        """Take centre and scale from clips, float32 (frames, 159) each."""
        batches = (torch.tensor(clip)[None] for clip in clips)
        seen = torch.cat([self._measured(x, x.new_ones(x.shape[:2])) for x in batches])
        self.centre.copy_(seen.mean(dim=0))
        self.scale.copy_(seen.std(dim=0, correction=0).clamp_min(LEAST_SPREAD))

    @staticmethod
    def _measured(frames: Tensor, mask: Tensor) -> Tensor:
        """Means and spreads: (b, t, 159), (b, t) -> float64 (b, 4 a point).

        In double precision, since what is left of them, standardised, is small beside them.
        """
        weights = mask.double() / mask.sum(dim=1, keepdim=True)
        places = frames[..., : 3 * BODY_POINTS].double().unflatten(-1, (BODY_POINTS, 3))
        places = places[..., :2].flatten(-2)
        mean = _mean(weights[:, None], places)
        spread = _mean(weights[:, None], (places - mean) ** 2).sqrt()
        return torch.cat([mean, spread], dim=-1)[:, 0]

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Frames (b, t, 159), zero where padded, mask bool (b, t) -> (b, size)."""
        standard = ((self._measured(frames, mask) - self.centre) / self.scale).clamp(-FAR, FAR)
        return self.linear(self.dropout(standard.to(self.linear.weight.dtype)))


class PoseTower(nn.Module):
    """Frames to one embedding a clip."""

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
        # rows of [CLS] and [SEP]; made anew for every batch, they would be a wait for a GPU
        ends = torch.tensor([config.pose_cls_id, config.pose_sep_id])
        self.register_buffer("end_ids", ends, persistent=False)

    def forward(self, frames: Tensor, mask: Tensor | None, layout: Layout | None = None) -> Tensor:
        """frames (b, t, dims), mask bool (b, t), True = valid -> (b, d).

        Args:
            layout: of the clips with two more tokens each; then only real tokens are computed on,
                frames are (n, dims), clip behind clip, and there is no mask.
        """
        t = frames.shape[1] if layout is None else int(layout.lengths[0]) - 2
        if t > self.config.max_frames:
            raise ConfigError(
                f"{t} frames exceed max_frames {self.config.max_frames}: cut clips first"
            )
        if layout is None:
            mask = mask.bool()
            # a weight of 0 does not silence NaN, and convolutions give padding no weight of 0
            frames = frames.masked_fill(~mask[..., None], 0.0)
        elif self._looks_around:
            frames, mask = layout.apart(frames, layout.counts - 2)
        if self.config.conv_layers:
            frames = self.videoconv(frames)
        ends = self.bert.embeddings.word_embeddings(self.end_ids)
        pooled = (
            self._padded(frames, mask, ends)
            if layout is None
            else self._unpadded(frames, ends, layout)
        )
        if not self.config.body_dims:
            return pooled
        of_hands = pooled[:, : -self.config.body_dims]
        return torch.cat([of_hands, self.body(frames, mask).to(pooled.dtype)], dim=1)

    @property
    def _looks_around(self) -> bool:
        """Is more than a frame itself seen before BERT? Then a clip's frames must stand apart."""
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
            inputs_embeds=torch.cat([cls, self.videomlp(self._seen(frames)), sep], dim=1),
            attention_mask=whole,
            position_ids=positions[None],
        ).last_hidden_state
        mean = _mean_without_cls(hidden, whole)
        if self.config.pooling == "mean":
            return mean
        return self.pooling(hidden[:, 1:], whole[:, 1:], mean)

    def _seen(self, frames: Tensor, rows: Tensor | None = None) -> Tensor:
        """What the frame network sees: of (b, t, dims), or of these rows of (frames, dims)."""

        def chosen(x: Tensor) -> Tensor:
            return x if rows is None else x.flatten(0, -2)[rows]

        if self.config.frame_input == "plain":
            return chosen(frames)
        return self.hands(chosen(frames), chosen(frames_before(frames)))

    def _unpadded(self, frames: Tensor, ends: Tensor, layout: Layout) -> Tensor:
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
        table = torch.cat([ends, self.videomlp(self._seen(frames, layout.tensor(rows)))])
        hidden = self.bert(
            inputs_embeds=table[layout.tensor(source)][None],
            position_ids=layout.tensor(positions)[None],
            layout=layout,
        ).last_hidden_state
        mean = _mean(layout.mean_weights(), hidden[0])
        if self.config.pooling == "mean":
            return mean
        padded, real = layout.padded(hidden[0])
        return self.pooling(padded[:, 1:], real[:, 1:], mean)


class SignCLIP(nn.Module):
    """Pose tower and text tower; see the module."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.video_encoder = PoseTower(config)
        text = config.bert(layers=config.text_layers, vocab_size=config.vocab_size)
        self.text_encoder = BertModel(text, add_pooling_layer=False)
        if config.projection:
            self.video_projection = Projection(config.hidden_size)
            self.text_projection = Projection(config.hidden_size)
        if config.temperature:
            self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def scale(self) -> Tensor | float:
        """What scores are multiplied by."""
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
            pooled = _mean_without_cls(hidden.last_hidden_state, token_mask)
        else:
            packed_attention.check(self.text_encoder)
            rows = layout.owner * token_ids.shape[1] + layout.place
            hidden = self.text_encoder(
                input_ids=token_ids.flatten()[layout.tensor(rows)][None],
                position_ids=layout.tensor(layout.place)[None],
                layout=layout,
            )
            pooled = _mean(layout.mean_weights(), hidden.last_hidden_state[0])
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
        return Embeddings(
            None if frames is None else self.pose_embeddings(frames, frame_mask),
            None if token_ids is None else self.text_embeddings(token_ids, token_mask),
        )
