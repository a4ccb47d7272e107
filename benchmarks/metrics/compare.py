"""Comparing two encoders on the same clips: the difference of their hit rates, paired by clip.

Decision: result files contain the ranks of the clips, so nothing else is needed and old results can
be compared, too. Task, corpus, split, gallery and clips must be equal, otherwise it is an error.
Seeds may differ: a clip's hits are averaged over the seeds of each side. Clips of one sign language
or signer are not independent; given these, the wider interval counts. Cost: 0.2 s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.metrics import intervals, ties
from benchmarks.metrics.intervals import PairedDifference
from benchmarks.metrics.ties import TiedRanks
from benchmarks.results import Result
from signclip.core.errors import ConfigError

_SAME = ("task", "corpus", "split", "corpus_fingerprint", "split_fingerprint", "labels")


def hits(result: Result, metric: str) -> dict[str, float]:
    """Clip -> share of seeds with its text among the first k, over a random order of the tied.

    Args:
        metric: ``V2T_R@k``; only means over clips can be paired by clip.

    Raises:
        ConfigError: it is another metric, or the result has no ranks.
    """
    named = re.fullmatch(r"V2T_R@(\d+)", metric)
    if named is None:
        raise ConfigError(f"metric {metric!r}: encoders are compared clip by clip with V2T_R@k")
    if not result.ranks:
        raise ConfigError(f"{result.encoder}, {result.signature}: has no ranks; evaluate it again")
    found = ties.recall_of_clips(result.ranks, int(named[1])).tolist()
    return dict(zip(result.ranks, found, strict=True))


class Intervals(NamedTuple):
    """A paired difference with both of its intervals."""

    over_clips: PairedDifference
    over_groups: PairedDifference | None  # None: the clips are of one group, or of none

    @property
    def wider(self) -> PairedDifference:
        """The one that claims rest on."""
        both = [one for one in self if one is not None]
        return max(both, key=lambda one: one.high - one.low)


class Flips(NamedTuple):
    """The clips that two encoders disagree about; see :func:`flips`."""

    gained: list[str]  # ids of clips that a finds more often than b
    lost: list[str]  # ids of clips that b finds more often


def flips(a: Result, b: Result, metric: str = "V2T_R@1") -> Flips:
    """The clips that changed sides, those first whose ranks differ most.

    Raises:
        ConfigError: see :func:`compare`.
    """
    _check_comparable(a, b)
    of_a, of_b = _paired(a, b, metric)

    def steps(clip: str) -> tuple[float, str]:
        means = [TiedRanks.from_stored(one.ranks[clip]).mean().mean() for one in (a, b)]
        return -abs(float(means[0] - means[1])), clip

    return Flips(
        sorted((clip for clip in of_a if of_a[clip] > of_b[clip]), key=steps),
        sorted((clip for clip in of_a if of_a[clip] < of_b[clip]), key=steps),
    )


def compare(
    a: Result,
    b: Result,
    metric: str = "V2T_R@1",
    *,
    groups: Mapping[str, str] | None = None,
    across_tasks: bool = False,
) -> PairedDifference:
    """Mean of a - b over the clips, with its 95 % paired bootstrap interval.

    Args:
        groups: clip -> sign language or signer; the wider of the intervals over clips and over
            groups is given. Where all clips are of one group, clips are drawn alone.
        across_tasks: compare two ways of finding a text in galleries of one size, for example
            zero-shot with few-shot.

    Raises:
        ConfigError: the two were not evaluated on the same clips and gallery.
    """
    return both_intervals(a, b, metric, groups=groups, across_tasks=across_tasks).wider


def both_intervals(
    a: Result,
    b: Result,
    metric: str = "V2T_R@1",
    *,
    groups: Mapping[str, str] | None = None,
    across_tasks: bool = False,
) -> Intervals:
    """As :func:`compare`, with the interval over clips and the one over groups."""
    _check_comparable(a, b, across_tasks=across_tasks)
    of_a, of_b = _paired(a, b, metric)
    clips = sorted(of_a)
    both = [of_a[clip] for clip in clips], [of_b[clip] for clip in clips]
    over_clips = intervals.paired_bootstrap(*both)
    names = [(groups or {}).get(clip, "") for clip in clips]
    if len(set(names)) < 2:
        return Intervals(over_clips, None)
    return Intervals(over_clips, intervals.paired_bootstrap(*both, groups=names))


def on_shared_clips(a: Result, b: Result) -> tuple[Result, Result]:
    """Two results restricted to the clips that both have: some encoders refuse some clips."""
    shared = a.ranks.keys() & b.ranks.keys()
    both = []
    for one in (a, b):
        ranks = {clip: of_clip for clip, of_clip in one.ranks.items() if clip in shared}
        both.append(one.model_copy(update={"ranks": ranks}))
    return both[0], both[1]


def _check_comparable(a: Result, b: Result, *, across_tasks: bool = False) -> None:
    """Refuse two results of different data or galleries."""
    for field in _SAME:
        if across_tasks and field == "task":
            continue
        mine, other = getattr(a, field), getattr(b, field)
        if mine != other:
            raise ConfigError(
                f"{a.encoder} and {b.encoder} cannot be compared: {field} {mine!r} and {other!r}"
            )


def _paired(a: Result, b: Result, metric: str) -> tuple[dict[str, float], dict[str, float]]:
    """The hits of both results, which must be of the same clips."""
    of_a, of_b = hits(a, metric), hits(b, metric)
    if of_a.keys() != of_b.keys():
        odd = sorted(of_a.keys() ^ of_b.keys())
        raise ConfigError(
            f"{a.encoder} and {b.encoder} cannot be compared: {len(odd)} clips were evaluated in "
            f"only one of the results ({odd[0]}, ...)"
        )
    return of_a, of_b
