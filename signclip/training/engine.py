"""One training engine for every model here: MMEngine's Runner, made exact.

Decisions
* A training that was killed at any moment and started again gives the same losses and weights, bit
  for bit, as one that was not (on a CPU with the same number of threads). The state (weights,
  optimiser, schedule, hooks, updates done) is written every ``save_every`` updates under a
  temporary name and renamed, so a kill while writing leaves the one before. MMEngine's own resume
  begins the interrupted epoch again and forgets the random state; here the loop goes on in the
  middle of an epoch, from a sampler that can seek.
* The random numbers of an update (dropout) are keyed by (seed, update, process): there is no
  generator state to save, and nothing depends on what ran before.
* A loss or a gradient that is not finite stops the training before it reaches the weights, with the
  names of the batch's samples. The last state written stays.
* A state that was written by something else (another configuration, other code) is set aside, not
  thrown away. One of another number of processes or kind of device is gone on with, said aloud and
  written down: then the outcome is that of neither.
* Under ``torchrun`` an error that one process alone meets, such as a damaged clip of its share, is
  told by that process.

Cost: writing the state, three times the weights; seeding, some microseconds an update; one look at
an update's numbers (loss, norm of the gradient), before the weights change, which waits for a GPU.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import random
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.optim import _ParamScheduler as Schedule
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.visualization import Visualizer
from torch.utils.data import DataLoader

from signclip.core import files
from signclip.core.errors import ConfigError, RunError, SignCLIPError
from signclip.training import distributed

STATE = "state.pt"
FORMAT = 1
_log = logging.getLogger(__name__)
Progress = Callable[[float], None]  # called with the share of an epoch done since the last call


class _NotFiniteError(Exception):
    """A loss or gradient that is no number; the loop adds the names of the samples."""


class _Checked(OptimWrapper):
    """Refuses to update weights from a loss or gradient that is not finite.

    Attributes:
        loss: of the last update.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, *, clip_norm: float):
        super().__init__(optimiser)
        self.clip_norm, self.loss, self._loss = clip_norm, float("nan"), torch.tensor(float("nan"))

    def update_params(self, loss: torch.Tensor, **kwargs: Any) -> None:
        self._loss = loss.detach()
        super().update_params(loss, **kwargs)

    def step(self, **kwargs: Any) -> None:
        weights = [weight for group in self.param_groups for weight in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(weights, self.clip_norm)
        self.loss, length = torch.stack([self._loss, norm]).tolist()
        for what, value in (("loss", self.loss), ("norm of the gradient", length)):
            if not math.isfinite(value):
                raise _NotFiniteError(f"the {what} is {value}")
        super().step(**kwargs)


class _Loop(EpochBasedTrainLoop):
    """Epochs that can begin in their middle; updates whose random numbers are keyed."""

    def __init__(self, *args: Any, seed: int, names: Callable[[dict], list[str]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.seed, self.names = seed, names

    def start_after(self, updates: int) -> None:
        """Go on behind so many updates."""
        self._iter, self._epoch = updates, updates // len(self.dataloader)

    def run_epoch(self) -> None:
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        done = self._iter - self._epoch * len(self.dataloader)
        self.dataloader.batch_sampler.seek(self._epoch, done)
        for index, batch in enumerate(self._batches(), start=done):
            self.run_iter(index, batch)
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def _batches(self) -> Iterator[dict]:
        try:
            for batch in self.dataloader:
                if isinstance(batch, SignCLIPError):  # see signclip.training.lifecycle.loader
                    raise batch
                yield batch
        except SignCLIPError as error:
            error.of_one_process = True
            raise

    def run_iter(self, idx: int, data_batch: dict) -> None:
        key = np.random.SeedSequence([self.seed, self._iter, distributed.rank()])
        torch.manual_seed(int(key.generate_state(1, np.uint64)[0]))
        np.random.seed(key.generate_state(1)[0])
        random.seed(int(key.generate_state(1)[0]))
        try:
            super().run_iter(idx, data_batch)
        except _NotFiniteError as error:
            names = distributed.from_all(self.names(data_batch))
            raise RunError(
                f"update {self._iter + 1}: {error} on the batch of {', '.join(names)}"
            ) from None


class _State(Hook):
    """Writes and reads the state; keeps every update's loss, and when and where it was started."""

    priority = "VERY_LOW"  # after the schedule's step and the other hooks' rows

    def __init__(
        self,
        path: Path,
        parts: dict[str, Any],
        *,
        fingerprint: str,
        save_every: int,
        progress: Progress,
        earlier: dict[str, Any] | None,
    ):
        self.path, self.fingerprint, self.save_every = path, fingerprint, save_every
        self.parts, self.progress, self.earlier = parts, progress, earlier
        self.losses: list[float] = []
        self.starts: list[dict[str, Any]] = []
        self._saved, self._seconds, self._since = 0, 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """What the training took, earlier starts included; what they lost does not count."""
        return self._seconds + time.perf_counter() - self._since

    def before_train(self, runner: Runner) -> None:
        here = {
            "processes": distributed.world_size(),
            "device": "cuda" if torch.cuda.is_available() else "cpu",
        }
        if self.earlier is not None:
            for name, part in self.parts.items():
                part.load_state_dict(self.earlier["parts"][name])
            self.losses, self.starts = self.earlier["losses"], self.earlier["starts"]
            self._seconds = self.earlier["seconds"]
            self._saved, self.earlier = len(self.losses), None
            runner.train_loop.start_after(self._saved)
            self.progress(self._saved / len(runner.train_dataloader))
            before = {key: self.starts[-1][key] for key in here}
            if before != here:
                _log.warning("%s: started as %s, goes on as %s", self.path, before, here)
        self.starts.append({"after_update": self._saved, **here})

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses.append(runner.optim_wrapper.loss)
        self.progress(1 / len(runner.train_dataloader))
        # an epoch's last update is saved behind what the other hooks do at its end
        if batch_idx + 1 < len(runner.train_dataloader):
            self._save_where_due()

    def after_train_epoch(self, runner: Runner) -> None:
        self._save_where_due()

    def _save_where_due(self) -> None:
        if len(self.losses) - self._saved < self.save_every:
            return
        self._saved = len(self.losses)
        if distributed.rank():
            return
        state = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "losses": self.losses,
            "starts": self.starts,
            "seconds": self.seconds,
        }
        with files.atomic_file(self.path) as partial:
            torch.save(state, partial)


def read_state(work: Path, fingerprint: str) -> dict[str, Any] | None:
    """What an interrupted training with this fingerprint left, None where there is nothing of it.

    ``losses`` holds the loss of each update done.

    Raises:
        OSError, MemoryError: there is something, but this machine cannot read it now.
    """
    path = work / STATE
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"{damaged} was changed")
        state = torch.load(path, map_location="cpu", weights_only=True)
        same = (state["format"], state["fingerprint"]) == (FORMAT, fingerprint)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # torch has no common one for what it cannot make sense of
        _log.warning("%s is damaged: %s", path, error)
        return None
    return state if same else None


def aside(work: Path) -> Path:
    """Where a state goes that this training does not go on from."""
    return work.with_name(f"{work.name}.aside")


def remove(work: Path) -> None:
    """Remove what a finished training no longer needs."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(aside(work), ignore_errors=True)


def _set_aside(work: Path) -> None:
    if (work / STATE).is_file():
        shutil.rmtree(aside(work), ignore_errors=True)
        work.rename(aside(work))
        _log.warning("%s is no state of this training: set aside in %s", work, aside(work))
    shutil.rmtree(work, ignore_errors=True)


class Trained(NamedTuple):
    """What a training was."""

    losses: list[float]  # of each update
    seconds: float
    starts: list[dict[str, Any]]  # after which update, by how many processes, on what device


def fit(
    model: BaseModel,
    loader: DataLoader,
    optimiser: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    epochs: int,
    seed: int,
    work: Path,
    fingerprint: str,
    save_every: int,
    names: Callable[[dict], list[str]],
    clip_norm: float | None = None,
    hooks: Sequence[Hook] = (),
    progress: Progress = lambda epochs: None,
) -> Trained:
    """Train a model in place.

    Args:
        model: its ``forward(**batch, mode="loss")`` gives a dict with ``loss``.
        loader: with a ``batch_sampler`` as in :mod:`signclip.training.sampling`; its data set must draw
            random numbers from its keys alone, since they are drawn ahead of the updates.
        work: folder of the state; what an interrupted training with the same fingerprint left
            there is gone on with.
        fingerprint: of everything that decides the outcome.
        save_every: updates between two states.
        names: the samples of a batch, for error messages.
        hooks: MMEngine's; one with ``state_dict`` and ``load_state_dict`` (plain values and
            tensors) is part of the state.
        progress: see :data:`Progress`; begins with what an earlier start had done.

    Raises:
        RunError: the loss or a gradient is not finite; the batch's samples are named.
    """
    earlier = read_state(work, fingerprint)
    done = distributed.from_all([0 if earlier is None else len(earlier["losses"])])
    if len(set(done)) > 1:
        raise RunError(f"{work / STATE}: the processes read different states, {done} updates old")
    if not distributed.rank() and earlier is None:
        _set_aside(work)
    distributed.wait()
    work.mkdir(parents=True, exist_ok=True)
    parts = {"model": model, "optimiser": optimiser, "schedule": schedule}
    for hook in hooks:
        if hasattr(hook, "load_state_dict"):
            name = type(hook).__name__
            if name in parts:
                raise ConfigError(f"two hooks of the kind {name} cannot share a state")
            parts[name] = hook
    state = _State(
        work / STATE,
        parts,
        fingerprint=fingerprint,
        save_every=save_every,
        progress=progress,
        earlier=earlier,
    )
    del earlier  # the hook lets go of it once it is loaded
    several = distributed.world_size() > 1
    wrapper = dict(
        type="MMDistributedDataParallel",
        device_ids=[torch.cuda.current_device()] if torch.cuda.is_available() else None,
        broadcast_buffers=False,
    )
    logs = work / f"mmengine-{distributed.rank()}"
    runner = Runner(
        model=model,
        work_dir=str(logs),
        train_dataloader=loader,
        train_cfg=dict(type=_Loop, max_epochs=epochs, seed=seed, names=names),
        optim_wrapper=_Checked(optimiser, clip_norm=clip_norm or float("inf")),
        param_scheduler=schedule,
        # what MMEngine itself would write down of every update is wanted nowhere
        default_hooks=dict.fromkeys(
            ("checkpoint", "logger", "sampler_seed", "runtime_info", "timer")
        ),
        custom_hooks=[*hooks, state],
        visualizer=dict(type="Visualizer", vis_backends=[]),
        randomness=dict(seed=seed),
        launcher="pytorch" if several else "none",
        cfg=dict(model_wrapper_cfg=wrapper) if several else None,
        # MMEngine would set the start method of the whole process to its own default
        env_cfg=dict(mp_cfg=dict(mp_start_method=multiprocessing.get_start_method())),
        log_level="ERROR",
        experiment_name=f"{work.name}-{time.time_ns()}",
    )
    try:
        runner.train()
    finally:
        _forget(runner)
        loader._iterator = None  # processes that read ahead, which stay from epoch to epoch
        shutil.rmtree(logs, ignore_errors=True)
    return Trained(state.losses, state.seconds, state.starts)


def _forget(runner: Runner) -> None:
    """Let go of what MMEngine keeps of every Runner: an open log file, a logger, curves."""
    for handler in runner.logger.handlers:
        handler.close()
    for kind in (MMLogger, MessageHub, Visualizer):
        kind._instance_dict.pop(runner.experiment_name, None)
