"""Exact retrieval metrics over unique texts: R@k, P@k, MRR, MedianR and MeanR from ranks.

Decisions
* This is what all tables and the leaderboard show; :mod:`benchmarks.metrics.reference` is the
  paper's own measure. The two agree where clips of equal text have equal scores and no other scores
  are equal.
* Equal scores are a tie, and every metric is its expected value over a random order of the tied
  (:mod:`benchmarks.metrics.ties`): equal scores everywhere give chance.

Cost: 0.2 s for 5,000 clips on one core.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics.arrays import CHUNK, checked_square, take_rows
from benchmarks.metrics.ranking import PRECISION_AT, T2VHits, t2v_hits, v2t_ranks
from benchmarks.metrics.ties import TiedRanks, median, rank_units

Metrics = dict[str, float]


def retrieval(
    scores_text_x_pose: ArrayLike, texts: Sequence[str], *, chunk: int = CHUNK
) -> dict[str, Metrics]:
    """Compute exact retrieval metrics over unique texts: `{'t2v': {...}, 'v2t': {...}}`.

    T2V: the query is a unique text, the gallery all clips. R@k is the share of queries with a right
    clip in the first k, P@k the number of right clips in the first k divided by k; MRR, MedianR and
    MeanR are over the rank of the best right clip. V2T: the query is a clip, the gallery the unique
    texts; P@k is R@k / k. The row of a text is that of its first occurrence. If k exceeds the
    gallery, R@k is 1 and P@k still divides by k.

    Equal scores are a tie. A query's rank is any from the lowest to the highest that an order of
    the tied gives it; R@k, P@k, MRR and MeanR are their expected values over a random order, and
    MedianR is the median of all ranks in all orders, each query with the same weight
    (:func:`benchmarks.metrics.ties.median`).

    Args:
        scores_text_x_pose: (n, n), text of clip i against clip j, higher is better.
        texts: n texts; equal strings are one text.
        chunk: clips ranked at a time; changes memory, never the result.

    Returns:
        For 't2v' and 'v2t' the keys R@1, R@5, R@10, R@20, P@1, P@5, P@10, MRR, MedianR, MeanR.

    Raises:
        ValueError: the scores are empty, not (n, n) for n texts, or not finite (the first is
            named).
    """
    scores, first_rows, targets = checked_square(scores_text_x_pose, texts)
    scores = take_rows(scores, first_rows)
    return {
        "t2v": t2v_metrics(t2v_hits(scores, targets, chunk=chunk)),
        "v2t": v2t_metrics(v2t_ranks(scores, targets, chunk=chunk)),
    }


def v2t_metrics(ranks: TiedRanks) -> Metrics:
    """The V2T metrics of `retrieval` from ranks (clips,).

    A clip has one right label, so P@k is R@k / k.
    """
    recall = _rank_metrics(ranks)
    return recall | {f"P@{k}": recall[f"R@{k}"] / k for k in PRECISION_AT}


def t2v_metrics(hits: T2VHits) -> Metrics:
    """The T2V metrics of `retrieval` from hits at the depths `PRECISION_AT` (or more)."""
    precision = {f"P@{k}": float(np.mean(hits.hits[k]) / k) for k in PRECISION_AT}
    return _rank_metrics(hits.first_rank) | precision


def _rank_metrics(ranks: TiedRanks) -> Metrics:
    """R@k, MRR, MedianR, MeanR of ranks (queries,)."""
    means = {name: float(np.mean(of)) for name, of in rank_units(ranks).items() if name != "DCG"}
    return means | {"MedianR": median(ranks)}
