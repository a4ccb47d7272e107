"""Ranks with ties: the lowest and the highest rank of each query, and what they are worth.

Decisions
* Equal scores are a tie. Every metric is its expected value over a random order of the tied, so
  that an encoder that says nothing gets chance.
* A query's rank is that of its first right candidate: anything from ``low`` (nothing tied comes
  before it) to ``high`` (everything tied that is wrong does). With one right candidate among the
  tied each of these ranks is equally likely; with several the chances are those of drawing without
  replacement.
* The median rank is the median of all ranks in all orders, each query with the same weight: F(r),
  the mean over queries of the probability of a rank of at most r, crosses 1/2 there (the midpoint
  where it equals 1/2 between two ranks, as in np.median). That is the exact median of what
  :mod:`benchmarks.metrics.intervals` calls chance for random scores; the mean of the medians of
  single orders would need every order. Several seeds, or several queries of a clip, are pooled in
  the same way.

Cost: 10 ms for a million queries; a query with several right candidates among its tied ones takes
as many steps as there are tied ones, once for each (tied, right).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

RECALL_AT = (1, 5, 10, 20)
HALF = 0.5
ROUNDING = 1e-9  # a share of queries this close to a half is a half
StoredRank = int | Sequence[int]


@dataclass(frozen=True, eq=False)
class TiedRanks:
    """The possible ranks of queries.

    Attributes:
        low: int64 (queries,), 1-based rank of the first right candidate if it leads the tied ones.
        high: int64 (queries,), its rank if all tied wrong candidates come first.
        right: int64 (queries,), right candidates among the tied ones, at least 1.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    right: NDArray[np.int64]

    @classmethod
    def of(
        cls, low: ArrayLike, high: ArrayLike | None = None, right: ArrayLike | None = None
    ) -> TiedRanks:
        """Ranks (queries,), checked; without ``high`` nothing is tied, without ``right`` one is.

        Raises:
            ValueError: they are empty, not integers, of different shapes, below 1, or high lies
                below low.
        """
        low = np.asarray(low)
        given = [low, low if high is None else np.asarray(high)]
        given.append(np.ones_like(low) if right is None else np.asarray(right))
        for name, values in zip(("low", "high", "right"), given, strict=True):
            if values.shape != low.shape or low.ndim != 1 or not low.size:
                raise ValueError(
                    f"ranks must be (queries,) and not empty; {name} has {values.shape}"
                )
            if values.dtype.kind not in "iu":
                raise ValueError(f"ranks must be ints, {name} is {values.dtype}")
            if values.min() < 1:
                at = int(values.argmin())
                raise ValueError(f"{name}[{at}] is {values[at]}; ranks begin at 1")
        found = cls(*(values.astype(np.int64) for values in given))
        if (found.high < found.low).any():
            at = int(np.argmax(found.high < found.low))
            raise ValueError(f"a rank from {found.low[at]} to {found.high[at]}")
        return found

    @classmethod
    def join(cls, parts: Iterable[TiedRanks]) -> TiedRanks:
        """One after the other."""
        columns = zip(*((one.low, one.high, one.right) for one in parts), strict=True)
        return cls(*map(np.concatenate, columns))

    @classmethod
    def nothing_known(cls, candidates: ArrayLike, right: ArrayLike) -> TiedRanks:
        """Ranks where all candidates are tied: what chance is.

        Args:
            candidates: int (queries,), number of candidates.
            right: int (queries,), number of right ones among them, 1..candidates.
        """
        candidates, right = np.broadcast_arrays(np.asarray(candidates), np.asarray(right))
        return cls.of(np.ones_like(candidates), candidates - right + 1, right)

    @classmethod
    def from_stored(cls, stored: Iterable[StoredRank]) -> TiedRanks:
        """Ranks as files hold them: a number, ``[low, high]`` or ``[low, high, right]``."""
        rows = [
            (one, one, 1) if isinstance(one, int) else (one[0], one[1], one[2] if one[2:] else 1)
            for one in stored
        ]
        return cls.of(*np.array(rows, np.int64).reshape(-1, 3).T)

    def stored(self) -> list[int | list[int]]:
        """As files hold them: a number where nothing is open, else its bounds."""
        kept: list[int | list[int]] = self.low.tolist()
        for at in np.flatnonzero(self.high > self.low):
            several = [int(self.right[at])] if self.right[at] > 1 else []
            kept[at] = [int(self.low[at]), int(self.high[at]), *several]
        return kept

    def __len__(self) -> int:
        return len(self.low)

    def __getitem__(self, rows: slice | NDArray) -> TiedRanks:
        return TiedRanks(self.low[rows], self.high[rows], self.right[rows])

    def split(self, sizes: Sequence[int]) -> list[TiedRanks]:
        """Consecutive parts of the given sizes."""
        ends = np.cumsum(sizes).tolist()
        return [self[end - size : end] for end, size in zip(ends, sizes, strict=True)]

    @property
    def tied(self) -> NDArray[np.int64]:
        """Number of candidates with the score of the best right one, itself included."""
        return self.high - self.low + self.right

    def recall(self, k: int) -> NDArray[np.float64]:
        """Probability of a right candidate among the first k: float64 (queries,)."""
        ranks = self.high - self.low + 1
        found = np.clip((k + 1 - self.low) / ranks, 0, 1)
        for tied, right, rows in self._several():
            steps = np.clip(k + 1 - self.low[rows], 0, tied - right + 1)
            found[rows] = 1 - _beyond(tied, right)[steps]
        return found

    def mean(self) -> NDArray[np.float64]:
        """Expected rank: float64 (queries,)."""
        return self.low - 1 + (self.tied + 1) / (self.right + 1)

    def expected(self, value: Callable[[NDArray], NDArray]) -> NDArray[np.float64]:
        """Expected value of a function of the rank: float64 (queries,)."""
        if not (self.high > self.low).any():
            return value(self.low)
        of_rank = value(np.arange(1, self.high.max() + 1))
        sums = np.concatenate([[0.0], np.cumsum(of_rank)])
        open_ = self.high > self.low
        spread = (sums[self.high] - sums[self.low - 1]) / (self.high - self.low + 1)
        found = np.where(open_, spread, of_rank[self.low - 1])
        for tied, right, rows in self._several():
            chances = -np.diff(_beyond(tied, right))
            for low in np.unique(self.low[rows]):
                at = rows[self.low[rows] == low]
                found[at] = chances @ of_rank[low - 1 : low - 1 + len(chances)]
        return found

    def _several(self) -> Iterable[tuple[int, int, NDArray[np.int64]]]:
        """Queries with an open rank and several right ones among the tied, by (tied, right)."""
        rows = np.flatnonzero((self.right > 1) & (self.high > self.low))
        kinds = np.stack([self.tied[rows], self.right[rows]], axis=1)
        for tied, right in np.unique(kinds, axis=0).tolist():
            yield tied, right, rows[(kinds == (tied, right)).all(axis=1)]


@lru_cache(maxsize=64)
def _beyond(tied: int, right: int) -> NDArray[np.float64]:
    """P(no right one among the first j of the tied in random order), j = 0..tied - right + 1."""
    steps = np.arange(tied - right + 1)
    return np.concatenate([[1.0], np.cumprod((tied - right - steps) / (tied - steps))])


def of_clips(ranks: Mapping[str, Sequence[StoredRank]]) -> tuple[TiedRanks, NDArray[np.int64]]:
    """The ranks of a result, clip after clip, and the number of the clip of each."""
    sizes = [len(of) for of in ranks.values()]
    stored = TiedRanks.from_stored(chain.from_iterable(ranks.values()))
    return stored, np.repeat(np.arange(len(sizes)), sizes)


def recall_of_clips(ranks: Mapping[str, Sequence[StoredRank]], k: int) -> NDArray[np.float64]:
    """R@k of each clip of a result, averaged over its seeds or queries: float64 (clips,)."""
    flat, clip = of_clips(ranks)
    return np.bincount(clip, flat.recall(k)) / np.bincount(clip)


def rank_units(ranks: TiedRanks) -> dict[str, NDArray[np.float64]]:
    """The contribution of each query to the metrics that are means over queries.

    DCG is 1 / log2(1 + rank): relevance is binary and there is no cut-off, so the ideal DCG is 1
    and DCG equals NDCG, as in papers on isolated signs (ASL Citizen, Desai et al., 2023). (With
    several right results, as in T2V, DCG would be a sum over them.)

    Returns:
        R@k for each k of ``RECALL_AT``, MRR, DCG and MeanR: float64 (queries,).
    """
    units = {f"R@{k}": ranks.recall(k) for k in RECALL_AT}
    units["MRR"] = ranks.expected(lambda rank: 1 / rank)
    units["DCG"] = ranks.expected(lambda rank: 1 / np.log2(1 + rank))
    return units | {"MeanR": ranks.mean()}


def median(ranks: TiedRanks, unit: ArrayLike | None = None) -> float:
    """The median of the ranks in all orders of the tied; see the module.

    Args:
        unit: int (queries,), the unit of each query (a clip with several queries or seeds); units
            have equal weight, and queries of a unit, too. None: each query is one.
    """
    if unit is None and not (ranks.high > ranks.low).any():
        return float(np.median(ranks.low))
    weight = unit_weights(len(ranks), unit)

    def share(rank: int) -> float:
        return float(weight @ ranks.recall(rank))

    possible = range(int(ranks.low.min()), int(ranks.high.max()) + 1)
    lower = bisect_left(possible, HALF - ROUNDING, key=share)
    upper = bisect_left(possible, HALF + ROUNDING, key=share)
    last = len(possible) - 1
    return (possible[min(lower, last)] + possible[min(upper, last)]) / 2


def unit_weights(queries: int, unit: ArrayLike | None) -> NDArray[np.float64]:
    """The weight of each query: float64 (queries,), of sum 1; see :func:`median`."""
    if unit is None:
        return np.full(queries, 1 / queries)
    unit = np.asarray(unit)
    sizes = np.bincount(unit)
    return 1 / (sizes[unit] * np.count_nonzero(sizes))
