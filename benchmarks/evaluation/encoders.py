"""Encoders under measurement: finished runs, and recognisers that are fitted when measured.

Decisions
* What an encoder is handed of a test clip are features without language or company, with an id for
  error messages alone; recognisers do not get the id.
* A label without a language, for an encoder whose prompts have one: the text without a language
  that it was trained with, too (``label_prompt``, ``apart``); else the mean of the label's prompts
  over the languages of the fold's training clips, the same for every clip.
* A recogniser of labels knows no languages. In a tagged gallery a second instance is fitted to the
  clips' languages, and (language, label) scores the sum of the two. That is a weak floor: the pair
  of the nearest training clip always scores highest, so that at rank 1 it is never right where each
  pair occurs once; and it knows languages of training only, so that among languages that were not
  met it is worse than chance: a right pair's language has no clip to be near to. (To leave out the
  pairs that were met would be the elimination that nobody is allowed.)

Cost: what an encoder took to score test clips (``scoring_seconds``) is what its result tells, not
how long it was read, fitted or waited for: a run's embedding of the clips, a recogniser's scores in
each gallery. A run embeds each clip once, whatever it is asked; a
label gallery of an encoder without such a text is labels x training languages texts.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import BaseModel

from baselines import BASELINES, TITLES
from benchmarks import suites
from benchmarks.evaluation import galleries
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.galleries import Gallery
from benchmarks.evaluation.scores import Embedded, Recognised
from signclip.core.errors import RunError
from signclip.corpora import splits
from signclip.experiments import config, run_folder
from signclip.experiments.config import UNDECIDING, RunConfig, run_name
from signclip.poses import Features
from signclip.text import apart, prompt

if TYPE_CHECKING:  # torch; recognisers need none
    from signclip.inference import SignCLIPModel

_LEARNT = ("train", "validation")


class Training(NamedTuple):
    """A fold's training clips, for who learns from them."""

    clips: Sequence[Features]  # none for who does not
    texts: Sequence[str]
    languages: Sequence[tuple[str, str]]  # sign language and spoken language of each clip


class Expected(NamedTuple):
    """What a run must have been trained as, for its score to be called so."""

    experiment: str
    profile: str
    corpus: str
    split: str
    seed: int


def check_clips(folder: Path, metrics: dict[str, Any], corpus: str, roles: str) -> None:
    """Refuse a run that did not learn from a split's clips.

    Args:
        corpus, roles: fingerprints of the corpus and of the fold's rows.

    Raises:
        RunError: it learnt from others.
    """
    if (metrics["corpus_fingerprint"], metrics["split_fingerprint"]) != (corpus, roles):
        raise RunError(f"{folder}: trained on other clips or another split; train it again")


def check_settings(
    folder: Path,
    trained: BaseModel,
    wanted: BaseModel,
    undeciding: dict[str, Any],
    where: str,
) -> None:
    """Refuse a run that was trained with other settings than are wanted now.

    Args:
        undeciding: settings that decide nothing of it.
        where: the settings stand.

    Raises:
        RunError: names those that differ.
    """
    was, now = (one.model_dump(exclude=undeciding) for one in (trained, wanted))
    if changed := [key for key in now if was[key] != now[key]]:
        raise RunError(
            f"{folder}: {', '.join(changed)} {'is' if len(changed) == 1 else 'are'} not what "
            f"{where} says; train it again"
        )


class RunEncoder:
    """SignCLIP runs: one a fold, trained before, and checked to be what they are evaluated as.

    Args:
        experiments: the table of experiments. A run of a row must have been trained as the row is
            now; a run of no row is what it is.
        roles: fold -> :func:`signclip.corpora.splits.fingerprint` of its rows.
        variant: of the features, where they are others than the runs were trained on.
        title: of the row, where it is another's than the runs'.
    """

    learns = False

    def __init__(
        self,
        expected: Expected,
        *,
        experiments: Path,
        params: Path,
        runs: Path,
        roles: dict[int, str],
        corpus_fingerprint: str,
        variant: str | None = None,
        title: str | None = None,
    ):
        self._expected, self._roles, self._corpus = expected, roles, corpus_fingerprint
        self._experiments, self._params = experiments, params
        table = config.read_yaml(experiments)
        self._is_row = expected.experiment in table
        self._folder = runs / expected.experiment / str(expected.seed)
        self.fingerprints: dict[str, str] = {}  # <seed>/<fold's run> -> the run's
        self._must_exist(table)
        trained = self._checked(min(roles))[1]
        self.title, self.variant = title or trained.title, variant or trained.variant
        self.template = trained.prompt
        self.parameters, self.training_seconds, self.scoring_seconds = 0, 0.0, 0.0

    def _must_exist(self, table: dict[str, Any]) -> None:
        """Refuse what has no runs, in words that help.

        Raises:
            RunError: there is nothing to evaluate.
        """
        name = self._expected.experiment
        if self._folder.is_dir():
            return
        if self._is_row or self._folder.parent.is_dir():
            raise RunError(f"no run of {name} with seed {self._expected.seed}; train it first")
        raise RunError(
            f"{name!r} is no row, suite or baseline, and has no runs; there are "
            f"{', '.join([*table, *suites.read(), *BASELINES])}"
        )

    def _checked(self, fold: int) -> tuple[Path, RunConfig]:
        """A fold's run.

        Raises:
            RunError: it was trained as something else, or on other clips or roles, or as what its
                row was once.
        """
        number = fold if len(self._roles) > 1 else None
        name = run_name(self._expected.split, number)
        folder = self._folder / name
        trained, metrics = run_folder.read_config(folder), run_folder.read_metrics(folder)
        there = Expected(*(getattr(trained, field) for field in Expected._fields))
        if there != self._expected:
            raise RunError(f"{folder}: trained as {there}, not as {self._expected}; train it again")
        check_clips(folder, metrics, self._corpus, self._roles[fold])
        if self._is_row:
            check_settings(
                folder, trained, self._wanted(number), UNDECIDING, "experiments.yaml or params.yaml"
            )
        self.fingerprints[f"{self._expected.seed}/{name}"] = metrics.get("fingerprint", "")
        return folder, trained

    def _wanted(self, fold: int | None) -> RunConfig:
        """What its row says now."""
        return config.resolve(
            self._experiments,
            self._params,
            self._expected.experiment,
            profile=self._expected.profile,
            corpus=self._expected.corpus,
            split=self._expected.split,
            fold=fold,
            seed=self._expected.seed,
        )

    def open_fold(self, fold: int) -> tuple[Path, RunConfig, SignCLIPModel]:
        """A fold's run: its folder, what it was trained as, and the model; its cost is added up.

        Raises:
            RunError: it is not what it should be.
        """
        folder, trained = self._checked(fold)
        run = run_folder.read_metrics(folder)
        self.parameters = run["parameters"]
        self.training_seconds += run["seconds"]
        return folder, trained, _on_device(folder)

    def score_fold(
        self,
        fold: int,
        training: Training,
        clips: Sequence[Features],
        asked: Sequence[Gallery],
        ids: Sequence[str] | None = None,
        cache: Cache | None = None,
    ) -> list[Embedded]:
        """Embed a fold's test clips, and each gallery, with the fold's run.

        Of the training clips their languages alone are used.

        Args:
            cache: of embeddings of the clips with these ids.
        """
        folder, trained, model = self.open_fold(fold)
        if cache is not None and ids is not None:
            embedded, seconds = cache.embed(folder, model, ids)
            self.scoring_seconds += float(seconds.sum())
        else:
            start = time.perf_counter()
            embedded = model.embed_pose([clip.values for clip in clips], ids=ids)
            self.scoring_seconds += time.perf_counter() - start
        return [
            Embedded(embedded, gallery_embeddings(model, trained, gallery, training))
            for gallery in asked
        ]


class TransferredRun:
    """One run, asked of clips that it did not learn from, of another corpus or split.

    Args:
        run: its folder.
        variant: of the features, where they are others than it was trained on.

    Raises:
        RunError: there is no such run, or it is damaged.
    """

    learns = False

    def __init__(self, run: Path, *, variant: str | None = None, title: str | None = None):
        self._run = run
        run_folder.verify(run)
        self.trained, metrics = run_folder.read_config(run), run_folder.read_metrics(run)
        self.title, self.variant = title or self.trained.title, variant or self.trained.variant
        self.template = self.trained.prompt
        self.parameters, self.training_seconds = metrics["parameters"], metrics["seconds"]
        self.fingerprints = {"/".join(run.parts[-2:]): metrics.get("fingerprint", "")}

    def learnt(self, corpus: Path, corpus_fingerprint: str) -> set[str]:
        """The clips of a built corpus that the run, or one that it goes on from, learned from.

        Training and validation clips. A model that is no run (an imported one) tells of none.

        Raises:
            ConfigError: it was trained on this corpus, by a split that is no longer there.
            RunError: it was trained on this corpus as it was once.
        """
        found: set[str] = set()
        run: Path | None = self._run
        while run is not None and (run / run_folder.METRICS).is_file():
            metrics = run_folder.read_metrics(run)
            if "corpus_fingerprint" not in metrics:
                break
            trained = run_folder.read_config(run)
            if metrics["corpus_fingerprint"] == corpus_fingerprint:
                rows = splits.read(corpus, trained.split)
                rows = rows[(rows["fold"] == (trained.fold or 0)) & rows["role"].isin(_LEARNT)]
                found |= set(rows["id"])
            elif trained.corpus == corpus.name:
                raise RunError(
                    f"{run}: trained on {corpus.name} as it was once; which of its clips are new "
                    "to the run cannot be told"
                )
            run = None if trained.init_run is None else Path(trained.init_run)
        return found

    def open_fold(self, fold: int) -> tuple[Path, RunConfig, SignCLIPModel]:
        """The run, whatever the fold."""
        return self._run, self.trained, _on_device(self._run)


def _on_device(run: Path) -> SignCLIPModel:
    """A run's model, on a GPU where there is one, as it was trained."""
    import torch

    from signclip import inference

    return inference.load(run).to("cuda" if torch.cuda.is_available() else "cpu")


def gallery_embeddings(
    model: SignCLIPModel, trained: RunConfig, gallery: Gallery, training: Training
) -> np.ndarray:
    """Embed a gallery's texts, float32 (texts, d); see the module for labels without a language."""
    if gallery.task == galleries.TAGGED_RETRIEVAL:
        return model.embed_text(gallery.names)
    template = trained.label_prompt or (
        apart(trained.prompt)[-1] if trained.apart else trained.prompt
    )
    # a language that the prompt does not name would count a text several times
    named = [f"{{{name}}}" in template for name in ("sign_language", "spoken_language")]
    languages = sorted(
        {
            tuple(tag if is_named else "" for tag, is_named in zip(pair, named, strict=True))
            for pair in (training.languages if any(named) else [("", "")])
        }
    )
    filled = [
        prompt(template, text=name, sign_language=sign, spoken_language=tag)
        for sign, tag in languages
        for name in gallery.names
    ]
    embedded = model.embed_text(filled)
    return embedded.reshape(len(languages), len(gallery.names), -1).mean(axis=0)


class Recogniser:
    """Recognisers that are fitted on each fold's training clips when they are evaluated."""

    template = galleries.PAIR
    learns = True

    def __init__(self, name: str):
        module, _, attribute = BASELINES[name].partition(":")
        self._class = getattr(importlib.import_module(module), attribute)
        self._name = name
        self.title, self.variant = TITLES[name], self._class.variant
        self.parameters, self.training_seconds, self.scoring_seconds = 0, 0.0, 0.0
        self.fingerprints: dict[str, str] = {}  # it has no runs

    def score_fold(
        self,
        fold: int,
        training: Training,
        clips: Sequence[Features],
        asked: Sequence[Gallery],
        ids: Sequence[str] | None = None,
        cache: Cache | None = None,
    ) -> list[Recognised]:
        """Fit fresh recognisers on the training clips and score the test clips."""
        galleries.warn_of_unknown(self._name, fold, asked[0], training.texts, ids or ())
        of_label = self._fitted(training.clips, training.texts)
        tagged = any(gallery.task == galleries.TAGGED_RETRIEVAL for gallery in asked)
        of_language = (
            self._fitted(training.clips, [sign for sign, _ in training.languages])
            if tagged
            else None
        )
        return [
            Recognised(self._scores(gallery, clips, of_label, of_language)) for gallery in asked
        ]

    def _fitted(self, clips: Sequence[Features], texts: Sequence[str]) -> Any:
        recogniser = self._class()
        start = time.perf_counter()
        recogniser.fit(clips, texts)
        self.training_seconds += time.perf_counter() - start
        return recogniser

    def _scores(
        self, gallery: Gallery, clips: Sequence[Features], of_label: Any, of_language: Any
    ) -> np.ndarray:
        """Float32 (texts, clips)."""
        start = time.perf_counter()
        scores = _rows(of_label, clips, [entry.label for entry in gallery.entries])
        if gallery.task == galleries.TAGGED_RETRIEVAL:
            scores = scores + _rows(
                of_language, clips, [entry.sign_language for entry in gallery.entries]
            )
        self.scoring_seconds += time.perf_counter() - start
        return scores


def _rows(recogniser: Any, clips: Sequence[Features], names: Sequence[str]) -> np.ndarray:
    """A recogniser's scores of names that may stand more than once, (names, clips)."""
    unique, places = np.unique(names, return_inverse=True)
    return recogniser.score(clips, [str(name) for name in unique])[places]


def trained_as(experiments: Path, encoder: str) -> tuple[str, dict[str, str]]:
    """Whose runs an encoder is, and what of it is not theirs. Runs may be of no row, too."""
    table = config.read_yaml(experiments)
    if encoder not in table:
        return encoder, {}
    trained, variant = config.tested_as(experiments, encoder)
    if variant is None:
        return encoder, {}
    row = config.experiment_row(table, encoder)
    return trained, {"variant": variant, "title": row["title"]}
