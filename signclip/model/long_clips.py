"""Batches of clips through the pose tower.

Decisions
* A clip is one or more windows; batches are of windows of like length, so that little of the work
  is padding. An embedding does not depend on its batch (see :mod:`signclip.model.towers`).
* A clip of several windows is their mean, each weighted by its frames, so that a last window of one
  frame does not count like a full one; where the model normalises, the mean is made so again.

Cost: one batch on the device at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from signclip.model.towers import SignCLIP
from signclip.training.data import pad_frames

Clip = list[np.ndarray]  # windows, float32 (frames, dims) each


def cut(values: np.ndarray, limit: int, *, whole: bool) -> Clip:
    """Windows of at most ``limit`` frames: all of them if ``whole``, else the first.

    A first window is a copy: a view of it would keep the long clip in memory.
    """
    if len(values) <= limit:
        return [values]
    if not whole:
        return [values[:limit].copy()]
    return [values[start : start + limit] for start in range(0, len(values), limit)]


@torch.inference_mode()
def embed(
    model: SignCLIP,
    clips: Sequence[Clip],
    *,
    batch_size: int,
    done: Callable[[int], object] = lambda clips: None,
) -> np.ndarray:
    """Embed clips: float32 (clips, d).

    Args:
        batch_size: windows a batch.
        done: is told after each batch how many more clips are embedded.
    """
    device = next(model.parameters()).device
    windows = [window for clip in clips for window in clip]
    of_clip = np.repeat(np.arange(len(clips)), [len(clip) for clip in clips])
    left = np.bincount(of_clip, minlength=len(clips))  # windows to come
    out = np.empty((len(windows), model.config.hidden_size), dtype=np.float32)
    order = sorted(range(len(windows)), key=lambda i: len(windows[i]))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        inputs = pad_frames([windows[i] for i in chosen], model.config.max_frames)
        frames, mask = (tensor.to(device) for tensor in inputs)
        out[chosen] = model.pose_embeddings(frames, mask).cpu().numpy()
        finished = np.count_nonzero(left)
        np.subtract.at(left, of_clip[chosen], 1)
        done(finished - np.count_nonzero(left))
    if len(windows) == len(clips):
        return out
    return np.stack([_mean(model, clip, out[of_clip == i]) for i, clip in enumerate(clips)])


def _mean(model: SignCLIP, clip: Clip, own: np.ndarray) -> np.ndarray:
    """The embedding of a clip whose windows have embeddings (windows, d)."""
    if len(clip) == 1:
        return own[0]
    mean = np.average(own, axis=0, weights=[len(window) for window in clip]).astype(np.float32)
    return mean / np.linalg.norm(mean) if model.config.normalise else mean
