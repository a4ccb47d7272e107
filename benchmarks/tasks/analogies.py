"""Analogies of poses: (language, letter) - (other language, letter) + (other language, own letter).

Decision: only where each (sign language, label) has one clip, so that an analogy names four clips.
The ranks of all analogies of a test clip are averaged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.evaluation.ranks import NO_QUERIES, CandidateRanks
from benchmarks.metrics import embedding_space
from benchmarks.tasks import Task, _conditions

if TYPE_CHECKING:
    from benchmarks.evaluation.context import EvaluationContext, FoldContext
    from benchmarks.evaluation.folds import Fold


def run(fold: FoldContext) -> CandidateRanks:
    """Rank each test clip as the answer of its analogies, among all other clips."""
    context, test = fold.context, fold.fold.test
    ids = sorted({*fold.fold.train, *test})
    pairs = list(zip(context.languages(ids), context.labels(ids), strict=True))
    position = {clip: i for i, clip in enumerate(ids)}
    queries = embedding_space.parallelograms(pairs, [position[clip] for clip in test])
    if not len(queries):
        return NO_QUERIES
    ranks = embedding_space.analogies(fold.embeddings(ids), queries)
    kept = [clip for clip in test if (queries[:, 3] == position[clip]).any()]
    of_clip = [ranks[queries[:, 3] == position[clip]] for clip in kept]
    candidates = [np.full(len(one), len(ids) - 3) for one in of_clip]
    return CandidateRanks(kept, of_clip, candidates, [""] * len(kept))


def pairs_repeat(context: EvaluationContext) -> str | None:
    """Analogies need one clip for each (sign language, label)."""
    for fold in context.folds:
        if not each_pair_once(context, fold):
            return "a (sign language, label) pair has several clips"
    return None


def each_pair_once(context: EvaluationContext, fold: Fold) -> bool:
    """Whether each (sign language, label) of a fold has one clip."""
    ids = [*fold.train, *fold.test]
    return len(set(zip(context.languages(ids), context.labels(ids), strict=True))) == len(ids)


skip = _conditions.first_of(_conditions.no_embeddings, _conditions.no_language_tags, pairs_repeat)

TASKS = (
    Task(
        "analogies",
        "analogies of poses",
        "language",
        run,
        skip,
        order=4,
        dropped="no parallelogram of other clips has it as a corner",
    ),
)
