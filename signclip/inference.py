"""Using a trained model: embed poses, embed texts, compare them.

Decisions
* Embeddings do not depend on company: masks are honoured, so a list gives what each item alone
  gives (up to float32 rounding). Clips are embedded in batches of like length.
* A clip longer than the model's ``max_frames`` is cut to its first frames, as in training, and
  counted in ``SignCLIPModel.cut_clips``.
* ``embed_pose`` needs no tokenizer and ``embed_text`` no pose tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pose_format import Pose

from signclip import checkpoint, poses
from signclip.config import RunConfig
from signclip.data import pad_frames
from signclip.errors import PoseError
from signclip.model import SignCLIP
from signclip.text import Tokenizer

PoseLike = Pose | Path | str | np.ndarray


class SignCLIPModel:
    """A model with its preprocessing and tokenizer.

    Attributes:
        model: the two towers; calling this object calls it.
        config: the run that it comes from.
        cut_clips: how many clips were cut to ``max_frames`` so far.
    """

    def __init__(self, model: SignCLIP, tokenizer: Tokenizer, config: RunConfig):
        self.model, self.tokenizer, self.config = model.eval(), tokenizer, config
        self.cut_clips = 0

    def __call__(self, *args, **kwargs):
        """The towers themselves; see :meth:`signclip.model.SignCLIP.forward`."""
        return self.model(*args, **kwargs)

    def features(self, pose: PoseLike, *, sample: str = "pose") -> np.ndarray:
        """What the pose tower sees of a pose: float32 (frames, dims).

        Raises:
            PoseError: the pose cannot be used, or features have the wrong shape or are not finite.
        """
        if isinstance(pose, str | Path):
            sample, pose = str(pose), poses.read_pose(pose)
        if isinstance(pose, Pose):
            return poses.features(pose, self.config.variant, sample=sample).values
        values, dims = np.asarray(pose, dtype=np.float32), self.model.config.frame_dims
        if values.ndim != 2 or values.shape[1] != dims or not len(values):
            raise PoseError(
                sample,
                f"features of shape {values.shape}; (frames, {dims}) with a frame is expected",
            )
        if not np.isfinite(values).all():
            raise PoseError(sample, "features are not finite")
        return values

    @torch.inference_mode()
    def embed_pose(self, items: Sequence[PoseLike], *, batch_size: int = 64) -> np.ndarray:
        """Embed poses: float32 (n, d).

        Args:
            items: each a ``pose_format.Pose``, the path of a ``.pose`` file, or features
                (frames, dims) of the model's variant.

        Raises:
            PoseError: an item cannot be used; its path or position is named.
        """
        clips = [self.features(item, sample=f"item {i}") for i, item in enumerate(items)]
        limit = self.model.config.max_frames
        self.cut_clips += sum(len(clip) > limit for clip in clips)
        out = np.empty((len(clips), self.model.config.hidden_size), dtype=np.float32)
        order = sorted(range(len(clips)), key=lambda i: len(clips[i]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            frames, mask = pad_frames([clips[i] for i in chosen], limit)
            out[chosen] = self.model.pose_embeddings(frames, mask).numpy()
        return out

    @torch.inference_mode()
    def embed_text(self, texts: Sequence[str], *, batch_size: int = 256) -> np.ndarray:
        """Embed prompts as they are: float32 (n, d)."""
        out = np.empty((len(texts), self.model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(texts), batch_size):
            chosen = list(texts[start : start + batch_size])
            tokens = self.tokenizer.encode(chosen, max_tokens=self.model.config.max_tokens)
            out[start : start + len(chosen)] = self.model.text_embeddings(
                *(torch.from_numpy(array) for array in tokens)
            ).numpy()
        return out

    def similarity(self, items: Sequence[PoseLike], texts: Sequence[str]) -> np.ndarray:
        """Scores as the model was trained: float32 (poses, texts), dot products or cosines."""
        return self.embed_pose(items) @ self.embed_text(texts).T


def load(path: Path | str) -> SignCLIPModel:
    """Open a run folder, e.g. ``signclip.load("runs/E3.2/0/letters-0")``.

    Raises:
        RunError: there is no finished run, or it is damaged.
    """
    run = checkpoint.load(path)
    return SignCLIPModel(run.model, run.tokenizer, run.config)
