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

    T2V: each unique text queries all clips. R@k is the share of queries with a right clip in the
    first k, P@k the right clips in the first k divided by k, MRR, MedianR and MeanR are over the
    rank of the best right clip. V2T: each clip queries the unique texts; P@k is R@k / k. The row of
    a text is that of its first occurrence, and unique texts keep that order for ties. With a k
    larger than the gallery every R@k is 1, and P@k still divides by k: places that do not exist
    count as misses.

    Args:
        scores_text_x_pose: (n, n), text of clip i against clip j, higher is better.
        texts: n texts; equal strings are one text.
        chunk: clips ranked at a time; changes memory, never the result.

    Returns:
        For 't2v' and 'v2t' the keys R@1, R@5, R@10, R@20, P@1, P@5, P@10, MRR, MedianR, MeanR.

    Raises:
        ValueError: empty or not (n, n) for n texts, or a non-finite score (the first is named).
    """
    scores, first_rows, targets = checked_square(scores_text_x_pose, texts)
    scores = take_rows(scores, first_rows)
    return {
        "t2v": t2v_metrics(t2v_hits(scores, targets, chunk=chunk)),
        "v2t": v2t_metrics(v2t_ranks(scores, targets, chunk=chunk)),
    }


def v2t_metrics(ranks: NDArray[np.int64]) -> Metrics:
    """Sum up V2T ranks (clips,) as the keys of `retrieval`; a clip has one right label.

    P@k is therefore R@k / k.
    """
    recall = _rank_metrics(ranks)
    return recall | {f"P@{k}": recall[f"R@{k}"] / k for k in PRECISION_AT}


def t2v_metrics(hits: T2VHits) -> Metrics:
    """Sum up T2V hits, counted at `PRECISION_AT` or more depths, as the keys of `retrieval`."""
    precision = {f"P@{k}": float(np.mean(hits.hits[k]) / k) for k in PRECISION_AT}
    return _rank_metrics(hits.first_rank) | precision


def rank_units(ranks: ArrayLike) -> dict[str, NDArray]:
    """What each query with one right answer, as in V2T, adds to every metric of ranks.

    DCG is 1 / log2(1 + rank): relevance is binary and nothing is cut off, so the best possible is 1
    and DCG is NDCG too, as isolated-sign papers report it (ASL Citizen, Desai et al., 2023).
    (A sum over all right answers, as T2V would need, is another DCG.)

    Args:
        ranks: ints of any shape, 1-based.

    Returns:
        Metric -> array of that shape; the metric is its mean, of MedianR its median.

    Raises:
        ValueError: no ranks, no whole numbers, or one below 1.
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
