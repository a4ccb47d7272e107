"""Skeleton models under measurement: runs of :mod:`baselines.skeletons.training`, one a fold.

Decisions
* They are asked among labels alone: a recogniser of labels knows no languages, and unlike a floor
  it is not worth a second training for them.
* A run must be what its recipe in ``params.yaml`` says now, and trained on the same clips and
  roles. One that was imported (:mod:`baselines.skeletons.imported`) has no recipe: it is what it is.

Cost: a test clip is a forward pass of each stream; nothing is cached.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from baselines.skeletons import imported, recipe, table, training
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.encoders import Expected, Training, check_clips, check_settings
from benchmarks.evaluation.galleries import Gallery, warn_of_unknown
from benchmarks.evaluation.scores import Recognised
from signclip.core.errors import RunError
from signclip.experiments.config import run_name
from signclip.experiments.run_folder import read_metrics
from signclip.poses import Features
from signclip.text import label


class SkeletonEncoder:
    """Runs of a skeleton model; has the face of :class:`benchmarks.evaluation.encoders.RunEncoder`.

    Args:
        expected: ``experiment`` is the model's name.
        roles: fold -> :func:`signclip.corpora.splits.fingerprint` of its rows.
    """

    template = "{label}"  # no language: asked among labels alone
    learns = False

    def __init__(
        self,
        expected: Expected,
        *,
        params: Path,
        runs: Path,
        roles: dict[int, str],
        corpus_fingerprint: str,
    ):
        self._expected, self._params = expected, params
        self._roles, self._corpus = roles, corpus_fingerprint
        self._folder = runs / expected.experiment / str(expected.seed)
        self.fingerprints: dict[str, str] = {}  # <seed>/<fold's run> -> the run's
        self.parameters, self.training_seconds, self.scoring_seconds = 0, 0.0, 0.0
        first = self._opened(min(roles))
        self.title, self.variant = first.title, first.variant

    def _opened(self, fold: int) -> training.Model | imported.Imported:
        """A fold's run.

        Raises:
            RunError: it is not there, or was trained as something else or on something else.
        """
        number = fold if len(self._roles) > 1 else None
        name = run_name(self._expected.split, number)
        folder = self._folder / name
        if not folder.is_dir():
            raise RunError(
                f"no run of {self._expected.experiment} with seed {self._expected.seed} in "
                f"{folder}; train it first: python -m benchmarks train "
                f"{self._expected.experiment} --split {self._expected.split}"
            )
        metrics = read_metrics(folder)
        check_clips(folder, metrics, self._corpus, self._roles[fold])
        self.fingerprints[f"{self._expected.seed}/{name}"] = metrics["fingerprint"]
        if table.is_imported(folder):
            return imported.load(folder)
        trained = training.read_recipe(folder)
        check_settings(folder, trained, self._wanted(number), recipe.UNDECIDING, "params.yaml")
        return training.load(folder)

    def _wanted(self, fold: int | None) -> recipe.Recipe:
        """What the recipe says now."""
        return recipe.resolve(
            self._params,
            self._expected.experiment,
            profile=self._expected.profile,
            corpus=self._expected.corpus,
            split=self._expected.split,
            fold=fold,
            seed=self._expected.seed,
        )

    def score_fold(
        self,
        fold: int,
        training: Training,
        clips: Sequence[Features],
        asked: Sequence[Gallery],
        ids: Sequence[str] | None = None,
        cache: Cache | None = None,
    ) -> list[Recognised]:
        """Score a fold's test clips with the fold's run, in each gallery."""
        model = self._opened(fold)
        self.parameters = model.metrics["parameters"]
        self.training_seconds += model.metrics["seconds"]
        warn_of_unknown(self._expected.experiment, fold, asked[0], model.classes, ids or ())
        scored = []
        for gallery in asked:
            start = time.perf_counter()
            scores = model.score(clips, [label(entry.label) for entry in gallery.entries])
            self.scoring_seconds += time.perf_counter() - start
            scored.append(Recognised(scores))
        return scored
