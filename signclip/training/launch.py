"""Training several runs side by side; separate, so that the parent process never imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from signclip.core import torchrun
from signclip.core.jobs import described, parts_bar, run_all
from signclip.core.workspace import Workspace
from signclip.experiments.config import RunConfig


def train_all(configs: Sequence[RunConfig], workspace: Workspace, *, jobs: int) -> list[Path]:
    """Train several runs, ``jobs`` at a time, with one progress bar over all their epochs.

    Under ``torchrun`` runs are trained one after another by all processes, whatever ``jobs`` says.

    Returns:
        the runs' folders, in the order of ``configs``.

    Raises:
        SignCLIPError: a run failed; finished runs are kept, those not started are not trained.
    """
    total = sum(config.epochs for config in configs)
    desc = described([config.experiment for config in configs])
    if not torchrun.launched():
        return run_all(
            "signclip.training.train:train",
            configs,
            jobs=jobs,
            total=total,
            desc=desc,
            workspace=workspace,
        )
    from signclip.training import distributed
    from signclip.training.train import train

    with distributed.group(), parts_bar(total, desc, disable=distributed.rank() > 0) as shown:
        return [train(config, workspace, progress=shown.update) for config in configs]
