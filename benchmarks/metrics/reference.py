"""The paper's retrieval metrics, quirks kept, for score matrices of the paper.

Decision: of equal scores the lower index ranks first, as in the authors' code; everywhere else they
are a tie (:mod:`benchmarks.metrics.ties`).

Cost: every column is sorted, O(n n log n) for n clips; 2 s for 5,000 clips on one core, in `chunk`
x n cells of about 50 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics.arrays import CHUNK, checked_square, chunks, take_rows
from benchmarks.metrics.exact import Metrics

REFERENCE_AT = (1, 5, 10)  # depths of the paper's tables


def reference_retrieval(
    scores_text_x_pose: ArrayLike, texts: Sequence[str], *, chunk: int = CHUNK
) -> dict[str, Metrics]:
    """Compute the paper's own metrics (`RWTHFSMetric` in mmpt/evaluators/metric.py), quirks kept.

    Both directions: the sort is stable, so of equal scores the lower index ranks first; ranks are
    1-based; a k beyond the gallery is allowed.

    T2V:
    - queries are the unique texts, each with the row of its first occurrence alone;
    - R@k is micro recall, hits in the first k over all positives: with duplicate texts R@1 cannot
      exceed unique texts / clips, and it is not what others call R@1 (P@1 is);
    - P@k divides by k, never by min(k, positives) nor by the gallery's size: its ceiling lies
      below 1 where texts have fewer than k clips;
    - MedianR and MeanR are over queries, of the first right clip.

    V2T:
    - all n text rows are ranked for each clip, duplicates included, each with its own score;
    - then a row is dropped if the next one has the same text: only ADJACENT duplicates merge, and
      the last of a run stays. A text counts as often as it has runs, so ranks grow when rows of one
      text have scores that differ (even by rounding) and other texts fall between;
    - the rank is the place of the first remaining row with the clip's text, not of its own row;
    - there is no P@k.

    The authors' code compares decoded texts (cut to the token limit), and its predictor cuts the
    scores, not the texts, to 10,000 clips beyond 100,000. Both happen before the metric: the caller
    passes the texts to be compared, and nothing is cut here.

    Args:
        scores_text_x_pose: (n, n), text of clip i against clip j, higher is better.
        texts: n texts; equal strings are one text.
        chunk: clips ranked at a time; changes memory, never the result.

    Returns:
        't2v' with R1, R5, R10, P1, P5, P10, MedianR, MeanR; 'v2t' with R1, R5, R10, MedianR, MeanR.

    Raises:
        ValueError: as in `retrieval`; a non-finite score is refused here too.
    """
    scores, first_rows, targets = checked_square(scores_text_x_pose, texts)
    found = _ranks_of_positives(take_rows(scores, first_rows), targets, chunk)
    hits = {k: int((found <= k).sum()) for k in REFERENCE_AT}
    first_rank = np.full(len(first_rows), len(found))
    np.minimum.at(first_rank, targets, found)
    ranks = _adjacent_run_ranks(scores, targets, chunk)
    return {
        "t2v": {
            **{f"R{k}": hits[k] / len(targets) for k in REFERENCE_AT},
            **{f"P{k}": hits[k] / (k * len(first_rows)) for k in REFERENCE_AT},
            "MedianR": float(np.median(first_rank)),
            "MeanR": float(np.mean(first_rank)),
        },
        "v2t": {
            **{f"R{k}": float(np.mean(ranks <= k)) for k in REFERENCE_AT},
            "MedianR": float(np.median(ranks)),
            "MeanR": float(np.mean(ranks)),
        },
    }


def _ranks_of_positives(
    scores: NDArray[np.float32], targets: NDArray[np.int64], chunk: int
) -> NDArray[np.int64]:
    """Rank of each clip in the row of its text (texts, clips), ties by index: int64 (clips,)."""
    ranks = np.empty(len(targets), np.int64)
    for part in chunks(len(ranks), chunk):
        rows, own = scores[targets[part]], np.arange(part.start, part.stop)[:, None]
        score = np.take_along_axis(rows, own, axis=1)
        before = (rows == score) & (np.arange(rows.shape[1]) < own)
        ranks[part] = 1 + np.count_nonzero((rows > score) | before, axis=1)
    return ranks


def _adjacent_run_ranks(
    scores: NDArray[np.float32], label_of_row: NDArray[np.int64], chunk: int
) -> NDArray[np.int64]:
    """Rank clip j's text by counting runs of equal texts down column j of scores (n, n)."""
    ranks = np.empty(len(label_of_row), np.int64)
    for part in chunks(len(ranks), chunk):
        order = np.argsort(-scores[:, part].T, axis=1, kind="stable")
        ordered = label_of_row[order]  # (chunk, n): the labels as ranked for each clip
        first_right = np.argmax(ordered == label_of_row[part, None], axis=1)
        run_ends = np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1)
        # runs that ended before the first right row; a column of zeros for the first row
        run = np.pad(run_ends, ((0, 0), (1, 0)))
        ranks[part] = 1 + np.take_along_axis(run, first_right[:, None], axis=1)[:, 0]
    return ranks
