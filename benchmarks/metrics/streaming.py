"""Exact ranks of hundreds of thousands of clips, straight from embeddings, in constant memory.

`ranks` returns what `metrics.ranks` returns on the score matrix, without that matrix: 453,000 clips
x 18,423 texts would take 33 GB.

Decisions
* A score is the float32 dot product of a clip and a text (for a cosine, normalise before). Ranks
  are 1-based, and equal scores are a tie, both as in `metrics`.
* Distinct embeddings are ranked, and the result is expanded to the clips and texts that have them
  (:mod:`benchmarks.metrics.unique`): equal embeddings have the same scores and tie on every
  processor, although the last bits of a product depend on where in a tile it lies.
* Scores are computed in tiles of one fixed shape, each by one thread; the last tile is padded with
  zeros. The last bits of float32 products depend on the shape and the threads of the
  multiplication, and a clip's target score from another one could outrank itself. Here every score
  is a function of its tile alone, so neither `workers` nor `budget` changes a bit.
* Clips are processed in the order of their targets: the tiles with target scores are then few (one
  per row or column of tiles) and are computed twice, first to know what both directions compare
  with, then in the one pass for both directions, where a difference of a bit between the two is an
  error.
* For hits in the first k, each text keeps its best max(k) clips; the rank of its best target clip
  is counted, so it is exact at any depth.

Cost: 2 x clips x texts x dims operations and about a tenth more for everything else. Memory: one
`budget` for the workers together, 100 bytes a clip, and 8 max(k) bytes a text and worker;
embeddings are only read, so a memory map will do. Measurements: docs/speed.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from benchmarks.metrics.arrays import checked_embeddings, checked_targets, largest
from benchmarks.metrics.best_clips import BestClips, expected_hits
from benchmarks.metrics.ranking import Ranks, T2VHits
from benchmarks.metrics.ties import RECALL_AT, TiedRanks
from benchmarks.metrics.unique import UniqueRows, unique_rows

TILE = 512  # clips and texts of a tile; scores of other tiles would differ in their last bits
BUDGET = 128 * 2**20  # bytes of working memory, of all workers together
WORKERS = 2
_SCRATCH = 96 * TILE * TILE  # bytes a worker: a tile's scores, masks, and at worst all as keys
_BYTE_COUNTS = 128  # rows of a mask summed in bytes, which hold up to 255
_SAFE = float(np.finfo(np.float32).max) / 4


def ranks(
    clips: ArrayLike,
    texts: ArrayLike,
    targets: ArrayLike,
    k: Sequence[int] = RECALL_AT,
    *,
    workers: int = WORKERS,
    budget: int = BUDGET,
) -> Ranks:
    """Rank each clip's text among all texts, and each text's clips among all clips.

    Args:
        clips: (clips, dims), compared as float32; arrays of another type are converted in parts.
        texts: (texts, dims), likewise; texts without clips compete and are not queries.
        targets: ints (clips,), the row of each clip's text.
        k: depths at which T2V hits are counted; one beyond the gallery counts all positives.
        workers: threads, each with its own tiles; changes time, never the result.
        budget: bytes of working memory; at least one tile per worker is used (24 MiB and a tile of
            clips and of texts). Changes time, never the result.

    Returns:
        What `metrics.ranks` returns on `score_matrix`.

    Raises:
        ValueError: wrong or empty shapes, a row of clips or texts that is not finite (the first is
            named), a score that is not, a text outside the rows, a k or a number of workers below
            1.
        RuntimeError: this machine multiplied the same tile twice with different results.
    """
    if not k or any(depth < 1 for depth in k):
        raise ValueError(f"k must be depths of at least 1, got {tuple(k)}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    job = _Job(clips, texts, targets)
    chunks = job.chunks(workers, budget)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        _each_worker(pool, workers, chunks, lambda mine: _target_scores(job, mine))
        job.choose_best()
        found = _each_worker(pool, workers, chunks, lambda mine: _pass(job, mine, max(k)))
    return Ranks(job.v2t(), job.predicted_texts(), job.t2v(found, k), len(job.texts))


def score_matrix(clips: ArrayLike, texts: ArrayLike, targets: ArrayLike) -> NDArray[np.float32]:
    """The scores that `ranks` compares, (texts, clips), to the last bit: for checks on small data.

    Raises:
        ValueError: as `ranks`, except for scores that are not finite.
    """
    job = _Job(clips, texts, targets)
    matrix = np.empty((len(job.columns.first), len(job.rows.first)), np.float32)
    with threadpool_limits(1, user_api="blas"):
        tiles = _Tiles(job)
        for rows in job.chunks(1, 0):
            tiles.take_clips(rows)
            for start in range(0, len(matrix), TILE):
                tiles.take_texts(start)
                scores = tiles.multiply(0)[: len(rows), : len(matrix) - start]
                matrix[start : start + TILE, job.order[rows]] = scores.T
    return matrix[job.columns.of_row][:, job.rows.of_row]


class _Queries(NamedTuple):
    """Distinct pairs of a clip and its text, in the order of the clips.

    Attributes:
        row: int64 (queries,), place of the clip in the order, ascending.
        column: int64 (queries,), the text.
        of_clip: int64 (clips,), the query of each of the caller's clips.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    of_clip: NDArray[np.int64]


class _Job:
    """What all workers share: the input, and results by query, each written by one worker.

    Rows are distinct clips and columns distinct texts. Rows are held in the order of their targets;
    `order` has the number of each row of that order. A text query is a text of the caller's with
    clips; several may have one column.
    """

    def __init__(self, clips: ArrayLike, texts: ArrayLike, targets: ArrayLike) -> None:
        self.clips = checked_embeddings(clips, "clips")
        self.texts = checked_embeddings(texts, "texts")
        if self.clips.shape[1] != self.texts.shape[1]:
            raise ValueError(
                f"clips and texts must have the same dims: {self.clips.shape}, {self.texts.shape}"
            )
        self.targets = checked_targets(targets, len(self.clips), len(self.texts))
        dims = self.clips.shape[1]
        most = largest(self.clips, "clips", TILE) * largest(self.texts, "texts", TILE)
        self.may_overflow = dims * most > _SAFE  # no partial sum is larger than that
        self.rows, self.columns = unique_rows(self.clips), unique_rows(self.texts)
        self.order, self.queries = _ordered(self.rows, self.columns.of_row[self.targets])
        self.target_score = np.empty(len(self.queries.row), np.float32)
        self.above, self.tied = np.zeros((2, len(self.queries.row)), np.int64)
        self.predicted = np.empty(len(self.order), np.int64)  # column of each row
        # by column, so that the queries of a tile of columns are consecutive
        labels, self.query_of_clip, positives = np.unique(
            self.targets, return_inverse=True, return_counts=True
        )
        by_column = np.argsort(self.columns.of_row[labels], kind="stable")
        self.labels, self.positives = labels[by_column], positives[by_column]
        place = np.empty_like(by_column)
        place[by_column] = np.arange(len(by_column))
        self.query_of_clip = place[self.query_of_clip]
        self.label_column = self.columns.of_row[self.labels]
        self.best_score = np.full(len(self.labels), -np.inf, np.float32)

    def chunks(self, workers: int, budget: int) -> list[range]:
        """Parts of the ordered clips, in whole tiles, as large as the budget allows a worker.

        With larger parts the texts are read less often; with too few parts per worker, waiting for
        the last one costs more than that saves.
        """
        a_tile = TILE * self.clips.shape[1] * 4
        tiles = -(-len(self.order) // TILE)
        fit = (budget // workers - _SCRATCH - a_tile) // a_tile  # one tile holds texts
        step = TILE * max(1, min(fit, tiles // (8 * workers)))
        starts = range(0, len(self.order), step)
        return [range(start, min(start + step, len(self.order))) for start in starts]

    def choose_best(self) -> None:
        """From the target scores, the best score of each text query and how many clips have it."""
        self.clip_score = self.target_score[self.queries.of_clip]
        np.maximum.at(self.best_score, self.query_of_clip, self.clip_score)
        best = self.clip_score == self.best_score[self.query_of_clip]
        self.right = np.bincount(self.query_of_clip[best], minlength=len(self.labels))

    def v2t(self) -> TiedRanks:
        """The ranks of the caller's clips."""
        low = 1 + self.above[self.queries.of_clip]
        return TiedRanks.of(low, low - 1 + self.tied[self.queries.of_clip])

    def predicted_texts(self) -> NDArray[np.int64]:
        """The first of the texts that rank first for each of the caller's clips."""
        of_row = np.empty_like(self.predicted)
        of_row[self.order] = self.columns.first[self.predicted]
        return of_row[self.rows.of_row]

    def t2v(self, found: Sequence[_TextState], k: Sequence[int]) -> T2VHits:
        """Merge the states of all workers."""
        better = sum(state.better for state in found)
        tied = sum(state.tied for state in found)
        hits = expected_hits(
            [state.best for state in found],
            *(self.label_column, self.query_of_clip, self.clip_score, k),
        )
        ascending = np.argsort(self.labels)
        first = TiedRanks.of(1 + better, better + tied - self.right + 1, self.right)
        return T2VHits(
            self.labels[ascending],
            first[ascending],
            {depth: of[ascending] for depth, of in hits.items()},
            self.positives[ascending],
        )


def _ordered(
    rows: UniqueRows, column_of_clip: NDArray[np.int64]
) -> tuple[NDArray[np.int64], _Queries]:
    """The order of the distinct clips, by their first target, and the queries in that order."""
    columns = int(column_of_clip.max()) + 1
    first_column = np.full(len(rows.first), columns)
    np.minimum.at(first_column, rows.of_row, column_of_clip)
    order = np.argsort(first_column, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    pairs, of_clip = np.unique(place[rows.of_row] * columns + column_of_clip, return_inverse=True)
    return order, _Queries(*np.divmod(pairs, columns), of_clip)


class _TextState:
    """One worker's counts for each text query (clips above its best target clip, and as high), and
    the best clips of each column."""

    def __init__(self, job: _Job, deepest: int) -> None:
        self.better, self.tied = np.zeros((2, len(job.labels)), np.int64)
        asked = np.zeros(len(job.columns.first), bool)
        asked[job.label_column] = True
        self.best = BestClips(asked, min(deepest, len(job.order)))


class _Tiles:
    """A worker's buffers, and the product of a tile of clips with a tile of texts."""

    def __init__(self, job: _Job) -> None:
        self.job, self.rows = job, range(0)
        dims = job.clips.shape[1]
        self._clips = np.zeros((0, TILE, dims), np.float32)
        self._texts = np.zeros((TILE, dims), np.float32)
        self._scores = np.empty((TILE, TILE), np.float32)
        self.mask = np.empty((TILE, TILE), bool)
        self.start = 0

    def take_clips(self, rows: range) -> None:
        """Read a part of the ordered clips, which begins and ends with a tile."""
        self.rows, tiles = rows, -(-len(rows) // TILE)
        if len(self._clips) < tiles:
            self._clips = np.zeros((tiles, TILE, self._texts.shape[1]), np.float32)
        for number in range(tiles):
            part = self.job.order[rows[number * TILE : (number + 1) * TILE]]
            self._clips[number, : len(part)] = self.job.clips[self.job.rows.first[part]]
            self._clips[number, len(part) :] = 0

    def take_texts(self, start: int) -> None:
        """Read the tile of texts that begins there."""
        part = self.job.texts[self.job.columns.first[start : start + TILE]]
        self._texts[: len(part)], self._texts[len(part) :] = part, 0
        self.start = start

    def multiply(self, number: int) -> NDArray[np.float32]:
        """Scores (TILE, TILE) of a tile of the clips taken; -inf where there is no clip or text."""
        np.dot(self._clips[number], self._texts.T, out=self._scores)
        clips = len(self.rows[number * TILE : (number + 1) * TILE])
        texts = min(TILE, len(self.job.columns.first) - self.start)
        if self.job.may_overflow:
            self._check(clips, texts, number)
        self._scores[clips:] = -np.inf
        self._scores[:, texts:] = -np.inf
        return self._scores

    def _check(self, clips: int, texts: int, number: int) -> None:
        finite = np.isfinite(self._scores[:clips, :texts])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            clip = self.job.rows.first[self.job.order[self.rows[number * TILE + row]]]
            text = self.job.columns.first[self.start + column]
            raise ValueError(
                f"the score of clips[{clip}] and texts[{text}] is "
                f"{self._scores[row, column]} in float32"
            )


def _target_scores(job: _Job, chunks: Iterator[range]) -> None:
    """Write each query's score, from the tiles in which these lie."""
    tiles, queries = _Tiles(job), job.queries
    for rows in chunks:
        tiles.take_clips(rows)
        for number, part in enumerate(_parts(rows)):
            first, last = np.searchsorted(queries.row, (part.start, part.stop))
            tile_of = queries.column[first:last] // TILE
            for tile in np.unique(tile_of):
                tiles.take_texts(tile * TILE)
                scores = tiles.multiply(number)
                here = first + np.flatnonzero(tile_of == tile)
                picked = scores[queries.row[here] - part.start, queries.column[here] - tile * TILE]
                job.target_score[here] = picked


def _pass(job: _Job, chunks: Iterator[range], deepest: int) -> _TextState:
    """Multiply every tile of some clips once, and count in both directions."""
    tiles, state = _Tiles(job), _TextState(job, deepest)
    for rows in chunks:
        tiles.take_clips(rows)
        first_text = np.zeros(len(rows), np.int64)
        first_score = np.full(len(rows), -np.inf, np.float32)
        for start in range(0, len(job.columns.first), TILE):
            tiles.take_texts(start)
            for number, part in enumerate(_parts(rows)):
                here = slice(part.start - rows.start, part.stop - rows.start)
                scores = tiles.multiply(number)
                _count_texts(job, part, start, scores, tiles.mask)
                column = scores.argmax(axis=1)[: part.stop - part.start]
                score = scores[np.arange(len(column)), column]
                better = score > first_score[here]  # a tie stays with the lower text
                first_score[here][better] = score[better]
                first_text[here][better] = column[better] + start
                _count_clips(job, state, part, start, scores, tiles.mask)
        job.predicted[rows.start : rows.stop] = first_text
    return state


def _count_texts(
    job: _Job, part: slice, start: int, scores: NDArray[np.float32], mask: NDArray[np.bool_]
) -> None:
    """Add up the texts of a tile that score above each query's own text, and as high."""
    first, last = np.searchsorted(job.queries.row, (part.start, part.stop))
    repeats = job.columns.counts[start : start + TILE] - 1
    for low in range(first, last, TILE):
        some = slice(low, min(low + TILE, last))
        row = job.queries.row[some] - part.start
        once = last - first == part.stop - part.start  # each clip is one query: nothing is copied
        of_queries = scores[: len(row)] if once else scores[row]
        own, inside = job.target_score[some], mask[: len(row)]
        _check_again(job, some, start, of_queries)
        np.greater(of_queries, own[:, None], out=inside)
        job.above[some] += _count_rows(inside, repeats)
        np.equal(of_queries, own[:, None], out=inside)
        job.tied[some] += _count_rows(inside, repeats)


def _check_again(job: _Job, some: slice, start: int, scores: NDArray[np.float32]) -> None:
    """The target scores that lie in a tile must be those of the first time."""
    column = job.queries.column[some] - start
    here = np.flatnonzero((column >= 0) & (column < TILE))
    odd = here[scores[here, column[here]] != job.target_score[some][here]]
    if len(odd):
        clip = job.rows.first[job.order[job.queries.row[some.start + odd[0]]]]
        raise RuntimeError(
            f"clip {clip} and following: the same product gave other scores "
            "the second time; ranks would not be exact with this BLAS"
        )


def _count_rows(mask: NDArray[np.bool_], repeats: NDArray[np.int64]) -> NDArray[np.int64]:
    """True cells of each row (rows, TILE), a column as often as its text occurs: int64 (rows,)."""
    # 64 words of 8 cells a row: no byte of their sum overflows
    words = mask.view(np.uint64).sum(axis=1, dtype=np.uint64)
    counts = words.view(np.uint8).reshape(-1, 8).sum(axis=1, dtype=np.int64)
    often = np.flatnonzero(repeats)
    return counts + (mask[:, often] @ repeats[often] if len(often) else 0)


def _count_clips(
    job: _Job,
    state: _TextState,
    part: slice,
    start: int,
    scores: NDArray[np.float32],
    mask: NDArray[np.bool_],
) -> None:
    """Count each text query's clips above its best target clip and as high, and keep the best."""
    clips = job.rows.counts[job.order[part]]
    first, last = np.searchsorted(job.label_column, (start, start + TILE))
    column = job.label_column[first:last] - start
    # of queries with one column, the first is counted on the tile itself, the others on copies
    again = np.flatnonzero(np.diff(column, prepend=-1) == 0)
    alone = np.delete(np.arange(last - first), again)
    best = np.full(TILE, np.inf, np.float32)
    best[column[alone]] = job.best_score[first + alone]
    above, tied = _count_columns(scores, best, clips, mask)
    state.better[first + alone] += above[column[alone]]
    state.tied[first + alone] += tied[column[alone]]
    for low in range(0, len(again), TILE):
        some = again[low : low + TILE]
        copies, best = np.zeros((TILE, TILE), np.float32), np.full(TILE, np.inf, np.float32)
        copies[:, : len(some)] = scores[:, column[some]]
        best[: len(some)] = job.best_score[first + some]
        above, tied = _count_columns(copies, best, clips, mask)
        state.better[first + some] += above[: len(some)]
        state.tied[first + some] += tied[: len(some)]

    enough = np.full(TILE, np.inf, np.float32)
    there = state.best.enough[start : start + TILE]
    enough[: len(there)] = there
    np.greater_equal(scores[: len(clips)], enough, out=mask[: len(clips)])
    row, column = np.divmod(np.flatnonzero(mask[: len(clips)]), TILE)
    if len(row):
        state.best.add(start + column, scores[row, column], clips[row])


def _count_columns(
    scores: NDArray[np.float32],
    best: NDArray[np.float32],
    clips: NDArray[np.int64],
    mask: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Clips above a score in each column of a tile, and with that score: int64 (TILE,) each.

    Args:
        best: the scores; infinity: not counted.
        clips: int64 (rows,), how many clips each row is.
    """
    often = np.flatnonzero(clips > 1)
    counts = []
    for compare in (np.greater, np.equal):
        compare(scores, best, out=mask)
        in_bytes = np.add.reduce(
            mask.view(np.uint8).reshape(-1, _BYTE_COUNTS, TILE), axis=1, dtype=np.uint8
        )
        more = (clips[often] - 1) @ mask[often] if len(often) else 0
        counts.append(in_bytes.sum(axis=0, dtype=np.int64) + more)
    return counts[0], counts[1]


def _each_worker(
    pool: ThreadPoolExecutor,
    workers: int,
    chunks: Sequence[range],
    work: Callable[[Iterator[range]], object],
) -> list:
    """Let every worker take chunks until none is left; what each returns."""
    shared = iter(chunks)  # a list's iterator may be drawn from by several threads
    return [done.result() for done in [pool.submit(work, shared) for _ in range(workers)]]


def _parts(rows: range) -> list[slice]:
    """The tiles of a chunk."""
    starts = range(rows.start, rows.stop, TILE)
    return [slice(start, min(start + TILE, rows.stop)) for start in starts]
