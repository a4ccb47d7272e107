"""Paired tests of encoders on the same clips: exact p-values, Holm's correction, tie groups.

Decisions
* The test is the paired randomisation test of the mean difference: under the null hypothesis the
  two encoders of a pair are exchangeable on every unit, so the sign of each unit's difference is
  random. Its distribution is computed, not sampled. On hits of single clips and one seed it is
  McNemar's exact test.
* A unit is a signer or a sign language where these are known (:func:`choose_units`), because clips
  of one signer or language are not independent; otherwise a clip.
* A pair that differs on so few units that no outcome could be significant does not count in the
  family (Tarone's rule, :func:`testable`): it depends on which units differ, not on who wins them.
* Up to :data:`ALL_PAIRS` rows, the family of Holm's correction is all pairs of a column; above, it
  is the pairs of neighbours in rank. A *tie group* begins at a row that is significantly worse than
  the first row of the group before (all pairs) or than the row directly above (neighbours).
* A rank is a range. Of all pairs: 1 + the rows that are significantly better, to the number of rows
  - those that are significantly worse. Of neighbours: the places of the tie group.

Cost: 50 microseconds a pair with 16 units and 1,200 steps of difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.leaderboard.compact import RowRanks
from benchmarks.metrics.groups import CLIPS, About, choose_groups
from benchmarks.metrics.ties import TiedRanks

ALL_PAIRS = 64  # rows of a column up to which all pairs are tested
LEAST_UNITS = 6  # with 5, the smallest two-sided p-value is 2 / 2**5 = 0.06
MOST_STEPS = 60  # finest step of a clip's share of hits, 1 / MOST_STEPS
FEW_UNITS = 64  # of a test, up to which long integers are mostly faster than arrays
LEVEL, POWER = 0.05, 0.8


class Units(NamedTuple):
    """What a column's tests and intervals resample.

    Attributes:
        kind: ``signers``, ``sign languages`` or ``clips``.
        of_clip: int (clips,), the unit of each clip, 0-based.
        count: number of units.
        why: why nothing coarser is resampled; empty for signers.
    """

    kind: str
    of_clip: NDArray[np.int64]
    count: int
    why: str = ""


class Ranks(NamedTuple):
    """Ranks of clips of the rows of a column.

    Attributes:
        clips: ids, ascending.
        array: int32 (rows, clips, ranks of a clip), 1-based; 0: the row has no such rank. Of tied
            ranks the lowest.
        tied: row -> int32 (clips, ranks of a clip, 2), as in :class:`RowRanks`; rows with ties.
    """

    clips: list[str]
    array: NDArray[np.int32]
    tied: dict[int, NDArray[np.int32]]

    def row(self, row: int) -> TiedRanks:
        """The ranks of a row with ties, those that it has, clip by clip."""
        have = self.array[row] > 0
        return TiedRanks.of(self.array[row][have], *self.tied[row][have].T)


class Hits(NamedTuple):
    """Per-clip hits of the rows of a column.

    Attributes:
        steps: int64 (rows, clips), hits in units of ``1 / scale``; -1: the row has no such clip.
        scale: steps of a full hit.
    """

    steps: NDArray[np.int64]
    scale: int


@dataclass(frozen=True)
class Ties:
    """What the data say about the order of a column's rows.

    Attributes:
        group: tie group of each row, 0-based, in the order of the rows as they were given.
        low: best place of each row that the data allow, 1-based.
        high: worst place.
        pairs: number of pairs that were compared.
        family: number of them that Holm's correction counts, see :func:`testable`.
        neighbours: were only neighbours in rank tested?
        detectable: smallest true difference that a single test at 5 % finds with a power of 80 %.
    """

    group: list[int]
    low: list[int]
    high: list[int]
    pairs: int
    family: int
    neighbours: bool
    detectable: float


def choose_units(clips: Sequence[str], about: About) -> Units:
    """The units of clips: groups of which there are enough for a test, else the clips."""
    groups = choose_groups(clips, about, least=LEAST_UNITS)
    if groups.kind == CLIPS:
        return Units(CLIPS, np.arange(len(clips)), len(clips), groups.why)
    names = [groups.of_clip[clip] for clip in clips]
    found = sorted(set(names))
    return Units(groups.kind, np.searchsorted(found, names), len(found), groups.why)


def ranks_of(found: Sequence[RowRanks]) -> Ranks:
    """The ranks of a column's rows as one array."""
    of_ids: dict[tuple[str, ...], list[int]] = {}  # few: most rows have the same clips
    for position, row in enumerate(found):
        if row.clips:
            of_ids.setdefault(row.clips, []).append(position)
    clips = sorted(set().union(*of_ids))
    most = max((row.counts.max(initial=1) for row in found), default=1)
    array = np.zeros((len(found), len(clips), most), np.int32)
    tied = {}
    for ids, positions in of_ids.items():
        places = np.searchsorted(clips, ids)
        single = [
            at for at in positions if found[at].tied is None and (found[at].counts == 1).all()
        ]
        if single:  # as most, and quicker together
            flat = np.stack([found[at].flat for at in single])
            array[np.ix_(single, places, [0])] = flat[..., None]
        for position in sorted({*positions} - {*single}):
            row = found[position]
            before = np.cumsum(row.counts) - row.counts
            number = np.arange(len(row.flat)) - np.repeat(before, row.counts)  # within its clip
            where = np.repeat(places, row.counts), number
            array[position][where] = row.flat
            if row.tied is not None:
                tied[position] = np.zeros((len(clips), most, 2), np.int32)
                tied[position][where] = row.tied
    return Ranks(clips, array, tied)


def hits_of(ranks: Ranks, k: int) -> Hits:
    """Hits at depth ``k``, averaged over each clip's ranks (seeds, or queries).

    A tied rank is hit with its probability in a random order, to the nearest step.
    """
    counts = (ranks.array > 0).sum(axis=2)
    found = np.flatnonzero(np.bincount(counts.ravel()))  # sorting all of them takes longer
    scale = min(math.lcm(*found[found > 0].tolist()), MOST_STEPS)
    within = ((ranks.array > 0) & (ranks.array <= k)).sum(axis=2)
    for row in ranks.tied:
        scale, within = MOST_STEPS, within.astype(np.float64)
        share = np.zeros(ranks.array[row].shape)
        share[ranks.array[row] > 0] = ranks.row(row).recall(k)
        within[row] = share.sum(axis=1)
    steps = np.rint(within * scale / np.maximum(counts, 1)).astype(np.int64)
    return Hits(np.where(counts > 0, steps, -1), scale)


def flip_test(signed: NDArray[np.int64]) -> float:
    """Two-sided p-value of a sum of integers whose signs are random under the null hypothesis.

    The absolute values are fixed and each sign is + or - with probability 1/2. The sum of the
    positive ones then has a distribution that is a convolution of two-point distributions, or of
    binomial ones for equal values.
    """
    signed = signed // max(int(np.gcd.reduce(signed)), 1)
    sizes = np.abs(signed[signed != 0])
    total, seen = int(sizes.sum()), abs(int(signed.sum()))
    below = (total - seen) // 2
    if len(sizes) <= FEW_UNITS:
        return min(1.0, 2 * _share_below(sizes.tolist(), below)) if total else 1.0
    counts = np.bincount(sizes)
    pmf = np.ones(1)
    for value in np.flatnonzero(counts).tolist():
        count = int(counts[value])
        grown = np.zeros(len(pmf) + count * value)
        for step, share in enumerate(_binomial(count)):
            grown[step * value : step * value + len(pmf)] += share * pmf
        pmf = grown[: below + 1]  # larger sums are not needed
    return min(1.0, 2 * float(pmf[: below + 1].sum()))


def _share_below(sizes: list[int], below: int) -> float:
    """Probability that sizes, each drawn with probability 1/2, sum to at most ``below``.

    The number of ways to each sum is a digit of one long integer. The base is larger than the sum
    of all digits, so the remainder by base - 1 is the sum of the digits.
    """
    bits = len(sizes) + 1
    kept = (1 << bits * (below + 1)) - 1
    ways = 1
    for size in sizes:
        ways = (ways + (ways << bits * size)) & kept
    return ways % ((1 << bits) - 1) / 2 ** len(sizes)


@lru_cache(maxsize=4096)
def _binomial(count: int) -> list[float]:
    """The binomial distribution with probability 1/2."""
    k = np.arange(count + 1)
    logs = special.gammaln(count + 1) - special.gammaln(k + 1) - special.gammaln(count - k + 1)
    return np.exp(logs - count * math.log(2)).tolist()


def testable(units: Sequence[int]) -> NDArray[np.bool_]:
    """The tests of a family that could be significant at all, after correction for their number.

    With n units that differ, the smallest p-value is ``2 / 2**n``. The family is the largest set
    of tests whose smallest p-values do not exceed LEVEL divided by the size of the set.

    Args:
        units: number of units that differ, of each test.
    """
    smallest = 2.0 ** (1 - np.asarray(units, np.float64))
    for size in range(1, len(smallest) + 1):
        within = smallest <= LEVEL / size
        if within.sum() <= size:
            return within
    return np.zeros(len(smallest), bool)


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Holm's adjusted p-values: significant at a level if they are at most that level."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def differences(
    hits: Hits, pairs: NDArray[np.int64], units: Units
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Differences of pairs of rows, on the clips that both have.

    Args:
        pairs: int (pairs, 2), rows.

    Returns:
        Sums of the first row - the second over each unit in steps, (pairs, units), and the number
        of clips of each pair.
    """
    known = hits.steps >= 0
    if known.all():
        sums = by_unit(hits.steps, units)
        return sums[pairs[:, 0]] - sums[pairs[:, 1]], np.full(len(pairs), known.shape[1])
    both = known[pairs[:, 0]] & known[pairs[:, 1]]
    steps = np.where(both, hits.steps[pairs[:, 0]] - hits.steps[pairs[:, 1]], 0)
    return by_unit(steps, units), both.sum(axis=1)


def by_unit(values: NDArray[np.int64], units: Units) -> NDArray[np.int64]:
    """Sums of (rows, clips) over the clips of each unit."""
    if units.kind == CLIPS:
        return values
    member = np.zeros((len(units.of_clip), units.count))
    member[np.arange(len(units.of_clip)), units.of_clip] = 1
    return np.rint(values.astype(np.float64) @ member).astype(np.int64)


def ties(hits: Hits, values: Sequence[float], units: Units) -> Ties:
    """Test the rows of a column in pairs.

    Args:
        hits: of the rows.
        values: the rows' metric, larger is better; decides the order.
    """
    order = np.array(sorted(range(len(values)), key=lambda row: -values[row]), np.int64)
    count = len(order)
    neighbours = count > ALL_PAIRS
    upper, lower = (
        (np.arange(count - 1), np.arange(1, count)) if neighbours else np.triu_indices(count, 1)
    )
    sums, clips = differences(hits, np.stack([order[upper], order[lower]], axis=1), units)
    counted = testable(np.count_nonzero(sums, axis=1))
    worse = np.zeros(len(upper), bool)
    worse[counted] = holm([flip_test(one) for one in sums[counted]]) <= LEVEL
    worse &= sums.sum(axis=1) > 0
    adjacent = lower == upper + 1
    significant = None
    if neighbours:
        group = np.concatenate([[0], np.cumsum(worse)])
    else:
        significant = np.zeros((count, count), bool)
        significant[upper, lower] = worse
        group = _groups(significant)
    if significant is None:
        low = np.searchsorted(group, group, "left") + 1
        high = np.searchsorted(group, group, "right")
    else:
        low = 1 + significant.sum(axis=0)
        high = len(order) - significant.sum(axis=1)
    back = np.argsort(order)
    return Ties(
        *([int(x) for x in np.asarray(column)[back]] for column in (group, low, high)),
        pairs=len(upper),
        family=int(counted.sum()),
        neighbours=neighbours,
        detectable=_detectable(sums[adjacent], clips[adjacent], hits, units),
    )


def _groups(significant: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Tie groups of rows in order: one begins where a row is worse than the group's first row."""
    group, first = np.zeros(len(significant), np.int64), 0
    for row in range(1, len(significant)):
        group[row] = group[row - 1]
        if significant[first, row]:
            group[row] += 1
            first = row
    return group


def _detectable(
    sums: NDArray[np.int64], clips: NDArray[np.int64], hits: Hits, units: Units
) -> float:
    """The smallest true difference that a test finds with :data:`POWER`, from typical errors.

    The typical standard error is the median over neighbours in rank that differ at all; with one
    row it is that of two independent encoders with its rate of hits.
    """
    sizes = np.bincount(units.of_clip, minlength=units.count)
    total = np.maximum(clips, 1)[:, None]
    centred = sums - sizes * (sums.sum(axis=1, keepdims=True) / total)
    variance = (centred**2).sum(axis=1) * units.count / max(units.count - 1, 1)
    errors = np.sqrt(variance) / total[:, 0] / hits.scale
    if (errors > 0).any():
        error = float(np.median(errors[errors > 0]))
    else:
        known = hits.steps >= 0
        rate = float(hits.steps[known].mean()) / hits.scale
        error = math.sqrt(2 * max(rate * (1 - rate), 0) / max(int(known.sum(axis=1).max()), 1))
    freedom = max(units.count - 1, 1)
    return error * float(special.stdtrit(freedom, 1 - LEVEL / 2) + special.stdtrit(freedom, POWER))
