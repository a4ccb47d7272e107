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
