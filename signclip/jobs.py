"""Several runs side by side in processes that end with their parent, under one progress bar.

Decision: a fork server imports torch once; its forks start in milliseconds and hold no threads.
Cost: the memory of ``jobs`` trainings at once.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

from signclip.errors import RunError
from signclip.progress import bar
from signclip.workers import end_with_parent

T = TypeVar("T")
Progress = Callable[[float], None]

_done: Any = None  # a worker's handle on the parent's counter


def _start_worker(counter: Any) -> None:
    global _done
    _done = counter
    end_with_parent()


def _count(share: float) -> None:
    with _done.get_lock():
        _done.value += share


def _work(function: Callable[..., T], argument: Any, options: dict[str, Any]) -> T:
    return function(argument, **options, progress=_count)


@contextmanager
def epochs_bar(total: float, desc: str, **kwargs: Any) -> Iterator[tqdm]:
    """A bar over epochs that moves with every update."""
    form = "{desc} {percentage:3.0f}% |{bar}| {n:.1f}/{total:.0f} epochs [{elapsed}<{remaining}]"
    with bar(total=total, desc=desc, bar_format=form, **kwargs) as shown:
        yield shown
        shown.update(total - shown.n)  # shares of an epoch add up to it but for rounding


def run_all(
    function: Callable[..., T],
    arguments: Sequence[Any],
    *,
    jobs: int,
    total: float,
    desc: str,
    preload: str,
    **options: Any,
) -> list[T]:
    """``function(argument, **options, progress=...)`` for each argument, ``jobs`` at a time.

    Args:
        total: epochs of all together, which the calls of ``progress`` add up to.
        preload: module that the fork server imports once.

    Raises:
        RunError: a process was killed.
        Whatever a call raised first; those that had finished are kept, those not begun are not.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])
    counter = context.Value("d", 0.0)
    with (
        ProcessPoolExecutor(jobs, context, _start_worker, (counter,)) as pool,
        epochs_bar(total, desc) as epochs,
    ):
        futures = [pool.submit(_work, function, argument, options) for argument in arguments]
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.2)
                epochs.update(counter.value - epochs.n)
                for future in done:
                    try:
                        future.result()
                    except BrokenProcessPool:
                        raise RunError(
                            "a process was killed (out of memory?); the same command goes on from "
                            "where it was"
                        ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]
