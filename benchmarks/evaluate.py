"""From a trained encoder, or a recogniser to fit, to a result file.

Decisions
* A clip is scored from its own frames: what an encoder is handed are features without language or
  company, with an id for error messages alone, and the gallery is the same for every clip. (Every
  (language, letter) occurs once, so whoever knows which letters a clip's language has in training
  can win by elimination.) Recognisers do not get the id.
* The gallery is the set of labels of the split's training, validation and test clips, with
  language-free prompts.
* Test clips that cannot be scored are counted by reason, never skipped silently.

Outputs: the result (:mod:`benchmarks.results`), and per-clip predictions and embeddings as Parquet.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from baselines import BASELINES, TITLES
from benchmarks import metrics, results, tasks
from signclip import checkpoint, files, inference, manifest, splits
from signclip.config import RunConfig, run_name
from signclip.errors import ConfigError, RunError
from signclip.poses import Features
from signclip.store import FeatureStore, corpus_fingerprint
from signclip.text import label, prompt

CLIPS_FILE, GALLERY_FILE = "clips.parquet", "gallery.parquet"


class Scored(NamedTuple):
    """An encoder's answer for one fold."""

    scores: np.ndarray  # float32 (labels, clips)
    clips: np.ndarray | None  # float32 (clips, d): embeddings, where the encoder has them
    gallery: np.ndarray | None  # float32 (labels, d)


class Expected(NamedTuple):
    """What a run must have been trained as, for its score to be called so."""

    experiment: str
    profile: str
    corpus: str
    split: str
    seed: int


class RunEncoder:
    """SignCLIP runs: one a fold, trained before, and checked to be what they are evaluated as.

    Args:
        roles: fold -> :func:`signclip.splits.fingerprint` of its rows.
    """

    def __init__(
        self, expected: Expected, *, runs: Path, roles: dict[int, str], corpus_fingerprint: str
    ):
        self._expected, self._roles, self._corpus = expected, roles, corpus_fingerprint
        self._folder = runs / expected.experiment / str(expected.seed)
        config = self._checked(min(roles))[1]
        self.title, self.variant = config.title, config.variant
        self.parameters, self.training_seconds = 0, 0.0

    def _checked(self, fold: int) -> tuple[Path, RunConfig]:
        """A fold's run.

        Raises:
            RunError: it was trained as something else, or on other clips or roles.
        """
        name = run_name(self._expected.split, fold if len(self._roles) > 1 else None)
        folder = self._folder / name
        config, metrics = checkpoint.read_config(folder), checkpoint.read_metrics(folder)
        there = Expected(*(getattr(config, field) for field in Expected._fields))
        if there != self._expected:
            raise RunError(f"{folder}: trained as {there}, not as {self._expected}; train it again")
        if (metrics["corpus_fingerprint"], metrics["split_fingerprint"]) != (
            self._corpus,
            self._roles[fold],
        ):
            raise RunError(f"{folder}: trained on other clips or another split; train it again")
        return folder, config

    def score_fold(
        self,
        fold: int,
        training: tuple[Sequence[Features], Sequence[str]],
        clips: Sequence[Features],
        labels: Sequence[str],
        ids: Sequence[str] | None = None,
    ) -> Scored:
        """Score a fold's test clips with the fold's run; the training clips are not needed."""
        folder, config = self._checked(fold)
        model, run = inference.load(folder), checkpoint.read_metrics(folder)
        self.parameters = run["parameters"]
        self.training_seconds += run["seconds"]
        texts = model.embed_text([prompt(config.prompt, text=name) for name in labels])
        embedded = model.embed_pose([clip.values for clip in clips], ids=ids)
        return Scored(texts @ embedded.T, embedded, texts)


class Recogniser:
    """Recognisers that are fitted on each fold's training clips when they are evaluated."""

    def __init__(self, name: str):
        module, _, attribute = BASELINES[name].partition(":")
        self._class = getattr(importlib.import_module(module), attribute)
        self.title, self.variant = TITLES[name], self._class.variant
        self.parameters, self.training_seconds = 0, 0.0

    def score_fold(
        self,
        fold: int,
        training: tuple[Sequence[Features], Sequence[str]],
        clips: Sequence[Features],
        labels: Sequence[str],
        ids: Sequence[str] | None = None,
    ) -> Scored:
        """Fit a fresh recogniser on the training clips and score the test clips."""
        recogniser = self._class()
        start = time.perf_counter()
        recogniser.fit(*training)
        self.training_seconds += time.perf_counter() - start
        return Scored(recogniser.score(clips, labels), None, None)


def evaluate(
    encoder: str,
    *,
    revision: str,
    corpus: str,
    split: str,
    seed: int,
    data: Path,
    features: Path,
    runs: Path,
    predictions: Path,
    leaderboard: Path,
) -> results.Result:
    """Evaluate a run's experiment or a baseline on a split and write result and predictions.

    Args:
        encoder: an experiment's id (its runs are read), or a name of ``baselines.BASELINES``.
        revision: the profile that the runs were trained with.
        predictions: folder that becomes ``clips.parquet`` and ``gallery.parquet``.

    Raises:
        SignCLIPError: runs, store or split are missing or damaged.
    """
    clips = manifest.read(data / corpus)
    rows = splits.read(data / corpus, split)
    chosen: Any
    if encoder in BASELINES:
        chosen = Recogniser(encoder)
    else:
        chosen = RunEncoder(
            Expected(encoder, revision, corpus, split, seed),
            runs=runs,
            roles={int(fold): splits.fingerprint(group) for fold, group in rows.groupby("fold")},
            corpus_fingerprint=corpus_fingerprint(clips),
        )
    store = FeatureStore.of(clips, features / corpus / chosen.variant)
    signers = splits.shared_signers(rows, clips).text()
    clips = clips.set_index("id", drop=False)
    names = clips["text"].map(label)
    labels = sorted(set(names[rows["id"][rows["role"] != "excluded"]]))
    tested, folds, predicted, gallery, dropped = 0, [], [], [], {}
    scoring_seconds = 0.0
    for fold, group in rows.groupby("fold", sort=True):
        ids = {role: list(group["id"][group["role"] == role]) for role in splits.ROLES}
        tested += len(ids["test"]) + len(ids["excluded"])
        _count(dropped, "its label is in no training language", len(ids["excluded"]))
        _count(dropped, "not in the feature store", sum(i not in store for i in ids["test"]))
        train = [i for i in ids["train"] if i in store]
        test = [i for i in ids["test"] if i in store]
        if not train or not test:
            raise ConfigError(f"split {split}, fold {fold}: no training or no test clip is left")
        start = time.perf_counter()
        training = ([store[i] for i in train], [clips.loc[i, "text"] for i in train])
        features_of = [store[i] for i in test]
        scored = chosen.score_fold(int(fold), training, features_of, labels, test)
        scoring_seconds += time.perf_counter() - start
        own = np.array([labels.index(names[i]) for i in test])
        folds.append(tasks.FoldScores(scored.scores, own))
        predicted.append(_clip_table(int(fold), test, labels, own, scored))
        gallery.append(_gallery_table(int(fold), labels, scored))
    result = results.Result(
        encoder=encoder,
        title=chosen.title,
        revision=revision,
        task=tasks.RETRIEVAL,
        corpus=corpus,
        split=split,
        scores=tasks.retrieval(folds),
        labels=len(labels),
        n_total=tested,
        n_evaluated=sum(len(fold.label_of_clip) for fold in folds),
        n_dropped=dropped,
        corpus_dropped={
            str(reason): int(count)
            for reason, count in manifest.read_dropped(data / corpus)["reason"]
            .value_counts()
            .items()
        },
        corpus_fingerprint=store.meta["corpus_fingerprint"],
        split_fingerprint=splits.fingerprint(rows),
        signers=signers,
        folds=sorted(int(fold) for fold in rows["fold"].unique()),
        seeds=[seed],
        cost=results.Cost(
            parameters=chosen.parameters,
            training_seconds=chosen.training_seconds,
            evaluation_clips_per_second=sum(map(len, predicted)) / scoring_seconds,
        ),
        git_commit=results.git_commit(),
        packages=results.packages(),
        hardware=results.hardware(),
    )
    with files.writing(predictions), files.atomic_folder(predictions) as partial:
        pd.concat(predicted, ignore_index=True).to_parquet(partial / CLIPS_FILE, index=False)
        pd.concat(gallery, ignore_index=True).to_parquet(partial / GALLERY_FILE, index=False)
    result.write(leaderboard)
    return result


def _count(dropped: dict[str, int], reason: str, count: int) -> None:
    if count:
        dropped[reason] = dropped.get(reason, 0) + count


def _clip_table(
    fold: int, ids: Sequence[str], labels: Sequence[str], own: np.ndarray, scored: Scored
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "fold": fold,
            "id": ids,
            "label": [labels[i] for i in own],
            "predicted": [labels[i] for i in scored.scores.argmax(axis=0)],
            "rank": metrics.v2t_ranks(scored.scores, own),
            "scores": list(scored.scores.T),
        }
    )
    if scored.clips is not None:
        table["embedding"] = list(scored.clips)
    return table


def _gallery_table(fold: int, labels: Sequence[str], scored: Scored) -> pd.DataFrame:
    table = pd.DataFrame({"fold": fold, "label": list(labels)})
    if scored.gallery is not None:
        table["embedding"] = list(scored.gallery)
    return table
