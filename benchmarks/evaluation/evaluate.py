"""From an encoder to result files.

Decisions
* A clip is scored from its own frames, and the gallery is the same for every clip. (Every
  (language, letter) occurs once, so whoever knows which letters a clip's language has in training
  can win by elimination.) What it is asked among: :mod:`benchmarks.evaluation.galleries`; what an encoder
  gets to see: :mod:`benchmarks.evaluation.encoders`.
* Encoders whose prompts name the sign language are asked twice, among labels and among (language,
  label) prompts, from one embedding of the clip.
* Embeddings are ranked without a matrix of scores (:mod:`benchmarks.metrics.streaming`).

Outputs: a result for each gallery (:mod:`benchmarks.results`), and every clip's answer
(:mod:`benchmarks.evaluation.predictions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results, tasks
from benchmarks.evaluation import galleries
from benchmarks.evaluation.context import Opened, Stored
from benchmarks.evaluation.encoders import Training
from benchmarks.evaluation.galleries import Gallery
from benchmarks.evaluation.predictions import write as write_predictions
from benchmarks.evaluation.scores import Answer, Embedded, Fold, Recognised


def evaluate(
    found: Opened, *, predictions: Path, leaderboard: Path, revision: str | None = None
) -> dict[str, results.Result]:
    """Measure retrieval on a split and write results and predictions.

    Args:
        predictions: folder of the predictions.
        revision: under which the results are written; default the profile.

    Returns:
        task -> result.

    Raises:
        SignCLIPError: a run or the store is damaged.
    """
    clips, folds = found.clips, found.folds
    asked = galleries.of(found.split, clips, found.rows, found.each[0].template)
    scored = [[_score_fold(one, fold, asked, found) for fold in folds] for one in found.each]
    common = found.described(revision, sum(one.scoring_seconds for one in found.each))
    answers: list[tuple[Gallery, list[Answer]]] = []
    written = {}
    for place, gallery in enumerate(asked):
        of_gallery = [
            _answer(seed, fold, gallery, of_fold[place])
            for seed, of_seed in zip(found.seeds, scored, strict=True)
            for fold, of_fold in zip(folds, of_seed, strict=True)
        ]
        by_seed = [[one.ranks for one in of_gallery if one.seed == seed] for seed in found.seeds]
        ranks: dict[str, list[int]] = {}
        for one in of_gallery:
            for clip, rank in zip(one.fold.test, one.ranks.v2t.tolist(), strict=True):
                ranks.setdefault(clip, []).append(rank)
        written[gallery.task] = results.Result(
            **common,
            task=gallery.task,
            scores=tasks.retrieval(*by_seed),
            labels=len(gallery.names),
            ranks=ranks,
        )
        answers.append((gallery, of_gallery))
    write_predictions(predictions, answers, clips["sign_language"])
    for result in written.values():
        result.write(leaderboard)
    return written


def _answer(seed: int, fold: Fold, gallery: Gallery, scored: Recognised | Embedded) -> Answer:
    own = np.array([gallery.own[clip] for clip in fold.test])
    return Answer(seed, fold, own, scored, scored.ranks(own))


def _score_fold(
    encoder: Any, fold: Fold, asked: Sequence[Gallery], found: Opened
) -> list[Recognised] | list[Embedded]:
    """A fold's test clips in each gallery."""
    known = found.clips.loc[fold.train]
    languages = list(zip(known["sign_language"], known["spoken_language"], strict=True))
    features = [found.store[i] for i in fold.train] if encoder.learns else []
    training = Training(features, list(known["text"]), languages)
    tested = Stored(found.store, fold.test)
    return encoder.score_fold(fold.number, training, tested, asked, fold.test, found.cache)
