"""The same work on many items at once: on the cores of this machine, or on a Ray cluster.

Decisions
* Here, each worker is a process pool of one. When a process dies (out of memory, a crash in a
  library, ``kill -9``) its pool tells which item it had: that one is lost, a fresh process takes
  the next. One pool of many would lose the items of all.
* Workers share memory with their parent but no lock: one that is killed while it holds a lock would
  keep all the others waiting for ever.
* A killed parent cannot stop its workers, so each of them ends itself when the parent is gone.
* On Ray nothing is home-made: one task an item, each taking one core. What items name has to lie on
  a file system that all machines see under the same path.

Cost: milliseconds a worker here, once the fork server has imported what it needs; Ray takes 5 to
10 s to start, and tells of whole items only.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, NamedTuple, Protocol

from signclip.core.errors import ConfigError

# Since the last call: steps done (whatever the work counts), and the share of the item they are.
Progress = Callable[[int, float], None]
# Since the start: steps of all items; items, one in work counting for its share; items that ended.
Report = Callable[[int, float, int], None]
DIED = "the worker process died (killed, out of memory, or a crash in a library)"
SUBMITTED = 1000  # tasks that Ray's scheduler sees at a time


class Result(NamedTuple):
    """What a piece of work gives back: anything, and the steps that it counted."""

    value: Any
    steps: int


class Work(Protocol):
    """Work on one item; has to be picklable, and to catch what an item can do wrong."""

    def __call__(self, item: Any, *, progress: Progress = ...) -> Result:
        """Do the item."""


Outcome = tuple[Any, Result | str]  # an item with its result, or with the reason why it was lost


class _Stopped(BaseException):
    """The parent wants to end. Not an Exception, so that no work takes it for a bad item."""


class _Shared:
    """Memory that one worker shares with its parent; no number is ever written by both at once."""

    def __init__(self, context: Any):
        self.steps = context.RawValue("q", 0)  # since the start; the worker writes it
        self.share = context.RawValue("d", 0.0)  # done of the item; so does it, from 0 on
        self.stop = context.RawValue("b", False)  # the parent writes it


class _Worker(NamedTuple):
    pool: ProcessPoolExecutor  # of one process
    shared: _Shared


_shared: Any = None


def _start_worker(shared: _Shared) -> None:
    global _shared
    _shared = shared
    # What native libraries print there would tear the progress bar apart; MediaPipe writes twenty
    # warnings a video, and no setting of its own turns them off.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    end_with_parent()


def end_with_parent() -> None:
    """To be called in a worker: a killed parent cannot stop it, so it watches and ends itself."""

    def watch() -> None:
        connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(work: Work, item: Any) -> Result:
    def progress(steps: int, share: float) -> None:
        if _shared.stop.value:
            raise _Stopped
        _shared.steps.value += steps
        _shared.share.value = min(_shared.share.value + share, 1.0)

    return work(item, progress=progress)


def on_this_machine(
    work: Work, items: Sequence[Any], *, jobs: int, preload: list[str], report: Report
) -> Iterator[Outcome]:
    """Do the items on ``jobs`` processes; yields each as it is done, in no order.

    Args:
        preload: modules that the work needs, imported once for all processes.
    """
    # A fork server's forks start in milliseconds and hold no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(preload)

    def fresh(shared: _Shared) -> _Worker:
        return _Worker(ProcessPoolExecutor(1, context, _start_worker, (shared,)), shared)

    waiting, ended = iter(items), 0
    memory = [_Shared(context) for _ in range(min(jobs, len(items)))]
    idle = [fresh(shared) for shared in memory]
    busy: dict[Future, tuple[_Worker, Any]] = {}
    try:
        while True:
            while idle and (item := next(waiting, None)) is not None:
                worker = idle.pop()
                worker.shared.share.value = 0.0
                try:
                    future = worker.pool.submit(_run, work, item)
                except BrokenProcessPool:  # it died with nothing to do
                    worker = fresh(worker.shared)
                    future = worker.pool.submit(_run, work, item)
                busy[future] = (worker, item)
            if not busy:
                return
            done, _ = wait(busy, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                worker, item = busy.pop(future)
                idle.append(worker)
                ended += 1
                try:
                    result = future.result()
                except BrokenProcessPool:
                    idle[-1], result = fresh(worker.shared), DIED
                yield item, result
            shares = sum(worker.shared.share.value for worker, _ in busy.values())
            report(sum(shared.steps.value for shared in memory), ended + shares, ended)
    finally:
        for shared in memory:  # where an exception ends this, items in work end at their next step
            shared.stop.value = True
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.pool.shutdown(cancel_futures=True)


def on_ray(
    work: Work, items: Sequence[Any], *, jobs: int, address: str | None, report: Report
) -> Iterator[Outcome]:
    """Do the items on a Ray cluster; yields each as it is done, in no order.

    Args:
        jobs: cores of a local cluster; a cluster at an address has a number of its own.
        address: of a running cluster (``auto``, ``host:port``, ``ray://...``); None starts one here
            for as long as this takes.

    Raises:
        ConfigError: Ray is not installed, or no cluster answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ConfigError("Ray is not installed: pip install 'signclip[ray]'") from None
    # nothing large passes through Ray, so its store in memory can be the smallest that it allows
    here = {"num_cpus": jobs, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    try:
        ray.init(address or "local", log_to_driver=False, **({} if address else here))
    except (ConnectionError, ValueError, ray.exceptions.RayError) as error:
        raise ConfigError(f"no Ray cluster at {address!r}: {error}") from None
    try:

        @ray.remote(num_cpus=1, max_retries=1)
        def task(item: Any) -> Result:
            return work(item)

        waiting, running = iter(items), {}
        steps = done = 0
        while True:
            while len(running) < SUBMITTED and (item := next(waiting, None)) is not None:
                running[task.remote(item)] = item
            if not running:
                return
            (reference,), _ = ray.wait(list(running))
            item = running.pop(reference)
            try:
                result = ray.get(reference)
                steps += result.steps
            except ray.exceptions.RayTaskError as error:  # such as no signclip on that machine
                # the last line; before it stands a traceback, where the work could not be imported
                told = "".join(traceback.format_exception_only(error.cause)).strip()
                result = f"failed on Ray: {told.splitlines()[-1]}"
            except ray.exceptions.RayError:
                result = DIED
            done += 1
            report(steps, done, done)
            yield item, result
    finally:
        ray.shutdown()
