"""The life cycle of a run, the same for every model trained here: reuse, resume or train.

Decisions
* A run is written under a temporary name and renamed when it is finished, so a run folder is either
  complete or absent. A finished run is reused if its fingerprint (configuration, data, training
  code, library versions) is unchanged. The state of an unfinished run is beside it, in
  ``.<name>.work``.
* Under ``torchrun`` the main process holds the lock, reads and writes for all.

Cost: hashing the files of a finished run.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from signclip import checkpoint
from signclip.core import files
from signclip.core.errors import ConfigError, RunError, SignCLIPError
from signclip.core.workers import end_with_parent
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import manifest, splits
from signclip.features.store import FeatureStore
from signclip.training import curves, distributed, engine
from signclip.training.engine import Progress
from signclip.training.sampling import BatchSampler


class Settings(Protocol):
    """The part of a finished run's settings that matters here."""

    @property
    def corpus(self) -> str: ...


class Inputs(NamedTuple):
    """A run's corpus, features and fold."""

    clips: pd.DataFrame  # the manifest
    store: FeatureStore
    rows: pd.DataFrame  # of the split table, the run's fold

    def stored(self, role: str) -> list[str]:
        """Ids of a role's clips that are in the store, in the order of the split."""
        return [i for i in self.rows["id"][self.rows["role"] == role] if i in self.store]


class Outcome(NamedTuple):
    """The result of a training."""

    model: nn.Module
    learning: curves.Curves
    trained: engine.Trained
    facts: dict[str, Any]  # for metrics.json, besides those that every run has
    save: Callable[[Path, dict[str, Any]], None]  # writes the model into a folder, with all facts


def read_inputs(run: RunId, variant: str, workspace: Workspace) -> Inputs:
    """Open a run's corpus and feature store.

    Args:
        run: its fold None stands for the only fold, 0.
        workspace: has the built corpus (``signclip corpora build``) and its feature store of
            ``variant`` (``signclip pack``).

    Raises:
        SignCLIPError: corpus, split, fold or store is missing, or they do not fit together.
    """
    corpus = workspace.corpus(run.corpus)
    clips = manifest.read(corpus)
    store = FeatureStore.of(clips, workspace.store(run.corpus, variant))
    rows = splits.read(corpus, run.split)
    rows = rows[rows["fold"] == (run.fold or 0)]
    if rows.empty:
        raise ConfigError(f"split {run.split!r} has no fold {run.fold}")
    return Inputs(clips, store, rows)


def run_or_resume(
    run: RunId,
    inputs: Inputs,
    fingerprint: str,
    workspace: Workspace,
    *,
    read: Callable[[Path], Settings],
    train: Callable[[Path], Outcome],
    progress: Progress,
    epochs: int,
) -> Path:
    """Return the folder of a finished run: an earlier one if unchanged, else resumed or trained.

    Args:
        fingerprint: of everything that decides the run's weights.
        workspace: the run is ``workspace.runs / run.path``.
        read: reads the settings of a finished run's folder; raises RunError where there are none.
        train: called with the folder that keeps the state of an interrupted training.
        epochs: of the whole training, reported to ``progress`` where nothing is trained.

    Raises:
        SignCLIPError: what ``train`` raises. An earlier finished run stays, and so does the last
            state of this one.
    """
    out = workspace.runs / run.path
    work = out.with_name(f".{out.name}.work")
    with distributed.group(), ExitStack() as held:
        distributed.on_main_process(lambda: held.enter_context(files.writing(out)))
        if distributed.on_main_process(lambda: _is_finished(out, run, fingerprint, read)):
            progress(epochs)
        else:
            with files.full_disk_named(out):
                outcome = train(work)
            if not distributed.rank():
                with files.atomic_folder(out) as partial:
                    _write(partial, work, outcome, inputs, fingerprint)
        distributed.wait()
        if not distributed.rank():
            engine.remove(work)
    return out


def _is_finished(out: Path, run: RunId, fingerprint: str, read: Callable[[Path], Settings]) -> bool:
    """Is there an intact run with this fingerprint? A damaged one is trained again.

    Raises:
        ConfigError: the folder holds a run on another corpus, which would be overwritten.
    """
    try:
        checkpoint.verify(out)
        earlier = read(out)
    except RunError:
        return False
    if earlier.corpus != run.corpus:
        raise ConfigError(
            f"{out}: holds a run on corpus {earlier.corpus!r}; give another folder with --runs"
        )
    return checkpoint.read_metrics(out)["fingerprint"] == fingerprint


def _write(folder: Path, work: Path, outcome: Outcome, inputs: Inputs, fingerprint: str) -> None:
    trained, learning = outcome.trained, outcome.learning
    curves.write(folder, learning.rows, trained.losses)
    shutil.copytree(work / curves.EVENTS, folder / curves.EVENTS)
    outcome.save(
        folder,
        {
            **outcome.facts,
            "fingerprint": fingerprint,
            "corpus_fingerprint": inputs.store.meta["corpus_fingerprint"],
            "split_fingerprint": splits.fingerprint(inputs.rows),
            "clips_not_in_store": sum(i not in inputs.store for i in inputs.rows["id"]),
            "parameters": sum(weight.numel() for weight in outcome.model.parameters()),
            "updates": len(trained.losses),
            "starts": trained.starts,
            "seconds": trained.seconds,
            "last": learning.rows[-1],
        },
    )


class _ErrorsAsItems(Dataset):
    """A data set that returns its errors.

    An error raised in a loader process would reach the parent as the text of its traceback.
    """

    def __init__(self, dataset: Any):
        self.dataset = dataset

    def __getitems__(self, keys: list[Any]) -> list[Any] | SignCLIPError:
        try:
            if hasattr(self.dataset, "__getitems__"):
                return self.dataset.__getitems__(keys)
            return [self.dataset[key] for key in keys]
        except SignCLIPError as error:
            return error


def _collated(items: list[Any] | SignCLIPError, collate: Callable[[list[Any]], Any]) -> Any:
    return items if isinstance(items, SignCLIPError) else collate(items)


def loader(
    dataset: Dataset, sampler: BatchSampler, collate: Callable[[list[Any]], Any], *, processes: int
) -> DataLoader:
    """Load batches of training clips; loader processes yield an error in place of a batch.

    Args:
        processes: number of loader processes; 0: clips are loaded by the training process.
    """
    return DataLoader(
        _ErrorsAsItems(dataset) if processes else dataset,
        batch_sampler=sampler,
        collate_fn=partial(_collated, collate=collate) if processes else collate,
        num_workers=processes,
        multiprocessing_context=_loader_start() if processes else None,
        persistent_workers=processes > 0,  # not started again for every epoch
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_end_with_parent,
    )


def _loader_start() -> str | None:
    """How loader processes start; None: as the platform starts processes.

    A training that runs beside others is itself a child of a fork server, and would start a fork
    server of its own, whose every child imports torch and mmengine again (8 s of processor each).
    """
    return "fork" if sys.platform == "linux" else None


def _end_with_parent(worker: int) -> None:
    """End a loader process with its parent: it holds a copy of the run's lock."""
    end_with_parent()
