"""Batch samplers: the members of each batch, and the order of the batches.

Decisions
* A sampler is a pure function of (seed, epoch): ``seek(epoch, done)`` moves it anywhere without
  drawing the batches before, so a resumed training continues with exactly the next batch.
* Items are ``(epoch, position)``, the key of a clip's augmentation.
* By default the members of a batch are drawn once, as in the authors' code: an epoch only changes
  the order of the batches, so a clip always has the same negatives. ``reshuffle`` draws batches
  again in each epoch.
* With several processes, each gets its part of every batch.

Cost: one permutation of the clips an epoch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from signclip.core.errors import ConfigError
from signclip.training import distributed

_MEMBERS, _ORDER = 1, 2  # keys of an epoch's two draws


class BatchSampler(Sampler):
    """Batches of an epoch as lists of ``(epoch, position)``.

    Args:
        clips: their number.
        batch_size: clips a batch, over all processes. The last batch of an epoch may be smaller.
        reshuffle: see the module's decisions.

    Raises:
        ConfigError: a batch has fewer clips than there are processes.
    """

    def __init__(self, clips: int, *, batch_size: int, reshuffle: bool, seed: int):
        self.clips, self.batch_size = clips, batch_size
        self.reshuffle, self.seed = reshuffle, seed
        self.rank, self.world_size = distributed.rank(), distributed.world_size()
        self._epoch = self._done = 0
        smallest = min(map(len, self._batches(0)))
        if smallest < self.world_size:
            raise ConfigError(
                f"a batch of {smallest} clips cannot be shared by {self.world_size} processes"
            )

    @abstractmethod
    def _epoch_order(self, rng: np.random.Generator) -> np.ndarray:
        """The positions of one epoch's clips, batch after batch."""

    def _batches(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng([self.seed, epoch if self.reshuffle else 0, _MEMBERS])
        order = self._epoch_order(rng)
        return [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.clips // self.batch_size)

    def seek(self, epoch: int, done: int) -> None:
        """Continue after the first ``done`` batches of an epoch."""
        self._epoch, self._done = epoch, done

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, done = self._epoch, self._done
        self._epoch, self._done = epoch + 1, 0
        batches = self._batches(epoch)
        order = np.random.default_rng([self.seed, epoch, _ORDER]).permutation(len(batches))
        for i in order[done:]:
            batch = [(epoch, int(position)) for position in batches[i]]
            yield distributed.share(batch, rank=self.rank, world_size=self.world_size)


class ShuffledSampler(BatchSampler):
    """Clips in random order, each once an epoch (the paper's pretraining)."""

    def _epoch_order(self, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(self.clips)


class LanguagesSampler(BatchSampler):
    """The same number of clips of each sign language an epoch.

    Clips of small languages repeat, and clips of large ones take turns. An epoch has as many clips
    as without balancing, up to rounding.

    Args:
        languages: the sign language of each clip.
    """

    def __init__(self, languages: Sequence[str], *, batch_size: int, reshuffle: bool, seed: int):
        self.languages = np.asarray(languages)
        self._each = -(-len(languages) // len(set(languages)))
        super().__init__(
            self._each * len(set(languages)), batch_size=batch_size, reshuffle=reshuffle, seed=seed
        )

    def _epoch_order(self, rng: np.random.Generator) -> np.ndarray:
        chosen = [
            np.resize(rng.permutation(np.flatnonzero(self.languages == name)), self._each)
            for name in np.unique(self.languages)
        ]
        return rng.permutation(np.concatenate(chosen))


class RoundsSampler(BatchSampler):
    """Rounds over the labels, each label once a round (the paper's FingerCLIP).

    Clips of labels with fewer clips repeat. Batches are consecutive and never longer than a round,
    because a text that occurs twice in a batch would be its own negative.

    Args:
        labels: the label of each clip.
    """

    def __init__(self, labels: Sequence[str], *, batch_size: int, reshuffle: bool, seed: int):
        self.labels = np.asarray(labels)
        self._classes = sorted(set(labels))
        self.rounds = max(int((self.labels == name).sum()) for name in self._classes)
        super().__init__(
            self.rounds * len(self._classes),
            batch_size=min(batch_size, len(self._classes)),
            reshuffle=reshuffle,
            seed=seed,
        )

    def _epoch_order(self, rng: np.random.Generator) -> np.ndarray:
        columns = [
            np.resize(rng.permutation(np.flatnonzero(self.labels == name)), self.rounds)
            for name in self._classes
        ]
        return np.stack(columns, axis=1).reshape(-1)
