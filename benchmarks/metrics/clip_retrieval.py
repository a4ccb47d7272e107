"""Retrieval of clips by clips: ranks of the right ones, average precision, and chance levels.

Decisions
* Every clip is a query, all others are its gallery; a clip is right if it has the query's label. A
  clip whose label no other has is no query.
* Cosines in float32, ties to the lower index. A zero vector has cosine 0 with everything.
* Chance is computed, not simulated: over a random order of the gallery.

Cost: clips squared, `CHUNK` queries at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK = 512  # queries ranked at a time: 512 x clips numbers, several times


class ClipRetrieval(NamedTuple):
    """One entry per query."""

    queries: NDArray[np.int64]  # row of the query among the clips, ascending
    first_rank: NDArray[np.int64]  # 1-based rank of the first right clip
    nearest: NDArray[np.int64]  # row of the clip that ranks first
    positives: NDArray[np.int64]  # number of right clips, at least 1
    average_precision: NDArray[np.float64]


def retrieve(embeddings: NDArray, labels: Sequence[str], *, chunk: int = CHUNK) -> ClipRetrieval:
    """Rank all other clips for each clip whose label occurs again.

    Args:
        embeddings: (clips, d), finite.
        labels: (clips,).
        chunk: queries ranked at a time; changes memory, never the result.

    Raises:
        ValueError: the numbers of embeddings and labels differ, or an embedding is not finite.
    """
    vectors = np.asarray(embeddings, np.float32)
    if vectors.ndim != 2 or len(vectors) != len(labels):
        raise ValueError(f"embeddings of shape {vectors.shape} for {len(labels)} labels")
    if not np.isfinite(vectors).all():
        odd = np.argwhere(~np.isfinite(vectors))[0][0]
        raise ValueError(f"the embedding of clip {odd} is not finite")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths == 0, 1, lengths)
    _, number, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    queries = np.flatnonzero(counts[number] > 1)
    empty = np.empty(0, np.int64)
    parts = [ClipRetrieval(empty, empty, empty, empty, np.empty(0))]
    for start in range(0, len(queries), chunk):
        parts.append(_of_part(queries[start : start + chunk], unit, number))
    return ClipRetrieval(*map(np.concatenate, zip(*parts, strict=True)))


def _of_part(queries: NDArray, unit: NDArray, number: NDArray) -> ClipRetrieval:
    # einsum, not a matrix product: its rounding does not depend on the number of queries
    scores = np.einsum("qd,cd->qc", unit[queries], unit)
    scores[np.arange(len(queries)), queries] = -np.inf  # the query itself ranks last
    order = np.argsort(-scores, axis=1, kind="stable")[:, :-1]
    right = number[order] == number[queries][:, None]
    places = np.arange(1, order.shape[1] + 1)
    positives = right.sum(axis=1)
    precision = np.cumsum(right, axis=1) / places
    average = (precision * right).sum(axis=1) / positives
    return ClipRetrieval(
        queries, right.argmax(axis=1) + 1, order[:, 0], positives.astype(np.int64), average
    )


def chance_average_precision(positives: ArrayLike, candidates: int) -> NDArray[np.float64]:
    """Expected average precision of a random order, for each number of right clips.

    The right clip at place k has k - 1 clips before it, each right with probability (m - 1) / (N -
    1): the mean over places is (H_N + (m - 1) / (N - 1) (N - H_N)) / N, H_N the harmonic number.

    Args:
        positives: m, ints in 1..candidates.
        candidates: N, size of the gallery.
    """
    positives = np.asarray(positives, np.float64)
    harmonic = float(np.sum(1 / np.arange(1, candidates + 1)))
    share = (positives - 1) / max(candidates - 1, 1)
    return (harmonic + share * (candidates - harmonic)) / candidates


def chance_first_hit(
    positives: int, candidates: int, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Expected metrics of the rank of the first of several right candidates in a random order.

    With one right candidate these are those of :func:`benchmarks.metrics.intervals.chance_v2t`.

    Args:
        positives: m, 1..candidates.
        candidates: N.
        ks: depths; beyond the gallery R@k is 1.

    Returns:
        R@k and P@k (= R@k / k) for each k, MRR, DCG, MedianR and MeanR.
    """
    ranks = np.arange(1, candidates - positives + 2)
    # P(first hit beyond rank r) = product over steps of (N - r - m + 1) / (N - r + 1)
    steps = (candidates - ranks - positives + 1) / (candidates - ranks + 1)
    beyond = np.concatenate([[1.0], np.cumprod(steps)])  # beyond rank 0, 1, ...
    at_rank = beyond[:-1] - beyond[1:]
    recall = {k: 1 - float(beyond[min(k, len(beyond) - 1)]) for k in ks}
    reached = 1 - beyond[1:]
    lower = int(ranks[np.argmax(reached >= 0.5 - 1e-12)])
    upper = int(ranks[np.argmax(reached > 0.5 + 1e-12)])
    return {
        **{f"R@{k}": recall[k] for k in ks},
        **{f"P@{k}": recall[k] / k for k in ks},
        "MRR": float(np.sum(at_rank / ranks)),
        "DCG": float(np.sum(at_rank / np.log2(1 + ranks))),
        "MedianR": (lower + upper) / 2,
        "MeanR": (candidates + 1) / (positives + 1),
    }
