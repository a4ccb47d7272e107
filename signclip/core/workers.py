"""Processing many items in parallel, on the cores of this machine or on a Ray cluster.

Decisions
* On this machine each worker is a process pool of size one. When a process dies (out of memory, a
  crash in a library, ``kill -9``), only its item is lost, and a new process takes the next one. A
  single pool would lose the items of all its processes.
* Workers share memory with their parent, but no lock: a process killed while it holds a lock would
  block all others for ever.
* A killed parent cannot stop its workers, so each worker ends itself when the parent is gone.
* On Ray there is one task an item, on one core each. The paths of items must be valid on all
  machines (a shared file system).

Cost: milliseconds to start a worker once the fork server has imported its modules. Ray takes 5 to
10 s to start, and reports progress by whole items only.
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

# Called by the work: steps done since the last call (in its own unit), and their share of the item.
Progress = Callable[[int, float], None]
# Called by the pool, totals since the start: steps; items, with fractions for those in progress;
# finished items.
Report = Callable[[int, float, int], None]
DIED = "the worker process died (killed, out of memory, or a crash in a library)"
MAX_SUBMITTED = 1000  # tasks that Ray's scheduler holds at a time


class Result(NamedTuple):
    """The result of one item: any value, and the number of steps done."""

    value: Any
    steps: int


class Work(Protocol):
    """Processes one item; it must be picklable and catch the errors that an item can cause."""

    def __call__(self, item: Any, *, progress: Progress = ...) -> Result:
        """Process the item."""


Outcome = tuple[Any, Result | str]  # an item with its result, or the reason why it has none


class Stopped(BaseException):
    """The parent is ending. Not an Exception, so that no work mistakes it for a bad item."""


class _Shared:
    """Memory that a worker shares with its parent; only one of them writes at any time."""

    def __init__(self, context: Any):
        self.steps = context.RawValue("q", 0)  # since the start; written by the worker
        self.share = context.RawValue("d", 0.0)  # of the item; by the worker, reset by the parent
        self.stop = context.RawValue("b", False)  # written by the parent


class _Worker(NamedTuple):
    pool: ProcessPoolExecutor  # with one process
    shared: _Shared


_shared: Any = None


def _start_worker(shared: _Shared) -> None:
    global _shared
    _shared = shared
    # Native libraries would disturb the progress bar: MediaPipe writes twenty warnings a video to
    # stderr and has no setting to turn them off.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    end_with_parent()


def end_with_parent() -> None:
    """Make this worker process end itself when its parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "not a worker process"

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(work: Work, item: Any) -> Result:
    def progress(steps: int, share: float) -> None:
        if _shared.stop.value:
            raise Stopped
        _shared.steps.value += steps
        _shared.share.value = min(_shared.share.value + share, 1.0)

    return work(item, progress=progress)


def on_this_machine(
    work: Work, items: Sequence[Any], *, jobs: int, preload: list[str], report: Report
) -> Iterator[Outcome]:
    """Process the items with ``jobs`` processes; yields each when it is done, in any order.

    Args:
        preload: modules that the work needs, imported once for all processes.
    """
    # A fork server's forks start in milliseconds and hold no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(preload)

    def new_worker(shared: _Shared) -> _Worker:
        return _Worker(ProcessPoolExecutor(1, context, _start_worker, (shared,)), shared)

    waiting, ended = iter(items), 0
    memory = [_Shared(context) for _ in range(min(jobs, len(items)))]
    idle = [new_worker(shared) for shared in memory]
    busy: dict[Future, tuple[_Worker, Any]] = {}
    try:
        while True:
            while idle and (item := next(waiting, None)) is not None:
                worker = idle.pop()
                worker.shared.share.value = 0.0
                try:
                    future = worker.pool.submit(_run, work, item)
                except BrokenProcessPool:  # it died while idle
                    worker = new_worker(worker.shared)
                    future = worker.pool.submit(_run, work, item)
                busy[future] = (worker, item)
            if not busy:
                return
            done, _ = wait(busy, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                worker, item = busy.pop(future)
                idle.append(worker)
                ended += 1
                result: Result | str
                try:
                    result = future.result()
                except BrokenProcessPool:
                    idle[-1], result = new_worker(worker.shared), DIED
                yield item, result
            shares = sum(worker.shared.share.value for worker, _ in busy.values())
            report(sum(shared.steps.value for shared in memory), ended + shares, ended)
    finally:
        for shared in memory:  # after an exception, items in progress stop at their next step
            shared.stop.value = True
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.pool.shutdown(cancel_futures=True)


def on_ray(
    work: Work, items: Sequence[Any], *, jobs: int, address: str | None, report: Report
) -> Iterator[Outcome]:
    """Process the items on a Ray cluster; yields each when it is done, in any order.

    Args:
        jobs: cores of a local cluster; ignored for a cluster at an address.
        address: of a running cluster (``auto``, ``host:port``, ``ray://...``); None starts a local
            one and shuts it down afterwards.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ConfigError("Ray is not installed: pip install 'signclip[ray]'") from None
    # only small objects pass through Ray, so its object store has the smallest size allowed
    here = {"num_cpus": jobs, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    try:
        ray.init(address or "local", log_to_driver=False, **({} if address else here))
    except (ConnectionError, ValueError, ray.exceptions.RayError) as error:
        raise ConfigError(f"no Ray cluster at {address!r}: {error}") from None
    try:

        @ray.remote(num_cpus=1, max_retries=1)
        def task(item: Any) -> Result:
            return work(item)

        waiting = iter(items)
        running: dict[Any, Any] = {}  # Ray's reference of a result -> item
        steps = done = 0
        while True:
            while len(running) < MAX_SUBMITTED and (item := next(waiting, None)) is not None:
                running[task.remote(item)] = item
            if not running:
                return
            (reference,), _ = ray.wait(list(running))
            item = running.pop(reference)
            try:
                result = ray.get(reference)
                steps += result.steps
            except ray.exceptions.RayTaskError as error:  # such as signclip missing on that machine
                # the last line: a traceback precedes it where the work could not be imported
                text = "".join(traceback.format_exception_only(error.cause)).strip()
                result = f"failed on Ray: {text.splitlines()[-1]}"
            except ray.exceptions.RayError:
                result = DIED
            done += 1
            report(steps, done, done)
            yield item, result
    finally:
        ray.shutdown()
