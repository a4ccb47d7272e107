"""Several trainings of skeleton models, side by side; apart, so that who waits imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from baselines.skeletons.recipe import Recipe
from signclip.core import torchrun
from signclip.core.errors import ConfigError
from signclip.core.jobs import run_all


def must_be_alone() -> None:
    """Refuse to be one process of several.

    Raises:
        ConfigError: started by ``torchrun``.
    """
    if torchrun.launched():
        raise ConfigError("a skeleton model is trained by one process: start it without torchrun")


def train_all(
    recipes: Sequence[Recipe], *, corpus: Path, features: Path, runs: Path, jobs: int
) -> list[Path]:
    """Train several runs, ``jobs`` at a time, with one progress bar over all their epochs.

    Raises:
        ConfigError: started by ``torchrun``.
        SignCLIPError: a run failed; those that had finished are kept, those not begun are not.
    """
    must_be_alone()
    names = ", ".join(sorted({recipe.model for recipe in recipes}))
    return run_all(
        "baselines.skeletons.training:train",
        recipes,
        jobs=jobs,
        total=sum(recipe.epochs for recipe in recipes),
        desc=f"{names}: {len(recipes)} runs",
        preload=["mmaction.engine.model", "mmaction.models"],
        corpus=corpus,
        features=features,
        runs=runs,
    )
