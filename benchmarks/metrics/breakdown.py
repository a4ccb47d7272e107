"""Accuracy by class, sign language and signer, and the share of a gallery that a test covers.

Decisions
* R@k is the share of test clips whose text is among the first k; R@1 is called (top-1) accuracy in
  papers on isolated signs.
* A macro average is the plain mean over groups: a group of one clip counts as much as one of a
  hundred. The micro average is the mean over clips, as everywhere else.
* Clips without a group (no signer recorded) are counted separately and are in the micro average
  alone.
* Several seeds are one measurement: a clip's numbers are averaged over seeds before anything else;
  MedianR pools its ranks (:func:`benchmarks.metrics.ties.median`).

Cost: a second for 450,000 clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics import TiedRanks, rank_units, ties
from signclip.text import label

COLUMNS = ["R@1", "R@5", "R@10", "R@20", "MRR", "DCG", "MedianR", "MeanR"]
GROUPINGS = {"class": "text", "language": "sign_language", "signer": "signer"}  # of a manifest


class Breakdown(NamedTuple):
    """Hits and ranks by group.

    Attributes:
        table: one row per group, names ascending: clips, R@1, R@5, R@10, R@20, MRR, DCG, MedianR,
            MeanR.
        macro: mean over groups of each of these except clips; empty if there is no group.
        micro: the same over all clips, those without a group included.
        ungrouped: clips without a group.
    """

    table: pd.DataFrame
    macro: dict[str, float]
    micro: dict[str, float]
    ungrouped: int


class Coverage(NamedTuple):
    """How test clips cover a gallery of texts; shares lie in [0, 1].

    Attributes:
        texts: number of texts in the gallery.
        texts_with_clip: share of them that is the text of at least one test clip.
        texts_predicted: share of them that ranks first for at least one test clip.
        clips: number of test clips, whether or not their text is in the gallery.
        clips_in_gallery: share of them whose text is in the gallery; the others cannot be right.
    """

    texts: int
    texts_with_clip: float
    texts_predicted: float
    clips: int
    clips_in_gallery: float


def by_group(ranks: Sequence[TiedRanks], groups: Sequence[str]) -> Breakdown:
    """Average V2T ranks and hits in each group of clips.

    Args:
        ranks: of the clips, for each seed.
        groups: the group of each clip; an empty name means no group.

    Raises:
        ValueError: there are no clips, or the numbers of ranks and groups differ.
    """
    units = _units(ranks)
    if len(groups) != len(units):
        raise ValueError(f"{len(units)} clips have ranks and {len(groups)} have groups")
    names = pd.Series(list(groups), index=units.index, name="group", dtype=object).fillna("")
    grouped = units[names != ""].groupby(names[names != ""], sort=True)
    table = _summary(grouped, ranks)
    table.insert(0, "clips", grouped.size())
    macro = table.drop(columns="clips").mean().to_dict() if len(table) else {}
    everything = units.groupby(np.zeros(len(units), int))
    return Breakdown(
        table, macro, _summary(everything, ranks).loc[0].to_dict(), int((names == "").sum())
    )


def breakdowns(ranks: Sequence[TiedRanks], clips: pd.DataFrame) -> dict[str, Breakdown]:
    """Average V2T ranks and hits by class, language and signer (`GROUPINGS`).

    A class is a label (the text as it is compared) in any sign language.

    Args:
        ranks: as in `by_group`, in the order of the clips.
        clips: rows of a manifest, with the columns text, sign_language and signer.

    Raises:
        ValueError: a column is missing, or see `by_group`.
    """
    missing = [column for column in GROUPINGS.values() if column not in clips]
    if missing:
        raise ValueError(f"clips have no column {missing[0]!r}: {list(clips.columns)}")
    groups = {name: clips[column].fillna("") for name, column in GROUPINGS.items()}
    groups["class"] = groups["class"].map(label)
    return {name: by_group(ranks, list(of)) for name, of in groups.items()}


def coverage(targets: ArrayLike, predicted: ArrayLike, texts: int) -> Coverage:
    """Which shares of a gallery are the text of a test clip, and are predicted.

    Args:
        targets: ints (clips,), the row of each test clip's text in the gallery; -1 if the gallery
            does not have it.
        predicted: ints (predictions,), rows of the texts that rank first: one per scored clip and
            seed.
        texts: number of texts in the gallery.

    Raises:
        ValueError: there are no clips or texts, or a row that the gallery does not have.
    """
    targets = _rows(targets, "targets", texts, lowest=-1)
    predicted = _rows(predicted, "predicted", texts)
    if texts < 1 or not len(targets):
        raise ValueError(f"coverage needs clips and texts, got {len(targets)} and {texts}")
    inside = targets[targets >= 0]
    return Coverage(
        texts=texts,
        texts_with_clip=len(np.unique(inside)) / texts,
        texts_predicted=len(np.unique(predicted)) / texts,
        clips=len(targets),
        clips_in_gallery=len(inside) / len(targets),
    )


def _units(ranks: Sequence[TiedRanks]) -> pd.DataFrame:
    """One row per clip, means over seeds; columns as in the tables, without MedianR."""
    sizes = {len(of_seed) for of_seed in ranks}
    if len(sizes) != 1 or sizes == {0}:
        raise ValueError(f"seeds of {sorted(sizes)} clips; the same clips are expected, at least 1")
    each = [rank_units(of_seed) for of_seed in ranks]
    return pd.DataFrame(
        {name: np.mean([of_seed[name] for of_seed in each], axis=0) for name in each[0]}
    )


def _summary(grouped: pd.core.groupby.DataFrameGroupBy, ranks: Sequence[TiedRanks]) -> pd.DataFrame:
    table = grouped.mean()
    table["MedianR"] = pd.Series(
        {
            name: ties.median(TiedRanks.join(of_seed[rows] for of_seed in ranks))
            for name, rows in grouped.indices.items()
        },
        dtype=float,
    )
    return table[COLUMNS]


def _rows(values: ArrayLike, name: str, texts: int, lowest: int = 0) -> NDArray[np.int64]:
    values = np.asarray(values)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise ValueError(f"{name} must be ints, got {values.dtype} of shape {values.shape}")
    outside = np.flatnonzero((values < lowest) | (values >= texts))
    if outside.size:
        at = outside[0]
        raise ValueError(f"{name}[{at}] is {values[at]}, not a row of {texts} texts")
    return values.astype(np.int64)
