"""From manifest, split and store to batches.

Decisions
* A batch is a pure function of (seed, epoch, clip ids): the sampler hands out ``(epoch, position)``
  keys, so augmentation depends neither on workers nor on what was loaded before.
* Batches are as long as their longest clip, not ``max_frames``: padding changes nothing (the
  model's closing [SEP] keeps its position) and would be most of the work.
* Rounds over labels (the paper's FingerCLIP): each label once a round, labels with fewer clips
  repeat, batches are consecutive. With a batch of a round's size no text occurs twice in a batch.

Cost: a memory-mapped read and, with augmentation, one small matrix product a clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from signclip import augment
from signclip.store import FeatureStore
from signclip.text import Tokenizer


@dataclass(frozen=True)
class Example:
    """A training clip: its id in the store, the label it is compared by, and its prompt."""

    clip: str
    label: str
    prompt: str


def pad_frames(clips: Sequence[np.ndarray], max_frames: int) -> tuple[Tensor, Tensor]:
    """Cut clips to ``max_frames`` and pad them to the longest.

    Args:
        clips: float (frames, dims) each.

    Returns:
        frames float32 (b, t, dims); mask bool (b, t), True = valid.
    """
    cut = [clip[:max_frames] for clip in clips]
    longest = max(len(clip) for clip in cut)
    frames = np.zeros((len(cut), longest, cut[0].shape[1]), dtype=np.float32)
    mask = np.zeros((len(cut), longest), dtype=bool)
    for row, clip in enumerate(cut):
        frames[row, : len(clip)] = clip
        mask[row, : len(clip)] = True
    return torch.from_numpy(frames), torch.from_numpy(mask)


class ClipDataset(Dataset):
    """Training clips by ``(epoch, position)``."""

    def __init__(
        self,
        examples: Sequence[Example],
        store: FeatureStore,
        *,
        augmentations: Sequence[str],
        seed: int,
    ):
        self.examples, self.store = examples, store
        self.augmentations, self.seed = tuple(augmentations), seed

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Example, np.ndarray]:
        epoch, position = key
        example = self.examples[position]
        values = self.store[example.clip].values
        if "affine2d" in self.augmentations:
            rng = augment.generator(self.seed, epoch, example.clip)
            values = augment.augment2d(values, augment.draw_affine2d(rng))
        return example, values


class RoundsSampler(Sampler):
    """Batches from rounds over the labels; yields lists of ``(epoch, position)``.

    Args:
        labels: one a clip.
        batch_size: clips a batch, but never more than a round holds: a text that is twice in a
            batch would be its own negative. The last batch of an epoch may be smaller.
        reshuffle: draw the rounds anew every epoch. Without it, as in the reference, a batch has
            the same members in every epoch and only the order of the batches changes.
    """

    def __init__(self, labels: Sequence[str], *, batch_size: int, reshuffle: bool, seed: int):
        self.labels, self.batch_size = np.asarray(labels), min(batch_size, len(set(labels)))
        self.reshuffle, self.seed, self.epoch = reshuffle, seed, 0
        self._classes = sorted(set(labels))
        self.rounds = max(int((self.labels == name).sum()) for name in self._classes)

    def __len__(self) -> int:
        return -(-self.rounds * len(self._classes) // self.batch_size)

    def _laid_out(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng([self.seed, epoch if self.reshuffle else 0, 1])
        columns = [
            np.resize(rng.permutation(np.flatnonzero(self.labels == name)), self.rounds)
            for name in self._classes
        ]
        order = np.stack(columns, axis=1).reshape(-1)
        return [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        batches = self._laid_out(self.epoch)
        order = np.random.default_rng([self.seed, self.epoch, 2]).permutation(len(batches))
        for i in order:
            yield [(self.epoch, int(position)) for position in batches[i]]
        self.epoch += 1


@dataclass(frozen=True)
class Collate:
    """Examples to the model's inputs, as a dict; ``clips`` (ids) is for error messages."""

    tokenizer: Tokenizer
    max_frames: int
    max_tokens: int

    def __call__(self, items: Sequence[tuple[Example, np.ndarray]]) -> dict:
        frames, frame_mask = pad_frames([values for _, values in items], self.max_frames)
        token_ids, token_mask = self.tokenizer.encode(
            [example.prompt for example, _ in items], max_tokens=self.max_tokens
        )
        return {
            "frames": frames,
            "frame_mask": frame_mask,
            "token_ids": torch.from_numpy(token_ids),
            "token_mask": torch.from_numpy(token_mask),
            "clips": [example.clip for example, _ in items],
        }
