"""Sign-to-sign retrieval: a test clip is the query, the fold's other test clips are the gallery.

Decisions
* A clip is right if it has the query's label. Clips are compared by cosine.
* The gallery is test clips alone, so an encoder that was trained on the training clips and one that
  was not are asked the same.
* V2T_R@k is the share of queries with a right clip among the first k; mAP is the mean over queries
  of the average precision of all right clips. Chance follows from the number of right clips of each
  query.
* A query whose label no other test clip has is counted as dropped.
* Equal cosines are a tie, as everywhere: ranks and average precision are expected values.

Cost: test clips squared, in chunks; 5 s for 5,000 clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.evaluation.ranks import NO_QUERIES, CandidateRanks
from benchmarks.metrics import clip_retrieval
from benchmarks.tasks import Task, _conditions

if TYPE_CHECKING:
    from benchmarks.evaluation.context import FoldContext
    from benchmarks.results import Score

AP = "average precision"  # key of CandidateRanks.values
AP_CHANCE = "its chance"


def run(fold: FoldContext) -> CandidateRanks:
    """Rank the other test clips for each test clip that shares its label with one."""
    test, labels = fold.fold.test, fold.context.labels(fold.fold.test)
    found = clip_retrieval.retrieve(fold.embeddings(test), labels)
    if not len(found.queries):
        return NO_QUERIES
    return CandidateRanks(
        [test[row] for row in found.queries],
        found.first_rank.split([1] * len(found.queries)),
        [np.array([len(test) - 1])] * len(found.queries),
        [labels[row] for row in found.nearest],
        positives=list(found.positives[:, None]),
        values={
            AP: found.average_precision,
            AP_CHANCE: clip_retrieval.chance_average_precision(found.positives, len(test) - 1),
        },
    )


def mean_average_precision(ranks: Sequence[Sequence[CandidateRanks]]) -> dict[str, Score]:
    """mAP over the queries of all folds, averaged over seeds."""
    from benchmarks.metrics import intervals
    from benchmarks.results import Score

    each = [np.concatenate([fold.values[AP] for fold in of_seed if fold.ids]) for of_seed in ranks]
    chance = np.concatenate([fold.values[AP_CHANCE] for fold in ranks[0] if fold.ids])
    units = np.mean(each, axis=0)
    low, high = intervals.bootstrap_interval(units)
    value = float(np.mean(units))
    return {"mAP": Score(value=value, low=low, high=high, chance=float(np.mean(chance)))}


TASKS = (
    Task(
        "sign_to_sign",
        "clips of the same sign",
        "clips",
        run,
        _conditions.no_embeddings,
        order=1,
        dropped="no other test clip has its label",
        extra_scores=mean_average_precision,
    ),
)
