"""Training one batch in several processes, started by ``torchrun``.

Decisions
* Every process computes the loss of the whole batch from the gathered embeddings, so all negatives
  count, and the gradient flows back through the gather. The result is that of one process on the
  same batch, whatever the number of processes; only the random draws of dropout differ.
* gloo between CPUs, NCCL between GPUs. The process group is created here and not by MMEngine, whose
  launcher needs CUDA.

Cost: one all-gather of the embeddings forward and one all-reduce of their gradients backward (3 KB
a clip at width 768), besides DDP's all-reduce of the weights' gradients.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from signclip.core.errors import ConfigError, SignCLIPError
from signclip.core.torchrun import launched

T = TypeVar("T")


def rank() -> int:
    """This process's number; 0 if there is only one."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """The number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


@contextmanager
def group() -> Iterator[None]:
    """Join the processes of ``torchrun`` in one group while the block runs; alone, do nothing.

    After an error the group is not destroyed: that would wait for processes that wait for this one,
    and the error would never be reported. The launcher ends them when this one ends.
    """
    if not launched() or distributed.is_initialized():
        yield
        return
    _end_with_launcher()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    yield
    distributed.destroy_process_group()


def _end_with_launcher() -> None:
    """End with the launcher: a killed ``torchrun`` leaves its processes, which hold the lock."""
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def wait() -> None:
    """Wait until all processes have reached this point."""
    if world_size() > 1:
        distributed.barrier()


def on_main_process(call: Callable[[], T]) -> T:
    """Call a function on the main process only, and return its result on all of them.

    Raises:
        SignCLIPError: the call raised it; on the other processes it is a ConfigError with the same
            message.
    """
    if world_size() == 1:
        return call()
    box: list[Any] = [None, None]
    if rank() == 0:
        try:
            box[0] = call()
        except SignCLIPError as error:
            box[1] = str(error)
            distributed.broadcast_object_list(box, src=0)
            raise
    distributed.broadcast_object_list(box, src=0)
    if box[1] is not None:
        raise ConfigError(box[1])
    return box[0]


def gather_lists(value: list[Any]) -> list[Any]:
    """Concatenate the lists of all processes, in order of rank."""
    if world_size() == 1:
        return value
    parts: list[Any] = [None] * world_size()
    distributed.all_gather_object(parts, value)
    return [item for part in parts for item in part]


def share(batch: list[Any], *, rank: int, world_size: int) -> list[Any]:
    """One process's part of a batch: consecutive parts, whose sizes differ by at most one."""
    return batch[len(batch) * rank // world_size : len(batch) * (rank + 1) // world_size]


class _Gather(torch.autograd.Function):
    """Gather rows in order of rank; the gradient of each row goes back to its process."""

    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        sizes = [
            torch.zeros((), dtype=torch.int64, device=rows.device) for _ in range(world_size())
        ]
        distributed.all_gather(sizes, torch.tensor(len(rows), device=rows.device))
        counts = [int(size) for size in sizes]
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(parts, padded)
        context.rows = slice(sum(counts[: rank()]), sum(counts[: rank() + 1]))
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        # Every process computed the same loss, so this sum is too large by the number of processes;
        # DDP's mean over the weights' gradients divides by it again.
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total[context.rows]


def gather(rows: Tensor) -> Tensor:
    """(own rows, d) -> (all rows, d) in order of rank, with gradients; alone, the rows."""
    return rows if world_size() == 1 else _Gather.apply(rows)
