"""A training that kills itself: run by tests in a process of its own.

``killed_training.py FOLDER RUNS CONFIG [WHERE COUNT]``: train the configuration (JSON; that of a
skeleton model names its ``model``) on the corpus and features below FOLDER; when the process comes
to WHERE for the COUNT-th time, it sends itself SIGKILL.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from baselines.skeletons import training
from baselines.skeletons.recipe import Recipe
from signclip.core.workspace import Workspace
from signclip.experiments.config import RunConfig
from signclip.training import engine, train


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


def write_half(state: dict, path: Path) -> None:
    """What a kill in the middle of a write leaves."""
    path.write_bytes(b"PK" + bytes(5000))


WHERE = {
    "before-update": lambda n: kill_at(engine._CheckedOptimiser, "step", n),
    "after-update": lambda n: kill_at(engine._StateHook, "after_train_iter", n),
    "end-of-epoch": lambda n: kill_at(engine._StateHook, "after_train_epoch", n),
    "half-written": lambda n: kill_at(torch, "save", n, before=write_half),
    "before-rename": lambda n: kill_at(engine.files.os, "replace", n),
    "finished": lambda n: kill_at(train.checkpoint, "save", n),
}

if __name__ == "__main__":
    folder, runs, config = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    if len(sys.argv) > 4:
        WHERE[sys.argv[4]](int(sys.argv[5]))
    workspace = Workspace(folder / "data", folder / "features", runs)
    if "model" in config:
        training.train(Recipe(**config), workspace)
    else:
        train.train(RunConfig(**config), workspace)
