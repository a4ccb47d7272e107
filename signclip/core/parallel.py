"""Work spread over processes, in order, with no more than a few pieces under way.

Decisions
* Results come in the order of the pieces, however many processes there are: what is written from
  them is the same, byte for byte.
* Processes are spawned, not forked: a fork copies locks that another thread of the parent may hold.
* One worker is this process: nothing is pickled, errors keep their traceback.

Cost: about 2 s to start the processes (they import numpy and pose-format), so small jobs are
faster with one.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

from signclip.core.workers import end_with_parent

T, R = TypeVar("T"), TypeVar("R")

CHUNK = 64  # clips a piece: small enough for a smooth progress bar, large enough to be worth a trip


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive slices of at most ``size`` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def ordered(function: Callable[[T], R], pieces: Iterable[T], *, workers: int) -> Iterator[R]:
    """``function`` of each piece, in order; at most ``2 * workers`` pieces ahead of the consumer.

    Args:
        function: of a module's top level (it is pickled) where ``workers`` is more than one.
    """
    if workers <= 1:
        yield from map(function, pieces)
        return
    pieces = iter(pieces)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, end_with_parent) as pool:
        under_way = deque(pool.submit(function, piece) for piece in islice(pieces, 2 * workers))
        try:
            while under_way:
                yield under_way.popleft().result()
                under_way.extend(pool.submit(function, piece) for piece in islice(pieces, 1))
        finally:
            for future in under_way:
                future.cancel()
