"""Padding clips to one length.

Decision: padding is zeros behind each clip, with a mask that says what is real; the towers honour
the mask, so padding changes embeddings only by rounding. Cost: one copy of the clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def pad_frames(
    clips: Sequence[np.ndarray], max_frames: int, *, length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Cut clips to ``max_frames`` and pad them to ``length``, by default to the longest clip.

    Args:
        clips: float (frames, dims) each.

    Returns:
        frames float32 (b, t, dims); mask bool (b, t), True = valid.
    """
    counts = [min(len(clip), max_frames) for clip in clips]
    frames = zero_padded(counts, length or max(counts), clips[0].shape[1])
    for row, count, clip in zip(frames, counts, clips, strict=True):
        row[:count] = clip[:count]
    return torch.from_numpy(frames), valid_mask(counts, frames.shape[1])


def zero_padded(counts: Sequence[int], length: int, dims: int) -> np.ndarray:
    """An array float32 (b, length, dims): zeros behind each row's count, undefined before it."""
    frames = np.empty((len(counts), length, dims), dtype=np.float32)
    # As bytes: numpy uses memset for these only, which does not read what it overwrites.
    for row, count in zip(frames.view(np.uint8), counts, strict=True):
        row[count:] = 0
    return frames


def valid_mask(counts: Sequence[int], length: int) -> Tensor:
    """A mask bool (b, length), True for each row's first ``count`` positions."""
    return torch.arange(length) < torch.tensor(counts)[:, None]
