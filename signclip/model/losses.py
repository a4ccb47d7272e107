"""Contrastive losses as pure functions of the two sides' embeddings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def contrastive(pose_embeddings: Tensor, text_embeddings: Tensor) -> Tensor:
    """The paper's loss: cross-entropy over texts plus cross-entropy over poses.

    A sum, not a mean: an untrained model stands at ``2 ln b``. Logits are dot products without a
    temperature; every other item of the batch is a negative, also one with the same text.

    Args:
        pose_embeddings, text_embeddings: (b, d); row i of one belongs to row i of the other.

    Source: reference ``MMContraLoss``; facts section 2.
    """
    logits = pose_embeddings @ text_embeddings.T
    target = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)


def multi_positive(pose_embeddings: Tensor, text_embeddings: Tensor, same: Tensor) -> Tensor:
    """:func:`contrastive` in which every item with the same text is a right answer.

    The target is spread evenly over them; where all texts differ, the loss is that of the paper.

    Args:
        pose_embeddings, text_embeddings: (b, d).
        same: bool (b, b), symmetric: do clips i and j have the same text?
    """
    logits = pose_embeddings @ text_embeddings.T
    target = same.to(logits.dtype) / same.sum(dim=1, keepdim=True)
    return F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)


def sigmoid(pose_embeddings: Tensor, text_embeddings: Tensor, same: Tensor, bias: Tensor) -> Tensor:
    """Each pair of clip and text is a decision of its own: does the text belong to the clip?

    Summed over texts, averaged over clips. Source: Zhai et al., "Sigmoid Loss for Language Image
    Pre-Training" (2023).

    Args:
        pose_embeddings, text_embeddings: (b, d).
        same: bool (b, b), see :func:`multi_positive`.
        bias: added to every score; below zero, since most pairs do not belong together.
    """
    logits = pose_embeddings @ text_embeddings.T + bias
    pairs = F.binary_cross_entropy_with_logits(logits, same.to(logits.dtype), reduction="sum")
    return pairs / len(logits)


def gallery(
    pose_embeddings: Tensor, text_embeddings: Tensor, own: Tensor, smoothing: float = 0.0
) -> Tensor:
    """:func:`multi_positive` against texts that are more than the batch's own, each there once.

    Clips choose among all texts; the texts that clips of the batch have choose among these.

    Args:
        pose_embeddings: (b, d).
        text_embeddings: (n, d), of texts that all differ.
        own: int (b,), the row of each clip's text.
        smoothing: share of a clip's target that is spread evenly over all texts.
    """
    logits = pose_embeddings @ text_embeddings.T
    asked = own.unique()
    target = (asked[:, None] == own[None]).to(logits.dtype)
    target = target / target.sum(dim=1, keepdim=True)
    chosen = F.cross_entropy(logits, own, label_smoothing=smoothing)
    return chosen + F.cross_entropy(logits[:, asked].T, target)
