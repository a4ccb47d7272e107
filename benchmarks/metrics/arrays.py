"""Inputs of the metrics, checked: scores, targets and embeddings as arrays; and chunks of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHUNK = 256  # clips ranked at a time: at 45,000 clips about 70 MB


def chunks(total: int, chunk: int) -> Iterator[slice]:
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    for start in range(0, total, chunk):
        yield slice(start, min(start + chunk, total))


def take_rows(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows of scores, which are distinct and ascending; no copy where that is all of them."""
    return scores if len(rows) == len(scores) else scores[rows]


def checked_square(
    scores: ArrayLike, texts: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Scores (n, n), the first row of each unique text (u,), and the unique text of each row (n,).

    Unique texts are numbered by first occurrence, so ties by label equal ties by row.
    """
    scores = checked_scores(scores)
    if scores.shape != (len(texts), len(texts)):
        raise ValueError(
            f"scores must be (n, n) for n texts: got scores {scores.shape} and {len(texts)} texts"
        )
    label_of_text: dict[str, int] = {}
    labels = [label_of_text.setdefault(text, len(label_of_text)) for text in texts]
    targets = np.array(labels, np.int64)
    first_rows = np.unique(targets, return_index=True)[1]
    return scores, first_rows, targets


def checked_scores(scores: ArrayLike) -> NDArray[np.float32]:
    """Scores as float32 (rows, columns), finite and not empty."""
    with np.errstate(over="ignore"):  # what overflows float32 is reported as an infinity below
        scores = np.asarray(scores, np.float32)
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"scores must be a matrix and not empty, got shape {scores.shape}")
    for part in chunks(len(scores), CHUNK):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(scores[part].sum()):  # faster than to look at each
                continue
        finite = np.isfinite(scores[part])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            row += part.start
            raise ValueError(f"scores[{row}, {column}] is {scores[row, column]} in float32")
    return scores


def checked_targets(targets: ArrayLike, clips: int, texts: int) -> NDArray[np.int64]:
    """Targets as int64 (clips,), each a row of that many texts."""
    targets = np.asarray(targets)
    if targets.shape != (clips,) or targets.dtype.kind not in "iu":
        raise ValueError(
            f"targets must be {clips} ints, got {targets.dtype} of shape {targets.shape}"
        )
    outside = np.flatnonzero((targets < 0) | (targets >= texts))
    if outside.size:
        clip = outside[0]
        raise ValueError(f"targets[{clip}] is {targets[clip]}, but there are {texts} texts")
    return targets.astype(np.int64)


def checked_embeddings(values: ArrayLike, name: str) -> NDArray:
    """Embeddings (rows, dims) as numbers, not empty; a memory map stays one."""
    values = np.asarray(values)
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be numbers ({name}, dims) and not empty, "
            f"got {values.dtype} of shape {values.shape}"
        )
    return values


def largest(rows: NDArray, name: str, step: int) -> float:
    """The largest absolute value of embeddings; a row that is not finite is an error.

    Args:
        step: rows read at a time.
    """
    found = 0.0
    for part in chunks(len(rows), step):
        with np.errstate(over="ignore"):  # an overflow of float32 is an infinity, reported below
            values = np.asarray(rows[part], np.float32)
        most = np.maximum(values.max(), -values.min())
        if not np.isfinite(most):
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise ValueError(
                f"{name}[{part.start + row}, {column}] is {values[row, column]} in float32"
            )
        found = max(found, float(most))
    return found
