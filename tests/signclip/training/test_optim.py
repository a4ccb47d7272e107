"""The optimiser and the schedule are fairseq's."""

import copy
import json
import math
from pathlib import Path

import pytest
import torch

from signclip.training.optim import FairseqAdam, PolynomialDecay, polynomial_decay

GOLDEN = Path(__file__).parents[3].parent / "shared" / "reference" / "model" / "fairseq_adam.json"


def fairseq_steps(gradients, *, lr, betas, eps):
    """fairseq's update, written out for one number."""
    p = m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
        step = lr * math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
        p -= step * m / (math.sqrt(v) + eps)
        yield p


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("eps", [1e-8, 1e-2])
def test_adam_takes_fairseqs_steps_where_its_epsilon_matters_and_where_not(eps, fused):
    gradients, settings = [0.3, -1.0, 0.01, 2.0], dict(lr=0.1, betas=(0.9, 0.98), eps=eps)
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimiser = FairseqAdam([parameter], **settings, fused=fused)
    for gradient, expected in zip(gradients, fairseq_steps(gradients, **settings), strict=True):
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        assert parameter.item() == pytest.approx(expected, rel=1e-12)
    assert optimiser.param_groups[0]["eps"] == eps


def test_adam_that_goes_on_from_a_state_takes_the_steps_of_one_that_went_on():
    def steps(optimiser, weight, count):
        for _ in range(count):
            weight.grad = torch.ones_like(weight)
            optimiser.step()

    settings = dict(lr=0.1, betas=(0.9, 0.98), eps=1e-2)
    weights = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    first, second = (FairseqAdam([weight], **settings) for weight in weights)
    steps(first, weights[0], 3)
    steps(second, weights[1], 1)  # its own count is to be forgotten
    second.load_state_dict(copy.deepcopy(first.state_dict()))  # else both have one state
    with torch.no_grad():
        weights[1].copy_(weights[0])
    steps(first, weights[0], 4)
    steps(second, weights[1], 4)
    assert torch.equal(*weights)


@pytest.mark.skipif(not GOLDEN.is_file(), reason="no ../shared/reference/model beside the checkout")
def test_the_schedule_is_the_references():
    rows = json.loads(GOLDEN.read_text())["runs"]["polynomial_decay_5e-5_warmup10_total100"]
    ours = [5e-5 * polynomial_decay(n, warmup=10, total=100) for n in range(1, len(rows) + 1)]
    assert ours == pytest.approx([row[2] for row in rows], rel=1e-12)


def test_the_rate_rises_over_the_warm_up_peaks_at_one_and_ends_at_zero():
    rates = [polynomial_decay(n, warmup=4, total=12) for n in range(1, 14)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates == sorted(rates[:4]) + sorted(rates[4:], reverse=True)
    assert rates[11] == rates[12] == 0


def test_mmengines_scheduler_sets_the_rate_of_the_coming_update():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = PolynomialDecay(optimiser, warmup=2, total=6)
    seen = []
    for _ in range(4):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    assert seen == [2.0 * polynomial_decay(n, warmup=2, total=6) for n in (1, 2, 3, 4)]
