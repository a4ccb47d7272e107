"""Results as a board reads them: their ranks as arrays, in a tenth of the memory.

Decisions
* Thousands of results are read by all cores. This module is what the processes import, so it needs
  neither pandas nor scipy.

Cost: 0.4 ms a result of 300 clips on one core, and 1 s to start the processes.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import results
from benchmarks.metrics.ties import StoredRank, TiedRanks
from benchmarks.results import Result
from signclip.core import workers
from signclip.core.parallel import chunks, ordered

MANY = 5000  # results; fewer are not read sooner by several processes, which have to start
PART = 500  # results that a process reads at a time


class RowRanks(NamedTuple):
    """Ranks of clips of one row.

    Attributes:
        clips: ids, in any order.
        counts: int32 (clips,), the number of ranks of each clip.
        flat: int32 (ranks,), 1-based, clip by clip; of tied ones the lowest.
        tied: int32 (ranks, 2), the highest rank and the right candidates among the tied
            (:mod:`benchmarks.metrics.ties`); None: nothing is tied.
    """

    clips: tuple[str, ...]
    counts: NDArray[np.int32]
    flat: NDArray[np.int32]
    tied: NDArray[np.int32] | None = None


Compact = tuple[Result, RowRanks]  # the result has no ranks of its own


def read_all(
    leaderboard: Path, is_shown: Callable[[str], bool] = lambda group: True
) -> Iterator[Compact]:
    """All results, ordered by path.

    Args:
        leaderboard: ``results/leaderboard``; a folder that does not exist has no results.
        is_shown: of a group; the files of others are not read. Results of version 1 have none.

    Raises:
        ConfigError: a file is invalid; see :func:`benchmarks.results.read`.
    """
    paths = [
        path
        for path in results.paths(leaderboard)
        if is_shown(_group(path.relative_to(leaderboard).parts))
    ]
    processes = workers.cores() if len(paths) > MANY else 1
    for part in ordered(_read, chunks(paths, PART), workers=processes):
        yield from part


def _group(parts: tuple[str, ...]) -> str:
    """The group of a path <group>/<encoder>/<revision>/<file>."""
    return parts[0] if len(parts) == 4 else ""


def _read(paths: Sequence[Path]) -> list[Compact]:
    known: dict[tuple[str, ...], tuple[str, ...]] = {}  # equal ids become one object, sent once
    read = []
    with collector_off():
        for path in paths:
            result, ranks = compact(results.read(path))
            read.append((result, ranks._replace(clips=known.setdefault(ranks.clips, ranks.clips))))
    return read


@contextmanager
def collector_off() -> Iterator[None]:
    """Pause Python's search for cycles: it would visit each list of ranks again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def compact(result: Result) -> Compact:
    """A result without its ranks, and the ranks as arrays."""
    return result.model_copy(update={"ranks": {}}), row_ranks(result.ranks)


def row_ranks(found: Mapping[str, Sequence[StoredRank]]) -> RowRanks:
    """Ranks as a result has them, clip -> ranks (one a seed or query), as arrays."""
    counts = _integers(list(map(len, found.values())))
    flat = list(chain.from_iterable(found.values()))
    if set(map(type, flat)) <= {int}:
        return RowRanks(tuple(found), counts, _integers(flat))
    ranks = TiedRanks.from_stored(flat)
    tied = np.stack([ranks.high, ranks.right], axis=1).astype(np.int32)
    return RowRanks(tuple(found), counts, ranks.low.astype(np.int32), tied)


def _integers(values: list[int]) -> NDArray[np.int32]:
    """Positive integers as an array, in a tenth of the time where all of them fit in a byte."""
    try:
        return np.frombuffer(bytes(values), np.uint8).astype(np.int32)
    except ValueError:
        return np.array(values, np.int32)
