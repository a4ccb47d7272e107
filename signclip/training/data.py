"""From split and store to the model's inputs.

Decisions
* A batch is a pure function of (seed, epoch, clip ids): the sampler hands out ``(epoch, position)``
  keys, so augmentation depends neither on workers nor on what was loaded before.
* A batch's clips are drawn first, so that their lengths are known and each is augmented straight
  into its place in the batch: arrays as long as a clip cost more to get than to fill.
* Padding is a setting and changes no embedding (the model's closing [SEP] keeps its position):
  ``limit``, as the reference has it, to ``max_frames`` and ``max_tokens`` always; ``batch``, to the
  longest of the batch; ``none``: clips come one behind another, and the model computes on no
  padding (:mod:`signclip.model.packed_attention`). At Spreadthesign's lengths that is two fifths of the bytes
  between processes and to a GPU.

Cost, for a clip of 73 frames and 203 points: 0.05 ms from the memory map, 0.2 ms with temporal
augmentation (benchmarks/speed/features.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from signclip import poses
from signclip.core.errors import ConfigError
from signclip.experiments.config import Step
from signclip.features.store import FeatureStore
from signclip.poses import mirror
from signclip.poses.landmarks import Features
from signclip.text import Tokenizer
from signclip.training import augmentation, hand_augmentation

Padding = Literal["limit", "batch", "none"]


@dataclass(frozen=True)
class Example:
    """A training clip: its id in the store, its label, and the texts it goes with, one or two."""

    clip: str
    label: str
    texts: tuple[str, ...]
    sign_language: str = ""


def pad_frames(
    clips: Sequence[np.ndarray], max_frames: int, *, length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Cut clips to ``max_frames`` and pad them to ``length``, by default to the longest.

    Args:
        clips: float (frames, dims) each.

    Returns:
        frames float32 (b, t, dims); mask bool (b, t), True = valid.
    """
    counts = [min(len(clip), max_frames) for clip in clips]
    frames = _room(counts, length or max(counts), clips[0].shape[1])
    for row, count, clip in zip(frames, counts, clips, strict=True):
        row[:count] = clip[:count]
    return torch.from_numpy(frames), _mask(counts, frames.shape[1])


def _room(counts: Sequence[int], length: int, dims: int) -> np.ndarray:
    """Float32 (b, length, dims), to be filled as far as counted and zero behind."""
    frames = np.empty((len(counts), length, dims), dtype=np.float32)
    # as bytes: numpy has memset for those only, which also needs not fetch what it overwrites
    for row, count in zip(frames.view(np.uint8), counts, strict=True):
        row[count:] = 0
    return frames


def _mask(counts: Sequence[int], length: int) -> Tensor:
    """Bool (b, length), True as far as counted."""
    return torch.arange(length) < torch.tensor(counts)[:, None]


class Draws(NamedTuple):
    """What was drawn for one clip; None for a step that is left out."""

    flipped: bool
    affine: augmentation.Affine2D | None
    ratio: float | None
    crop: hand_augmentation.Crop | None
    rng: np.random.Generator  # of what comes last, as much as the clip is long by then


class Augmentation:
    """The named steps on the clips of one variant, in the reference's order whatever theirs here.

    Ours (:mod:`signclip.training.hand_augmentation`) come behind the temporal step, in the order of that module.

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
        if (
            self.steps & hand_augmentation.STEPS.keys()
            and poses.VARIANTS[variant].points != "signing"
        ):
            raise ConfigError(f"variant {variant}: only the points of `signing` have hands to bend")
        self.swap = mirror.permutation(names) if "flip" in self.steps else None

    def draw(self, rng: np.random.Generator) -> Draws:
        """Draw for one clip, in the reference's order."""
        return Draws(
            self.swap is not None and augmentation.draw_flip(rng),
            augmentation.draw_affine2d(rng) if "affine2d" in self.steps else None,
            augmentation.draw_tempo(rng) if "temporal" in self.steps else None,
            hand_augmentation.draw_crop(rng) if "crop" in self.steps else None,
            rng,
        )

    def frames(self, frames: int, draws: Draws, *, fps: float) -> int:
        """How many frames a clip will have."""
        if draws.ratio is not None:
            limits = dict(fps=fps, max_frames=self.max_frames)
            frames = augmentation.temporal_frames(frames, draws.ratio, **limits) or frames
        return frames if draws.crop is None else int(draws.crop.kept(frames).sum())

    def __call__(
        self, clip: Features, draws: Draws, *, fps: float, out: np.ndarray | None = None
    ) -> Features:
        """One clip with what was drawn.

        Args:
            out: float32 (:meth:`frames`, points * 3) that the values may be written into; so they
                are where the temporal step is the last.
        """
        # the reference hides legs without masking them; whatever it does next masks them again
        legs_disturbed = True
        if draws.flipped:
            clip, legs_disturbed = augmentation.flip(clip, self.swap), False
        if draws.affine is not None:
            values = augmentation.augment2d(clip.values, draws.affine)
            clip, legs_disturbed = clip._replace(values=values), False
        if draws.ratio is not None:
            before, limits = clip, dict(fps=fps, max_frames=self.max_frames)
            out = None if draws.crop else out
            clip = augmentation.augment_temporal(clip, draws.ratio, **limits, out=out)
            legs_disturbed &= clip is before
        if draws.crop is not None:
            kept = draws.crop.kept(len(clip.values))
            clip = Features(clip.values[kept], clip.valid[kept])
        for step in hand_augmentation.STEPS:
            if step in self.steps:
                clip = clip._replace(values=hand_augmentation.STEPS[step](clip, draws.rng))
        if "noise" in self.steps:
            disturbed = clip.valid | self.legs if legs_disturbed else clip.valid
            noise = augmentation.draw_noise(draws.rng, clip.values.shape)
            clip = clip._replace(values=augmentation.gaussian_noise(clip.values, noise, disturbed))
        return clip


class Batch(list[tuple[Example, np.ndarray]]):
    """Examples with their values, float32 (frames, dims) each, places in one array to be filled.

    Args:
        counts: frames of each.
        packed: clip behind clip, without padding.

    Attributes:
        frames: float32 (b, t, dims), the same values, zero behind each clip but the longest; packed
            (n, dims).
        mask: bool (b, t), True = valid; packed None.
    """

    def __init__(
        self, examples: Iterable[Example], counts: Sequence[int], dims: int, *, packed: bool
    ):
        if packed:
            frames, self.mask = np.empty((sum(counts), dims), dtype=np.float32), None
            places = np.split(frames, np.cumsum(counts)[:-1])
        else:
            frames, self.mask = _room(counts, max(counts), dims), _mask(counts, max(counts))
            places = [row[:count] for row, count in zip(frames, counts, strict=True)]
        super().__init__(zip(examples, places, strict=True))
        self.frames = torch.from_numpy(frames)


class ClipDataset(Dataset):
    """Training clips by ``(epoch, position)``, cut to ``max_frames``.

    Args:
        packed: batches are made without padding.

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
        packed: bool = False,
    ):
        self.examples, self.store, self.seed = examples, store, seed
        self.max_frames, self.packed = max_frames, packed
        frames = store.index.set_index("id")["frames"]  # none of a clip that is not there
        self._frames = frames.reindex([x.clip for x in examples], fill_value=0).to_numpy()
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
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> Batch:
        """The clips of a batch, the same as one by one. torch's loaders ask for batches by it.

        Raises:
            StoreError: the store has not such a clip, or its features are not finite.
        """
        examples = [self.examples[position] for _, position in keys]
        drawn = self._draw(keys)
        counts = [min(frames, self.max_frames) for frames, _ in drawn]
        batch = Batch(examples, counts, self.store.dims, packed=self.packed)
        for (example, place), (frames, draws) in zip(batch, drawn, strict=True):
            values = self._values(example.clip, draws, place if len(place) == frames else None)
            if values is not place:
                place[:] = values[: len(place)]
        return batch

    def _draw(self, keys: Sequence[tuple[int, int]]) -> list[tuple[int, Draws | None]]:
        """How many frames each clip will have, uncut, and what is drawn for it."""
        frames = [int(self._frames[position]) for _, position in keys]
        if self.augmentation is None:
            return [(count, None) for count in frames]
        clips = [(epoch, self.examples[position].clip) for epoch, position in keys]
        rngs = augmentation.generators(self.seed, clips)
        drawn = []
        for (_, clip), count, rng in zip(clips, frames, rngs, strict=True):
            draws = self.augmentation.draw(rng)
            drawn.append((self.augmentation.frames(count, draws, fps=self.store.fps(clip)), draws))
        return drawn

    def _values(self, clip: str, draws: Draws | None, out: np.ndarray | None) -> np.ndarray:
        """A clip's values, uncut: ``out``, or another array."""
        if draws is None:
            return self.store.values(clip)
        fps = self.store.fps(clip)
        return self.augmentation(self.store[clip], draws, fps=fps, out=out).values


def _key(text: str) -> int:
    """A number that is the same for the same text, in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")


@dataclass(frozen=True)
class Collate:
    """Examples to the model's inputs, as a dict.

    ``frame_counts`` and ``token_counts`` are the valid positions of each row as plain numbers;
    ``text_keys`` int64 (b,), equal where texts are; ``clips`` (ids) is for error messages. Where
    clips have a second text, ``second`` holds its tokens, counts and keys likewise. Without padding
    ``frames`` is (n, dims), and there is no ``frame_mask``.
    """

    tokenizer: Tokenizer
    max_frames: int
    max_tokens: int
    padding: Padding = "batch"

    def __call__(self, items: Sequence[tuple[Example, np.ndarray]]) -> dict:
        clips = [values[: self.max_frames] for _, values in items]
        counts = [len(values) for values in clips]
        examples = [example for example, _ in items]
        batch = {
            **self._poses(items, clips, counts),
            "frame_counts": counts,
            "clips": [example.clip for example in examples],
            **self.texts([example.texts[0] for example in examples]),
        }
        if len(examples[0].texts) > 1:
            batch["second"] = self.texts([example.texts[1] for example in examples])
        return batch

    def _poses(
        self, items: Sequence, clips: Sequence[np.ndarray], counts: Sequence[int]
    ) -> dict[str, Tensor]:
        """Frames and their mask: the very array that a batch's clips are places of, if it fits."""
        if self.padding == "none":
            if isinstance(items, Batch) and items.frames.shape[:-1] == (sum(counts),):
                return {"frames": items.frames}
            return {"frames": torch.from_numpy(np.concatenate(clips, dtype=np.float32))}
        length = self.max_frames if self.padding == "limit" else max(counts)
        if isinstance(items, Batch) and items.frames.shape[:-1] == (len(counts), length):
            return {"frames": items.frames, "frame_mask": items.mask}
        frames, mask = pad_frames(clips, self.max_frames, length=length)
        return {"frames": frames, "frame_mask": mask}

    def texts(self, texts: Sequence[str]) -> dict:
        """The text side of a batch: tokens, mask, counts and keys."""
        token_ids, token_mask = self.tokenizer.encode(texts, max_tokens=self.max_tokens)
        if self.padding == "limit":
            # one less than max_tokens: the reference drops a [SEP] after its [CLS]
            behind = ((0, 0), (0, self.max_tokens - 1 - token_ids.shape[1]))
            token_ids, token_mask = np.pad(token_ids, behind), np.pad(token_mask, behind)
        return {
            "token_ids": torch.from_numpy(token_ids),
            "token_mask": torch.from_numpy(token_mask),
            "token_counts": token_mask.sum(axis=1).tolist(),
            "text_keys": torch.tensor([_key(text) for text in texts]),
        }
