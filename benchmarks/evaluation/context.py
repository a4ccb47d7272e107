"""The evaluation context: an encoder on a split of a corpus, found and checked.

Decisions
* Several seeds are one measurement; the context has one encoder per seed.
* A run may be evaluated on a corpus or split that it was not trained on. It then serves all folds,
  without the test clips that it was trained on.
* Tasks (:mod:`benchmarks.tasks`) see an :class:`EvaluationContext` to decide whether they apply,
  and a :class:`FoldContext` of each fold and seed to compute their ranks.

Cost: reading the manifest and the index of the features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks import metrics, results
from benchmarks.evaluation import galleries
from benchmarks.evaluation.embedding import EmbeddingFold
from benchmarks.evaluation.embeddings import Cache
from benchmarks.evaluation.encoders import Encoder, OpenFold, Training
from benchmarks.evaluation.factory import encoder_name, open_encoder
from benchmarks.evaluation.folds import Fold, Folds, StoredClips, read_folds
from benchmarks.evaluation.galleries import Gallery
from benchmarks.evaluation.inputs import Clips, open_clips
from benchmarks.evaluation.ranks import GalleryRanks
from benchmarks.evaluation.runs import TrainedOn
from benchmarks.metrics import streaming
from signclip.core.errors import ConfigError
from signclip.core.workspace import RunId, Workspace
from signclip.corpora import manifest, splits
from signclip.features.store import corpus_fingerprint
from signclip.text import label


class SplitClips(NamedTuple):
    """The clips of a corpus and the rows of one of its splits."""

    corpus: str
    split: str
    clips: pd.DataFrame  # the manifest
    rows: pd.DataFrame
    fingerprint: str  # of the corpus


@dataclass(frozen=True, eq=False)
class EvaluationContext:
    """An encoder on a split of a corpus.

    Attributes:
        encoder: its name in paths and tables.
        run: name of the run that serves all folds, if it was trained on another corpus or split.
        encoders: one per seed.
        clips: the manifest, by id.
        rows: the rows of the split.
        split_folds: the folds, with the counts of dropped clips.
        group: of the results (:mod:`benchmarks.results`).
        custom_revision: under which the results are written; None: the profile and the run.
    """

    encoder: str
    workspace: Workspace
    profile: str
    corpus: str
    split: str
    run: str | None
    encoders: list[Encoder]
    seeds: list[int]
    clips: pd.DataFrame
    rows: pd.DataFrame
    store: Clips
    split_folds: Folds
    group: str = results.LOCAL
    custom_revision: str | None = None

    def named(self, *, group: str | None = None, revision: str | None = None) -> EvaluationContext:
        """The same context with results under another group or revision; None keeps them."""
        return replace(
            self, group=group or self.group, custom_revision=revision or self.custom_revision
        )

    @cached_property
    def split_clips(self) -> list[str]:
        """The ids of the split's clips, of any role, that are in the store; sorted."""
        return sorted(clip for clip in set(self.rows["id"]) if clip in self.store)

    @property
    def folds(self) -> list[Fold]:
        """The folds of the split."""
        return self.split_folds.folds

    @property
    def revision(self) -> str:
        """Under which the results are written: the profile, with the run if there is one."""
        default = self.profile if self.run is None else f"{self.profile}.{self.run}"
        return self.custom_revision or default

    @property
    def predictions_name(self) -> str:
        """The split in the paths of predictions, with the run and a custom revision."""
        return ".".join(x for x in (self.split, self.run, self.custom_revision) if x)

    @cached_property
    def cache(self) -> Cache:
        """Cached embeddings of the clips."""
        return Cache(self.workspace.embeddings / self.corpus, self.store)

    @property
    def first_encoder(self) -> Encoder:
        """The encoder with the first seed; those of other seeds are of the same kind."""
        return self.encoders[0]

    @cached_property
    def label_gallery(self) -> Gallery:
        """The labels of the split."""
        return galleries.labels(self._candidates)

    @cached_property
    def prompt_gallery(self) -> Gallery:
        """The encoder's prompts of the split, with language tags."""
        return galleries.prompts(self._candidates, self.first_encoder.template)

    @cached_property
    def _candidates(self) -> pd.DataFrame:
        return galleries.candidates(self.split, self.clips, self.rows)

    def labels(self, ids: Sequence[str]) -> list[str]:
        """The labels of clips."""
        return [label(text) for text in self.clips.loc[list(ids), "text"]]

    def languages(self, ids: Sequence[str]) -> list[str]:
        """The sign languages of clips."""
        return list(self.clips.loc[list(ids), "sign_language"])

    @cached_property
    def pretraining_labels(self) -> tuple[str, ...]:
        """One label for each clip of a transferred encoder's training corpus, if that is known."""
        return self.first_encoder.pretraining_labels(self.workspace.data)

    def open_fold(self, fold: Fold, encoder: Encoder) -> FoldContext:
        """Load or fit an encoder of the context on a fold.

        Raises:
            SignCLIPError: the fold's run or the store is damaged.
        """
        known = self.clips.loc[fold.train]
        features = [self.store[clip] for clip in fold.train] if encoder.fits else []
        languages = list(zip(known["sign_language"], known["spoken_language"], strict=True))
        training = Training(features, list(known["text"]), languages)
        return FoldContext(self, fold, encoder.open_fold(fold.number, training, self.cache))

    def embed(self, ids: Sequence[str]) -> np.ndarray:
        """Embeddings of any clips by the first fold's encoder of the first seed, (n, d).

        Raises:
            ConfigError: the encoder has no embeddings.
            SignCLIPError: the run or the store is damaged.
        """
        if not self.first_encoder.embeds:
            raise ConfigError(f"{self.encoder} has no embeddings")
        return self.open_fold(self.folds[0], self.first_encoder).embedding_fold.embed(ids)

    def described(self, seconds: float) -> dict[str, Any]:
        """The fields of :class:`benchmarks.results.Result` that all tasks share.

        Args:
            seconds: time that the encoders took to score the test clips; 0: no task scored any.
        """
        runs: dict[str, str] = {}
        for encoder in self.encoders:
            runs |= encoder.runs
        scored = len(self.seeds) * sum(len(fold.test) for fold in self.folds)
        refused = manifest.read_dropped(self.workspace.corpus(self.corpus))["reason"]
        return dict(
            group=self.group,
            encoder=self.encoder,
            title=self.first_encoder.title,
            revision=self.revision,
            corpus=self.corpus,
            split=self.split,
            n_total=self.split_folds.n_total,
            corpus_dropped={str(why): int(n) for why, n in refused.value_counts().items()},
            corpus_fingerprint=self.store.meta["corpus_fingerprint"],
            split_fingerprint=splits.fingerprint(self.rows),
            signers=splits.shared_signers(self.rows, self.clips).text(),
            folds=[fold.number for fold in self.folds],
            seeds=self.seeds,
            runs=runs,
            encoder_fingerprint=self.first_encoder.fingerprint,
            cost=results.Cost(
                parameters=self.first_encoder.parameters,
                training_seconds=sum(encoder.training_seconds for encoder in self.encoders),
                evaluation_clips_per_second=scored / seconds if seconds else 0.0,
            ),
            git_commit=results.git_commit(),
            packages=results.packages(),
            hardware=results.hardware(),
        )


@dataclass(eq=False)
class FoldContext:
    """One fold with one seed's encoder, loaded or fitted: what a task computes its ranks from."""

    context: EvaluationContext
    fold: Fold
    encoder: OpenFold
    _warned: bool = field(default=False, init=False)

    @property
    def embedding_fold(self) -> EmbeddingFold:
        """The encoder, which has embeddings: prompts, texts and clips can be embedded."""
        if not isinstance(self.encoder, EmbeddingFold):
            raise ConfigError(f"{self.context.encoder} has no embeddings")
        return self.encoder

    def embeddings(self, ids: Sequence[str]) -> np.ndarray:
        """Embeddings of clips, (n, d). All clips of the split are embedded at once, and cached."""
        self.embedding_fold.prepare(self.context.split_clips)
        return self.embedding_fold.embed(ids)

    def seconds(self) -> float:
        """Time that the encoder took to score the fold's test clips."""
        return self.encoder.seconds(self.fold.test)

    def rank(self, gallery: Gallery) -> GalleryRanks:
        """Rank the test clips in a gallery that has their texts."""
        test = self.fold.test
        if self.encoder.vocabulary is not None:
            self._warn(gallery, self.encoder.vocabulary)
        stored = StoredClips(self.context.store, test)
        scored = self.encoder.score(stored, gallery, test)
        targets = np.array([gallery.targets[clip] for clip in test])
        return GalleryRanks(test, targets, gallery.names, scored.ranks(targets), scored)

    def rank_texts(
        self,
        texts: np.ndarray,
        names: Sequence[str],
        target_names: Sequence[str],
        ids: Sequence[str] | None = None,
    ) -> GalleryRanks:
        """Rank clips among embedded texts, by dot product.

        Args:
            texts: (texts, d).
            names: of the texts.
            target_names: the name that is right for each clip.
            ids: of the clips; default the test clips.
        """
        ids = self.fold.test if ids is None else list(ids)
        targets = rows_of(target_names, names)
        ranks = streaming.ranks(self.embeddings(ids), texts, targets)
        return GalleryRanks(ids, targets, names, ranks)

    def classify(self, classifier: Callable[..., np.ndarray]) -> GalleryRanks:
        """Rank the labels of the test clips by a classifier of embeddings.

        Args:
            classifier: (training embeddings, their labels, test embeddings, classes) -> scores
                (classes, clips), see :mod:`benchmarks.evaluation.classifiers`.
        """
        context, gallery = self.context, self.context.label_gallery
        self._warn(gallery, context.labels(self.fold.train))
        return self.classify_as(classifier, context.labels, list(gallery.names))

    def classify_as(
        self,
        classifier: Callable[..., np.ndarray],
        named: Callable[[Sequence[str]], list[str]],
        classes: list[str],
    ) -> GalleryRanks:
        """Rank any classes of the test clips; see :meth:`classify`.

        Args:
            named: the class of each clip, by id.
            classes: all of them, in the order that decides ties.
        """
        train, test = self.fold.train, self.fold.test
        known, embedded = named(train), self.embeddings(train)
        scores = classifier(embedded, known, self.embeddings(test), classes)
        targets = rows_of(named(test), classes)
        return GalleryRanks(test, targets, classes, metrics.ranks(scores, targets))

    def _warn(self, gallery: Gallery, known: Iterable[str]) -> None:
        """Log once which labels a closed vocabulary lacks."""
        if not self._warned:
            self._warned = True
            galleries.warn_of_unknown(
                self.context.encoder, self.fold.number, gallery, known, self.fold.test
            )


def rows_of(wanted: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Position of each wanted name among the names: int64 (wanted,)."""
    row = {name: i for i, name in enumerate(names)}
    return np.array([row[name] for name in wanted], np.int64)


def open_context(
    encoder: str,
    workspace: Workspace,
    *,
    profile: str,
    corpus: str,
    split: str,
    seeds: Sequence[int],
    run: str | None = None,
    limit: int | None = None,
) -> EvaluationContext:
    """Find an encoder's runs, the clips and their features.

    Args:
        encoder: an experiment or a skeleton model with runs, a floor, the path of a model, or a
            dotted path; see :mod:`benchmarks.evaluation.factory`.
        profile: that the runs were trained with.
        seeds: of the runs; several are one measurement. An encoder without seeds takes the first.
        run: name of a run of the encoder that was trained on another corpus or split, such as
            ``in_domain``; it serves every fold.
        limit: see :func:`read_split`.

    Raises:
        SignCLIPError: runs, store or split are missing, damaged, or do not belong together.
    """
    part = read_split(workspace, corpus, split)
    roles = {int(fold): splits.fingerprint(rows) for fold, rows in part.rows.groupby("fold")}
    trained_on = TrainedOn(part.fingerprint, roles)
    encoders: list[Encoder] = []
    for seed in seeds:
        wanted = RunId(encoder, profile, corpus, split, None, seed)
        encoders.append(open_encoder(wanted, workspace, trained_on, transferred=run))
        if not encoders[0].seeded:
            break
    if limit is not None:
        part = read_split(workspace, corpus, split, limit=limit)
    found = context_of(encoders, encoder_name(encoder), part, workspace, profile=profile)
    return replace(found, run=run, seeds=list(seeds)[: len(encoders)])


def read_split(
    workspace: Workspace, corpus: str, split: str, *, limit: int | None = None
) -> SplitClips:
    """The clips of a corpus and the rows of a split.

    Args:
        limit: keep only so many test clips of each fold, the first ones, and the training clips
            that share a label with one of them. The split's fingerprint is another one then, so
            that the results share no column with those of all clips.

    Raises:
        ConfigError: the corpus is not built or damaged, or it has no such split.
    """
    folder = workspace.corpus(corpus)
    clips, rows = manifest.read(folder), splits.read(folder, split)
    if limit is not None:
        rows = _limited(rows, clips.set_index("id")["text"].map(label), limit)
    return SplitClips(corpus, split, clips, rows, corpus_fingerprint(clips))


def _limited(rows: pd.DataFrame, labels: pd.Series, limit: int) -> pd.DataFrame:
    """See :func:`read_split`."""
    kept = []
    for _, fold in rows.groupby("fold"):
        test = fold[fold["role"] == "test"].head(limit)
        train = fold[fold["role"] == "train"]
        tested = set(labels[test["id"]])
        kept += [train[labels[train["id"]].isin(tested).to_numpy()], test]
    return pd.concat(kept, ignore_index=True)


def context_of(
    encoders: list[Encoder], name: str, part: SplitClips, workspace: Workspace, *, profile: str
) -> EvaluationContext:
    """The evaluation context of encoders that are open already, one per seed.

    Args:
        name: of the encoder in paths and tables.

    Raises:
        SignCLIPError: the clips are not to be had as the encoder reads them, or no test clip is
            left.
    """
    by_id = part.clips.set_index("id", drop=False).rename_axis(None)
    store = open_clips(encoders[0].input, part.clips, workspace, part.corpus)
    known: set[str] = set()
    if encoders[0].transferred:
        folder = workspace.corpus(part.corpus)
        known = known.union(*(one.trained_on(folder, part.fingerprint) for one in encoders))
    return EvaluationContext(
        encoder=name,
        workspace=workspace,
        profile=profile,
        corpus=part.corpus,
        split=part.split,
        run=None,
        encoders=encoders,
        seeds=list(range(len(encoders))),
        clips=by_id,
        rows=part.rows,
        store=store,
        split_folds=read_folds(part.rows, by_id["sign_language"], store, part.split, known),
    )
