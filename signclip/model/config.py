"""The configuration of a model: the sizes of its towers and its switches.

Decisions
* A run stores it, so a model is rebuilt from its run alone.
* Values are never converted (the text "false" would become true), and the first wrong one is a
  ConfigError that names it.
* This module imports neither torch nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from signclip.core.config import Strict, first_problem
from signclip.core.errors import ConfigError
from signclip.poses.landmarks import SIGNING

if TYPE_CHECKING:
    from transformers import BertConfig

SIGNING_DIMS = 3 * len(SIGNING)  # numbers a frame of the variant `signing`: x, y, z of each point
# Fields that a run's configuration has too, by the same name; the others are sizes of the towers.
SWITCHES = (
    "projection",
    "normalise",
    "temperature",
    "pose_tower",
    "frame_input",
    "pooling",
    "body_dims",
)


class ModelConfig(Strict):
    """Sizes and switches of a model.

    The upper bounds are far above any published model; they keep a damaged file from asking for
    all memory.

    Raises:
        ConfigError: a value is missing, unknown, of another type or out of range, or values do not
            fit together.
    """

    model_config = ConfigDict(strict=True)

    frame_dims: int = Field(ge=1, le=1_000_000)  # numbers a frame
    vocab_size: int = Field(ge=1, le=10_000_000)  # of the text tower
    hidden_size: int = Field(768, ge=1, le=65_536)
    attention_heads: int = Field(12, ge=1, le=1_024)
    intermediate_size: int = Field(3072, ge=1, le=262_144)
    pose_layers: int = Field(12, ge=1, le=256)
    text_layers: int = Field(12, ge=1, le=256)
    max_frames: int = Field(256, ge=1, le=1_000_000)  # longer clips are cut
    # The paper's max_len: [CLS], the reference's two [SEP], and at most max_tokens - 3 word pieces.
    max_tokens: int = Field(64, ge=3, le=1_000_000)
    position_embeddings: int = Field(512, ge=1, le=1_000_002)
    dropout: float = Field(0.1, ge=0, lt=1)
    pose_vocab_size: int = Field(2, ge=1, le=10_000_000)  # rows of its word table; two are used
    pose_cls_id: int = Field(0, ge=0)  # row of [CLS] in that table (101 in released weights)
    pose_sep_id: int = Field(1, ge=0)  # row of [SEP] (102 in released weights)
    projection: bool = False  # a linear map after each tower (E5.1)
    normalise: bool = False  # embeddings of unit length, so that the score is a cosine (E5.2)
    conv_layers: int = Field(0, ge=0, le=256)  # 1-D convolutions over time before the frame network
    pose_tower: Literal["bert", "pooled"] = "bert"  # pooled: see signclip.model.pooled_tower
    frame_input: Literal["plain", "hands"] = "plain"  # hands: see signclip.model.hands
    pooling: Literal["mean", "attention"] = "mean"  # attention: see signclip.model.pooling
    temperature: bool = False  # multiply scores by a learned scale
    body_dims: int = Field(0, ge=0)  # embedding dims that come from the body alone

    def __init__(self, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(f"model: {first_problem(error)}") from None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.body_dims and (
            self.frame_input != "hands" or self.body_dims >= self.hidden_size or self.projection
        ):
            raise ValueError(
                f"body_dims {self.body_dims} needs frame_input hands, a larger hidden_size, and no "
                "projection, which would mix body and hands"
            )
        if self.frame_input == "hands" and (self.conv_layers or self.frame_dims != SIGNING_DIMS):
            raise ValueError(
                f"frame_input hands takes the {SIGNING_DIMS} numbers of the variant signing, "
                "without convolutions"
            )
        if self.pose_tower == "pooled" and (self.frame_input != "hands" or self.pooling != "mean"):
            raise ValueError("pose_tower pooled needs frame_input hands and pooling mean")
        if not max(self.pose_cls_id, self.pose_sep_id) < self.pose_vocab_size:
            raise ValueError(
                f"[CLS] and [SEP] are rows {self.pose_cls_id} and {self.pose_sep_id} of the pose "
                f"tower's word table, which has {self.pose_vocab_size} rows"
            )
        if self.hidden_size % self.attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is no multiple of attention_heads "
                f"{self.attention_heads}"
            )
        needed = max(self.max_frames + 2, self.max_tokens - 1)
        if self.position_embeddings < needed:
            raise ValueError(
                f"position_embeddings {self.position_embeddings} cannot hold max_frames "
                f"{self.max_frames} and max_tokens {self.max_tokens} ({needed} are needed)"
            )
        return self

    def replace(self, **changes: Any) -> Self:
        """A checked copy with other values."""
        return type(self)(**{**self.model_dump(), **changes})

    def bert(self, *, layers: int, vocab_size: int) -> BertConfig:
        """The ``transformers`` configuration of one tower."""
        from transformers import BertConfig  # takes seconds to import

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
