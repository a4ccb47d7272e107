"""The folds of a split: which clips an encoder is trained on and evaluated on, and which are
dropped.

Decision: test clips that cannot be scored are counted by reason, never skipped silently. A clip
that a split excludes counts as a test clip if its fold tests its language.

Cost: negligible.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from signclip.core.errors import ConfigError
from signclip.corpora import splits
from signclip.features.store import FeatureStore
from signclip.poses import Features


class Fold(NamedTuple):
    """A fold's clips in the feature store, by id."""

    number: int
    train: list[str]
    test: list[str]


@dataclass
class Folds:
    """The folds of a split, and its test clips that are not evaluated.

    Attributes:
        n_total: test clips of all folds, dropped ones included.
        n_dropped: reason -> test clips.
    """

    folds: list[Fold] = field(default_factory=list)
    n_total: int = 0
    n_dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, count: int) -> None:
        """Count dropped clips."""
        if count:
            self.n_dropped[reason] = self.n_dropped.get(reason, 0) + count


class StoredClips(Sequence[Features]):
    """Clips of a store, read when they are accessed."""

    def __init__(self, store: FeatureStore, ids: Sequence[str]):
        self._store, self._ids = store, ids

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, position: int | slice) -> Features | StoredClips:
        if isinstance(position, slice):
            return StoredClips(self._store, self._ids[position])
        return self._store[self._ids[position]]


def read_folds(
    rows: pd.DataFrame,
    language_of: pd.Series,
    store: Collection[str],
    split: str,
    trained_on: Collection[str] = (),
) -> Folds:
    """The folds of a split.

    Args:
        rows: the rows of the split.
        language_of: sign language of each clip, by id.
        store: the clips with features.
        trained_on: clips that the encoder must not be evaluated on.

    Raises:
        ConfigError: a fold has no training or no test clip left.
    """
    found = Folds()
    for number, part in rows.groupby("fold", sort=True):
        ids = {role: list(part["id"][part["role"] == role]) for role in splits.ROLES}
        # excluded clips of languages that only validate are no test clips
        languages = set(language_of[ids["test"]])
        excluded = sum(language_of[clip] in languages for clip in ids["excluded"])
        found.n_total += len(ids["test"]) + excluded
        found.drop("its label is in no training language", excluded)
        found.drop("not in the feature store", sum(clip not in store for clip in ids["test"]))
        stored = {role: [clip for clip in ids[role] if clip in store] for role in ("train", "test")}
        test = [clip for clip in stored["test"] if clip not in trained_on]
        found.drop("the run was trained on it", len(stored["test"]) - len(test))
        fold = Fold(int(number), stored["train"], test)
        if not fold.train or not fold.test:
            why = "".join(f"; {count}: {reason}" for reason, count in found.n_dropped.items())
            raise ConfigError(
                f"split {split}, fold {number}: no training or no test clip is left{why}"
            )
        found.folds.append(fold)
    return found
