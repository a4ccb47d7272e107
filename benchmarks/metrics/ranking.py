"""Ranks from a score matrix: of each clip's text among all texts, and of each text's clips.

Decisions
* Ranks are 1-based, scores are float32, and equal scores are a tie
  (:mod:`benchmarks.metrics.ties`): a rank is stored as the lowest and the highest that it can be.
* T2V (text to video): the query is a text, the gallery is all clips. V2T (video to text): the query
  is a clip, the gallery is all labels (unique texts).
* A NaN or an infinity is an error that names its cell; otherwise it would be ranked silently.

Cost: `v2t_ranks` O(labels x clips) comparisons, `t2v_hits` O(clips x clips), no sorting. Working
memory beside the scores is one chunk: `chunk` x clips cells of about 6 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics.arrays import CHUNK, checked_scores, checked_targets, chunks
from benchmarks.metrics.ties import RECALL_AT, TiedRanks

PRECISION_AT = (1, 5, 10)
ROWS = 255  # labels counted at a time in V2T: one byte per clip holds the count, 8 times as fast


class T2VHits(NamedTuple):
    """Where each text query finds its clips; one entry per label that occurs, labels ascending.

    Attributes:
        labels: int64 (queries,), the row of each query in the scores.
        first_rank: the rank of each query's best-ranked positive clip.
        hits: for each k, float64 (queries,), expected number of positives in the first k places.
        positives: int64 (queries,), number of clips with the label; at least 1.
    """

    labels: NDArray[np.int64]
    first_rank: TiedRanks
    hits: dict[int, NDArray[np.float64]]
    positives: NDArray[np.int64]


class Ranks(NamedTuple):
    """Ranks of clips and texts in both directions.

    Attributes:
        v2t: the rank of each clip's text among all texts.
        predicted: int64 (clips,), the text that ranks first for each clip; of tied ones the first.
        t2v: for each text with a clip, where its clips rank among all clips.
        texts: number of texts in the gallery.
    """

    v2t: TiedRanks
    predicted: NDArray[np.int64]
    t2v: T2VHits
    texts: int


def ranks(
    scores_label_x_clip: ArrayLike, targets: ArrayLike, k: Sequence[int] = RECALL_AT
) -> Ranks:
    """Ranks in both directions; for embeddings see `benchmarks.metrics.streaming.ranks`.

    Args, Raises: as `v2t_ranks` and `t2v_hits`.
    """
    scores = checked_scores(scores_label_x_clip)
    return Ranks(
        v2t=v2t_ranks(scores, targets),
        predicted=scores.argmax(axis=0),
        t2v=t2v_hits(scores, targets, k),
        texts=len(scores),
    )


def v2t_ranks(
    scores_label_x_clip: ArrayLike, targets: ArrayLike, *, chunk: int = CHUNK
) -> TiedRanks:
    """Rank of each clip's label among all labels, those without a clip included.

    Args:
        scores_label_x_clip: (labels, clips), higher is better; compared as float32.
        targets: ints (clips,), the row of each clip's label.
        chunk: clips ranked at a time; changes memory, never the result.

    Raises:
        ValueError: wrong or empty shape, a non-finite score, a target outside the rows.
    """
    scores = checked_scores(scores_label_x_clip)
    texts, clips = scores.shape
    targets = checked_targets(targets, clips, texts)
    above, not_below = np.zeros((2, clips), np.int64)
    for part in chunks(clips, chunk):
        target_score = scores[targets[part], np.arange(part.start, part.stop)]
        for rows in chunks(texts, ROWS):
            block = scores[rows, part]
            above[part] += _column_counts(block > target_score)
            not_below[part] += _column_counts(block >= target_score)
    return TiedRanks.of(1 + above, not_below)


def t2v_hits(
    scores_label_x_clip: ArrayLike,
    targets: ArrayLike,
    k: Sequence[int] = PRECISION_AT,
    *,
    chunk: int = CHUNK,
) -> T2VHits:
    """Find, for each label that occurs, where its clips rank among all clips.

    Args:
        scores_label_x_clip: (labels, clips), higher is better; compared as float32.
        targets: ints (clips,), the row of each clip's label.
        k: the depths at which hits are counted; a depth beyond the gallery counts all positives.
        chunk: clips ranked at a time; changes memory, never the result.

    Returns:
        One entry per label that occurs; a label without clips is not a query.

    Raises:
        ValueError: wrong or empty shape, a non-finite score, a target outside the rows, or a k
            below 1.
    """
    if any(depth < 1 for depth in k):
        raise ValueError(f"every k must be at least 1, got {tuple(k)}")
    scores = checked_scores(scores_label_x_clip)
    texts, clips = scores.shape
    targets = checked_targets(targets, clips, texts)
    # Ranking each clip in the row of its label gives every positive of every query at once,
    # at two comparisons a cell; sorting the rows would cost more for the same result.
    above, tied = np.empty((2, clips), np.int64)
    for part in chunks(clips, chunk):
        rows = scores[targets[part]]
        own = rows[np.arange(len(rows)), np.arange(part.start, part.stop)][:, None]
        above[part] = np.count_nonzero(rows > own, axis=1)
        tied[part] = np.count_nonzero(rows == own, axis=1)
    labels, query_of_clip, positives = np.unique(targets, return_inverse=True, return_counts=True)
    best = np.full(len(labels), clips, np.int64)
    np.minimum.at(best, query_of_clip, above)
    leads = above == best[query_of_clip]  # the positives with the best score of their query
    right = np.bincount(query_of_clip[leads], minlength=len(labels))
    tied_of_query = np.zeros(len(labels), np.int64)
    tied_of_query[query_of_clip[leads]] = tied[leads]
    own_rank = TiedRanks(1 + above, above + tied, np.ones_like(tied))
    hits = {
        depth: np.bincount(query_of_clip, own_rank.recall(depth), minlength=len(labels))
        for depth in k
    }
    first_rank = TiedRanks.of(1 + best, 1 + best + tied_of_query - right, right)
    return T2VHits(labels, first_rank, hits, positives)


def _column_counts(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The number of true cells in each column of at most `ROWS` rows."""
    return np.add.reduce(mask.view(np.uint8), axis=0, dtype=np.uint8)
