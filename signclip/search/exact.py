"""The best rows of a matrix for a query: exact, and independent of blocks, threads and processor.

Decisions
* A float32 product in blocks finds every row that may be among the best ``k``: the rounding error
  of a dot product of d numbers has a bound, whatever the order in which BLAS adds them (Higham,
  "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1). The few rows within it are
  scored again in float64, each by itself.
* So equal rows have equal scores on every machine. Equal scores are ordered by row.

Cost: one pass over the matrix for :data:`QUERIES` queries at a time, as fast as memory is read
(``python -m benchmarks.speed.search``). If many rows have nearly the same score, all of them are
scored again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK = 32_768  # rows multiplied at a time: 16 MB at 128 numbers
QUERIES = 64  # queries multiplied at a time
_RESCORED = 16_384  # rows scored in float64 at a time
_UNIT = 2.0**-24  # the unit roundoff of float32


class Best(NamedTuple):
    """The best rows for one query, best first: ``rows`` int64 (k,), ``scores`` float32 (k,)."""

    rows: np.ndarray
    scores: np.ndarray


def best(
    matrix: np.ndarray,
    norms: np.ndarray,
    queries: np.ndarray,
    k: int,
    *,
    allowed: np.ndarray | None = None,
    cosine: bool = False,
    scale: float = 1.0,
    block: int = BLOCK,
) -> list[Best]:
    """The ``k`` rows with the highest scores for each query, fewer if there are fewer rows.

    Args:
        matrix: float32 (n, d); a memory map will do.
        norms: float64 (n,), the rows' lengths.
        queries: float32 (q, d), finite.
        allowed: bool (n,); None: all rows.
        cosine: divide the dot product by the lengths of row and query (a row of zeros scores 0).
        scale: positive; scores are multiplied by it.
        block: rows multiplied at a time; the result does not depend on it.

    Raises:
        FloatingPointError: a score is not finite.
    """
    found: list[Best] = []
    for start in range(0, len(queries), QUERIES):
        some = queries[start : start + QUERIES]
        candidates = _candidates(matrix, norms, some, k, allowed, cosine, block)
        for query, rows in zip(some, candidates, strict=True):
            scores = _scores(matrix, norms, query, rows, cosine=cosine) * scale
            rounded = scores.astype(np.float32)
            order = np.lexsort((rows, -rounded))[:k]
            found.append(Best(rows[order], rounded[order]))
    return found


def _candidates(
    matrix: np.ndarray,
    norms: np.ndarray,
    queries: np.ndarray,
    k: int,
    allowed: np.ndarray | None,
    cosine: bool,
    block: int,
) -> list[np.ndarray]:
    """For each query the rows, ascending, among which its best ``k`` are."""
    lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
    largest = 1.0 if cosine or not len(norms) else float(norms.max())
    # twice the bound of a product, and the roundings of norms, quotient and final score
    slack = (2 * matrix.shape[1] + 16) * _UNIT * largest * lengths
    # a lower bound of each query's k-th best float32 score, and what may be above it
    floors = np.full(len(queries), -np.inf)
    rows: list[list[np.ndarray]] = [[] for _ in queries]
    scores: list[list[np.ndarray]] = [[] for _ in queries]
    for start in range(0, len(matrix), block):
        stop = min(start + block, len(matrix))
        inside = np.arange(start, stop)
        if allowed is not None:
            inside = inside[allowed[start:stop]]
            if not len(inside):
                continue
        product = _product(matrix, queries, inside)
        if cosine:
            product = product / _divisors(norms[inside])
        if not np.isfinite(product).all():
            raise FloatingPointError("a score is not finite")
        for i, row in enumerate(product):
            above = row[row > floors[i]]
            if len(above) >= k:
                floors[i] = np.partition(above, len(above) - k)[len(above) - k]
            near = np.flatnonzero(row >= floors[i] - slack[i])
            rows[i].append(inside[near])
            scores[i].append(row[near])
    chosen = []
    for i, floor in enumerate(floors):
        if not rows[i]:
            chosen.append(np.empty(0, dtype=np.int64))
            continue
        kept = np.concatenate(scores[i]) >= floor - slack[i]
        chosen.append(np.concatenate(rows[i])[kept])
    return chosen


def _product(matrix: np.ndarray, queries: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Dot products with some rows of a block, ascending: float32 (queries, inside)."""
    start, last = inside[0], inside[-1]
    if len(inside) == last - start + 1:
        return queries @ matrix[start : last + 1].T
    if 4 * len(inside) < last - start:  # copying so few rows is faster than multiplying all
        return queries @ matrix[inside].T
    return (queries @ matrix[start : last + 1].T)[:, inside - start]


def _scores(
    matrix: np.ndarray, norms: np.ndarray, query: np.ndarray, rows: np.ndarray, *, cosine: bool
) -> np.ndarray:
    """Scores of some rows in float64, (rows,); every row is summed in the same order."""
    scores = np.empty(len(rows))
    wide = query.astype(np.float64)
    for start in range(0, len(rows), _RESCORED):
        some = matrix[rows[start : start + _RESCORED]].astype(np.float64)
        scores[start : start + _RESCORED] = (some * wide).sum(axis=1)
    if cosine:
        scores /= _divisors(norms[rows])
        length = np.linalg.norm(wide)
        scores /= length if length else 1.0
    return scores


def _divisors(norms: np.ndarray) -> np.ndarray:
    """Lengths without zeros."""
    return np.where(norms > 0, norms, 1.0)
