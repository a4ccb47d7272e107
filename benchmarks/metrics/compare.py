"""Two encoders on the same clips: the difference of their hit rates, paired clip by clip.

Decision: the clips' ranks stand in the result files, so nothing else is needed and old results can
be compared too. What makes the measurements comparable (task, corpus, split, gallery, clips) must
be equal, else it is an error; seeds may differ, a clip's hits are averaged over each side's own.
Cost: 0.2 s.
"""

from __future__ import annotations

import re

import numpy as np

from benchmarks.metrics import intervals
from benchmarks.metrics.intervals import PairedDifference
from benchmarks.results import Result
from signclip.core.errors import ConfigError

_SAME = ("task", "corpus", "split", "corpus_fingerprint", "split_fingerprint", "labels")


def hits(result: Result, metric: str) -> dict[str, float]:
    """Clip -> share of seeds in which its own text ranks among the first k.

    Args:
        metric: ``V2T_R@k``; what is no mean over clips cannot be paired by clip.

    Raises:
        ConfigError: another metric, or a result from before ranks were kept.
    """
    named = re.fullmatch(r"V2T_R@(\d+)", metric)
    if named is None:
        raise ConfigError(f"metric {metric!r}: pairs of clips are compared by V2T_R@k")
    if not result.ranks:
        raise ConfigError(f"{result.encoder}, {result.signature}: without ranks; evaluate it again")
    k = int(named[1])
    return {clip: float(np.mean(np.array(of) <= k)) for clip, of in result.ranks.items()}


def compare(a: Result, b: Result, metric: str = "V2T_R@1") -> PairedDifference:
    """Mean of a - b over the clips, with its 95 % paired bootstrap interval.

    Raises:
        ConfigError: the two were not measured on the same clips and gallery.
    """
    for field in _SAME:
        mine, other = getattr(a, field), getattr(b, field)
        if mine != other:
            raise ConfigError(
                f"{a.encoder} and {b.encoder} cannot be paired: {field} {mine!r} and {other!r}"
            )
    of_a, of_b = hits(a, metric), hits(b, metric)
    if of_a.keys() != of_b.keys():
        odd = sorted(of_a.keys() ^ of_b.keys())
        raise ConfigError(
            f"{a.encoder} and {b.encoder} cannot be paired: {len(odd)} clips are evaluated in one "
            f"alone ({odd[0]}, ...)"
        )
    clips = sorted(of_a)
    return intervals.paired_bootstrap([of_a[c] for c in clips], [of_b[c] for c in clips])
