"""The best clips of each text, found tile by tile, and the hits in the first k that follow.

Decisions
* For hits in the first k, each text keeps the best max(k) distinct embeddings of clips, and counts
  the clips that tie with the worst of these and are not among them: the number of tied clips at
  the depth k is then known, however many there are.
* Which of the clips are right is not kept: their scores with their own text are known, so hits
  follow from a comparison with the score at the depth k.

Cost: 8 max(k) bytes a text and worker.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.keys import EMPTY, clips_of, keys_of, score_of

_LOWEST = np.finfo(np.float32).min


class BestClips:
    """The best clips of each text that one worker has seen.

    Attributes:
        keys: int64 (texts, deepest), the best distinct clips, see :mod:`benchmarks.metrics.keys`.
        enough: float32 (texts,), the score below which a clip is not among the best.
        tied: int64 (texts,), clips of that score that are not among the keys.
    """

    def __init__(self, asked: NDArray[np.bool_], deepest: int) -> None:
        """Args: asked: bool (texts,), which texts have clips; others keep nothing."""
        self.keys = np.full((len(asked), deepest), EMPTY)
        self.enough = np.where(asked, _LOWEST, np.inf).astype(np.float32)
        self.tied = np.zeros(len(asked), np.int64)

    def add(
        self, text: NDArray[np.int64], scores: NDArray[np.float32], clips: NDArray[np.int64]
    ) -> None:
        """Take in embeddings (n,) whose scores with their texts (n,) are at least ``enough``.

        Args:
            clips: int64 (n,), how many clips have each embedding.
        """
        order = np.argsort(text, kind="stable")
        touched, first, counts = np.unique(text[order], return_index=True, return_counts=True)
        deepest = self.keys.shape[1]
        merged = np.full((len(touched), deepest + counts.max()), EMPTY)
        merged[:, :deepest] = self.keys[touched]
        place = np.arange(len(text)) - np.repeat(first, counts)
        row = np.repeat(np.arange(len(touched)), counts)
        merged[row, deepest + place] = keys_of(scores, clips)[order]
        kept, worst, left_out = best_of(merged, deepest)
        before = np.where(worst == self.enough[touched], self.tied[touched], 0)
        self.keys[touched] = kept
        full = kept[:, 0] != EMPTY
        self.enough[touched[full]] = worst[full]
        self.tied[touched] = np.where(full, left_out + before, 0)


def best_of(
    keys: NDArray[np.int64], deepest: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """The best keys of each row, the worst score among them, and the clips left out that have it.

    Args:
        keys: (texts, any number of at least ``deepest``).
        deepest: how many are kept.

    Returns:
        int64 (texts, deepest), the worst of them first; float32 (texts,); int64 (texts,).
    """
    parted = np.partition(keys, -deepest)
    others, kept = parted[:, :-deepest], parted[:, -deepest:]
    worst = score_of(kept[:, 0])
    same = (others != EMPTY) & (score_of(others) == worst[:, None])
    return kept, worst, np.where(same, clips_of(others), 0).sum(axis=1)


def expected_hits(
    found: Sequence[BestClips],
    column: NDArray[np.int64],
    query: NDArray[np.int64],
    scores: NDArray[np.float32],
    k: Sequence[int],
) -> dict[int, NDArray[np.float64]]:
    """Expected number of right clips in the first k of each query, for each k.

    Args:
        found: of all workers, which together saw all clips.
        column: int64 (queries,), the text of each query.
        query: int64 (clips,), the query to which each clip is right.
        scores: float32 (clips,), with that text.
    """
    deepest = found[0].keys.shape[1]
    keys, worst, tied = best_of(
        np.concatenate([one.keys[column] for one in found], axis=1), deepest
    )
    for one in found:
        tied += np.where(one.enough[column] == worst, one.tied[column], 0)
    keys = np.sort(keys)[:, ::-1]  # best first
    of_key, clips = score_of(keys), clips_of(keys)
    places = np.cumsum(clips, axis=1)

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(query[chosen], minlength=len(column))

    hits = {}
    for depth in k:
        reached = places >= depth
        at = reached.argmax(axis=1)
        score = of_key[np.arange(len(column)), at]
        score[~reached.any(axis=1)] = -np.inf  # fewer clips than that: all are within
        above = np.where(of_key > score[:, None], clips, 0).sum(axis=1)
        equal = np.where(of_key == score[:, None], clips, 0).sum(axis=1)
        equal += np.where(score == worst, tied, 0)
        share = (depth - above) / np.maximum(equal, 1)  # of the tied that are within
        hits[depth] = count(scores > score[query]) + share * count(scores == score[query])
    return hits
