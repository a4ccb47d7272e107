"""The configuration of a skeleton model's run: a model's name and a profile's numbers, checked.

Decision: the numbers are in ``params.yaml`` under ``profiles.<profile>.skeletons``: what all models
share, and under ``models`` what one model has instead. A run's recipe is resolved once, checked
strictly and stored with the run, as :mod:`signclip.experiments.table` does for SignCLIP.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from baselines.skeletons import graph, table
from baselines.skeletons.adapter import MAPS, STREAMS
from signclip.core.config import Strict, checked
from signclip.core.errors import ConfigError
from signclip.core.workspace import RunId
from signclip.experiments.table import profile_recipes

BLOCK = "skeletons"  # key of a profile

# Fields excluded from the run fingerprint: they change no bit of the weights.
NOT_IN_FINGERPRINT = {"loaders": True, "save_every": True}


class Recipe(Strict):
    """Everything that decides a run's weights, apart from the data itself."""

    model: str  # row of baselines/models.yaml
    profile: str
    corpus: str
    split: str
    fold: int | None = Field(None, ge=0)  # None: the split has one fold
    seed: int
    # input
    points: str = "signing"  # selection of baselines.skeletons.graph.POINTS
    streams: tuple[str, ...] = ("joint",)
    frames: int = Field(gt=1)
    hand_reach: float | None = Field(None, gt=0)  # shoulder widths, see baselines.skeletons.adapter
    views: int = Field(1, gt=0)  # samplings of a clip averaged in evaluation
    map_size: int | None = Field(None, gt=0)  # of heat maps, pixels
    sigma: float = Field(0.6, gt=0)  # of their Gaussians, pixels
    affine_std: float = Field(0.0, ge=0)  # of random shear, rotation and scale in training
    hands_alone: float = Field(0.0, ge=0, le=1)  # share of training clips without body and lips
    # model
    backbone: dict[str, Any] = Field(default_factory=dict)
    dropout: float = Field(0.0, ge=0, lt=1)
    # training; the learning rate falls to 0 along a cosine
    optimiser: Literal["sgd", "adamw"] = "sgd"  # sgd: MMAction2's; adamw: needs fewer updates
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)  # of SGD
    nesterov: bool = True
    weight_decay: float = Field(0.0, ge=0)
    clip_norm: float | None = Field(None, gt=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    validate_every: int = Field(gt=0)  # epochs
    threads: int = Field(1, gt=0)
    loaders: int = Field(0, ge=0)  # processes that prepare clips ahead
    save_every: int = Field(200, gt=0)  # updates between two states that a killed run resumes from

    @model_validator(mode="after")
    def _check_input(self) -> Self:
        takes = table.row(self.model)["takes"]
        known = STREAMS if takes == table.GRAPH else MAPS
        unknown = set(self.streams) - set(known)
        if unknown or not self.streams or len(set(self.streams)) < len(self.streams):
            raise ValueError(f"streams must be some of {', '.join(known)}, each once")
        if (takes == table.MAPS) != (self.map_size is not None):
            raise ValueError("map_size is required by models that take maps, and by no others")
        graph.skeleton(self.points)
        return self

    @property
    def run_id(self) -> RunId:
        """The run; its ``experiment`` is the model."""
        return RunId(self.model, self.profile, self.corpus, self.split, self.fold, self.seed)


def resolve(run: RunId, params: Path, *, given: dict[str, Any] | None = None) -> Recipe:
    """The recipe of one run.

    Args:
        run: ``experiment`` is the model's name.
        params: ``params.yaml``.
        given: values that override the file's.

    Raises:
        ConfigError: a name does not exist, or a value is missing, unknown or out of range.
    """
    model = run.experiment
    table.row(model)
    block = dict(profile_recipes(params, run.profile).get(BLOCK, {}))
    by_model = block.pop("models", {})
    if model not in by_model:
        raise ConfigError(
            f"{params}: profile {run.profile!r} has no numbers for skeleton model {model!r} "
            f"(profiles.{run.profile}.{BLOCK}.models.{model})"
        )
    return checked(
        Recipe,
        f"skeleton model {model!r}, profile {run.profile!r}",
        {**block, **by_model[model], **(given or {})},
        model=model,
        profile=run.profile,
        corpus=run.corpus,
        split=run.split,
        fold=run.fold,
        seed=run.seed,
    )
