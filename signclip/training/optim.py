"""The paper's optimiser and learning-rate schedule.

Decision: fairseq's Adam adds epsilon before the bias correction of the second moment, torch's after
it. With ``eps / sqrt(1 - beta2^t)`` at step t the two updates are equal, so torch's fused
implementation is used. Cost: that of ``torch.optim.Adam``.
"""

from __future__ import annotations

import math

import torch
from mmengine.optim import _ParamScheduler


class FairseqAdam(torch.optim.Adam):
    """``torch.optim.Adam`` with epsilon where fairseq adds it (``fairseq/optim/adam.py``)."""

    _done: int | None = None  # updates; reading torch's own count would wait for a GPU

    def load_state_dict(self, state_dict):
        """See ``torch.optim.Adam.load_state_dict``."""
        super().load_state_dict(state_dict)
        self._done = None

    @torch.no_grad()
    def step(self, closure=None):
        """One update; see ``torch.optim.Adam.step``."""
        if self._done is None:
            counts = (int(state["step"]) for state in self.state.values() if "step" in state)
            self._done = next(counts, 0)
        plain = [group["eps"] for group in self.param_groups]
        for group, eps in zip(self.param_groups, plain, strict=True):
            group["eps"] = eps / math.sqrt(1 - group["betas"][1] ** (self._done + 1))
        try:
            loss = super().step(closure)
            self._done += 1
            return loss
        finally:
            for group, eps in zip(self.param_groups, plain, strict=True):
                group["eps"] = eps


def polynomial_decay(update: int, *, warmup: int, total: int) -> float:
    """Factor on the learning rate for update number ``update`` (from 1).

    Rises linearly over ``warmup`` updates, then falls linearly to 0 at ``total`` (fairseq's
    ``polynomial_decay`` of power 1).
    """
    if update <= warmup:
        return update / warmup
    return max(0.0, 1 - (update - warmup) / max(1, total - warmup))


class PolynomialDecay(_ParamScheduler):
    """:func:`polynomial_decay` as an MMEngine scheduler, stepped once an update."""

    def __init__(self, optimizer, *, warmup: int, total: int):
        self.warmup, self.total = warmup, total
        super().__init__(optimizer, "lr", by_epoch=False)

    def _get_value(self) -> list[float]:
        factor = polynomial_decay(self.last_step + 1, warmup=self.warmup, total=self.total)
        return [base * factor for base in self.base_values]
