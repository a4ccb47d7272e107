"""An encoder on a split of a corpus, ready to be asked: runs, clips and features found and checked.

Decisions
* Several seeds are one measurement: an encoder each.
* Test clips that cannot be scored are counted by reason, never skipped silently. (A clip that a
  split excludes is a test clip if its fold tests its language.)
* A run may be asked of a corpus or split that it was not trained on; then it serves every fold,
  without the clips that it learned from.

Cost: reading the manifest and the index of the features.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from baselines import BASELINES
from baselines.skeletons import table
from benchmarks import results
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.encoders import (
    Expected,
    Recogniser,
    RunEncoder,
    TransferredRun,
    trained_as,
)
from benchmarks.evaluation.scores import Fold
from signclip.core.errors import ConfigError
from signclip.corpora import manifest, splits
from signclip.features.store import FeatureStore, corpus_fingerprint
from signclip.poses import Features


class Stored(Sequence[Features]):
    """Clips of a store, read when they are looked at."""

    def __init__(self, store: FeatureStore, ids: Sequence[str]):
        self._store, self._ids = store, ids

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, position: int | slice) -> Features | Stored:
        if isinstance(position, slice):
            return Stored(self._store, self._ids[position])
        return self._store[self._ids[position]]


class Opened(NamedTuple):
    """An encoder on a split, ready to be asked."""

    encoder: str
    profile: str
    corpus: str
    split: str
    run: str | None  # that every fold is asked of, where it was trained elsewhere
    each: list[Any]  # one a seed
    seeds: list[int]
    clips: pd.DataFrame  # the manifest, by id
    rows: pd.DataFrame  # of the split
    store: FeatureStore
    folds: list[Fold]
    n_total: int
    n_dropped: dict[str, int]
    corpus_dropped: dict[str, int]  # when the corpus was read
    data: Path  # folder of the corpora
    cache: Cache  # of the clips' embeddings

    def must_embed(self) -> None:
        """Refuse an encoder without embeddings.

        Raises:
            ConfigError: it is a recogniser.
        """
        if not isinstance(self.each[0], RunEncoder | TransferredRun):
            raise ConfigError(f"{self.encoder} has no embeddings: it is asked by `evaluate` alone")

    def described(self, revision: str | None, seconds: float) -> dict[str, Any]:
        """The fields of :class:`benchmarks.results.Result` that all tasks share.

        Args:
            revision: None: the profile, with the run behind it where there is one.
            seconds: that the encoders took, or once took, for the test clips.
        """
        first = self.each[0]
        fingerprints: dict[str, str] = {}
        for one in self.each:
            fingerprints |= one.fingerprints
        evaluated = sum(len(fold.test) for fold in self.folds)
        own = self.profile if self.run is None else f"{self.profile}.{self.run}"
        return dict(
            encoder=self.encoder,
            title=first.title,
            revision=revision or own,
            corpus=self.corpus,
            split=self.split,
            n_total=self.n_total,
            n_evaluated=evaluated,
            n_dropped=self.n_dropped,
            corpus_dropped=self.corpus_dropped,
            corpus_fingerprint=self.store.meta["corpus_fingerprint"],
            split_fingerprint=splits.fingerprint(self.rows),
            signers=splits.shared_signers(self.rows, self.clips).text(),
            folds=[fold.number for fold in self.folds],
            seeds=self.seeds,
            runs=fingerprints,
            cost=results.Cost(
                parameters=first.parameters,
                training_seconds=sum(one.training_seconds for one in self.each),
                evaluation_clips_per_second=len(self.seeds) * evaluated / seconds,
            ),
            git_commit=results.git_commit(),
            packages=results.packages(),
            hardware=results.hardware(),
        )


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
    embeddings: Path,
    run: str | None = None,
) -> Opened:
    """Find an encoder's runs, the clips and their features.

    Args:
        encoder: an experiment's id or a skeleton model's (its runs are read), or a name of
            ``baselines.BASELINES``.
        profile: that the runs were trained with.
        seeds: of the runs; several are one measurement. A baseline has no chance in it and takes
            the first alone.
        embeddings: folder of what was embedded before (:mod:`benchmarks.evaluation.embeddings`).
        run: the name of a run of the encoder's that was trained on another corpus or split, such as
            ``in_domain``: it is asked on every fold.

    Raises:
        SignCLIPError: runs, store or split are missing or damaged.
    """
    clips = manifest.read(data / corpus)
    rows = splits.read(data / corpus, split)
    this_corpus = corpus_fingerprint(clips)
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
            corpus_fingerprint=this_corpus,
        )
        if table.is_skeleton(encoder, runs):
            from benchmarks.evaluation.skeletons import (
                SkeletonEncoder,  # MMEngine and torch, seconds
            )

            chosen = [
                SkeletonEncoder(Expected(encoder, profile, corpus, split, seed), **trained_on)
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
    learnt: set[str] = set()
    if run is not None:
        learnt = set().union(*(one.learnt(data / corpus, this_corpus) for one in chosen))
    folds, tested, dropped = _folds(rows, by_id["sign_language"], store, split, learnt)
    refused = manifest.read_dropped(data / corpus)["reason"].value_counts()
    return Opened(
        encoder=encoder,
        profile=profile,
        corpus=corpus,
        split=split,
        run=run,
        each=chosen,
        seeds=list(seeds),
        clips=by_id,
        rows=rows,
        store=store,
        folds=folds,
        n_total=tested,
        n_dropped=dropped,
        corpus_dropped={str(reason): int(count) for reason, count in refused.items()},
        data=data,
        cache=Cache(embeddings / corpus, store),
    )


def _folds(
    rows: pd.DataFrame,
    language_of: pd.Series,
    store: FeatureStore,
    split: str,
    learnt: Collection[str] = (),
) -> tuple[list[Fold], int, dict[str, int]]:
    """The folds, how many test clips they have in all, and why some are not evaluated.

    Args:
        learnt: clips that the encoder must not be tested on.

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
        there = {role: [i for i in ids[role] if i in store] for role in ("train", "test")}
        own = [i for i in there["test"] if i not in learnt]
        _count(dropped, "the run learned from it", len(there["test"]) - len(own))
        fold = Fold(int(number), there["train"], own)
        if not fold.train or not fold.test:
            why = "".join(f"; {count}: {reason}" for reason, count in dropped.items())
            raise ConfigError(
                f"split {split}, fold {number}: no training or no test clip is left{why}"
            )
        folds.append(fold)
    return folds, tested, dropped


def _count(dropped: dict[str, int], reason: str, count: int) -> None:
    if count:
        dropped[reason] = dropped.get(reason, 0) + count
