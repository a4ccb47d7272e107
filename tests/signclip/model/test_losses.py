"""Losses: what each is on cases that can be worked out by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from signclip.model import losses


@pytest.fixture
def sides() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 6, 8, dtype=torch.float64).unbind()


def test_with_texts_that_all_differ_multi_positive_is_the_papers_loss(sides):
    same = torch.eye(6, dtype=torch.bool)
    expected = losses.contrastive(*sides)
    assert losses.multi_positive(*sides, same) == pytest.approx(expected.item())


def test_a_clip_is_not_pushed_away_from_its_own_text_at_another_clip():
    """Two clips of one letter, both right about it: the paper's loss cannot reach zero."""
    pose = torch.tensor([[9.0, 0], [9, 0], [0, 9]])
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    # the best there is: a half for each of two right answers
    least = 2 * (2 / 3) * math.log(2)
    assert losses.multi_positive(pose, pose, same).item() == pytest.approx(least, abs=1e-4)
    pose.requires_grad_()
    losses.multi_positive(pose, pose.detach(), same).backward()
    assert pose.grad.abs().max() < 1e-4


def test_multi_positive_takes_clips_in_any_order(sides):
    keys = torch.tensor([3, 1, 3, 2, 1, 3])
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    same = keys[:, None] == keys[None]
    again = keys[order][:, None] == keys[order][None]
    shuffled = losses.multi_positive(*(side[order] for side in sides), again)
    assert losses.multi_positive(*sides, same).item() == pytest.approx(shuffled.item())


def test_sigmoid_is_the_mean_over_clips_of_all_their_decisions():
    pose, text = torch.tensor([[2.0], [-1]]), torch.tensor([[1.0], [3]])
    same, bias = torch.eye(2, dtype=torch.bool), torch.tensor(-0.5)
    no = [math.log1p(math.exp(z)) for z in (2 * 3 - 0.5, -1 * 1 - 0.5)]
    yes = [math.log1p(math.exp(-z)) for z in (2 * 1 - 0.5, -1 * 3 - 0.5)]
    expected = (sum(yes) + sum(no)) / 2
    assert losses.sigmoid(pose, text, same, bias).item() == pytest.approx(expected)


def test_a_gallery_of_the_batchs_own_texts_is_the_papers_loss(sides):
    pose, text = sides
    order = torch.tensor([2, 0, 5, 1, 4, 3])
    targets = order.argsort()
    expected = losses.contrastive(pose, text)
    assert losses.gallery(pose, text[order], targets).item() == pytest.approx(expected.item())


def test_texts_that_no_clip_of_the_batch_has_are_negatives_of_clips_only(sides):
    pose, text = sides
    targets = torch.tensor([0, 1, 1])
    alone, among = (
        losses.gallery(pose[:3], text[:2], targets),
        losses.gallery(pose[:3], text, targets),
    )
    logits = pose[:3] @ text.T
    more = (logits.logsumexp(dim=1) - logits[:, :2].logsumexp(dim=1)).mean()
    assert (among - alone).item() == pytest.approx(more.item())


def test_smoothing_spreads_a_share_of_the_target(sides):
    pose, text = sides
    targets = torch.arange(6)
    plain, smooth = (losses.gallery(pose, text, targets, share) for share in (0.0, 0.3))
    logits = pose @ text.T
    even = -logits.log_softmax(dim=1).mean()
    exact = -logits.log_softmax(dim=1).diagonal().mean()
    assert (smooth - plain).item() == pytest.approx(0.3 * (even - exact).item())


def test_a_handicap_holds_where_clips_are_classified_and_nowhere_else(sides):
    pose, text = sides
    targets, handicap = torch.arange(6), torch.tensor([0.0, 0, 0, 0, 0, 2])
    plain, changed = (losses.gallery(pose, text, targets, 0.0, x) for x in (None, handicap))
    logits = pose @ text.T
    difference = F.cross_entropy(logits - handicap, targets) - F.cross_entropy(logits, targets)
    assert (changed - plain).item() == pytest.approx(difference.item(), rel=1e-4)
    assert abs(difference.item()) > 0.01
