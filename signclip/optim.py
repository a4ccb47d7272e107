"""The paper's optimiser and schedule.

fairseq's Adam adds its epsilon before the bias correction of the second moment, torch's after it.
With ``eps / sqrt(1 - beta2^t)`` at step t the two are the same update, so torch's fast loops serve.
"""

from __future__ import annotations

import math

import torch
from mmengine.optim import _ParamScheduler


class FairseqAdam(torch.optim.Adam):
    """``torch.optim.Adam`` with fairseq's place for epsilon. Source: reference README, facts 4."""

    @torch.no_grad()
    def step(self, closure=None):
        """One update; see ``torch.optim.Adam.step``."""
        plain = [group["eps"] for group in self.param_groups]
        for group, eps in zip(self.param_groups, plain, strict=True):
            states = (self.state[p] for p in group["params"] if p in self.state)
            done = next((int(state["step"]) for state in states if "step" in state), 0)
            group["eps"] = eps / math.sqrt(1 - group["betas"][1] ** (done + 1))
        try:
            return super().step(closure)
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
