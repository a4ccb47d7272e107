"""The training engine of all models: MMEngine's Runner, with exact resumption.

Decisions
* A training that is killed at any moment and started again gives the same losses and weights, bit
  for bit, as an uninterrupted one (on a CPU with the same number of threads). The state (weights,
  optimiser, schedule, hooks, updates done) is written every ``save_every`` updates under a
  temporary name and renamed, so a kill during the write leaves the previous state; it is also
  written where the training is asked to stop (Ctrl-C, :mod:`signclip.core.jobs`). MMEngine's
  resumption restarts the interrupted epoch and loses the random state; this loop continues in the
  middle of an epoch, with a sampler that can seek.
* The random numbers of an update (dropout) are keyed by (seed, update, process): there is no
  generator state to save, and nothing depends on earlier updates.
* A loss or gradient that is not finite stops the training before it changes the weights; the error
  names the batch's samples, and the last state stays.
* A state with another fingerprint (configuration, data or code) is set aside, not deleted. A state
  from another number of processes or another kind of device is resumed, with a warning and a record
  in ``metrics.json``: the result is then bit-identical to neither.
* Under ``torchrun``, an error that only one process meets, such as a damaged clip in its part of
  the batch, is reported by that process.

Cost: writing the state, three times the size of the weights; seeding, some microseconds an update;
checking loss and gradient norm before each update, which waits for a GPU.
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
from dataclasses import dataclass
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
from signclip.core.workers import Stopped
from signclip.training import distributed

STATE = "state.pt"
FORMAT = 1
_log = logging.getLogger(__name__)
# Called with the share of an epoch that was trained since the last call.
Progress = Callable[[float], None]


class _NotFiniteError(Exception):
    """A loss or gradient that is not finite; the loop adds the names of the samples."""


class _CheckedOptimiser(OptimWrapper):
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
    """Epochs that can start in the middle, and updates with keyed random numbers."""

    def __init__(self, *args: Any, seed: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.seed = seed

    def start_after(self, updates: int) -> None:
        """Continue after this number of updates."""
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
            names = distributed.gather_lists(data_batch["clips"])
            raise RunError(
                f"update {self._iter + 1}: {error} on the batch of {', '.join(names)}"
            ) from None


class _StateHook(Hook):
    """Writes and reads the state; records every update's loss, and each start of the training."""

    priority = "VERY_LOW"  # after the schedule's step and the other hooks

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
        self._stopped: Stopped | None = None

    @property
    def seconds(self) -> float:
        """Duration of the training with all its starts, without updates that had to be repeated."""
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
                _log.warning("%s: started as %s, resumed as %s", self.path, before, here)
        self.starts.append({"after_update": self._saved, **here})

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses.append(runner.optim_wrapper.loss)
        try:
            self.progress(1 / len(runner.train_dataloader))
        except Stopped as stopped:  # raised once the state is saved
            self._stopped = stopped
        # the last update of an epoch is saved after the other hooks have ended the epoch
        if batch_idx + 1 < len(runner.train_dataloader):
            self._save_where_due()

    def after_train_epoch(self, runner: Runner) -> None:
        self._save_where_due()

    def _save_where_due(self) -> None:
        if self._stopped is None and len(self.losses) - self._saved < self.save_every:
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
        # into an open file, whose errors say why it cannot be written
        with files.atomic_file(self.path) as partial, open(partial, "wb") as file:
            torch.save(state, file)
        if self._stopped is not None:
            raise self._stopped


def read_state(work: Path, fingerprint: str) -> dict[str, Any] | None:
    """The state of an interrupted training with this fingerprint; None if there is none.

    A damaged state is ignored, with a warning. ``losses`` holds the loss of each update done.

    Raises:
        OSError, MemoryError: there is a state, but it cannot be read now.
    """
    path = work / STATE
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} differs")
        state = torch.load(path, map_location="cpu", weights_only=True)
        same = (state["format"], state["fingerprint"]) == (FORMAT, fingerprint)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # torch raises many types for damaged files
        _log.warning("%s is damaged: %s", path, error)
        return None
    return state if same else None


def aside_folder(work: Path) -> Path:
    """The folder for a state that this training cannot resume."""
    return work.with_name(f"{work.name}.aside")


def remove(work: Path) -> None:
    """Remove the states that a finished training no longer needs."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(aside_folder(work), ignore_errors=True)


def _set_aside(work: Path) -> None:
    if (work / STATE).is_file():
        shutil.rmtree(aside_folder(work), ignore_errors=True)
        work.rename(aside_folder(work))
        _log.warning("%s: the state of another training, moved to %s", work, aside_folder(work))
    shutil.rmtree(work, ignore_errors=True)


class Trained(NamedTuple):
    """The record of a training."""

    losses: list[float]  # of each update
    seconds: float
    starts: list[dict[str, Any]]  # of each start: update, number of processes, device


@dataclass(frozen=True)
class Plan:
    """How long a model is trained, and where its state is kept.

    Attributes:
        work: folder of the state; a state with the same fingerprint in it is resumed.
        fingerprint: of everything that decides the outcome.
        save_every: updates between two states.
        clip_norm: largest norm of the gradient; None: not clipped.
    """

    epochs: int
    seed: int
    work: Path
    fingerprint: str
    save_every: int
    clip_norm: float | None = None


def fit(
    model: BaseModel,
    loader: DataLoader,
    optimiser: torch.optim.Optimizer,
    schedule: Schedule,
    plan: Plan,
    *,
    hooks: Sequence[Hook] = (),
    progress: Progress = lambda epochs: None,
) -> Trained:
    """Train a model in place.

    Args:
        model: its ``forward(**batch, mode="loss")`` returns a dict with ``loss``.
        loader: with a ``batch_sampler`` as in :mod:`signclip.training.sampling`. Its data set must
            draw random numbers from its keys alone, because clips are loaded ahead of the updates.
            A batch is a dict; ``clips`` are the names of its samples.
        hooks: MMEngine's; one with ``state_dict`` and ``load_state_dict`` (plain values and
            tensors) is part of the state.
        progress: see :data:`Progress`; the first call reports what an earlier start had trained.

    Raises:
        RunError: the loss or a gradient is not finite; the batch's samples are named.
    """
    work, fingerprint = plan.work, plan.fingerprint
    earlier = read_state(work, fingerprint)
    done = distributed.gather_lists([0 if earlier is None else len(earlier["losses"])])
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
    state = _StateHook(
        work / STATE,
        parts,
        fingerprint=fingerprint,
        save_every=plan.save_every,
        progress=progress,
        earlier=earlier,
    )
    del earlier  # the hook frees its copy once it is loaded
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
        train_cfg=dict(type=_Loop, max_epochs=plan.epochs, seed=plan.seed),
        optim_wrapper=_CheckedOptimiser(optimiser, clip_norm=plan.clip_norm or float("inf")),
        param_scheduler=schedule,
        # MMEngine's own records of every update are not needed
        default_hooks=dict.fromkeys(
            ("checkpoint", "logger", "sampler_seed", "runtime_info", "timer")
        ),
        custom_hooks=[*hooks, state],
        visualizer=dict(type="Visualizer", vis_backends=[]),
        randomness=dict(seed=plan.seed),
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
        loader._iterator = None  # ends the loader processes, which persist between epochs
        shutil.rmtree(logs, ignore_errors=True)
    return Trained(state.losses, state.seconds, state.starts)


def _forget(runner: Runner) -> None:
    """Free what MMEngine keeps of every Runner: an open log file, a logger, curves."""
    for handler in runner.logger.handlers:
        handler.close()
    for kind in (MMLogger, MessageHub, Visualizer):
        kind._instance_dict.pop(runner.experiment_name, None)
