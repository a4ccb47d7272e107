"""Embedding clips in batches, also clips longer than the model's ``max_frames``.

Decisions
* A clip is one or more segments. Batches are made of segments of similar length, so that little of
  the work is padding. The composition of a batch changes embeddings only by rounding (see
  :mod:`signclip.model.pose_tower`).
* The embedding of a clip of several segments is their mean, weighted by their frames, so that a
  last segment of one frame does not count like a full one. If the model normalises embeddings, the
  mean is normalised again.

Cost: the device holds one batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from signclip.model.padding import pad_frames
from signclip.model.towers import SignCLIP

Clip = list[np.ndarray]  # segments, float32 (frames, dims) each


def split_clip(values: np.ndarray, limit: int, *, whole: bool) -> Clip:
    """Segments of at most ``limit`` frames: all of them if ``whole``, else the first.

    A first segment is a copy, because a view would keep the whole clip in memory.
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
        batch_size: segments a batch.
        done: called after each batch with the number of clips that it completed.
    """
    device = next(model.parameters()).device
    segments = [segment for clip in clips for segment in clip]
    clip_of = np.repeat(np.arange(len(clips)), [len(clip) for clip in clips])
    left = np.bincount(clip_of, minlength=len(clips))  # segments still to embed
    out = np.empty((len(segments), model.config.hidden_size), dtype=np.float32)
    order = sorted(range(len(segments)), key=lambda i: len(segments[i]))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        inputs = pad_frames([segments[i] for i in chosen], model.config.max_frames)
        frames, mask = (tensor.to(device) for tensor in inputs)
        out[chosen] = model.pose_embeddings(frames, mask).cpu().numpy()
        unfinished = np.count_nonzero(left)
        np.subtract.at(left, clip_of[chosen], 1)
        done(unfinished - np.count_nonzero(left))
    if len(segments) == len(clips):
        return out
    return np.stack([_mean(model, clip, out[clip_of == i]) for i, clip in enumerate(clips)])


def _mean(model: SignCLIP, clip: Clip, embeddings: np.ndarray) -> np.ndarray:
    """The embedding of a clip from those of its segments, (segments, d)."""
    if len(clip) == 1:
        return embeddings[0]
    weights = [len(segment) for segment in clip]
    mean = np.average(embeddings, axis=0, weights=weights).astype(np.float32)
    return mean / np.linalg.norm(mean) if model.config.normalise else mean
