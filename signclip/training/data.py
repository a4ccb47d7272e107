"""Training data: from clips in a feature store to batches of model inputs.

Decisions
* A batch is a pure function of (seed, epoch, clip ids): the sampler yields ``(epoch, position)``
  keys, so augmentation depends neither on loader processes nor on what was loaded before.
* The random numbers of a batch are drawn first, so that the lengths of its clips are known and each
  clip is augmented straight into its place in the batch: allocating arrays of a clip's size takes
  longer than filling them.
* Padding is a setting that changes no embedding (the closing [SEP] keeps its position). ``limit``
  always pads to ``max_frames`` and ``max_tokens``, as the authors' code does; ``batch`` pads to the
  longest of the batch; ``none`` puts clip after clip, and the model computes on no padding
  (:mod:`signclip.model.packed_attention`). At the lengths of Spreadthesign's clips, ``none`` sends
  two fifths of the bytes between processes and to a GPU.

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
from signclip.model.padding import pad_frames, valid_mask, zero_padded
from signclip.poses import mirror
from signclip.poses.landmarks import Features
from signclip.text import Tokenizer
from signclip.training import augmentation, hand_augmentation
from signclip.training.examples import Example

Padding = Literal["limit", "batch", "none"]


class Draws(NamedTuple):
    """The random draws for one clip; None for a step that is not used."""

    flipped: bool
    affine: augmentation.Affine2D | None
    ratio: float | None
    crop: hand_augmentation.Crop | None
    rng: np.random.Generator  # of the later steps, whose draws depend on the clip's length


class Augmentation:
    """Augmentation steps for the clips of one variant.

    Steps are applied in the order of the authors' code, whatever their order in ``steps``; those of
    :mod:`signclip.training.hand_augmentation` follow the temporal step, in that module's order.

    Raises:
        ConfigError: the variant cannot be mirrored; or its values are not positions (those of
            ``sign_vq`` are standardised), so that flips and affine changes are undefined.
    """

    def __init__(self, steps: Sequence[Step], variant: str, *, max_frames: int):
        self.steps, self.max_frames = frozenset(steps), max_frames
        names = poses.point_names(variant)
        self.legs = poses.hidden_legs(names)
        if self.steps & {"flip", "affine2d"} and poses.VARIANTS[variant].standardised:
            raise ConfigError(
                f"variant {variant}: standardised values cannot be flipped or transformed"
            )
        if (
            self.steps & hand_augmentation.STEPS.keys()
            and poses.VARIANTS[variant].points != "signing"
        ):
            raise ConfigError(
                f"variant {variant}: the augmentation of hands needs the points of `signing`"
            )
        self.swap = mirror.permutation(names) if "flip" in self.steps else None

    def draw(self, rng: np.random.Generator) -> Draws:
        """Draw for one clip, in the order of the authors' code."""
        return Draws(
            self.swap is not None and augmentation.draw_flip(rng),
            augmentation.draw_affine2d(rng) if "affine2d" in self.steps else None,
            augmentation.draw_tempo(rng) if "temporal" in self.steps else None,
            hand_augmentation.draw_crop(rng) if "crop" in self.steps else None,
            rng,
        )

    def frames(self, frames: int, draws: Draws, *, fps: float) -> int:
        """The number of frames that a clip will have after augmentation."""
        if draws.ratio is not None:
            played = augmentation.temporal_frames(
                frames, draws.ratio, fps=fps, max_frames=self.max_frames
            )
            frames = played or frames
        return frames if draws.crop is None else int(draws.crop.kept(frames).sum())

    def __call__(
        self, clip: Features, draws: Draws, *, fps: float, out: np.ndarray | None = None
    ) -> Features:
        """Apply the draws to one clip.

        Args:
            out: float32 (:meth:`frames`, points * 3); the values are written into it if the
                temporal step is the last one.
        """
        # The authors' code hides legs without masking them; its next step masks them again.
        legs_disturbed = True
        if draws.flipped and self.swap is not None:
            clip, legs_disturbed = augmentation.flip(clip, self.swap), False
        if draws.affine is not None:
            values = augmentation.augment2d(clip.values, draws.affine)
            clip, legs_disturbed = clip._replace(values=values), False
        if draws.ratio is not None:
            before, out = clip, None if draws.crop else out
            clip = augmentation.augment_temporal(
                clip, draws.ratio, fps=fps, max_frames=self.max_frames, out=out
            )
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
    """Examples with their values, float32 (frames, dims) each: views of one array, to be filled.

    Args:
        counts: frames of each.
        packed: clip after clip, without padding.

    Attributes:
        frames: the array, float32 (b, t, dims), zero behind each clip; packed (n, dims).
        mask: bool (b, t), True = valid; packed None.
    """

    def __init__(
        self, examples: Iterable[Example], counts: Sequence[int], dims: int, *, packed: bool
    ):
        self.mask: Tensor | None = None
        if packed:
            frames = np.empty((sum(counts), dims), dtype=np.float32)
            places = np.split(frames, np.cumsum(counts)[:-1])
        else:
            frames = zero_padded(counts, max(counts), dims)
            self.mask = valid_mask(counts, max(counts))
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
        frames = store.index.set_index("id")["frames"]  # 0 for a clip that is not in the store
        self._frames = frames.reindex([x.clip for x in examples], fill_value=0).to_numpy()
        self.augmentation = None
        if augmentations:
            variant = store.meta["variant"]
            self.augmentation = Augmentation(augmentations, variant, max_frames=max_frames)
            if len(self.augmentation.legs) != store.points:  # a face mesh of 478 points
                raise ConfigError(
                    f"{store.folder}: {store.points} points, where variant {variant} has "
                    f"{len(self.augmentation.legs)}; they cannot be augmented"
                )

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Example, np.ndarray]:
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> Batch:
        """The clips of a batch, the same as one by one; torch's loaders call this method.

        Raises:
            StoreError: the store does not have a clip, or its features are not finite.
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
        """The number of frames of each augmented clip before it is cut, and its draws."""
        frames = [int(self._frames[position]) for _, position in keys]
        if self.augmentation is None:
            return [(count, None) for count in frames]
        clips = [(epoch, self.examples[position].clip) for epoch, position in keys]
        rngs = augmentation.generators(self.seed, clips)
        drawn: list[tuple[int, Draws | None]] = []
        for (_, clip), count, rng in zip(clips, frames, rngs, strict=True):
            draws = self.augmentation.draw(rng)
            drawn.append((self.augmentation.frames(count, draws, fps=self.store.fps(clip)), draws))
        return drawn

    def _values(self, clip: str, draws: Draws | None, out: np.ndarray | None) -> np.ndarray:
        """A clip's augmented values, not yet cut, in ``out`` or a new array."""
        if draws is None or self.augmentation is None:
            return self.store.values(clip)
        fps = self.store.fps(clip)
        return self.augmentation(self.store[clip], draws, fps=fps, out=out).values


def _key(text: str) -> int:
    """A number that identifies a text, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")


@dataclass(frozen=True)
class Collate:
    """Turns examples into the model's inputs, a dict.

    ``frame_counts`` and ``token_counts`` are the numbers of valid positions of each row;
    ``text_keys`` int64 (b,), equal for equal texts; ``clips`` (ids) serves error messages. If clips
    have a second text, ``second`` holds its tokens, counts and keys. With padding ``none``,
    ``frames`` is (n, dims) and there is no ``frame_mask``.
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
        """Frames and their mask; the array of a :class:`Batch` itself, if its shape fits."""
        if self.padding == "none":
            if isinstance(items, Batch) and items.frames.shape[:-1] == (sum(counts),):
                return {"frames": items.frames}
            return {"frames": torch.from_numpy(np.concatenate(clips, dtype=np.float32))}
        length = self.max_frames if self.padding == "limit" else max(counts)
        if isinstance(items, Batch) and items.mask is not None and items.mask.shape[1] == length:
            return {"frames": items.frames, "frame_mask": items.mask}
        frames, mask = pad_frames(clips, self.max_frames, length=length)
        return {"frames": frames, "frame_mask": mask}

    def texts(self, texts: Sequence[str]) -> dict:
        """The text side of a batch: tokens, mask, counts and keys."""
        token_ids, token_mask = self.tokenizer.encode(texts, max_tokens=self.max_tokens)
        if self.padding == "limit":
            # one less than max_tokens: the authors' code drops a [SEP] after its [CLS]
            behind = ((0, 0), (0, self.max_tokens - 1 - token_ids.shape[1]))
            token_ids, token_mask = np.pad(token_ids, behind), np.pad(token_mask, behind)
        return {
            "token_ids": torch.from_numpy(token_ids),
            "token_mask": torch.from_numpy(token_mask),
            "token_counts": token_mask.sum(axis=1).tolist(),
            "text_keys": torch.tensor([_key(text) for text in texts]),
        }
