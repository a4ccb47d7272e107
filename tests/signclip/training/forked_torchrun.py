"""torchrun's agent, which forks this process twice instead of starting two interpreters.

Agent, rendezvous and what the processes find in their environment are those of torchrun. What is
saved is the import of torch and transformers, nine seconds of work a process.
"""

import os
import pkgutil
import sys
from pathlib import Path
from typing import Any

from torch.distributed.launcher import LaunchConfig, elastic_launch

OUT, ERR = "stdout", "stderr"  # files of what both processes print


def launch(folder: Path, function: str, *arguments: Any) -> None:
    """Call ``module:function`` in two processes, in a folder; raises if one of them fails."""
    os.chdir(folder)
    for name, number in ((OUT, 1), (ERR, 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        rdzv_backend="c10d",  # as torchrun --standalone: any free port
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="fork",
    )
    elastic_launch(config, pkgutil.resolve_name(function))(*arguments)


def command(*words: str) -> None:
    """The command ``signclip`` with these words."""
    from signclip import cli

    sys.argv = ["signclip", *words]
    cli.main()
