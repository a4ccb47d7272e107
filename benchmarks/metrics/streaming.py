"""Exact ranks of hundreds of thousands of clips, straight from embeddings, in constant memory.

`ranks` returns what `metrics.ranks` returns on the score matrix, without that matrix: 453,000 clips
x 18,423 texts would take 33 GB.

Decisions
* A score is the float32 dot product of a clip and a text (for a cosine, normalise before). Ranks
  are 1-based, ties go to the lower index, both as in `metrics`.
* Scores are computed in tiles of one fixed shape, each by one thread; the last tile is padded with
  zeros. The last bits of float32 products depend on the shape and the threads of the
  multiplication, and a clip's target score from another one could outrank itself. Here every score
  is a function of its tile alone, so neither `workers` nor `budget` changes a bit.
* Clips are processed in the order of their targets (ties still go by the caller's order): the tiles
  with target scores are then few (one per row or column of tiles) and are computed twice, first to
  know what T2V compares with, then in the one pass for both directions, where a difference of a bit
  between the two is an error.
* Equal embeddings get equal scores, hence true ties, if the BLAS computes a cell of a tile the same
  way wherever it lies. OpenBLAS does at this tile size with AVX-512 and without AVX2, and a test
  checks it; with AVX2 alone (most of AMD's processors) it does at no size, and rounding may
  separate equal embeddings.
* For hits in the first k, each text keeps its best max(k) clips; the rank of its best target clip
  is counted, so it is exact at any depth.

Cost: 2 x clips x texts x dims operations and about a tenth more for everything else. Memory: one
`budget` for the workers together, 60 bytes a clip, and 8 max(k) bytes a text and worker; embeddings
are only read, so a memory map will do. Measurements: docs/speed.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from benchmarks.metrics.arrays import checked_embeddings, checked_targets, largest
from benchmarks.metrics.keys import EMPTY, clip_of, keys_of, score_of
from benchmarks.metrics.ranking import RECALL_AT, Ranks, T2VHits

TILE = 512  # clips and texts of a tile; scores of other tiles would differ in their last bits
BUDGET = 128 * 2**20  # bytes of working memory, of all workers together
WORKERS = 2
_SCRATCH = 96 * TILE * TILE  # bytes a worker: a tile's scores, masks, and at worst all as keys
_BYTE_COUNTS = 128  # rows of a mask summed in bytes, which hold up to 255
_SAFE = float(np.finfo(np.float32).max) / 4
_LOWEST = np.finfo(np.float32).min


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
    return Ranks(job.v2t, job.predicted, job.t2v(found, k), len(job.texts))


def score_matrix(clips: ArrayLike, texts: ArrayLike, targets: ArrayLike) -> NDArray[np.float32]:
    """The scores that `ranks` compares, (texts, clips), to the last bit: for checks on small data.

    Raises:
        ValueError: as `ranks`, except for scores that are not finite.
    """
    job = _Job(clips, texts, targets)
    matrix = np.empty((len(job.texts), len(job.clips)), np.float32)
    with threadpool_limits(1, user_api="blas"):
        tiles = _Tiles(job)
        for rows in job.chunks(1, 0):
            tiles.take_clips(rows)
            for start in range(0, len(job.texts), TILE):
                tiles.take_texts(start)
                scores = tiles.multiply(0)[: len(rows), : len(job.texts) - start]
                matrix[start : start + TILE, job.order[rows]] = scores.T
    return matrix


class _Job:
    """What all workers share: the input, and the results by clip, each written by one worker.

    Clips are held in the order of their targets: `order` is the caller's index of each.
    """

    def __init__(self, clips: ArrayLike, texts: ArrayLike, targets: ArrayLike) -> None:
        self.clips = checked_embeddings(clips, "clips")
        self.texts = checked_embeddings(texts, "texts")
        if self.clips.shape[1] != self.texts.shape[1]:
            raise ValueError(
                f"clips and texts must have the same dims: {self.clips.shape}, {self.texts.shape}"
            )
        given = checked_targets(targets, len(self.clips), len(self.texts))
        dims = self.clips.shape[1]
        most = largest(self.clips, "clips", TILE) * largest(self.texts, "texts", TILE)
        self.may_overflow = dims * most > _SAFE  # no partial sum is larger than that
        self.order = np.argsort(given, kind="stable")
        self.targets = given[self.order]
        self.target_score = np.empty(len(given), np.float32)
        self.v2t = np.empty(len(given), np.int64)
        self.predicted = np.empty(len(given), np.int64)
        self.best_score = np.full(len(self.texts), np.inf, np.float32)  # no clips: nothing is above
        self.best_clip = np.zeros(len(self.texts), np.int64)

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
        """From the target scores, the best-ranked clip of each text and its score."""
        by_rank = np.lexsort((self.order, -self.target_score, self.targets))
        text, first = np.unique(self.targets[by_rank], return_index=True)
        self.best_score[text] = self.target_score[by_rank[first]]
        self.best_clip[text] = self.order[by_rank[first]]

    def t2v(self, found: Sequence[_TextState], k: Sequence[int]) -> T2VHits:
        """Merge the states of all workers."""
        labels, positives = np.unique(self.targets, return_counts=True)
        first_rank = 1 + sum(state.better[labels] for state in found)
        keys = np.concatenate([state.keys[labels] for state in found], axis=1)
        deepest = found[0].keys.shape[1]
        # together the workers saw all clips, so every place is taken
        keys = np.sort(np.partition(keys, -deepest)[:, -deepest:])[:, ::-1]  # best first
        targets = np.empty_like(self.targets)
        targets[self.order] = self.targets
        hit = targets[clip_of(keys)] == labels[:, None]
        hits = {depth: hit[:, :depth].sum(axis=1) for depth in k}
        return T2VHits(labels, first_rank, hits, positives)


class _TextState:
    """One worker's counts for each text: clips above its best target clip, and the best clips."""

    def __init__(self, job: _Job, deepest: int) -> None:
        texts = len(job.texts)
        self.better = np.zeros(texts, np.int64)
        self.keys = np.full((texts, min(deepest, len(job.clips))), EMPTY)
        # below this score a clip is not among the best; texts without clips need none
        self.enough = np.where(np.isinf(job.best_score), np.inf, _LOWEST).astype(np.float32)


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
            self._clips[number, : len(part)] = self.job.clips[part]
            self._clips[number, len(part) :] = 0

    def take_texts(self, start: int) -> None:
        """Read the tile of texts that begins there."""
        part = self.job.texts[start : start + TILE]
        self._texts[: len(part)], self._texts[len(part) :] = part, 0
        self.start = start

    def multiply(self, number: int) -> NDArray[np.float32]:
        """Scores (TILE, TILE) of a tile of the clips taken; -inf where there is no clip or text."""
        np.dot(self._clips[number], self._texts.T, out=self._scores)
        clips = len(self.rows[number * TILE : (number + 1) * TILE])
        texts = min(TILE, len(self.job.texts) - self.start)
        if self.job.may_overflow:
            self._check(clips, texts, number)
        self._scores[clips:] = -np.inf
        self._scores[:, texts:] = -np.inf
        return self._scores

    def _check(self, clips: int, texts: int, number: int) -> None:
        finite = np.isfinite(self._scores[:clips, :texts])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            clip = self.job.order[self.rows[number * TILE + row]]
            raise ValueError(
                f"the score of clips[{clip}] and texts[{self.start + column}] is "
                f"{self._scores[row, column]} in float32"
            )


def _target_scores(job: _Job, chunks: Iterator[range]) -> None:
    """Write each clip's score with its target, from the tiles in which these lie."""
    tiles = _Tiles(job)
    for rows in chunks:
        tiles.take_clips(rows)
        for number, part in enumerate(_parts(rows)):
            targets = job.targets[part]
            for start in np.unique(targets // TILE) * TILE:
                first, last = np.searchsorted(targets, (start, start + TILE))
                tiles.take_texts(start)
                scores = tiles.multiply(number)
                picked = scores[np.arange(first, last), targets[first:last] - start]
                job.target_score[part][first:last] = picked


def _pass(job: _Job, chunks: Iterator[range], deepest: int) -> _TextState:
    """Multiply every tile of some clips once, and count in both directions."""
    tiles, state = _Tiles(job), _TextState(job, deepest)
    for rows in chunks:
        tiles.take_clips(rows)
        above = np.zeros(len(rows), np.int64)
        first_text, first_score = np.zeros_like(above), np.full(len(rows), -np.inf, np.float32)
        for start in range(0, len(job.texts), TILE):
            tiles.take_texts(start)
            for number, part in enumerate(_parts(rows)):
                here = slice(part.start - rows.start, part.stop - rows.start)
                scores = tiles.multiply(number)
                above[here] += _texts_above(job, part, start, scores, tiles.mask)
                column = scores.argmax(axis=1)[: part.stop - part.start]
                score = scores[np.arange(len(column)), column]
                better = score > first_score[here]  # a tie stays with the lower text
                first_score[here][better] = score[better]
                first_text[here][better] = column[better] + start
                _count_clips(job, state, part, start, scores, tiles.mask)
        job.v2t[job.order[rows]] = 1 + above
        job.predicted[job.order[rows]] = first_text
    return state


def _texts_above(
    job: _Job, part: slice, start: int, scores: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """How many texts of a tile rank before each clip's target: (clips of the tile,).

    Clips are in the order of their targets, so those whose target lies before the tile (a tie comes
    after it), in it, and behind it (a tie comes first) are three runs of rows.
    """
    targets, target_score = job.targets[part], job.target_score[part]
    first, last = np.searchsorted(targets, (start, start + TILE))
    scores, mask = scores[: len(targets)], mask[: len(targets)]
    np.greater(scores[:first], target_score[:first, None], out=mask[:first])
    np.greater_equal(scores[last:], target_score[last:, None], out=mask[last:])
    if first < last:
        score, column = target_score[first:last, None], targets[first:last, None] - start
        inside, known = scores[first:last], mask[first:last]
        if not np.array_equal(np.take_along_axis(inside, column, axis=1), score):
            raise RuntimeError(
                f"clip {job.order[part][first]} and following: the same product gave other scores "
                "the second time; ranks would not be exact with this BLAS"
            )
        np.greater(inside, score, out=known)
        known |= (inside == score) & (np.arange(TILE) < column)
    # 64 words of 8 cells a row: no byte of their sum overflows
    words = mask.view(np.uint64).sum(axis=1, dtype=np.uint64)
    return words.view(np.uint8).reshape(-1, 8).sum(axis=1, dtype=np.int64)


def _count_clips(
    job: _Job,
    state: _TextState,
    part: slice,
    start: int,
    scores: NDArray[np.float32],
    mask: NDArray[np.bool_],
) -> None:
    """Count each text's clips above its best target clip, in one tile, and keep its best clips."""
    order, texts = job.order[part], slice(start, min(start + TILE, len(job.texts)))
    best = np.full(TILE, np.inf, np.float32)
    best[: texts.stop - start] = job.best_score[texts]
    np.greater(scores, best, out=mask)
    counts = np.add.reduce(
        mask.view(np.uint8).reshape(-1, _BYTE_COUNTS, TILE), axis=1, dtype=np.uint8
    )
    state.better[texts] += counts.sum(axis=0, dtype=np.int64)[: texts.stop - start]

    np.equal(scores, best, out=mask)
    row, column = np.divmod(np.flatnonzero(mask), TILE)
    before = order[row] < job.best_clip[start + column]
    np.add.at(state.better, start + column[before], 1)

    enough = np.full(TILE, np.inf, np.float32)
    enough[: texts.stop - start] = state.enough[texts]
    np.greater_equal(scores, enough, out=mask)
    row, column = np.divmod(np.flatnonzero(mask), TILE)
    if len(row):
        _keep_best(state, start + column, keys_of(scores[row, column], order[row]))


def _keep_best(state: _TextState, text: NDArray[np.int64], keys: NDArray[np.int64]) -> None:
    """Merge clips, as keys (n,), into the best ones of their texts (n,)."""
    deepest = state.keys.shape[1]
    by_text = np.argsort(text, kind="stable")
    touched, first, counts = np.unique(text[by_text], return_index=True, return_counts=True)
    merged = np.full((len(touched), deepest + counts.max()), EMPTY)
    merged[:, :deepest] = state.keys[touched]
    place = np.arange(len(text)) - np.repeat(first, counts)
    merged[np.repeat(np.arange(len(touched)), counts), deepest + place] = keys[by_text]
    kept = np.partition(merged, -deepest)[:, -deepest:]  # ascending up to the first of these
    state.keys[touched] = kept
    full = kept[:, 0] != EMPTY
    state.enough[touched[full]] = score_of(kept[full, 0])


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
