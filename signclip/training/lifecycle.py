"""The life cycle of a run, the same for every model trained here: reuse, resume or train.

Decisions
* A run is one (model, corpus, split, fold, seed). It is written under a temporary name and renamed
  when finished, so a run folder is whole or absent; a finished run whose fingerprint
  (configuration, data, training code, packages) is unchanged is not trained again. What a killed
  one goes on from lies beside it, in ``.<name>.work``.
* Under ``torchrun`` the first process holds the lock, looks and writes for all.

Cost: hashing a finished run's files.
"""

from __future__ import annotations

import shutil
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
    """What a run is trained on."""

    clips: pd.DataFrame  # the manifest
    store: FeatureStore
    rows: pd.DataFrame  # of the split: the run's fold

    def stored(self, role: str) -> list[str]:
        """Ids of a role's clips that the store holds, in the split's order."""
        return [i for i in self.rows["id"][self.rows["role"] == role] if i in self.store]


class Outcome(NamedTuple):
    """What a training gives."""

    model: nn.Module
    learning: curves.Curves
    trained: engine.Trained
    facts: dict[str, Any]  # of metrics.json, beside what all runs say
    save: Callable[[Path, dict[str, Any]], None]  # into a folder, with all of these facts


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
        there = read(out)
    except RunError:
        return False
    if there.corpus != run.corpus:
        raise ConfigError(
            f"{out} holds a run on corpus {there.corpus!r}; give another folder with --runs"
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

    One that is raised in a process that reads ahead would come out as the words of its traceback.
    """

    def __init__(self, dataset: Dataset):
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
    """Batches of training clips; with processes, an error in the place of a batch it met.

    Args:
        processes: that read ahead; 0: none, clips are read where they are needed.
    """
    return DataLoader(
        _ErrorsAsItems(dataset) if processes else dataset,
        batch_sampler=sampler,
        collate_fn=partial(_collated, collate=collate) if processes else collate,
        num_workers=processes,
        persistent_workers=processes > 0,  # not started anew for every epoch
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_end_with_parent,
    )


def _end_with_parent(worker: int) -> None:
    """In a process that reads ahead: it holds a copy of the run's lock."""
    end_with_parent()
