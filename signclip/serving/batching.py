"""Concurrent requests become one forward pass.

Decisions
* The first request of a batch waits a few milliseconds for others; while a batch is computed, the
  next one gathers without any waiting. The items of one request stay together.
* Batching must not change an answer: embeddings depend on the batch by rounding only
  (:mod:`signclip.inference`), and when a batch fails, each of its requests is computed alone, so
  that only those fail that would fail alone.
* A request whose client has given up before its batch begins is not computed.

Cost: the wait, and one thread, which computes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")


class _Job(NamedTuple, Generic[Item]):
    items: list[Item]
    rows: asyncio.Future[np.ndarray]


class Batcher(Generic[Item]):
    """Gathers the items of requests and computes them together.

    Args:
        compute: items -> array of as many rows; called in ``executor``.
        most: items of a batch; a request with more is a batch of its own.
        wait: seconds that the first request of a batch waits for others.

    Attributes:
        batches, items: computed so far.
    """

    def __init__(
        self,
        compute: Callable[[list[Item]], np.ndarray],
        executor: Executor,
        *,
        most: int = 32,
        wait: float = 0.004,
    ):
        self._compute, self._executor = compute, executor
        self._most, self._wait = most, wait
        self._jobs: asyncio.Queue[_Job[Item]] = asyncio.Queue()
        self._next: _Job[Item] | None = None  # did not fit into the last batch
        self.batches = self.items = 0

    async def __call__(self, items: Sequence[Item]) -> np.ndarray:
        """The rows of some items.

        Raises:
            Exception: what ``compute`` raises for these items alone.
        """
        job: _Job[Item] = _Job(list(items), asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        return await job.rows

    async def run(self) -> None:
        """Compute batches until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            jobs = [job for job in await self._gather() if not job.rows.done()]
            if not jobs:
                continue
            given = [job.items for job in jobs]
            self.batches += 1
            self.items += sum(map(len, given))
            found = await loop.run_in_executor(self._executor, self._together, given)
            for job, rows in zip(jobs, found, strict=True):
                if job.rows.done():  # its client has given up
                    continue
                if isinstance(rows, Exception):
                    job.rows.set_exception(rows)
                else:
                    job.rows.set_result(rows)

    async def _gather(self) -> list[_Job[Item]]:
        """The jobs of the next batch, at least one."""
        first = self._next or await self._jobs.get()
        self._next = None
        jobs, count = [first], len(first.items)
        ends = asyncio.get_running_loop().time() + self._wait
        while count < self._most:
            try:
                async with asyncio.timeout_at(ends):
                    job = await self._jobs.get()
            except TimeoutError:
                break
            count += len(job.items)
            if count > self._most:
                self._next = job
                break
            jobs.append(job)
        return jobs

    def _together(self, given: list[list[Item]]) -> list[np.ndarray | Exception]:
        """The rows of each request, or why it has none."""
        try:
            rows = self._compute([item for items in given for item in items])
        except Exception as error:
            if len(given) == 1:
                return [error]
            return [self._together([items])[0] for items in given]
        return list(np.split(rows, np.cumsum([len(items) for items in given])[:-1]))
