"""Retrieval metrics: what counts as a rank, and how ranks become R@k, P@k, MRR, MedianR, MeanR.

Decides:
- Ranks are 1-based, scores are float32, ties go to the lower index. All-equal scores therefore
  give the ranks 1, 2, 3, ... and never a rank of 1 for everybody.
- T2V (text to video): the query is a text, the gallery is all clips. V2T (video to text): the
  query is a clip, the gallery is all labels (unique texts).
- Two versions. `retrieval` is exact, and what every table and leaderboard shows;
  `reference_retrieval` is the paper's own measure, quirks included, for who has a matrix of the
  paper's. They agree where clips of equal text have equal scores and no other scores are equal.
- A NaN or an infinity is an error that names its cell: it would otherwise be ranked silently.

Costs, for n clips and u labels: `v2t_ranks` O(u n) comparisons and `t2v_hits` O(n n), no sorting;
`reference_retrieval` sorts every column, O(n n log n). Working memory beside the scores is one
chunk: `chunk` x n cells of about 6 bytes, 50 for the reference. Measured on one core at
n = u = 5,000: `retrieval` 0.2 s, `reference_retrieval` 2 s. Where the scores do not fit as a
matrix, `benchmarks.metrics.streaming` gives the same ranks from embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RECALL_AT = (1, 5, 10, 20)
PRECISION_AT = (1, 5, 10)
REFERENCE_AT = (1, 5, 10)  # the paper's tables show these
CHUNK = 256  # clips ranked at a time: at 45,000 clips about 70 MB
ROWS = 255  # labels counted at a time in V2T: a byte a clip holds the count, eight times the speed

Metrics = dict[str, float]


class T2VHits(NamedTuple):
    """Where each text query finds its clips; one entry a label that occurs, labels ascending.

    Attributes:
        labels: int64 (queries,), the row of each query in the scores.
        first_rank: int64 (queries,), 1-based rank of the best-ranked positive clip.
        hits: for each k, int64 (queries,), how many positives lie in the first k places.
        positives: int64 (queries,), how many clips bear the label; at least 1.
    """

    labels: NDArray[np.int64]
    first_rank: NDArray[np.int64]
    hits: dict[int, NDArray[np.int64]]
    positives: NDArray[np.int64]


class Ranks(NamedTuple):
    """How clips and the texts of a gallery find each other.

    Attributes:
        v2t: int64 (clips,), 1-based rank of each clip's own text among all texts.
        predicted: int64 (clips,), the text that ranks first for each clip.
        t2v: for each text with a clip, where its clips rank among all clips.
        texts: how many texts the gallery has.
    """

    v2t: NDArray[np.int64]
    predicted: NDArray[np.int64]
    t2v: T2VHits
    texts: int


def ranks(
    scores_label_x_clip: ArrayLike, label_of_clip: ArrayLike, k: Sequence[int] = RECALL_AT
) -> Ranks:
    """Both directions from a matrix of scores; from embeddings: `benchmarks.metrics.streaming.ranks`.

    Args, Raises: as `v2t_ranks` and `t2v_hits`.
    """
    scores = _checked_scores(scores_label_x_clip)
    return Ranks(
        v2t=v2t_ranks(scores, label_of_clip),
        predicted=scores.argmax(axis=0),
        t2v=t2v_hits(scores, label_of_clip, k),
        texts=len(scores),
    )


def v2t_ranks(
    scores_label_x_clip: ArrayLike, label_of_clip: ArrayLike, *, chunk: int = CHUNK
) -> NDArray[np.int64]:
    """Rank of each clip's own label among all labels, those without a clip included.

    Args:
        scores_label_x_clip: (labels, clips), higher is better; compared as float32.
        label_of_clip: ints (clips,), the row of each clip's own label.
        chunk: clips ranked at a time; changes memory, never the result.

    Returns:
        int64 (clips,), 1-based; a tied label of a lower row ranks first.

    Raises:
        ValueError: wrong or empty shape, a non-finite score, a label outside the rows.
    """
    scores = _checked_scores(scores_label_x_clip)
    labels = _checked_labels(label_of_clip, scores.shape)
    ranks = np.empty(len(labels), np.int64)
    for part in _chunks(len(labels), chunk):
        ranks[part] = _rank_in_column(scores[:, part], labels[part])
    return ranks


def t2v_hits(
    scores_label_x_clip: ArrayLike,
    label_of_clip: ArrayLike,
    k: Sequence[int] = PRECISION_AT,
    *,
    chunk: int = CHUNK,
) -> T2VHits:
    """Find, for each label that occurs, where its clips rank among all clips.

    Args:
        scores_label_x_clip: (labels, clips), higher is better; compared as float32.
        label_of_clip: ints (clips,), the row of each clip's own label.
        k: the depths at which hits are counted; a depth beyond the gallery counts all positives.
        chunk: clips ranked at a time; changes memory, never the result.

    Returns:
        One entry per label that occurs; a label without a clip is no query.

    Raises:
        ValueError: wrong or empty shape, a non-finite score, a label outside the rows, a k below 1.
    """
    if any(depth < 1 for depth in k):
        raise ValueError(f"every k must be at least 1, got {tuple(k)}")
    scores = _checked_scores(scores_label_x_clip)
    label_of_clip = _checked_labels(label_of_clip, scores.shape)
    # Ranking each clip in the row of its own label yields every positive of every query at once,
    # at one comparison a cell; sorting the rows would cost more and say no more.
    ranks = np.empty(len(label_of_clip), np.int64)
    for part in _chunks(len(ranks), chunk):
        own_column = np.arange(part.start, part.stop)
        ranks[part] = _rank_in_row(scores[label_of_clip[part]], own_column)
    labels, query_of_clip, positives = np.unique(
        label_of_clip, return_inverse=True, return_counts=True
    )
    first_rank = np.full(len(labels), len(ranks), np.int64)
    np.minimum.at(first_rank, query_of_clip, ranks)
    hits = {depth: np.bincount(query_of_clip[ranks <= depth], minlength=len(labels)) for depth in k}
    return T2VHits(labels, first_rank, hits, positives)


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
    scores, first_rows, label_of_clip = _checked_square(scores_text_x_pose, texts)
    scores = _take_rows(scores, first_rows)
    return {
        "t2v": t2v_metrics(t2v_hits(scores, label_of_clip, chunk=chunk)),
        "v2t": v2t_metrics(v2t_ranks(scores, label_of_clip, chunk=chunk)),
    }


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
    - then a row is dropped if the next one bears the same text: only ADJACENT duplicates merge,
      the last of a run stays. The result counts a text as often as it has runs, so ranks grow when
      rows of one text have scores that differ (even by rounding) and other texts fall between;
    - the rank is the place of the first remaining row with the clip's text, not of its own row;
    - there is no P@k.

    The reference compares decoded text (cut to the token limit), and its predictor cuts the
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
    scores, first_rows, label_of_clip = _checked_square(scores_text_x_pose, texts)
    queries = t2v_hits(_take_rows(scores, first_rows), label_of_clip, REFERENCE_AT, chunk=chunk)
    hits = {k: int(queries.hits[k].sum()) for k in REFERENCE_AT}
    ranks = _adjacent_run_ranks(scores, label_of_clip, chunk)
    return {
        "t2v": {
            **{f"R{k}": hits[k] / len(label_of_clip) for k in REFERENCE_AT},
            **{f"P{k}": hits[k] / (k * len(first_rows)) for k in REFERENCE_AT},
            "MedianR": float(np.median(queries.first_rank)),
            "MeanR": float(np.mean(queries.first_rank)),
        },
        "v2t": {
            **{f"R{k}": float(np.mean(ranks <= k)) for k in REFERENCE_AT},
            "MedianR": float(np.median(ranks)),
            "MeanR": float(np.mean(ranks)),
        },
    }


def _rank_in_row(scores: NDArray[np.float32], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """1-based rank of cell `own[i]` in row i of scores (rows, columns); ties by column."""
    own_score = np.take_along_axis(scores, own[:, None], axis=1)
    tied_before = (scores == own_score) & (np.arange(scores.shape[1]) < own[:, None])
    return 1 + np.count_nonzero((scores > own_score) | tied_before, axis=1)


def _rank_in_column(scores: NDArray[np.float32], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """1-based rank of cell `own[i]` in column i of scores (rows, columns); ties by row."""
    own_score = np.take_along_axis(scores, own[None], axis=0)
    above, not_below = np.zeros((2, scores.shape[1]), np.int64)
    for part in _chunks(len(scores), ROWS):
        block = scores[part]
        above += np.add.reduce((block > own_score).view(np.uint8), axis=0, dtype=np.uint8)
        not_below += np.add.reduce((block >= own_score).view(np.uint8), axis=0, dtype=np.uint8)
    tied = np.flatnonzero(not_below - above > 1)  # with others than itself: few columns, if any
    before = np.arange(len(scores))[:, None] < own[tied]
    above[tied] += ((scores[:, tied] == own_score[0, tied]) & before).sum(axis=0)
    return 1 + above


def _adjacent_run_ranks(
    scores: NDArray[np.float32], label_of_row: NDArray[np.int64], chunk: int
) -> NDArray[np.int64]:
    """Rank clip j's text by counting runs of equal texts down column j of scores (n, n)."""
    ranks = np.empty(len(label_of_row), np.int64)
    for part in _chunks(len(ranks), chunk):
        order = np.argsort(-scores[:, part].T, axis=1, kind="stable")
        ordered = label_of_row[order]  # (chunk, n): the labels as ranked for each clip
        first_own = np.argmax(ordered == label_of_row[part, None], axis=1)
        run_ends = np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1)
        # runs that ended before the first own row; a column of zeros for a first row
        run = np.pad(run_ends, ((0, 0), (1, 0)))
        ranks[part] = 1 + np.take_along_axis(run, first_own[:, None], axis=1)[:, 0]
    return ranks


def _rank_metrics(ranks: NDArray[np.int64]) -> Metrics:
    """R@k, MRR, MedianR, MeanR of 1-based ranks (queries,)."""
    units = rank_units(ranks)
    middle = {"MedianR": float(np.median(units["MedianR"]))}
    means = {name: float(np.mean(of)) for name, of in units.items() if name != "DCG"}
    return means | middle


def _chunks(total: int, chunk: int) -> Iterator[slice]:
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    for start in range(0, total, chunk):
        yield slice(start, min(start + chunk, total))


def _take_rows(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows of scores, which are distinct and ascending; no copy where that is all of them."""
    return scores if len(rows) == len(scores) else scores[rows]


def _checked_square(
    scores: ArrayLike, texts: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Scores (n, n), the first row of each unique text (u,), and the unique text of each row (n,).

    Unique texts are numbered by first occurrence, so ties by label equal ties by row.
    """
    scores = _checked_scores(scores)
    if scores.shape != (len(texts), len(texts)):
        raise ValueError(
            f"scores must be (n, n) for n texts: got scores {scores.shape} and {len(texts)} texts"
        )
    label_of_text: dict[str, int] = {}
    labels = [label_of_text.setdefault(text, len(label_of_text)) for text in texts]
    label_of_clip = np.array(labels, np.int64)
    first_rows = np.unique(label_of_clip, return_index=True)[1]
    return scores, first_rows, label_of_clip


def _checked_scores(scores: ArrayLike) -> NDArray[np.float32]:
    """Scores as float32 (rows, columns), finite and not empty."""
    with np.errstate(over="ignore"):  # what overflows float32 is reported as an infinity below
        scores = np.asarray(scores, np.float32)
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"scores must be a matrix and not empty, got shape {scores.shape}")
    for part in _chunks(len(scores), CHUNK):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(scores[part].sum()):  # faster than to look at each
                continue
        finite = np.isfinite(scores[part])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            row += part.start
            raise ValueError(f"scores[{row}, {column}] is {scores[row, column]} in float32")
    return scores


def _checked_labels(label_of_clip: ArrayLike, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Labels as int64 (clips,), each a row of scores of this shape (labels, clips)."""
    labels = np.asarray(label_of_clip)
    if labels.shape != shape[1:] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"label_of_clip must be {shape[1]} ints for scores {shape}, "
            f"got {labels.dtype} of shape {labels.shape}"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= shape[0]))
    if outside.size:
        clip = outside[0]
        raise ValueError(
            f"label_of_clip[{clip}] is {labels[clip]}, but the scores have {shape[0]} label rows"
        )
    return labels.astype(np.int64)
