"""From an encoder to result files.

Decisions
* A clip is scored from its own frames, and the gallery is the same for every clip. (Every
  (language, letter) occurs once, so whoever knows which letters a clip's language has in training
  can win by elimination.) What it is asked among: :mod:`benchmarks.galleries`; what an encoder
  gets to see: :mod:`benchmarks.encoders`.
* Encoders whose prompts name the sign language are asked twice, among labels and among (language,
  label) prompts, from one embedding of the clip.
* Several seeds are one measurement (:mod:`benchmarks.tasks`).
* Test clips that cannot be scored are counted by reason, never skipped silently. (A clip that a
  split excludes is a test clip if its fold tests its language.)

Outputs: a result for each gallery (:mod:`benchmarks.results`), and per-clip predictions and
embeddings as Parquet, those of the tagged gallery in files of their own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from baselines import BASELINES
from benchmarks import galleries, metrics, results, skeletons, tasks
from benchmarks.encoders import (
    Expected,
    Recogniser,
    RunEncoder,
    Scored,
    Training,
    TransferredRun,
    trained_as,
)
from benchmarks.galleries import Gallery
from signclip import files, manifest, splits
from signclip.errors import ConfigError
from signclip.store import FeatureStore, corpus_fingerprint

CLIPS_FILE, GALLERY_FILE = "clips.parquet", "gallery.parquet"
TAGGED = "tagged_"  # what the names of the tagged gallery's files begin with


class Fold(NamedTuple):
    """A fold's clips that the store has, by id."""

    number: int
    train: list[str]
    test: list[str]


class Answer(NamedTuple):
    """What one seed's encoder said of one fold, in one gallery."""

    seed: int
    fold: Fold
    own: np.ndarray  # int (clips,): each clip's row of the gallery
    scored: Scored


class Opened(NamedTuple):
    """An encoder on a split, ready to be asked."""

    encoder: str
    each: list[Any]  # one a seed
    seeds: list[int]
    clips: pd.DataFrame  # the manifest, by id
    rows: pd.DataFrame  # of the split
    store: FeatureStore
    folds: list[Fold]
    n_total: int
    n_dropped: dict[str, int]


def opened(
    encoder: str,
    *,
    profile: str,
    corpus: str,
    split: str,
    seeds: Sequence[int],
    experiments: Path,
    params: Path,
    data: Path,
    features: Path,
    runs: Path,
    run: str | None = None,
) -> Opened:
    """Find an encoder's runs, the clips and their features; arguments as in :func:`evaluate`.

    Args:
        run: the name of a run of the encoder's that was trained on another corpus or split, such as
            ``in_domain``: it is asked on every fold.

    Raises:
        SignCLIPError: runs, store or split are missing or damaged.
    """
    clips = manifest.read(data / corpus)
    rows = splits.read(data / corpus, split)
    chosen: list[Any]
    if encoder in BASELINES:
        seeds = list(seeds)[:1]
        chosen = [Recogniser(encoder)]
    elif run is not None:
        experiment, other = trained_as(experiments, encoder)
        chosen = [TransferredRun(runs / experiment / str(seed) / run, **other) for seed in seeds]
    else:
        trained_on = dict(
            params=params,
            runs=runs,
            roles={int(fold): splits.fingerprint(part) for fold, part in rows.groupby("fold")},
            corpus_fingerprint=corpus_fingerprint(clips),
        )
        if skeletons.is_skeleton(encoder, runs):
            chosen = [
                skeletons.SkeletonEncoder(
                    Expected(encoder, profile, corpus, split, seed), **trained_on
                )
                for seed in seeds
            ]
        else:
            experiment, other = trained_as(experiments, encoder)
            chosen = [
                RunEncoder(
                    Expected(experiment, profile, corpus, split, seed),
                    experiments=experiments,
                    **trained_on,
                    **other,
                )
                for seed in seeds
            ]
    store = FeatureStore.of(clips, features / corpus / chosen[0].variant)
    by_id = clips.set_index("id", drop=False).rename_axis(None)
    folds, tested, dropped = _folds(rows, by_id["sign_language"], store, split)
    return Opened(encoder, chosen, list(seeds), by_id, rows, store, folds, tested, dropped)


def described(
    opened: Opened, *, corpus: str, split: str, revision: str, data: Path, seconds: float
) -> dict[str, Any]:
    """The fields of :class:`benchmarks.results.Result` that all tasks share.

    Args:
        seconds: that the encoders took for the test clips.
    """
    first, folds = opened.each[0], opened.folds
    fingerprints: dict[str, str] = {}
    for one in opened.each:
        fingerprints |= one.fingerprints
    refused = manifest.read_dropped(data / corpus)["reason"].value_counts()
    evaluated = sum(len(fold.test) for fold in folds)
    return dict(
        encoder=opened.encoder,
        title=first.title,
        revision=revision,
        corpus=corpus,
        split=split,
        n_total=opened.n_total,
        n_evaluated=evaluated,
        n_dropped=opened.n_dropped,
        corpus_dropped={str(reason): int(count) for reason, count in refused.items()},
        corpus_fingerprint=opened.store.meta["corpus_fingerprint"],
        split_fingerprint=splits.fingerprint(opened.rows),
        signers=splits.shared_signers(opened.rows, opened.clips).text(),
        folds=[fold.number for fold in folds],
        seeds=opened.seeds,
        runs=fingerprints,
        cost=results.Cost(
            parameters=first.parameters,
            training_seconds=sum(one.training_seconds for one in opened.each),
            evaluation_clips_per_second=len(opened.seeds) * evaluated / seconds,
        ),
        git_commit=results.git_commit(),
        packages=results.packages(),
        hardware=results.hardware(),
    )


def evaluate(
    encoder: str,
    *,
    profile: str,
    corpus: str,
    split: str,
    seeds: Sequence[int],
    experiments: Path,
    params: Path,
    data: Path,
    features: Path,
    runs: Path,
    predictions: Path,
    leaderboard: Path,
    revision: str | None = None,
) -> dict[str, results.Result]:
    """Evaluate an experiment or a baseline on a split and write results and predictions.

    Args:
        encoder: an experiment's id or a skeleton model's (its runs are read), or a name of
            ``baselines.BASELINES``.
        profile: that the runs were trained with.
        seeds: of the runs; several are one measurement. A baseline has no chance in it and takes
            the first alone.
        predictions: folder that becomes ``clips.parquet`` and ``gallery.parquet``.
        revision: under which the results are written; default the profile.

    Returns:
        task -> result.

    Raises:
        SignCLIPError: runs, store or split are missing or damaged.
    """
    found = opened(
        encoder,
        profile=profile,
        corpus=corpus,
        split=split,
        seeds=seeds,
        experiments=experiments,
        params=params,
        data=data,
        features=features,
        runs=runs,
    )
    clips, store, folds = found.clips, found.store, found.folds
    asked = galleries.of(split, clips, found.rows, found.each[0].template)
    start = time.perf_counter()
    scored = [[_score_fold(one, fold, asked, clips, store) for fold in folds] for one in found.each]
    seconds = time.perf_counter() - start
    common = described(
        found, corpus=corpus, split=split, revision=revision or profile, data=data, seconds=seconds
    )
    written, tables = {}, {}
    for place, gallery in enumerate(asked):
        answers = [
            Answer(seed, fold, np.array([gallery.own[clip] for clip in fold.test]), of_fold[place])
            for seed, of_seed in zip(found.seeds, scored, strict=True)
            for fold, of_fold in zip(folds, of_seed, strict=True)
        ]
        predicted = pd.concat(
            [_clip_table(answer, gallery, clips, embeddings=not place) for answer in answers],
            ignore_index=True,
        )
        prefix = TAGGED if gallery.task == galleries.TAGGED_RETRIEVAL else ""
        tables[prefix + CLIPS_FILE] = predicted
        tables[prefix + GALLERY_FILE] = pd.concat(
            [_gallery_table(answer, gallery) for answer in answers], ignore_index=True
        )
        by_seed = [
            [tasks.FoldScores(a.scored.scores, a.own) for a in answers if a.seed == seed]
            for seed in found.seeds
        ]
        written[gallery.task] = results.Result(
            **common,
            task=gallery.task,
            scores=tasks.retrieval(*by_seed),
            labels=len(gallery.names),
            ranks={
                str(clip): [int(rank) for rank in ranks]
                for clip, ranks in predicted.groupby("id")["rank"]
            },
        )
    with files.writing(predictions), files.atomic_folder(predictions) as partial:
        for name, table in tables.items():
            table.to_parquet(partial / name, index=False)
    for result in written.values():
        result.write(leaderboard)
    return written


def _folds(
    rows: pd.DataFrame, language_of: pd.Series, store: FeatureStore, split: str
) -> tuple[list[Fold], int, dict[str, int]]:
    """The folds, how many test clips they have in all, and why some are not evaluated.

    Raises:
        ConfigError: a fold has nothing left.
    """
    folds, tested, dropped = [], 0, {}
    for number, part in rows.groupby("fold", sort=True):
        ids = {role: list(part["id"][part["role"] == role]) for role in splits.ROLES}
        # a split excludes clips of languages that validate, too: those are no test clips
        languages = set(language_of[ids["test"]])
        excluded = sum(language_of[i] in languages for i in ids["excluded"])
        tested += len(ids["test"]) + excluded
        _count(dropped, "its label is in no training language", excluded)
        _count(dropped, "not in the feature store", sum(i not in store for i in ids["test"]))
        fold = Fold(
            int(number), *([i for i in ids[role] if i in store] for role in ("train", "test"))
        )
        if not fold.train or not fold.test:
            raise ConfigError(f"split {split}, fold {number}: no training or no test clip is left")
        folds.append(fold)
    return folds, tested, dropped


def _count(dropped: dict[str, int], reason: str, count: int) -> None:
    if count:
        dropped[reason] = dropped.get(reason, 0) + count


def _score_fold(
    encoder: Any, fold: Fold, asked: Sequence[Gallery], clips: pd.DataFrame, store: FeatureStore
) -> list[Scored]:
    """A fold's test clips in each gallery."""
    known = clips.loc[fold.train]
    languages = list(zip(known["sign_language"], known["spoken_language"], strict=True))
    features = [store[i] for i in fold.train] if encoder.learns else []
    training = Training(features, list(known["text"]), languages)
    return encoder.score_fold(
        fold.number, training, [store[i] for i in fold.test], asked, fold.test
    )


def _clip_table(
    answer: Answer, gallery: Gallery, clips: pd.DataFrame, *, embeddings: bool
) -> pd.DataFrame:
    ids, scored = answer.fold.test, answer.scored
    table = pd.DataFrame(
        {
            "seed": answer.seed,
            "fold": answer.fold.number,
            "id": ids,
            "sign_language": list(clips.loc[ids, "sign_language"]),
            "label": [gallery.names[i] for i in answer.own],
            "predicted": [gallery.names[i] for i in scored.scores.argmax(axis=0)],
            "rank": metrics.v2t_ranks(scored.scores, answer.own),
            "scores": list(scored.scores.T),
        }
    )
    if embeddings and scored.clips is not None:
        table["embedding"] = list(scored.clips)
    return table


def _gallery_table(answer: Answer, gallery: Gallery) -> pd.DataFrame:
    table = pd.DataFrame(
        {"seed": answer.seed, "fold": answer.fold.number, "label": list(gallery.names)}
    )
    if answer.scored.gallery is not None:
        table["embedding"] = list(answer.scored.gallery)
    return table
