"""Several trainings side by side, in processes that end with their parent, under one progress bar.

Other long work on runs, such as evaluating them, is done side by side in the same way.

Decisions
* A fork server imports torch once; its forks start in milliseconds and hold no threads.
* The training function is given by name, so that the parent process, which only waits, never
  imports torch: for small runs that import would take longest.
* Ctrl-C reaches the parent alone. It asks the others to stop, which they do when they next report
  progress: a training does so after each update and saves its state first. Work that reports
  seldom is ended after :data:`GRACE` seconds.
* MMEngine looks for GPUs when it is imported. If it asked CUDA, no fork of the server could use a
  GPU; so it is told to ask the driver's library (NVML).

Cost: the memory of ``jobs`` trainings at once.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver
from typing import Any

from tqdm import tqdm

from signclip.core.errors import RunError
from signclip.core.progress import bar
from signclip.core.workers import Stopped, end_with_parent

Progress = Callable[[float], None]
# Imported in the course of every training; here once in the fork server instead of once a process.
PRELOADED = ("matplotlib.backends.backend_agg", "torch._dynamo", "torch.utils.tensorboard")

# mmcv-lite warns that it lacks what nothing here uses, which would break the bar.
IGNORED_WARNINGS = "ignore:Fail to import ``MultiScaleDeformableAttention``:UserWarning"

GRACE = 20.0  # seconds between the request to stop and the end of a process

# in a worker, shared with its parent: what is done, and whether to stop
_done: Any = None
_stop: Any = None


def _start_worker(counter: Any, stop: Any) -> None:
    global _done, _stop
    _done, _stop = counter, stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    threading.Thread(target=_end_when_stopped, daemon=True).start()


def _end_when_stopped() -> None:
    while not _stop.value:
        time.sleep(0.5)
    time.sleep(GRACE)
    os._exit(1)


def _count(share: float) -> None:
    with _done.get_lock():
        _done.value += share
    if _stop.value:
        raise Stopped


def _call(function: str, argument: Any, options: dict[str, Any]) -> Any:
    if _stop.value:  # while the fork server was still importing
        raise Stopped
    return pkgutil.resolve_name(function)(argument, **options, progress=_count)


@contextmanager
def _interrupt_deferred(stop: Any) -> Iterator[None]:
    """Ctrl-C while the fork server imports takes effect when it has.

    Interrupted there, it and the processes that are half started would end in tracebacks. A caller
    outside the main thread gets no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the server inherits
    try:
        forkserver.ensure_running()
        signal.signal(signal.SIGINT, lambda *_: _ask_to_stop(stop))
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if stop.value:
        raise KeyboardInterrupt


def _ask_to_stop(stop: Any) -> None:
    if not stop.value:
        stop.value = True
        tqdm.write("stopping; what is done is kept, the same command goes on", sys.stderr)


@contextmanager
def parts_bar(total: float, desc: str, unit: str = "epochs", **kwargs: Any) -> Iterator[tqdm]:
    """A progress bar over epochs, or over other units, that also shows parts of one."""
    form = "{desc} {percentage:3.0f}% |{bar}| {n:.1f}/{total:.0f} " + unit
    form += " [{elapsed}<{remaining}]"
    with bar(total=total, desc=desc, bar_format=form, **kwargs) as shown:
        yield shown
        shown.update(total - shown.n)  # the parts of an epoch add up to one up to rounding


def described(rows: Sequence[str]) -> str:
    """What stands in front of the bar: the row of each training, where they share one."""
    names = sorted(set(rows))
    named = names[0] if len(names) == 1 else f"{len(names)} rows"
    return f"{named}, {len(rows)} run{'s' * (len(rows) > 1)}"


def run_all(
    function: str,
    arguments: Sequence[Any],
    *,
    jobs: int,
    total: float,
    desc: str,
    unit: str = "epochs",
    preload: Sequence[str] = (),
    **options: Any,
) -> list[Any]:
    """Call ``function(argument, **options, progress=...)`` for each argument, ``jobs`` at a time.

    Args:
        function: ``module:name`` of a training; the fork server imports the module.
        total: epochs of all trainings together, to which the calls of ``progress`` add up.
        desc: short, it stands in front of the bar.
        unit: of ``total``.
        preload: modules that the function imports, in addition to :data:`PRELOADED`.

    Raises:
        RunError: a process was killed.
        KeyboardInterrupt: Ctrl-C; the trainings in progress have saved their states.
        The first error of a call; finished trainings stay, those not yet started are not started.
    """
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    os.environ.setdefault("PYTHONWARNINGS", IGNORED_WARNINGS)  # read when the server starts
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.partition(":")[0], *PRELOADED, *preload])
    counter, stop = context.Value("d", 0.0), context.RawValue("b", False)
    with (
        ProcessPoolExecutor(jobs, context, _start_worker, (counter, stop)) as pool,
        parts_bar(total, desc, unit) as shown,
    ):
        try:
            with _interrupt_deferred(stop):
                futures = [pool.submit(_call, function, one, options) for one in arguments]
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.2)
                shown.update(counter.value - shown.n)
                for future in done:
                    try:
                        future.result()
                    except BrokenProcessPool:
                        raise RunError(
                            "a process was killed (out of memory?); run the same command again to "
                            "resume"
                        ) from None
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                _ask_to_stop(stop)
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]
