"""From clips of a feature store to the input tensors of a recipe's network.

Decision: a training clip is drawn anew in every epoch, its frames and its affine change by (seed,
epoch, clip), so that what a clip looks like depends neither on its batch nor on the processes that
load it.

Cost: see :mod:`baselines.skeletons.adapter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from baselines.skeletons import adapter, graph
from baselines.skeletons.adapter import Keypoints
from baselines.skeletons.networks import map_count
from baselines.skeletons.recipe import Recipe
from signclip.features.store import FeatureStore
from signclip.poses.landmarks import Features
from signclip.training import augmentation


class Conversion:
    """Converts clips into the input of a recipe's network."""

    def __init__(self, recipe: Recipe):
        self.recipe, self.skeleton = recipe, graph.skeleton(recipe.points)

    def _keypoints(self, clip: Features, frames: np.ndarray) -> Keypoints:
        return adapter.keypoints(clip, self.skeleton, self.recipe.hand_reach, frames)

    def augmented(self, clip: Features, rng: np.random.Generator) -> Keypoints:
        """A training clip: ``recipe.frames`` random frames, changed as the recipe says."""
        kept = adapter.frames_with_hands(clip, self.skeleton)
        at = adapter.random_frames(len(kept), self.recipe.frames, rng)
        sampled = self._keypoints(clip, kept[at])
        hands = sampled.detected[:, self.skeleton.hands]
        if rng.random() < self.recipe.hands_alone and hands.any():
            sampled = adapter.hands_alone(sampled, self.skeleton)
        if not self.recipe.affine_std:
            return sampled
        return adapter.random_affine(sampled, rng, self.recipe.affine_std)

    def views(self, clip: Features) -> list[Keypoints]:
        """The samplings of a clip that evaluation averages."""
        kept, views = adapter.frames_with_hands(clip, self.skeleton), self.recipe.views
        return [
            self._keypoints(
                clip, kept[adapter.uniform_frames(len(kept), self.recipe.frames, view, views)]
            )
            for view in range(views)
        ]

    def tensor(self, clips: Sequence[Keypoints], views: int = 1) -> torch.Tensor:
        """The network's input; the views of a clip follow each other.

        Returns:
            float32 (clips, views, frames, points, 3), or (clips, views, maps, frames, size, size).
        """
        values = adapter.joints(clips) if self.recipe.map_size is None else self._maps(clips)
        return torch.from_numpy(values).unflatten(0, (-1, views))

    def _maps(self, clips: Sequence[Keypoints]) -> np.ndarray:
        """The maps of all streams, one after another: float32 (clips, maps, frames, y, x)."""
        size, streams = self.recipe.map_size, self.recipe.streams
        widths = [map_count(name, self.skeleton) for name in streams]
        ends = np.cumsum(widths)
        # filled in place: a batch of the published size takes gigabytes
        maps = np.empty((len(clips), ends[-1], self.recipe.frames, size, size), np.float32)
        for clip, clip_maps in zip(clips, maps, strict=True):
            for name, end, width in zip(streams, ends, widths, strict=True):
                clip_maps[end - width : end] = adapter.map_stream(
                    name, clip, self.skeleton, size, self.recipe.sigma
                )
        return maps


class TrainingClips(Dataset):
    """Training clips by ``(epoch, position)``: id, keypoints, class."""

    def __init__(
        self,
        ids: Sequence[str],
        targets: Sequence[int],
        store: FeatureStore,
        conversion: Conversion,
        seed: int,
    ):
        self.ids, self.targets, self.store = list(ids), list(targets), store
        self.conversion, self.seed = conversion, seed

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: tuple[int, int]) -> tuple[str, Keypoints, int]:
        epoch, position = key
        clip = self.ids[position]
        rng = augmentation.generator(self.seed, epoch, clip)
        return clip, self.conversion.augmented(self.store[clip], rng), self.targets[position]

    def collate(self, items: Sequence[tuple[str, Keypoints, int]]) -> dict[str, Any]:
        """A batch, as :meth:`baselines.skeletons.networks.Streams.forward` takes it."""
        ids, clips, targets = zip(*items, strict=True)
        return {
            "inputs": self.conversion.tensor(clips),
            "labels": torch.tensor(targets),
            "clips": list(ids),
        }
