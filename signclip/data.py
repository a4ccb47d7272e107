"""From split and store to the model's inputs.

Decisions
* A batch is a pure function of (seed, epoch, clip ids): the sampler hands out ``(epoch, position)``
  keys, so augmentation depends neither on workers nor on what was loaded before.
* Padding is a setting and changes no embedding (the model's closing [SEP] keeps its position):
  ``limit``, as the reference has it, to ``max_frames`` and ``max_tokens`` always; ``batch``, to the
  longest of the batch; ``none``, as ``batch``, but the model then leaves the padding out
  (:mod:`signclip.unpadded`).

Cost, for a clip of 73 frames and 203 points: 0.05 ms from the memory map, 0.2 ms with temporal
augmentation (benchmarks/speed/features.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from signclip import augment, mirror, poses
from signclip.errors import ConfigError
from signclip.points import Features
from signclip.store import FeatureStore
from signclip.text import Tokenizer

Step = Literal["flip", "affine2d", "temporal", "noise"]
Padding = Literal["limit", "batch", "none"]


@dataclass(frozen=True)
class Example:
    """A training clip: its id in the store, the label it is compared by, and its prompt."""

    clip: str
    label: str
    prompt: str


def pad_frames(
    clips: Sequence[np.ndarray], max_frames: int, *, length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Cut clips to ``max_frames`` and pad them to ``length``, by default to the longest.

    Args:
        clips: float (frames, dims) each.

    Returns:
        frames float32 (b, t, dims); mask bool (b, t), True = valid.
    """
    cut = [clip[:max_frames] for clip in clips]
    length = length or max(len(clip) for clip in cut)
    frames = np.empty((len(cut), length, cut[0].shape[1]), dtype=np.float32)
    mask = np.zeros((len(cut), length), dtype=bool)
    for row, clip in enumerate(cut):
        frames[row, : len(clip)], frames[row, len(clip) :] = clip, 0
        mask[row, : len(clip)] = True
    return torch.from_numpy(frames), torch.from_numpy(mask)


class Augmentation:
    """The named steps on the clips of one variant, in the reference's order whatever theirs here.

    Raises:
        ConfigError: the variant cannot be mirrored, or its values are no places (``sign_vq``'s are
            standardised), so that flip and affine mean nothing there.
    """

    def __init__(self, steps: Sequence[Step], variant: str, *, max_frames: int):
        self.steps, self.max_frames = frozenset(steps), max_frames
        names = poses.point_names(variant)
        self.legs = poses.hidden_legs(names)
        if self.steps & {"flip", "affine2d"} and poses.VARIANTS[variant].standardised:
            raise ConfigError(
                f"variant {variant}: standardised values are neither flipped nor bent"
            )
        self.swap = mirror.permutation(names) if "flip" in self.steps else None

    def __call__(self, clip: Features, rng: np.random.Generator, *, fps: float) -> Features:
        """One clip with what ``rng`` draws."""
        # the reference hides legs without masking them; whatever it does next masks them again
        legs_disturbed = True
        if self.swap is not None and augment.draw_flip(rng):
            clip, legs_disturbed = augment.flip(clip, self.swap), False
        if "affine2d" in self.steps:
            values = augment.augment2d(clip.values, augment.draw_affine2d(rng))
            clip, legs_disturbed = clip._replace(values=values), False
        if "temporal" in self.steps:
            before, ratio = clip, augment.draw_tempo(rng)
            clip = augment.augment_temporal(clip, ratio, fps=fps, max_frames=self.max_frames)
            legs_disturbed &= clip is before
        if "noise" in self.steps:
            disturbed = clip.valid | self.legs if legs_disturbed else clip.valid
            noise = augment.draw_noise(rng, clip.values.shape)
            clip = clip._replace(values=augment.gaussian_noise(clip.values, noise, disturbed))
        return clip


class ClipDataset(Dataset):
    """Training clips by ``(epoch, position)``.

    Raises:
        ConfigError: see :class:`Augmentation`.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        store: FeatureStore,
        *,
        augmentations: Sequence[Step],
        max_frames: int,
        seed: int,
    ):
        self.examples, self.store, self.seed = examples, store, seed
        self.augmentation = None
        if augmentations:
            variant = store.meta["variant"]
            self.augmentation = Augmentation(augmentations, variant, max_frames=max_frames)
            if len(self.augmentation.legs) != store.points:  # faces of 478 points
                raise ConfigError(
                    f"{store.folder}: {store.points} points, where variant {variant} has "
                    f"{len(self.augmentation.legs)}: they cannot be augmented"
                )

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Example, np.ndarray]:
        epoch, position = key
        example = self.examples[position]
        if self.augmentation is None:
            return example, self.store.values(example.clip)
        rng = augment.generator(self.seed, epoch, example.clip)
        fps = self.store.fps(example.clip)
        return example, self.augmentation(self.store[example.clip], rng, fps=fps).values


@dataclass(frozen=True)
class Collate:
    """Examples to the model's inputs, as a dict.

    ``frame_counts`` and ``token_counts`` are the valid positions of each row as plain numbers;
    ``clips`` (ids) is for error messages.
    """

    tokenizer: Tokenizer
    max_frames: int
    max_tokens: int
    padding: Padding = "batch"

    def __call__(self, items: Sequence[tuple[Example, np.ndarray]]) -> dict:
        to_limit = self.padding == "limit"
        frames, frame_mask = pad_frames(
            [values for _, values in items],
            self.max_frames,
            length=self.max_frames if to_limit else None,
        )
        token_ids, token_mask = self.tokenizer.encode(
            [example.prompt for example, _ in items], max_tokens=self.max_tokens
        )
        if to_limit:  # one less than max_tokens: the reference drops a [SEP] after its [CLS]
            behind = ((0, 0), (0, self.max_tokens - 1 - token_ids.shape[1]))
            token_ids, token_mask = np.pad(token_ids, behind), np.pad(token_mask, behind)
        return {
            "frames": frames,
            "frame_mask": frame_mask,
            "token_ids": torch.from_numpy(token_ids),
            "token_mask": torch.from_numpy(token_mask),
            "frame_counts": [min(len(values), self.max_frames) for _, values in items],
            "token_counts": token_mask.sum(axis=1).tolist(),
            "clips": [example.clip for example, _ in items],
        }
