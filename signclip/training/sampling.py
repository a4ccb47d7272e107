"""Which clips make a batch, and in which order batches come.

Decisions
* A sampler is a pure function of (seed, epoch): ``seek(epoch, done)`` places it anywhere without
  drawing what lies before, so a resumed training goes on with just the batch that was next.
* Items are ``(epoch, position)``: what a clip's augmentation is keyed by.
* ``frozen`` batching is the reference's: who is in a batch with whom is drawn once, and an epoch
  only changes the order of the batches, so a clip meets the same negatives every time (facts 4).
  ``reshuffle`` draws batches anew each epoch.
* Of several processes each gets its part of every batch.

Cost: one permutation of the clips an epoch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from signclip.core.errors import ConfigError
from signclip.training import distributed

_MEMBERS, _ORDER = 1, 2  # which of an epoch's draws


class BatchSampler(Sampler):
    """Batches of an epoch as lists of ``(epoch, position)``.

    Args:
        clips: their number.
        batch_size: clips a batch, over all processes. The last batch of an epoch may be smaller.
        reshuffle: see the module.

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
    def _laid_out(self, rng: np.random.Generator) -> np.ndarray:
        """Positions of one epoch's clips, batch after batch."""

    def _batches(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng([self.seed, epoch if self.reshuffle else 0, _MEMBERS])
        order = self._laid_out(rng)
        return [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-self.clips // self.batch_size)

    def seek(self, epoch: int, done: int) -> None:
        """Begin with the batch that follows the first ``done`` ones of an epoch."""
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

    def _laid_out(self, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(self.clips)


class LanguagesSampler(BatchSampler):
    """As many clips of each sign language an epoch, whatever it has: few repeat, many take turns.

    An epoch is as long as without balance, but for what does not divide evenly.

    Args:
        languages: one a clip.
    """

    def __init__(self, languages: Sequence[str], *, batch_size: int, reshuffle: bool, seed: int):
        self.languages = np.asarray(languages)
        self._each = -(-len(languages) // len(set(languages)))
        super().__init__(
            self._each * len(set(languages)), batch_size=batch_size, reshuffle=reshuffle, seed=seed
        )

    def _laid_out(self, rng: np.random.Generator) -> np.ndarray:
        chosen = [
            np.resize(rng.permutation(np.flatnonzero(self.languages == name)), self._each)
            for name in np.unique(self.languages)
        ]
        return rng.permutation(np.concatenate(chosen))


class RoundsSampler(BatchSampler):
    """Rounds over the labels, each label once a round (the paper's FingerCLIP).

    Labels with fewer clips repeat. Batches are consecutive, and never longer than a round: a text
    that is twice in a batch would be its own negative.

    Args:
        labels: one a clip.
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

    def _laid_out(self, rng: np.random.Generator) -> np.ndarray:
        columns = [
            np.resize(rng.permutation(np.flatnonzero(self.labels == name)), self.rounds)
            for name in self._classes
        ]
        return np.stack(columns, axis=1).reshape(-1)
