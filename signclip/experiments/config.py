"""What a training run is: an experiment's row and a profile's numbers, resolved and checked.

Decisions
* An experiment is a named difference from a base, in one YAML table; a profile (``cpu``, ``paper``,
  ``smoke``) is numbers in ``params.yaml``. Neither is code, and no code asks which profile it runs.
* A run's configuration is resolved once, checked strictly (an unknown key is an error) and stored
  with the run.
* A few keys of a row are read on the way. ``prompts`` has a template for each split, since a
  gallery without languages is asked in prompts without them (``other``: for those not named).
  ``half_depth``: half the profile's pose layers. ``batch_factor``: so many of its batches in one,
  embedded one after the other, and as many updates. ``weights_of``: the row trains nothing; it is
  another row's weights, tested on features of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from signclip.core.errors import ConfigError
from signclip.poses import VARIANTS

ALL_FOLDS = "all"
Step = Literal[  # of the augmentation, see signclip.training.data
    "flip", "affine2d", "temporal", "noise", "affine3d", "bones", "jitter", "crop"
]

Form = TypeVar("Form", bound=BaseModel)
Loss = Literal["contrastive", "multi_positive", "sigmoid", "gallery"]  # see signclip.model.losses


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Towers(_Strict):
    """Sizes of the two towers (see :class:`signclip.model.towers.ModelConfig`)."""

    hidden_size: int
    attention_heads: int
    intermediate_size: int
    pose_layers: int
    text_layers: int
    max_frames: int
    max_tokens: int
    position_embeddings: int
    dropout: float = Field(0.1, ge=0, lt=1)


class Compute(_Strict):
    """How a loss is computed: the same result up to rounding, and to what dropout draws."""

    padding: Literal["limit", "batch", "none"] = "batch"  # see signclip.training.data
    group_ratio: float = Field(
        1.0, ge=0, le=1
    )  # of padding none, see signclip.model.packed_attention
    precision: Literal["float32", "bfloat16"] = "float32"  # of the towers' products
    # fused; as written; or all sequences in one call, where there is a GPU (else as sdpa)
    attention: Literal["sdpa", "eager", "flash"] = "sdpa"
    # torch.compile of the towers' layers; needs a C++ compiler on a CPU. What is compiled depends
    # on the lengths seen first, so a run that was killed may go on with other last bits
    compile: bool = False
    loaders: int = Field(0, ge=0)  # processes that read and augment clips ahead
    chunk: int | None = Field(None, gt=0)  # clips embedded at a time: memory for a second forward

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.padding == "none" and self.attention == "eager":
            raise ValueError("padding none goes with attention sdpa or flash")
        if self.attention == "flash" and (self.padding, self.precision) != ("none", "bfloat16"):
            raise ValueError("attention flash goes with padding none and precision bfloat16")
        return self


# What decides no bit of a run's weights.
UNDECIDING = {"title": True, "save_every": True, "compute": {"loaders"}}


class RunConfig(_Strict):
    """Everything that decides a run's weights, apart from the data itself."""

    experiment: str
    profile: str
    # the experiment's row
    title: str
    variant: str  # of the features, signclip.poses.VARIANTS
    prompt: str  # template of a clip's text
    label_prompt: str | None = None  # of a second, language-free text that a clip is trained with
    # a prompt's sign language and the rest of it are two texts, their mean the prompt's embedding
    # (signclip.text.apart)
    apart: bool = False
    cased: bool
    augment: tuple[Step, ...] = ()
    loss: Loss = "contrastive"
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # of loss gallery
    gallery_texts: int = Field(1024, gt=0)  # of loss gallery: a batch's own and random others
    # rounds: batches are cut from rounds over the labels, each label once a round (FingerCLIP);
    # shuffled: from all clips in random order (pretraining);
    # languages: as many clips of each sign language an epoch
    batching: Literal["rounds", "shuffled", "languages"] = "rounds"
    reshuffle: bool = False  # False: a batch has the same members every epoch, as in the reference
    projection: bool = False
    normalise: bool = False
    temperature: bool = False  # learned, of the scores
    frame_input: Literal["plain", "hands"] = "plain"  # see signclip.model.hands
    pooling: Literal["mean", "attention"] = "mean"
    body_dims: int = Field(0, ge=0)  # of the embedding, from the body alone
    weight_decay: float = Field(0.0, ge=0)
    # the profile's numbers
    towers: Towers
    init: str | None = None  # a BERT to start both towers from: hub name or directory
    init_run: str | None = None  # or a model to go on from, see signclip.training.finetune
    init_sha256: str | None = None  # of its weights
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup_updates: int = Field(ge=0)
    decay_updates: int | None = Field(
        None, gt=0
    )  # updates at which the rate is 0; None: at the end
    clip_norm: float = Field(2.0, gt=0)
    select: Literal["last", "lowest_validation_loss"] = "last"
    validate_every: int = Field(gt=0)  # epochs
    # what validation clips are asked: the prompts of training and validation, or of these alone
    # (as the paper does in its tests; a corpus of 450,000 prompts would take longer than an epoch)
    validation_gallery: Literal["all", "validation"] = "all"
    threads: int = Field(1, gt=0)  # CPU threads of one run; part of what decides the last bits
    save_every: int = Field(200, gt=0)  # updates between two states that a killed run goes on from
    compute: Compute = Compute()
    # where and which
    corpus: str
    split: str
    fold: int | None = Field(None, ge=0)  # None: the split has one fold
    seed: int

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.apart and self.label_prompt is not None:
            raise ValueError("a prompt that is taken apart has its own text without a language")
        for switch, needed in (
            (self.label_smoothing > 0, self.loss == "gallery"),
            (self.loss == "sigmoid", self.temperature),
            (self.temperature, self.normalise),
            (self.body_dims > 0, self.normalise),
        ):
            if switch and not needed:
                raise ValueError(
                    "label_smoothing goes with loss gallery, loss sigmoid with a temperature, and "
                    "temperature and body_dims with normalise"
                )
        return self

    @property
    def run_folder(self) -> Path:
        """``<experiment>/<seed>/<split>[-<fold>]``, below ``runs/``."""
        return Path(self.experiment, str(self.seed), run_name(self.split, self.fold))


def checked(form: type[Form], what: str, numbers: dict[str, Any], **place: Any) -> Form:
    """Values in their form.

    Args:
        what: they are of, for the error.
        numbers: as files give them.
        place: what they are for; no file may say it.

    Raises:
        ConfigError: a value is missing, unknown or out of range; the first such is named.
    """
    if said := sorted(numbers.keys() & place.keys()):
        raise ConfigError(f"{what}: {said[0]} is not for the tables to say")
    try:
        return form(**numbers, **place)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{what}: {where}: {first['msg']}") from None


def of_profile(params: Path | str, profile: str) -> dict[str, Any]:
    """A profile's recipes by name.

    Raises:
        ConfigError: there is no such profile.
    """
    profiles = read_yaml(params).get("profiles", {})
    if profile not in profiles:
        raise ConfigError(f"unknown profile {profile!r}; there are {', '.join(profiles)}")
    return profiles[profile]


def run_name(split: str, fold: int | None) -> str:
    """The last part of a run's path: the split, and the fold where there are several."""
    return split if fold is None else f"{split}-{fold}"


# libyaml's where PyYAML has it: ten times as fast, and a measurement reads the tables often
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        ConfigError: the file is missing or is no mapping.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_LOADER)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML ({error})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a mapping is expected")
    return values


def experiment_row(table: dict[str, Any], name: str) -> dict[str, Any]:
    """A row with its bases merged in, bases first; keys of the row win.

    Raises:
        ConfigError: no such row, or its bases run in a circle.
    """
    chain, current = [], name
    while current is not None:
        if current not in table:
            raise ConfigError(f"unknown experiment {current!r}; there are {', '.join(table)}")
        if current in chain:
            raise ConfigError(f"experiment {name!r}: its bases run in a circle at {current!r}")
        chain.append(current)
        current = table[current].get("base")
    row: dict[str, Any] = {}
    for link in reversed(chain):
        row.update({key: value for key, value in table[link].items() if key != "base"})
    return row


def tested_as(experiments: Path | str, name: str) -> tuple[str, str | None]:
    """Whose runs an experiment is tested with, and on which variant (None: on that of the runs).

    Raises:
        ConfigError: no such row.
    """
    row = experiment_row(read_yaml(experiments), name)
    if "weights_of" in row:
        return row["weights_of"], row["variant"]
    return name, None


def _with(numbers: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return numbers | {
        key: _with(numbers.get(key) or {}, value) if isinstance(value, dict) else value
        for key, value in given.items()
    }


def resolve(
    experiments: Path | str,
    params: Path | str,
    name: str,
    *,
    profile: str,
    corpus: str,
    split: str,
    fold: int | None,
    seed: int,
    row: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None,
) -> RunConfig:
    """The configuration of one run.

    Args:
        experiments: the table of experiments (``benchmarks/experiments.yaml``).
        params: ``params.yaml``; ``profiles.<profile>.<recipe>`` holds the numbers of the row's
            recipe.
        row: the experiment, where it is in no table.
        given: values that count more than row and recipe; of a mapping the keys that it names.

    Raises:
        ConfigError: a name does not exist, or a value is missing, unknown or out of range.
    """
    row = dict(row) if row else experiment_row(read_yaml(experiments), name)
    if "weights_of" in row:
        raise ConfigError(
            f"experiment {name!r} trains nothing: it is {row['weights_of']}, tested on "
            f"{row['variant']}"
        )
    recipe = row.pop("recipe", None)
    if "prompts" in row:
        prompts = row.pop("prompts")
        row["prompt"] = prompts.get(split, prompts.get("other"))
    half_depth = row.pop("half_depth", False)
    recipes = of_profile(params, profile)
    if recipe not in recipes:
        raise ConfigError(f"experiment {name!r}: profile {profile!r} has no recipe {recipe!r}")
    batch_factor = row.pop("batch_factor", 1)
    numbers = {**recipes[recipe], **row}
    if half_depth:
        towers = numbers["towers"]
        numbers["towers"] = {**towers, "pose_layers": max(1, towers["pose_layers"] // 2)}
    if batch_factor > 1:
        chunk = numbers["batch_size"]
        numbers["batch_size"] = batch_factor * chunk
        numbers["epochs"] *= batch_factor  # as many updates
        numbers["compute"] = {**numbers.get("compute", {}), "chunk": chunk}
    numbers = _with(numbers, given or {})
    if numbers.get("label_prompt") == numbers.get("prompt"):
        numbers["label_prompt"] = None  # the same text need not be learned twice
    config = checked(
        RunConfig,
        f"experiment {name!r}, profile {profile!r}",
        numbers,
        experiment=name,
        profile=profile,
        corpus=corpus,
        split=split,
        fold=fold,
        seed=seed,
    )
    if config.variant not in VARIANTS:
        raise ConfigError(f"experiment {name!r}: unknown variant {config.variant!r}")
    return config
