"""What a skeleton model's run is: a model's name and a profile's numbers, checked.

Decision: numbers are in ``params.yaml`` (``profiles.<profile>.skeletons``): what all models share,
and below ``models`` what a model has otherwise. A run's recipe is resolved once, checked strictly
and stored with the run, as :mod:`signclip.experiments.config` does for SignCLIP's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from baselines.skeletons import graph, table
from baselines.skeletons.adapter import MAPS, STREAMS
from signclip.core.errors import ConfigError
from signclip.experiments.config import checked, of_profile, run_name

BLOCK = "skeletons"  # of a profile


class Recipe(BaseModel):
    """Everything that decides a run's weights, apart from the data itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str  # of models.yaml
    profile: str
    corpus: str
    split: str
    fold: int | None = Field(None, ge=0)  # None: the split has one fold
    seed: int
    # input
    points: str = "signing"  # baselines.skeletons.graph.POINTS
    streams: tuple[str, ...] = ("joint",)
    frames: int = Field(gt=1)
    hand_reach: float | None = Field(None, gt=0)  # shoulder widths, see baselines.skeletons.adapter
    views: int = Field(1, gt=0)  # samplings of a measured clip that are averaged
    map_size: int | None = Field(None, gt=0)  # of maps, pixels
    sigma: float = Field(0.6, gt=0)  # of their bumps, pixels
    affine_std: float = Field(0.0, ge=0)  # of shear, turn and scale in training
    hands_alone: float = Field(0.0, ge=0, le=1)  # share of training clips without body and lips
    # model
    backbone: dict[str, Any] = {}
    dropout: float = Field(0.0, ge=0, lt=1)
    # training: the rate falls to 0 along a cosine
    optimiser: Literal["sgd", "adamw"] = "sgd"  # MMAction2's; one that needs fewer updates
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
    save_every: int = Field(200, gt=0)  # updates between two states that a killed run goes on from

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        takes = table.row(self.model)["takes"]
        known = STREAMS if takes == table.GRAPH else MAPS
        unknown = set(self.streams) - set(known)
        if unknown or not self.streams or len(set(self.streams)) < len(self.streams):
            raise ValueError(f"streams are some of {', '.join(known)}, each once")
        if (takes == table.MAPS) != (self.map_size is not None):
            raise ValueError("map_size goes with a model that takes maps")
        graph.skeleton(self.points)
        return self

    @property
    def run_folder(self) -> Path:
        """``<model>/<seed>/<split>[-<fold>]``, below ``runs/``."""
        return Path(self.model, str(self.seed), run_name(self.split, self.fold))


# What decides no bit of the weights.
UNDECIDING = {"loaders": True, "save_every": True}


def resolve(
    params: Path | str,
    model: str,
    *,
    profile: str,
    corpus: str,
    split: str,
    fold: int | None,
    seed: int,
    given: dict[str, Any] | None = None,
) -> Recipe:
    """The recipe of one run.

    Args:
        params: ``params.yaml``.
        given: values that count more.

    Raises:
        ConfigError: a name does not exist, or a value is missing, unknown or out of range.
    """
    table.row(model)
    block = dict(of_profile(params, profile).get(BLOCK, {}))
    own = block.pop("models", {})
    if model not in own:
        raise ConfigError(f"profile {profile!r} says nothing of skeleton model {model!r}")
    return checked(
        Recipe,
        f"skeleton model {model!r}, profile {profile!r}",
        {**block, **own[model], **(given or {})},
        model=model,
        profile=profile,
        corpus=corpus,
        split=split,
        fold=fold,
        seed=seed,
    )
