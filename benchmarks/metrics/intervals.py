"""Bootstrap intervals, paired differences, and the chance levels of random scores.

Decisions
* Percentile bootstrap over units (clips, queries or signers: the caller chooses what varies). Units
  are taken as independent; clips of one signer are not, so pass one value per signer then.
* The same values, seed and number of resamples give the same interval, to the last bit.
* Chance is computed, not simulated, with exact rational arithmetic where a comparison with 1/2
  decides.

Cost: `bootstrap_interval` draws resamples x units values: 0.3 s for a mean, 0.7 s for a median, at
10,000 x 4,500 on one core, in `cells` x 24 bytes (100 MB). `chance_t2v` takes about log2(clips) x
(largest number of positives of a query) steps on long integers: milliseconds up to 500 positives.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics.ties import HALF, ROUNDING, TiedRanks

CELLS = 2**22  # resampled values held at a time


class PairedDifference(NamedTuple):
    """Mean of a - b over units, with its interval; it is significant if 0 lies outside."""

    difference: float
    low: float
    high: float


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[..., NDArray] = np.mean,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    cells: int = CELLS,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic over units.

    Args:
        values: (units,), one number per unit (a hit as 0 or 1, a rank, ...).
        statistic: np.mean, np.median, or another function of (resamples, units) and `axis=1`.
        level: share of resampled statistics between low and high, in (0, 1).
        resamples: number of times that the units are drawn with replacement.
        seed: of the draws.
        cells: resampled values held at a time; changes memory, never the result.

    Returns:
        (low, high). A single unit gives an interval of width 0, which says nothing about the
        uncertainty.

    Raises:
        ValueError: the values are empty, not one-dimensional or not finite, or the level lies
            outside (0, 1).
    """
    values = _checked_values(values, "values")
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    draws = _draws(len(values), resamples, seed, cells // len(values))
    statistics = [statistic(values[drawn], axis=1) for drawn in draws]
    return _middle(np.concatenate(statistics), level)


def _middle(statistics: NDArray, level: float) -> tuple[float, float]:
    """The bounds of the middle part of resampled statistics."""
    tail = (1 - level) / 2
    low, high = np.quantile(statistics, [tail, 1 - tail])
    return float(low), float(high)


def _draws(units: int, resamples: int, seed: int, rows: int) -> Iterator[NDArray]:
    """Units drawn with replacement, int64 (rows or fewer, units) each."""
    if rows >= resamples:
        yield _all_draws(units, resamples, seed)
    else:
        yield from _parts(units, resamples, seed, max(1, rows))


def _parts(units: int, resamples: int, seed: int, rows: int) -> Iterator[NDArray]:
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, rows):
        yield rng.integers(0, units, (min(rows, resamples - start), units))


@lru_cache(maxsize=2)  # a table needs the same draws hundreds of times; at most CELLS numbers
def _all_draws(units: int, resamples: int, seed: int) -> NDArray:
    [drawn] = _parts(units, resamples, seed, resamples)
    drawn.setflags(write=False)
    return drawn


def bootstrap_median(
    ranks: TiedRanks,
    unit: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of `benchmarks.metrics.ties.median` over units.

    Only ranks near the median are looked at: F(r), the share of units with a rank of at most r, has
    a standard error of at most 1 / (2 sqrt(units)) in a resample, and the median of one lies where
    F is within nine of these of 1/2.

    Args:
        unit: int (queries,), the unit of each query, 0-based; every unit has one.
        level: as in `bootstrap_interval`, like `resamples` and `seed`.
    """
    unit = np.asarray(unit)
    units = int(unit.max()) + 1
    sizes = np.bincount(unit, minlength=units)
    near = 9 * 0.5 / np.sqrt(units)

    def shares(rank: int) -> NDArray[np.float64]:
        return np.bincount(unit, ranks.recall(rank), minlength=units) / sizes

    every = range(int(ranks.low.min()), int(ranks.high.max()) + 1)
    first = bisect_left(every, HALF - near, key=lambda rank: shares(rank).mean())
    last = bisect_left(every, HALF + near, key=lambda rank: shares(rank).mean())
    close = np.arange(every[min(first, len(every) - 1)], every[min(last, len(every) - 1)] + 1)
    of_unit = np.stack([shares(rank) for rank in close], axis=1)  # (units, ranks)
    medians = []
    rows = CELLS // max(units, len(close))
    for times in _times(units, resamples, seed, rows):
        of_resample = times @ of_unit / units
        of_resample[:, -1] = 1
        lower = close[np.argmax(of_resample >= HALF - ROUNDING, axis=1)]
        upper = close[np.argmax(of_resample > HALF + ROUNDING, axis=1)]
        medians.append((lower + upper) / 2)
    return _middle(np.concatenate(medians), level)


def _times(units: int, resamples: int, seed: int, rows: int) -> Iterator[NDArray[np.float64]]:
    """How often each unit was drawn, (rows or fewer, units) each."""
    if rows >= resamples:
        yield _all_times(units, resamples, seed)
    else:
        yield from map(_counted, _draws(units, resamples, seed, rows))


def _counted(drawn: NDArray) -> NDArray[np.float64]:
    """(resamples, units) of unit numbers -> how often each was drawn, (resamples, units)."""
    rows, units = drawn.shape
    cells = (np.arange(rows)[:, None] * units + drawn).ravel()
    return np.bincount(cells, minlength=rows * units).reshape(rows, units).astype(np.float64)


@lru_cache(maxsize=2)
def _all_times(units: int, resamples: int, seed: int) -> NDArray[np.float64]:
    times = _counted(_all_draws(units, resamples, seed))
    times.setflags(write=False)
    return times


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> PairedDifference:
    """Mean of a - b over the same units, with a percentile bootstrap interval.

    Units are drawn for both sides together, so what makes a unit hard for both cancels out.

    Args:
        a: (units,), one number per unit.
        b: (units,), the other system's numbers for the same units in the same order.
        groups: (units,), the sign language or signer of each unit: whole groups are drawn, so the
            interval is one for new languages or signers. With a single group it has width 0.
        level: as in `bootstrap_interval`, like `resamples` and `seed`.

    Raises:
        ValueError: the numbers of units or groups differ, or see `bootstrap_interval`.
    """
    a, b = _checked_values(a, "a"), _checked_values(b, "b")
    if a.shape != b.shape:
        raise ValueError(f"a and b must hold the same units: {len(a)} and {len(b)} values")
    if groups is None:
        low, high = bootstrap_interval(a - b, level=level, resamples=resamples, seed=seed)
        return PairedDifference(float(np.mean(a - b)), low, high)
    if len(groups) != len(a):
        raise ValueError(f"{len(a)} units and {len(groups)} groups")
    names, group_of = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums = np.bincount(group_of, weights=a - b, minlength=len(names))
    sizes = np.bincount(group_of, minlength=len(names)).astype(float)
    drawn = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return PairedDifference(float(np.mean(a - b)), *_middle(means, level))


def chance_v2t(n_labels: int, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Expected V2T metrics of random scores: each rank 1..n_labels is equally likely.

    Args:
        n_labels: number of labels in the gallery, including those without clips.
        ks: depths; beyond the gallery R@k is 1 and P@k still divides by k.

    Returns:
        R@k and P@k (= R@k / k) for each k, MRR, DCG, MedianR and MeanR (of the distribution of
        ranks), with the definitions of `benchmarks.metrics.retrieval`.

    Raises:
        ValueError: there are no labels, or a k is below 1.
    """
    if n_labels < 1:
        raise ValueError(f"n_labels must be at least 1, got {n_labels}")
    _check_depths(ks)
    recall = {k: min(k, n_labels) / n_labels for k in ks}
    middle = (n_labels + 1) / 2
    ranks = np.arange(1, n_labels + 1)
    return {
        **{f"R@{k}": recall[k] for k in ks},
        **{f"P@{k}": recall[k] / k for k in ks},
        "MRR": float(np.mean(1 / ranks)),
        "DCG": float(np.mean(1 / np.log2(1 + ranks))),
        "MedianR": middle,
        "MeanR": middle,
    }


def chance_t2v(
    positives_per_query: ArrayLike, n_clips: int, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Expected T2V metrics of random scores.

    A query with m right clips of N has its first hit beyond rank r with probability C(N - r, m) /
    C(N, m) (no right clip among r drawn: hypergeometric). Ranks over queries follow the mixture of
    these. MedianR is the exact median of the mixture: the midpoint where a probability of 1/2 falls
    between two ranks, as in np.median. (The median over few queries scatters about it, and its
    expectation can differ.)

    Args:
        positives_per_query: ints (queries,), number of right clips of each query, 1..n_clips.
        n_clips: number of clips in the gallery.
        ks: depths; beyond the gallery R@k is 1 and P@k still divides by k.

    Returns:
        R@k and P@k for each k, MRR, MedianR and MeanR, with the definitions of
        `benchmarks.metrics.retrieval`.

    Raises:
        ValueError: there are no queries, a number of positives lies outside 1..n_clips, or a k is
            below 1.
    """
    positives = _checked_positives(positives_per_query, n_clips)
    _check_depths(ks)
    queries_with = np.bincount(positives).tolist()  # Python ints, which never overflow
    everything = len(positives) * _falling(n_clips, len(queries_with) - 1)

    def beyond(rank: int) -> int:
        return _first_hit_beyond(min(rank, n_clips), queries_with, n_clips)

    ranks = range(1, n_clips + 1)
    lower = bisect_left(ranks, True, key=lambda rank: 2 * beyond(rank) <= everything)
    upper = bisect_left(ranks, True, key=lambda rank: 2 * beyond(rank) < everything)
    hits = {k: min(k, n_clips) * float(np.mean(positives)) / n_clips for k in ks}
    return {
        **{f"R@{k}": (everything - beyond(k)) / everything for k in ks},
        **{f"P@{k}": hits[k] / k for k in ks},
        "MRR": _mean_reciprocal(positives, n_clips),
        "MedianR": (ranks[lower] + ranks[upper]) / 2,
        "MeanR": float(np.mean((n_clips + 1) / (positives + 1))),
    }


def _mean_reciprocal(positives: NDArray[np.int64], n_clips: int) -> float:
    """Mean over queries of the expected 1 / rank of the first hit: the sum of P(rank r) / r."""
    found = {}
    for m in np.unique(positives).tolist():
        # P(beyond rank r) by its factors: (N - r - m + 1) / (N - r + 1) a step
        ranks = np.arange(1, n_clips - m + 2)
        steps = (n_clips - ranks - m + 1) / (n_clips - ranks + 1)
        beyond = np.concatenate([[1.0], np.cumprod(steps)])
        found[m] = float(np.sum((beyond[:-1] - beyond[1:]) / ranks))
    return float(np.mean([found[m] for m in positives.tolist()]))


def _first_hit_beyond(rank: int, queries_with: list[int], n_clips: int) -> int:
    """Expected number of queries without a hit in the first `rank` places, as an integer.

    The unit is 1 / (N (N-1) ... (N-M+1)), with N clips and M the largest number of positives of a
    query: the probability for m positives is a product of m factors (N - rank - i) / (N - i), so
    all queries share that denominator and nothing is rounded.

    Args:
        rank: 0..n_clips.
        queries_with: number of queries with m positives, for m = 0..M (none has 0).
        n_clips: N.
    """
    total, product = 0, 1
    for m, queries in enumerate(queries_with[1:], start=1):
        product *= max(0, n_clips - rank - m + 1)
        total = total * (n_clips - m + 1) + queries * product
    return total


def _falling(n: int, length: int) -> int:
    """n (n-1) ... (n-length+1)."""
    product = 1
    for factor in range(n, n - length, -1):
        product *= factor
    return product


def _checked_values(values: ArrayLike, name: str) -> NDArray[np.float64]:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"{name} must be one number per unit and not empty, got {values.shape}")
    if not np.isfinite(values).all():
        unit = np.flatnonzero(~np.isfinite(values))[0]
        raise ValueError(f"{name}[{unit}] is {values[unit]}")
    return values


def _checked_positives(positives_per_query: ArrayLike, n_clips: int) -> NDArray[np.int64]:
    positives = np.asarray(positives_per_query)
    if positives.ndim != 1 or positives.size == 0 or positives.dtype.kind not in "iu":
        raise ValueError(
            "positives_per_query must be ints (queries,) and not empty, "
            f"got {positives.dtype} of shape {positives.shape}"
        )
    outside = np.flatnonzero((positives < 1) | (positives > n_clips))
    if outside.size:
        query = outside[0]
        raise ValueError(f"positives_per_query[{query}] is {positives[query]}, not 1..{n_clips}")
    return positives.astype(np.int64)


def _check_depths(ks: Sequence[int]) -> None:
    if any(k < 1 for k in ks):
        raise ValueError(f"every k must be at least 1, got {tuple(ks)}")
