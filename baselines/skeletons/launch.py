"""Training several skeleton models side by side.

Decision: separate from :mod:`baselines.skeletons.training`, so that the parent process never
imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from baselines.skeletons.recipe import Recipe
from signclip.core import torchrun
from signclip.core.errors import ConfigError
from signclip.core.jobs import described, run_all
from signclip.core.workspace import Workspace


def require_single_process() -> None:
    """Refuse to be one of several processes.

    Raises:
        ConfigError: started by ``torchrun``.
    """
    if torchrun.launched():
        raise ConfigError("a skeleton model is trained by one process: start it without torchrun")


def train_all(recipes: Sequence[Recipe], workspace: Workspace, *, jobs: int) -> list[Path]:
    """Train several runs, ``jobs`` at a time, with one progress bar over all their epochs.

    Returns:
        the runs' folders, in the order of ``recipes``.

    Raises:
        ConfigError: started by ``torchrun``.
        SignCLIPError: a run failed; finished runs are kept, those not started are not trained.
    """
    require_single_process()
    return run_all(
        "baselines.skeletons.training:train",
        recipes,
        jobs=jobs,
        total=sum(recipe.epochs for recipe in recipes),
        desc=described([recipe.model for recipe in recipes]),
        preload=["mmaction.engine.model", "mmaction.models"],
        workspace=workspace,
    )
