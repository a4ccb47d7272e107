"""What decides a training run: its configuration, as it is stored with the run.

Decision: everything that decides a run's weights is a field here, apart from the data itself and
the code; :mod:`signclip.experiments.table` fills the fields from an experiment's row and a profile.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from signclip.core.config import Strict
from signclip.core.workspace import RunId

ALL_FOLDS = "all"
# Augmentation steps; see signclip.training.data.
Step = Literal["flip", "affine2d", "temporal", "noise", "affine3d", "bones", "jitter", "crop"]
Loss = Literal["contrastive", "multi_positive", "sigmoid", "gallery"]  # see signclip.model.losses


class Towers(Strict):
    """Sizes of the two towers (see :class:`signclip.model.config.ModelConfig`)."""

    hidden_size: int
    attention_heads: int
    intermediate_size: int
    pose_layers: int
    text_layers: int
    max_frames: int
    max_tokens: int
    position_embeddings: int
    dropout: float = Field(default=0.1, ge=0, lt=1)


class Compute(Strict):
    """How a loss is computed; changes the result only by rounding and by the draws of dropout."""

    padding: Literal["limit", "batch", "none"] = "batch"  # see signclip.training.data
    # with padding none, see signclip.model.packed_attention
    group_ratio: float = Field(default=1.0, ge=0, le=1)
    precision: Literal["float32", "bfloat16"] = "float32"  # of the towers' matrix products
    # sdpa: torch's fused kernel; eager: step by step; flash: all sequences in one call on a GPU,
    # elsewhere as sdpa
    attention: Literal["sdpa", "eager", "flash"] = "sdpa"
    # torch.compile of the towers' layers; needs a C++ compiler on a CPU. The compiled code depends
    # on the first lengths, so a resumed run may differ from an uninterrupted one in the last bits
    compile: bool = False
    loaders: int = Field(default=0, ge=0)  # processes that read and augment clips in advance
    # clips embedded at a time: less memory, for a second forward pass
    chunk: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.padding == "none" and self.attention == "eager":
            raise ValueError("padding none goes with attention sdpa or flash")
        if self.attention == "flash" and (self.padding, self.precision) != ("none", "bfloat16"):
            raise ValueError("attention flash goes with padding none and precision bfloat16")
        return self


# Fields excluded from the run fingerprint: they change no bit of the weights.
NOT_IN_FINGERPRINT: dict[str, Any] = {"title": True, "save_every": True, "compute": {"loaders"}}


class RunConfig(Strict):
    """Everything that decides a run's weights, apart from the data itself."""

    experiment: str
    profile: str
    # the experiment's row
    title: str
    variant: str  # of the features, see signclip.poses.VARIANTS
    prompt: str  # template of a clip's text
    label_prompt: str | None = None  # template of a second training text without a language
    # embed a prompt's sign language and the rest of it as two texts; the prompt's embedding is
    # their mean (see signclip.text)
    split_prompt: bool = False
    cased: bool
    augment: tuple[Step, ...] = ()
    loss: Loss = "contrastive"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)  # of loss gallery
    # of loss gallery: how much more a text of many clips must win by in training; see
    # signclip.model.losses.gallery
    text_prior: float = Field(default=0.0, ge=0)
    gallery_texts: int = Field(default=1024, gt=0)  # of loss gallery: the batch's and random others
    # rounds: rounds over the labels, each label once a round (FingerCLIP);
    # shuffled: all clips in random order (pretraining);
    # languages: the same number of clips of each sign language an epoch
    batching: Literal["rounds", "shuffled", "languages"] = "rounds"
    reshuffle: bool = False  # False: batches keep their members, as in the authors' code
    projection: bool = False
    normalise: bool = False
    temperature: bool = False  # multiply scores by a learned scale
    pose_tower: Literal["bert", "pooled"] = "bert"  # see signclip.model.pooled_tower
    frame_input: Literal["plain", "hands"] = "plain"  # see signclip.model.hands
    pooling: Literal["mean", "attention"] = "mean"
    body_dims: int = Field(default=0, ge=0)  # dims of the embedding from the body alone
    # in training, the dims of the body are those of another clip where a text is compared, and the
    # other dims where a language is: so each learns from its own part
    separate_parts: bool = False
    weight_decay: float = Field(default=0.0, ge=0)
    # the profile's numbers
    towers: Towers
    init: str | None = None  # a BERT to start both towers from: hub name or directory
    init_run: str | None = None  # or a model to start from, see signclip.training.finetune
    init_sha256: str | None = None  # of that model's weights
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup_updates: int = Field(ge=0)
    # the learning rate reaches 0 after this number of updates; None: at the end
    decay_updates: int | None = Field(default=None, gt=0)
    clip_norm: float = Field(default=2.0, gt=0)
    select: Literal["last", "lowest_validation_loss"] = "last"
    validate_every: int = Field(gt=0)  # epochs
    # prompts that validation clips are compared with: all, or those of validation clips (with all
    # 450,000 prompts of a large corpus, validation would take longer than an epoch)
    validation_gallery: Literal["all", "validation"] = "all"
    threads: int = Field(default=1, gt=0)  # CPU threads of one run; changes the last bits
    save_every: int = Field(default=200, gt=0)  # updates between two saved states
    compute: Compute = Compute()
    # where and which
    corpus: str
    split: str
    fold: int | None = Field(default=None, ge=0)  # None: the split has one fold
    seed: int

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.split_prompt and self.label_prompt is not None:
            raise ValueError("split_prompt and label_prompt both add a text without a language")
        for switch, needed in (
            (self.label_smoothing > 0, self.loss == "gallery"),
            (self.text_prior > 0, self.loss == "gallery"),
            (self.loss == "sigmoid", self.temperature),
            (self.temperature, self.normalise),
            (self.body_dims > 0, self.normalise),
            (self.separate_parts, self.body_dims > 0),
        ):
            if switch and not needed:
                raise ValueError(
                    "label_smoothing and text_prior go with loss gallery, loss sigmoid with a "
                    "temperature, temperature and body_dims with normalise, and separate_parts "
                    "with body_dims"
                )
        return self

    @property
    def run_id(self) -> RunId:
        """Which training this is; ``run_id.path`` is the run's place below a folder of runs."""
        return RunId(self.experiment, self.profile, self.corpus, self.split, self.fold, self.seed)
