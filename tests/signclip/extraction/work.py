"""Work for the tests of :mod:`signclip.core.workers`; worker processes can import this module."""

import os
import signal

from signclip.core import workers


def halves(item: str, *, progress: workers.Progress) -> workers.Result:
    """Two steps; the item ``die`` kills its process between them."""
    progress(1, 0.5)
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    progress(1, 0.5)
    return workers.Result(item.upper(), 2)


def broken(item: str, *, progress: workers.Progress = lambda steps, share: None) -> workers.Result:
    """Breaks the contract: what an item does wrong is not caught."""
    raise ModuleNotFoundError(f"No module named {item!r}")
