"""Ranks from a score matrix: of each clip's text among all texts, and of each text's clips.

Decisions
* Ranks are 1-based, scores are float32, ties go to the lower index. All-equal scores therefore give
  the ranks 1, 2, 3, ... and never a rank of 1 for every clip.
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

RECALL_AT = (1, 5, 10, 20)
PRECISION_AT = (1, 5, 10)
ROWS = 255  # labels counted at a time in V2T: one byte per clip holds the count, 8 times as fast


class T2VHits(NamedTuple):
    """Where each text query finds its clips; one entry per label that occurs, labels ascending.

    Attributes:
        labels: int64 (queries,), the row of each query in the scores.
        first_rank: int64 (queries,), 1-based rank of the best-ranked positive clip.
        hits: for each k, int64 (queries,), number of positives in the first k places.
        positives: int64 (queries,), number of clips with the label; at least 1.
    """

    labels: NDArray[np.int64]
    first_rank: NDArray[np.int64]
    hits: dict[int, NDArray[np.int64]]
    positives: NDArray[np.int64]


class Ranks(NamedTuple):
    """Ranks of clips and texts in both directions.

    Attributes:
        v2t: int64 (clips,), 1-based rank of each clip's text among all texts.
        predicted: int64 (clips,), the text that ranks first for each clip.
        t2v: for each text with a clip, where its clips rank among all clips.
        texts: number of texts in the gallery.
    """

    v2t: NDArray[np.int64]
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
) -> NDArray[np.int64]:
    """Rank of each clip's label among all labels, those without a clip included.

    Args:
        scores_label_x_clip: (labels, clips), higher is better; compared as float32.
        targets: ints (clips,), the row of each clip's label.
        chunk: clips ranked at a time; changes memory, never the result.

    Returns:
        int64 (clips,), 1-based; a tied label of a lower row ranks first.

    Raises:
        ValueError: wrong or empty shape, a non-finite score, a target outside the rows.
    """
    scores = checked_scores(scores_label_x_clip)
    texts, clips = scores.shape
    targets = checked_targets(targets, clips, texts)
    ranks = np.empty(clips, np.int64)
    for part in chunks(clips, chunk):
        ranks[part] = _rank_in_column(scores[:, part], targets[part])
    return ranks


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
    # at one comparison a cell; sorting the rows would cost more for the same result.
    ranks = np.empty(clips, np.int64)
    for part in chunks(clips, chunk):
        columns = np.arange(part.start, part.stop)
        ranks[part] = _rank_in_row(scores[targets[part]], columns)
    labels, query_of_clip, positives = np.unique(targets, return_inverse=True, return_counts=True)
    first_rank = np.full(len(labels), clips, np.int64)
    np.minimum.at(first_rank, query_of_clip, ranks)
    hits = {depth: np.bincount(query_of_clip[ranks <= depth], minlength=len(labels)) for depth in k}
    return T2VHits(labels, first_rank, hits, positives)


def _rank_in_row(scores: NDArray[np.float32], target: NDArray[np.int64]) -> NDArray[np.int64]:
    """1-based rank of cell `target[i]` in row i of scores (rows, columns); ties by column."""
    target_score = np.take_along_axis(scores, target[:, None], axis=1)
    tied_before = (scores == target_score) & (np.arange(scores.shape[1]) < target[:, None])
    return 1 + np.count_nonzero((scores > target_score) | tied_before, axis=1)


def _rank_in_column(scores: NDArray[np.float32], target: NDArray[np.int64]) -> NDArray[np.int64]:
    """1-based rank of cell `target[i]` in column i of scores (rows, columns); ties by row."""
    target_score = np.take_along_axis(scores, target[None], axis=0)
    above, not_below = np.zeros((2, scores.shape[1]), np.int64)
    for part in chunks(len(scores), ROWS):
        block = scores[part]
        above += np.add.reduce((block > target_score).view(np.uint8), axis=0, dtype=np.uint8)
        not_below += np.add.reduce((block >= target_score).view(np.uint8), axis=0, dtype=np.uint8)
    tied = np.flatnonzero(not_below - above > 1)  # with other rows: few columns, if any
    before = np.arange(len(scores))[:, None] < target[tied]
    above[tied] += ((scores[:, tied] == target_score[0, tied]) & before).sum(axis=0)
    return 1 + above
