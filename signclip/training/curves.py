"""Learning curves of a training: loss, validation, learning rate and speed, as table and picture.

Decisions
* ``curves.csv`` has a row for each validation (every ``every`` epochs and at the end);
  ``losses.csv`` has the loss of each update, in full precision. Both are part of the run folder,
  with a picture.
* TensorBoard's event file grows during the training (``tensorboard --logdir runs``); a resumed
  training hides the updates that it repeats.

Cost: a validation; an event an update, some 50 us.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mmengine.hooks import Hook
from torch import Tensor, nn

from signclip.experiments.run_folder import CURVES
from signclip.training import distributed

LOSSES, PICTURE, EVENTS = "losses.csv", "curves.png", "tensorboard"
_PANELS = {  # title: columns of curves.csv
    "loss": ("loss", "validation_loss"),
    "validation V2T R@1": ("validation_V2T_R@1", "validation_label_V2T_R@1"),
    "learning rate": ("learning_rate",),
    "clips a second": ("clips_per_second",),
}


class Curves(Hook):
    """Collects the rows of ``curves.csv``; part of a training's state.

    Args:
        model: the model in training; ``measure`` gets it in evaluation mode.
        measure: model -> numbers of a row; an empty dict without validation clips.
        every: epochs between two rows.
        best: column whose lowest value selects the weights kept in ``best_weights``; None: weights
            are not kept.
        work: folder of TensorBoard's files.
    """

    def __init__(
        self,
        model: nn.Module,
        measure: Callable[[Any], dict[str, float]],
        *,
        every: int,
        best: str | None,
        work: Path,
    ):
        self.model, self.measure, self.every, self.best = model, measure, every, best
        self.work = work
        self.rows: list[dict[str, float]] = []
        self.lowest = float("inf")
        self.best_weights: dict[str, Tensor] | None = None
        self._losses: list[float] = []
        self._clips, self._rate = 0, 0.0
        self._writer: Any = None
        self._start: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        return {
            "rows": self.rows,
            "losses": self._losses,
            "lowest": self.lowest,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the values of :meth:`state_dict`."""
        self.rows, self._losses = state["rows"], state["losses"]
        self.lowest, self.best_weights = state["lowest"], state["best_weights"]

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Record the update's learning rate; open the event file."""
        self._rate = runner.optim_wrapper.get_lr()["lr"][0]
        self._start = self._start or time.perf_counter()
        if self._writer is None and not distributed.rank():
            from torch.utils.tensorboard import SummaryWriter  # takes half a second to import

            self._writer = SummaryWriter(str(self.work / EVENTS), purge_step=runner.iter + 1)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Record the update's loss."""
        self._losses.append(runner.optim_wrapper.loss)
        self._clips += len(data_batch["clips"]) * distributed.world_size()
        if self._writer:
            self._writer.add_scalar("loss", self._losses[-1], runner.iter + 1)

    def after_train_epoch(self, runner) -> None:
        """Add a row if one is due."""
        epoch = runner.epoch + 1
        if epoch % self.every and epoch != runner.max_epochs:
            return
        assert self._start is not None, "an epoch has an update"
        seconds = time.perf_counter() - self._start
        row = {
            "epoch": epoch,
            "updates": runner.iter,
            "loss": float(np.mean(self._losses)),
            "learning_rate": self._rate,
            "clips_per_second": self._clips / seconds,
        }
        self.model.eval()
        row |= self.measure(self.model)
        self.model.train()
        self.rows.append(row)
        if self.best is not None and row.get(self.best, np.inf) < self.lowest:
            self.lowest = row[self.best]
            self.best_weights = copy.deepcopy(self.model.state_dict())
        if self._writer:
            for name in row.keys() - {"epoch", "updates", "loss"}:
                self._writer.add_scalar(name, row[name], runner.iter)
            self._writer.flush()
        self._losses, self._clips, self._start = [], 0, None

    def after_train(self, runner) -> None:
        """Close the event file."""
        if self._writer:
            self._writer.close()


def write(folder: Path, rows: Sequence[dict[str, float]], losses: Sequence[float]) -> None:
    """Write ``curves.csv``, ``losses.csv`` and the picture of both."""
    table = pd.DataFrame(rows)
    table.to_csv(folder / CURVES, index=False)
    updates = pd.DataFrame({"update": range(1, len(losses) + 1), "loss": losses})
    updates.to_csv(folder / LOSSES, index=False)
    _draw(table, updates, folder / PICTURE)


# shares of the picture; matplotlib takes as long to find margins as to draw the rest, in every run
_MARGINS = dict(left=0.085, right=0.98, top=0.94, bottom=0.09, hspace=0.28, wspace=0.2)


def _draw(table: pd.DataFrame, updates: pd.DataFrame, path: Path) -> None:
    from matplotlib.figure import Figure  # takes a third of a second to import

    figure = Figure(figsize=(9, 5.5))
    figure.subplots_adjust(**_MARGINS)
    axes = figure.subplots(2, 2).flat
    for axis, (title, columns) in zip(axes, _PANELS.items(), strict=True):
        if title == "loss":
            axis.plot(updates["update"], updates["loss"], color="0.8", linewidth=0.6)
        shown = [column for column in columns if column in table]
        for column in shown:
            label = column.replace("_", " ").replace(" V2T R@1", "") if len(shown) > 1 else None
            axis.plot(table["updates"], table[column], marker=".", markersize=3, label=label)
        if len(shown) > 1:
            axis.legend(frameon=False)
        if not shown:
            axis.text(0.5, 0.5, "no validation clips", ha="center", transform=axis.transAxes)
        axis.set_title(title, loc="left")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    for axis in figure.axes[2:]:
        axis.set_xlabel("update")
    figure.savefig(path, dpi=110)
