"""Contrastive losses as pure functions of the two sides' embeddings.

Decision: every loss is a sum of two cross-entropies or a mean over clips, in the precision of its
inputs; the caller gives float32. Cost: one score matrix.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def contrastive(pose_embeddings: Tensor, text_embeddings: Tensor) -> Tensor:
    """The paper's loss: cross-entropy over texts plus cross-entropy over poses.

    A sum, not a mean, so that an untrained model has the loss ``2 ln b``. Logits are dot products
    without a temperature. Every other item of the batch is a negative, even one with the same text.

    Args:
        pose_embeddings, text_embeddings: (b, d); row i of one belongs to row i of the other.

    Source: ``MMContraLoss`` in the authors' code (github.com/J22Melody/fairseq, examples/MMPT).
    """
    logits = pose_embeddings @ text_embeddings.T
    target = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)


def multi_positive(pose_embeddings: Tensor, text_embeddings: Tensor, same: Tensor) -> Tensor:
    """:func:`contrastive` in which every item with the same text is a positive.

    The target is spread evenly over the positives; if all texts differ, this is the paper's loss.

    Args:
        pose_embeddings, text_embeddings: (b, d).
        same: bool (b, b), symmetric: do clips i and j have the same text?
    """
    logits = pose_embeddings @ text_embeddings.T
    target = same.to(logits.dtype) / same.sum(dim=1, keepdim=True)
    return F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)


def sigmoid(pose_embeddings: Tensor, text_embeddings: Tensor, same: Tensor, bias: Tensor) -> Tensor:
    """A binary classification of each pair of clip and text: do they belong together?

    Summed over texts, averaged over clips. Source: Zhai et al., "Sigmoid Loss for Language Image
    Pre-Training" (2023).

    Args:
        pose_embeddings, text_embeddings: (b, d).
        same: bool (b, b), see :func:`multi_positive`.
        bias: added to every score; negative, since most pairs do not belong together.
    """
    logits = pose_embeddings @ text_embeddings.T + bias
    pairs = F.binary_cross_entropy_with_logits(logits, same.to(logits.dtype), reduction="sum")
    return pairs / len(logits)


def gallery(
    pose_embeddings: Tensor,
    text_embeddings: Tensor,
    targets: Tensor,
    smoothing: float = 0.0,
    handicap: Tensor | None = None,
) -> Tensor:
    """:func:`multi_positive` against a gallery of unique texts, more than those of the batch.

    Each clip is classified among all texts; each text of the batch among the batch's clips.

    Args:
        pose_embeddings: (b, d).
        text_embeddings: (n, d), of unique texts.
        targets: int (b,), the row of each clip's text.
        smoothing: share of a clip's target that is spread evenly over all texts.
        handicap: (n,), subtracted from the logits of each text where clips are classified. The
            logarithm of a text's number of training clips makes frequent texts score higher when
            it is absent: a text of a single clip fits that clip, its signer included, and would
            otherwise be ranked above texts that hold for many signers.
    """
    logits = pose_embeddings @ text_embeddings.T
    queries = targets.unique()
    positives = (queries[:, None] == targets[None]).to(logits.dtype)
    positives = positives / positives.sum(dim=1, keepdim=True)
    handicapped = logits if handicap is None else logits - handicap
    of_clips = F.cross_entropy(handicapped, targets, label_smoothing=smoothing)
    return of_clips + F.cross_entropy(logits[:, queries].T, positives)
