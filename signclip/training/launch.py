"""Several trainings of SignCLIP, side by side; apart, so that who only waits imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from signclip.core import torchrun
from signclip.core.jobs import epochs_bar, run_all
from signclip.experiments.config import RunConfig


def train_all(
    configs: Sequence[RunConfig], *, corpus: Path, features: Path, runs: Path, jobs: int
) -> list[Path]:
    """Train several runs, ``jobs`` at a time, with one progress bar over all their epochs.

    Under ``torchrun`` they follow each other, whatever ``jobs`` says.

    Raises:
        SignCLIPError: a run failed; those that had finished are kept, those not begun are not.
    """
    names = ", ".join(sorted({config.experiment for config in configs}))
    total = sum(config.epochs for config in configs)
    desc = f"{names}: {len(configs)} runs"
    folders = dict(corpus=corpus, features=features, runs=runs)
    if not torchrun.launched():
        return run_all(
            "signclip.training.train:train", configs, jobs=jobs, total=total, desc=desc, **folders
        )
    from signclip.training import distributed
    from signclip.training.train import train

    with distributed.group(), epochs_bar(total, desc, disable=distributed.rank() > 0) as shown:
        return [train(config, **folders, progress=shown.update) for config in configs]
