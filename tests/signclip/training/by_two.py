"""All that tests need of two undisturbed processes, in one launch, which takes seconds."""

from pathlib import Path
from typing import Any

import gathered_losses
import killed_training

from signclip.training import distributed


def train(folder: Path, runs: Path, configs: dict[str, dict[str, Any]]) -> None:
    """Write the gathered losses into ``runs``, then train each configuration into a folder there.

    Args:
        folder: has the data and features.
        configs: by the name of the folder.
    """
    with distributed.group():
        gathered_losses.write(runs)
        for name, config in configs.items():
            killed_training.train(folder, runs / name, config)
