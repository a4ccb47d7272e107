"""A function mapped over items by several processes, in order, a few items ahead of the consumer.

Decisions
* Results come in the order of the items, however many processes there are, so that what is written
  from them is the same, byte for byte.
* At most ``2 * workers`` items are ahead of the consumer, so that memory stays bounded. That is why
  the standard library is used and not joblib, whose generator runs ahead of a slow consumer.
* Processes are spawned, not forked: a fork copies locks that another thread of the parent may hold.
* One worker means this process: nothing is pickled, errors keep their traceback.

Cost: about 2 s to start the processes (they import numpy and pose-format), so small jobs are
faster with one.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from signclip.core.errors import RunError
from signclip.core.workers import end_with_parent

T = TypeVar("T")
R = TypeVar("R")

CHUNK = 64  # clips a task: few enough for a smooth progress bar, enough to outweigh the overhead


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive slices of at most ``size`` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    end_with_parent()


def ordered(function: Callable[[T], R], items: Iterable[T], *, workers: int) -> Iterator[R]:
    """``function`` of each item, in order; at most ``2 * workers`` items ahead of the consumer.

    Args:
        function: at the top level of a module if ``workers`` is more than one, as it is pickled.

    Raises:
        RunError: a process was killed.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    waiting = iter(items)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker) as pool:
        running = deque(pool.submit(function, item) for item in islice(waiting, 2 * workers))
        try:
            while running:
                try:
                    result = running.popleft().result()
                except BrokenProcessPool:
                    raise RunError("a process was killed (out of memory?)") from None
                yield result
                running.extend(pool.submit(function, item) for item in islice(waiting, 1))
        finally:
            for future in running:
                future.cancel()
