"""Retrieval of clips by clips: ranks of the right ones, average precision, and chance levels.

Decisions
* Every clip is a query, all others are its gallery; a clip is right if it has the query's label. A
  clip whose label no other has is no query.
* Cosines in float32; equal ones are a tie (:mod:`benchmarks.metrics.ties`). A zero vector has
  cosine 0 with everything.
* Chance is computed, not simulated: over a random order of the gallery.

Cost: clips squared, `CHUNK` queries at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics.ties import TiedRanks

CHUNK = 512  # queries ranked at a time: 512 x clips numbers, several times


class ClipRetrieval(NamedTuple):
    """One entry per query."""

    queries: NDArray[np.int64]  # row of the query among the clips, ascending
    first_rank: TiedRanks  # rank of the first right clip
    nearest: NDArray[np.int64]  # row of the clip that ranks first; of tied ones the lowest
    positives: NDArray[np.int64]  # number of right clips, at least 1
    average_precision: NDArray[np.float64]  # expected over a random order of the tied


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
    parts = [ClipRetrieval(empty, TiedRanks(empty, empty, empty), empty, empty, np.empty(0))]
    for start in range(0, len(queries), chunk):
        parts.append(_of_part(queries[start : start + chunk], unit, number))
    queries, ranks, *others = zip(*parts, strict=True)
    return ClipRetrieval(
        np.concatenate(queries), TiedRanks.join(ranks), *map(np.concatenate, others)
    )


def _of_part(queries: NDArray, unit: NDArray, number: NDArray) -> ClipRetrieval:
    # einsum, not a matrix product: its rounding does not depend on the number of queries
    scores = np.einsum("qd,cd->qc", unit[queries], unit)
    scores[np.arange(len(queries)), queries] = -np.inf  # the query itself ranks last
    order = np.argsort(-scores, axis=1, kind="stable")[:, :-1]
    right = number[order] == number[queries][:, None]
    positives = right.sum(axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    # of each place: the first and last place with its score, and the right clips up to each of them
    begins = np.ones_like(right)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    places = np.arange(order.shape[1])
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    ends = np.roll(begins, -1, axis=1)
    ends[:, -1] = True
    last = np.minimum.accumulate(np.where(ends, places, places[-1])[:, ::-1], axis=1)[:, ::-1]
    up_to = np.cumsum(right, axis=1)
    before = np.take_along_axis(up_to - right, first, axis=1)  # right clips before the tied ones
    tied = last - first + 1
    of_tied = np.take_along_axis(up_to, last, axis=1) - before  # right ones among the tied
    # a tied place is right with probability of_tied / tied; given that, the places of the tied ones
    # before it are right with probability (of_tied - 1) / (tied - 1)
    others = (places - first) * (of_tied - 1) / np.maximum(tied - 1, 1)
    expected = of_tied / tied * (before + 1 + others) / (places + 1)
    rows, at = np.arange(len(queries)), right.argmax(axis=1)
    low, open_places, found = (one[rows, at] for one in (first, tied, of_tied))
    ranks = TiedRanks(low + 1, low + 1 + open_places - found, found)
    average = expected.sum(axis=1) / positives
    return ClipRetrieval(queries, ranks, order[:, 0], positives.astype(np.int64), average)


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
