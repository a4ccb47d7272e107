"""Skeleton models as encoders: the runs of :mod:`baselines.skeletons.training`, one per fold.

Decisions
* They are evaluated in the label gallery alone: a recogniser of labels knows no languages, and
  unlike a floor it is too costly to train a second time for them.
* An imported run (:mod:`baselines.skeletons.imported`) has no recipe, so its settings are not
  checked.

Cost: a forward pass of each stream for each test clip; nothing is cached.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from baselines.skeletons import checkpoint, imported, recipe, table
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.encoders import Encoder, OpenFold, Training
from benchmarks.evaluation.galleries import LABEL, Gallery
from benchmarks.evaluation.ranks import Recognised
from benchmarks.evaluation.runs import Kind, Runs, TrainedOn
from signclip.core.workspace import RunId, Workspace
from signclip.poses import Features
from signclip.text import label


def _read(folder: Path) -> recipe.Recipe | None:
    return None if table.is_imported(folder) else checkpoint.read_recipe(folder)


def _expected(run: RunId, workspace: Workspace) -> recipe.Recipe:
    return recipe.resolve(run, workspace.params)


SKELETON = Kind(_read, _expected, recipe.NOT_IN_FINGERPRINT, "params.yaml")


class SkeletonRuns(Encoder):
    """The runs of a skeleton model with one seed.

    Args:
        run: with fold None; its experiment is the model's name.
    """

    template = LABEL

    def __init__(self, run: RunId, workspace: Workspace, trained_on: TrainedOn):
        super().__init__()
        self._runs = Runs(run, workspace, trained_on, SKELETON)
        self.runs = self._runs.fingerprints
        first = _load(self._runs.first().folder)
        self.title, self.variant = first.title, first.variant

    def open_fold(self, fold: int, training: Training, cache: Cache | None = None) -> SkeletonFold:
        """Load a fold's run."""
        run = self._runs.of_fold(fold)
        self.parameters = run.metrics["parameters"]
        self.training_seconds += run.metrics["seconds"]
        return SkeletonFold(_load(run.folder))


class SkeletonFold(OpenFold):
    """A skeleton model, loaded."""

    def __init__(self, model: checkpoint.SkeletonModel | imported.ImportedModel):
        self._model, self._seconds = model, 0.0
        self.vocabulary = model.classes

    def score(
        self, clips: Sequence[Features], gallery: Gallery, ids: Sequence[str] | None = None
    ) -> Recognised:
        """Score clips against the labels of a gallery."""
        start = time.perf_counter()
        scores = self._model.score(clips, [label(entry.label) for entry in gallery.entries])
        self._seconds += time.perf_counter() - start
        return Recognised(scores)

    def seconds(self, ids: Sequence[str]) -> float:
        """Time spent in :meth:`score`."""
        return self._seconds


def _load(folder: Path) -> checkpoint.SkeletonModel | imported.ImportedModel:
    return imported.load(folder) if table.is_imported(folder) else checkpoint.load(folder)
