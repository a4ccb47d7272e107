"""Verdicts: whether a published number was reproduced, and if not, why.

Decisions
* Only a number measured on the same corpus is judged. It is reproduced if the difference is within
  the published value's tolerance, or the published value within our 95 % interval.
* Every other cell says what it would take (`not run: needs ...`), or why it is not comparable.
* A published value that is not known is no verdict on us: `not published: ...`.
* Where conditions match, the coefficient of variation of the two numbers is given, corrected for
  the small sample (CV*, Belz 2022: "A Metrological Perspective on Reproducibility in NLP").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from benchmarks import paper

REPRODUCED, DIFFERS, NOT_RUN = "reproduced", "differs", "not run"
NOT_COMPARABLE, NOT_PUBLISHED, OURS = "not comparable", "not published", "not in the paper"
KINDS = (REPRODUCED, DIFFERS, NOT_RUN, NOT_COMPARABLE, NOT_PUBLISHED, OURS)
HOLDS, DOES_NOT, OPEN = "holds", "does not", "cannot be told"  # of claims


class Measured(NamedTuple):
    """Our number with its 95 % interval; both ends equal it where nothing was drawn."""

    value: float
    low: float
    high: float


def verdict(kind: str, reason: str = "") -> str:
    """A verdict as a cell shows it: ``not run: needs corpus Spreadthesign``."""
    return f"{kind}: {reason}" if reason else kind


def kind_of(text: str) -> str:
    """The kind of a verdict, one of :data:`KINDS`."""
    return text.partition(":")[0]


def judge(published: Mapping[str, str], measured: Measured) -> str:
    """The verdict on a published number that was measured on the same corpus.

    Args:
        published: with ``value`` and ``tolerance``, which are numbers.
    """
    theirs = paper.numeric(published["value"])
    near = abs(theirs - measured.value) <= float(published["tolerance"] or 0) + 1e-9
    inside = measured.low - 1e-9 <= theirs <= measured.high + 1e-9
    return REPRODUCED if near or inside else DIFFERS


def coefficient_of_variation(*values: float) -> float:
    """CV* in percent: the unbiased relative spread of a few measurements of one quantity.

    Sample standard deviation, divided by c4 of a normal sample so that it is unbiased, over the
    mean, times 1 + 1 / (4 n).

    Raises:
        ValueError: there are fewer than two values, or their mean is 0.
    """
    from scipy.special import gammaln

    n, mean = len(values), float(np.mean(values)) if values else 0.0
    if n < 2 or mean == 0:
        raise ValueError(f"needs two values or more with a mean that is not 0, got {values}")
    c4 = np.sqrt(2 / (n - 1)) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2))
    spread = float(np.std(values, ddof=1)) / c4
    return 100 * (1 + 1 / (4 * n)) * spread / abs(mean)


def claim(difference: Measured) -> str:
    """The verdict on a claim that one is better, from the paired difference."""
    if difference.low > 0:
        return HOLDS
    return DOES_NOT if difference.high < 0 else OPEN
