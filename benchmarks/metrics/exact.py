"""Exact retrieval metrics over unique texts: R@k, P@k, MRR, MedianR and MeanR from ranks.

Decision: this is what all tables and the leaderboard show; :mod:`benchmarks.metrics.reference` is
the paper's own measure. The two agree where clips of equal text have equal scores and no other
scores are equal. Cost: 0.2 s for 5,000 clips on one core.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics.arrays import CHUNK, checked_square, take_rows
from benchmarks.metrics.ranking import PRECISION_AT, RECALL_AT, T2VHits, t2v_hits, v2t_ranks

Metrics = dict[str, float]


def retrieval(
    scores_text_x_pose: ArrayLike, texts: Sequence[str], *, chunk: int = CHUNK
) -> dict[str, Metrics]:
    """Compute exact retrieval metrics over unique texts: `{'t2v': {...}, 'v2t': {...}}`.

    T2V: the query is a unique text, the gallery all clips. R@k is the share of queries with a right
    clip in the first k, P@k the number of right clips in the first k divided by k; MRR, MedianR and
    MeanR are over the rank of the best right clip. V2T: the query is a clip, the gallery the unique
    texts; P@k is R@k / k. The row of a text is that of its first occurrence, and unique texts keep
    that order for ties. If k exceeds the gallery, R@k is 1 and P@k still divides by k.

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


def v2t_metrics(ranks: NDArray[np.int64]) -> Metrics:
    """The V2T metrics of `retrieval` from ranks (clips,).

    A clip has one right label, so P@k is R@k / k.
    """
    recall = _rank_metrics(ranks)
    return recall | {f"P@{k}": recall[f"R@{k}"] / k for k in PRECISION_AT}


def t2v_metrics(hits: T2VHits) -> Metrics:
    """The T2V metrics of `retrieval` from hits at the depths `PRECISION_AT` (or more)."""
    precision = {f"P@{k}": float(np.mean(hits.hits[k]) / k) for k in PRECISION_AT}
    return _rank_metrics(hits.first_rank) | precision


def rank_units(ranks: ArrayLike) -> dict[str, NDArray]:
    """The contribution of each query to the metrics, for queries with one right result, as in V2T.

    DCG is 1 / log2(1 + rank): relevance is binary and there is no cut-off, so the ideal DCG is 1
    and DCG equals NDCG, as in papers on isolated signs (ASL Citizen, Desai et al., 2023). (With
    several right results, as in T2V, DCG would be a sum over them.)

    Args:
        ranks: ints of any shape, 1-based.

    Returns:
        Metric -> array of that shape; the metric is its mean, for MedianR its median.

    Raises:
        ValueError: the ranks are empty, not integers, or below 1.
    """
    ranks = np.asarray(ranks)
    if ranks.size == 0 or ranks.dtype.kind not in "iu":
        raise ValueError(f"ranks must be ints and not empty, got {ranks.dtype} of {ranks.shape}")
    if ranks.min() < 1:
        cell = tuple(int(i) for i in np.argwhere(ranks < 1)[0])
        raise ValueError(f"ranks{list(cell)} is {ranks[cell]}; ranks begin at 1")
    units = {f"R@{k}": ranks <= k for k in RECALL_AT}
    units |= {"MRR": 1 / ranks, "DCG": 1 / np.log2(1 + ranks)}
    return units | {"MedianR": ranks, "MeanR": ranks}


def _rank_metrics(ranks: NDArray[np.int64]) -> Metrics:
    """R@k, MRR, MedianR, MeanR of 1-based ranks (queries,)."""
    units = rank_units(ranks)
    middle = {"MedianR": float(np.median(units["MedianR"]))}
    means = {name: float(np.mean(of)) for name, of in units.items() if name != "DCG"}
    return means | middle
