"""Several runs side by side in processes that end with their parent, under one progress bar.

Decisions
* A fork server imports torch once; its forks start in milliseconds and hold no threads.
* What is to be called is named and not imported here: this process only waits, and importing torch
  twice is what small runs would take longest for.
* MMEngine asks for GPUs when it is imported. Asked of CUDA itself, no fork of the server could use
  one any more; asked of the driver's library (NVML), all can.

Cost: the memory of ``jobs`` trainings at once.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from signclip.core.errors import RunError
from signclip.core.progress import bar
from signclip.core.workers import end_with_parent

Progress = Callable[[float], None]
# What every training imports in its course: once in the fork server, not once a process.
LATER = ("matplotlib.backends.backend_agg", "torch._dynamo", "torch.utils.tensorboard")

_done: Any = None  # a worker's handle on the parent's counter


def _start_worker(counter: Any) -> None:
    global _done
    _done = counter
    end_with_parent()


def _count(share: float) -> None:
    with _done.get_lock():
        _done.value += share


def _work(function: str, argument: Any, options: dict[str, Any]) -> Any:
    return pkgutil.resolve_name(function)(argument, **options, progress=_count)


@contextmanager
def epochs_bar(total: float, desc: str, **kwargs: Any) -> Iterator[tqdm]:
    """A bar over epochs that moves with every update."""
    form = "{desc} {percentage:3.0f}% |{bar}| {n:.1f}/{total:.0f} epochs [{elapsed}<{remaining}]"
    with bar(total=total, desc=desc, bar_format=form, **kwargs) as shown:
        yield shown
        shown.update(total - shown.n)  # shares of an epoch add up to it but for rounding


def run_all(
    function: str,
    arguments: Sequence[Any],
    *,
    jobs: int,
    total: float,
    desc: str,
    preload: Sequence[str] = (),
    **options: Any,
) -> list[Any]:
    """``function(argument, **options, progress=...)`` for each argument, ``jobs`` at a time.

    Args:
        function: ``module:name`` of a training; the fork server imports the module.
        total: epochs of all together, which the calls of ``progress`` add up to.
        preload: modules that it imports in its course, beside :data:`LATER`.

    Raises:
        RunError: a process was killed.
        Whatever a call raised first; those that had finished are kept, those not begun are not.
    """
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.partition(":")[0], *LATER, *preload])
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
