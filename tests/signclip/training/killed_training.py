"""Trainings that tests run in processes of their own, some of which kill themselves.

:func:`train` trains one configuration on the corpus and features below a folder. If the process
comes to the place ``where`` for the ``count``-th time, it sends itself SIGKILL.
"""

import os
import signal
from pathlib import Path
from typing import Any, BinaryIO

import torch

from signclip.core.workspace import Workspace
from signclip.experiments.config import RunConfig
from signclip.training import engine
from signclip.training import train as signclip_training


def kill_at(owner, name: str, count: int, *, before=lambda *args: None) -> None:
    """Replace a function by one that ends the process at its ``count``-th call."""
    original, calls = getattr(owner, name), [0]

    def killing(*args, **kwargs):
        calls[0] += 1
        if calls[0] == count:
            before(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(owner, name, killing)


def write_half(state: dict, file: BinaryIO) -> None:
    """What a kill in the middle of a write leaves."""
    file.write(b"PK" + bytes(5000))
    file.flush()


WHERE = {
    "before-update": lambda n: kill_at(engine._CheckedOptimiser, "step", n),
    "after-update": lambda n: kill_at(engine._StateHook, "after_train_iter", n),
    "end-of-epoch": lambda n: kill_at(engine._StateHook, "after_train_epoch", n),
    "half-written": lambda n: kill_at(torch, "save", n, before=write_half),
    "before-rename": lambda n: kill_at(engine.files.os, "replace", n),
    "finished": lambda n: kill_at(signclip_training.checkpoint, "save", n),
}


def train(folder: Path, runs: Path, config: dict[str, Any], where: str = "", count: int = 1):
    """Train one configuration in this process."""
    if where:
        WHERE[where](count)
    workspace = Workspace(folder / "data", folder / "features", runs)
    if "model" in config:
        from baselines.skeletons import training  # takes seconds, and is needed by few
        from baselines.skeletons.recipe import Recipe

        training.train(Recipe(**config), workspace)
    else:
        signclip_training.train(RunConfig(**config), workspace)
