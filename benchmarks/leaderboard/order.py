"""The overall order of a board: Borda, mean of tasks, coverage, and intervals of ranks.

Decisions
* Borda: in each column a row gets a point for every other row of the board that it beats there and
  half a point for every equal value. Its score is its points divided by the points that it could
  have got in the columns that it has: the share of comparisons that it wins. A column that a row
  does not have is missing, not lost; coverage says how many there are.
* The order is over all rows of the board. On the page, corpora and tasks choose its columns, kinds
  and a licence its rows, and "zero-shot results only" its cells: it is computed anew, and the page
  says among how many rows. What a search hides changes no rank.
* Intervals: in each of the replicates, the units of every column (clips, signers or sign
  languages) are drawn with replacement, for all rows together, and then the columns. The range
  from the 2.5th to the 97.5th percentile of a row's ranks is shown, widened to hold its rank if
  need be. Where none of a row's columns is drawn, its rank could be any; so rows with few columns
  have wide intervals.
* The page computes the same numbers in the reader's browser from the points of each replicate, one
  byte each. So the generator that draws columns is one that is three lines in both languages
  (mulberry32), and points are rounded to bytes here, too.

Cost: rows x columns x replicates; 0.1 s for 60 rows, 35 columns and 200 replicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 1
BYTE = 255
MOST_BYTES = 1_000_000  # of all replicates of a board
FEWEST, MOST = 40, 200  # replicates
TAIL = 0.025  # of an interval of ranks, on each side


class ColumnPoints(NamedTuple):
    """Borda points of one column.

    Attributes:
        rows: of the board, ascending.
        share: float (rows,), share of the other rows that are beaten.
        replicates: uint8 (rows, replicates), the same in each replicate, of BYTE.
    """

    rows: Sequence[int]
    share: NDArray[np.float64]
    replicates: NDArray[np.uint8]


class Standing(NamedTuple):
    """A row's place in the overall order.

    Attributes:
        rank: 1-based; equal scores share the better place. None: it has none of the columns.
        low: best rank of the interval.
        high: worst rank.
        borda: share of comparisons won.
        mean: of the main metrics of its columns.
        columns: how many of the chosen columns it has.
    """

    rank: int | None
    low: int
    high: int
    borda: float
    mean: float
    columns: int


def replicates_of(cells: int) -> int:
    """The number of replicates for a board with so many cells."""
    return int(np.clip(MOST_BYTES // max(cells, 1), FEWEST, MOST))


def beaten(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the other values that each one of (..., rows) exceeds, equal ones counting half."""
    values = np.asarray(values, np.float64)
    count = values.shape[-1]
    if count < 2:
        return np.full(values.shape, 0.5)
    flat = values.reshape(-1, count)
    points = np.empty_like(flat)
    for one, row in zip(points, flat, strict=True):
        in_order = np.sort(row)
        lower = np.searchsorted(in_order, row, "left")
        equal = np.searchsorted(in_order, row, "right") - lower - 1
        one[:] = lower + equal / 2
    return (points / (count - 1)).reshape(values.shape)


def resampled_means(
    sums: NDArray[np.float64], sizes: NDArray[np.float64], draws: int, seed: int
) -> NDArray[np.float64]:
    """Means over units that are drawn with replacement, the same draws for all rows.

    Args:
        sums: (rows, units), of the values of a unit's clips.
        sizes: (rows, units), numbers of these clips.

    Returns:
        (draws, rows).
    """
    units = sums.shape[1]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, units, (draws, units)) + units * np.arange(draws)[:, None]
    weights = np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units)
    return (weights @ sums.T) / np.maximum(weights @ sizes.T, 1e-12)


def mulberry32(seed: int) -> Iterator[float]:
    """Uniform numbers in [0, 1); the page has the same generator."""
    mask = 0xFFFFFFFF
    while True:
        seed = (seed + 0x6D2B79F5) & mask
        t = seed
        t = ((t ^ (t >> 15)) * (t | 1)) & mask
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & mask)) & mask
        yield ((t ^ (t >> 14)) & mask) / 2**32


def standings(
    columns: Sequence[ColumnPoints], means: Sequence[Sequence[float]], rows: int
) -> list[Standing]:
    """The overall order over some columns.

    Args:
        means: of each column, the main metric of its rows.
        rows: of the board.
    """
    points, possible = np.zeros(rows), np.zeros(rows)
    total, have = np.zeros(rows), np.zeros(rows, int)
    for column, values in zip(columns, means, strict=True):
        here = np.asarray(column.rows, int)
        points[here] += column.share * (len(here) - 1)
        possible[here] += len(here) - 1
        total[here] += values
        have[here] += 1
    score = np.divide(points, possible, out=np.full(rows, -1.0), where=possible > 0)
    score = np.where((have > 0) & (possible == 0), 0.5, score)
    ranks = _ranks(score)
    low, high = _intervals(columns, rows)
    return [
        Standing(
            int(ranks[row]) if have[row] else None,
            int(min(low[row], ranks[row])),
            int(max(high[row], ranks[row])),
            float(score[row]),
            float(total[row] / have[row]) if have[row] else float("nan"),
            int(have[row]),
        )
        for row in range(rows)
    ]


def _ranks(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank of each score, 1 for the largest; equal ones share the better place.

    Scores are compared with nine decimals, so that the order of additions does not decide.
    """
    rounded = np.round(score, 9)
    return 1 + len(score) - np.searchsorted(np.sort(rounded), rounded, "right")


def _intervals(
    columns: Sequence[ColumnPoints], rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Best and worst rank of each row over the replicates."""
    if not columns:
        return np.ones(rows, int), np.full(rows, rows)
    draws = columns[0].replicates.shape[1]
    numbers = mulberry32(SEED)
    drawn = np.array([int(next(numbers) * len(columns)) for _ in range(draws * len(columns))])
    points, possible = np.zeros((draws, rows)), np.zeros((draws, rows))
    for number, column in enumerate(columns):
        times = (drawn.reshape(draws, -1) == number).sum(axis=1)[:, None]
        here = np.asarray(column.rows, int)
        others = len(here) - 1
        points[:, here] += times * others * (column.replicates.T.astype(np.float64) / BYTE)
        possible[:, here] += times * others
    known = possible > 0
    score = np.divide(points, possible, out=np.full((draws, rows), -1.0), where=known)
    ranks = np.stack([_ranks(one) for one in score])
    best, worst = np.where(known, ranks, 1), np.where(known, ranks, rows)
    cut = int(TAIL * (draws - 1))
    return np.sort(best, axis=0)[cut], np.sort(worst, axis=0)[-1 - cut]
