"""Several trainings side by side, in processes that end with their parent, under one progress bar.

Decisions
* A fork server imports torch once; its forks start in milliseconds and hold no threads.
* The training function is given by name, so that the parent process, which only waits, never
  imports torch: for small runs that import would take longest.
* MMEngine looks for GPUs when it is imported. If it asked CUDA, no fork of the server could use a
  GPU; so it is told to ask the driver's library (NVML).

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
# Imported in the course of every training; here once in the fork server instead of once a process.
PRELOADED = ("matplotlib.backends.backend_agg", "torch._dynamo", "torch.utils.tensorboard")

_done: Any = None  # in a worker: the counter that it shares with its parent


def _start_worker(counter: Any) -> None:
    global _done
    _done = counter
    end_with_parent()


def _count(share: float) -> None:
    with _done.get_lock():
        _done.value += share


def _call(function: str, argument: Any, options: dict[str, Any]) -> Any:
    return pkgutil.resolve_name(function)(argument, **options, progress=_count)


@contextmanager
def epochs_bar(total: float, desc: str, **kwargs: Any) -> Iterator[tqdm]:
    """A progress bar over epochs that also shows parts of an epoch."""
    form = "{desc} {percentage:3.0f}% |{bar}| {n:.1f}/{total:.0f} epochs [{elapsed}<{remaining}]"
    with bar(total=total, desc=desc, bar_format=form, **kwargs) as shown:
        yield shown
        shown.update(total - shown.n)  # the parts of an epoch add up to one up to rounding


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
    """Call ``function(argument, **options, progress=...)`` for each argument, ``jobs`` at a time.

    Args:
        function: ``module:name`` of a training; the fork server imports the module.
        total: epochs of all trainings together, to which the calls of ``progress`` add up.
        preload: modules that the function imports, in addition to :data:`PRELOADED`.

    Raises:
        RunError: a process was killed.
        The first error of a call; finished trainings stay, those not yet started are not started.
    """
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.partition(":")[0], *PRELOADED, *preload])
    counter = context.Value("d", 0.0)
    with (
        ProcessPoolExecutor(jobs, context, _start_worker, (counter,)) as pool,
        epochs_bar(total, desc) as epochs,
    ):
        futures = [pool.submit(_call, function, argument, options) for argument in arguments]
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
                            "a process was killed (out of memory?); run the same command again to "
                            "resume"
                        ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]
