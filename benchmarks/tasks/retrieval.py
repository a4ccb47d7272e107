"""Retrieval from scores: metrics with intervals and chance levels.

Decision: runs of several seeds are one measurement. A unit (clip or query) is averaged over seeds,
so that the bootstrap goes over what was measured and not over how often; a median is then of mean
ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks import intervals, metrics
from benchmarks.results import Score

KS = (1, 5, 10, 20)


class FoldScores(NamedTuple):
    """A fold's test clips against the gallery.

    ``scores`` float32 (labels, clips), higher is better; ``label_of_clip`` int (clips,), rows of
    ``scores``.
    """

    scores: np.ndarray
    label_of_clip: np.ndarray


def retrieval(*seeds: Sequence[FoldScores]) -> dict[str, Score]:
    """V2T and T2V retrieval over all folds, with the paper's definitions of the tabled metrics.

    V2T: each test clip ranks all gallery labels; the unit of the bootstrap is the clip. T2V: each
    label that occurs in a fold ranks the fold's test clips; the unit is the (fold, label) query.
    Folds are pooled over their units. Over unique texts these are the reference's numbers.

    Args:
        seeds: for each seed the same folds, with the same clips and labels.
    """
    folds = seeds[0]
    each = [_units(chosen) for chosen in seeds]
    chance = {f"V2T_{name}": value for name, value in _chance_v2t(folds).items()}
    chance |= {f"T2V_{name}": value for name, value in _chance_t2v(folds).items()}
    return {
        name: _score(
            np.mean([units[name] for units in each], axis=0),
            np.median if "Median" in name else np.mean,
            chance[name],
        )
        for name in each[0]
    }


def _chance_v2t(folds: Sequence[FoldScores]) -> dict[str, float]:
    """What random scores would get; where galleries differ, the mean over clips of their folds'.

    (The median's is then the mean of medians, not the median of all.)
    """
    each = [intervals.chance_v2t(len(fold.scores), KS) for fold in folds]
    if len({len(fold.scores) for fold in folds}) == 1:
        return each[0]
    clips = [fold.scores.shape[1] for fold in folds]
    return {name: float(np.average([of[name] for of in each], weights=clips)) for name in each[0]}


def _chance_t2v(folds: Sequence[FoldScores]) -> dict[str, float]:
    """The same of queries: a fold counts as often as it has any."""
    positives = [np.unique(fold.label_of_clip, return_counts=True)[1] for fold in folds]
    each = [
        intervals.chance_t2v(of_fold, fold.scores.shape[1], KS)
        for of_fold, fold in zip(positives, folds, strict=True)
    ]
    queries = [len(of_fold) for of_fold in positives]
    return {name: float(np.average([of[name] for of in each], weights=queries)) for name in each[0]}


def ranked(ranks: Sequence[np.ndarray], candidates: Sequence[np.ndarray]) -> dict[str, Score]:
    """V2T metrics where each clip has candidates of its own, or is asked several times.

    Args:
        ranks: of each clip, the ranks of its questions, 1-based; they are averaged a clip.
        candidates: of each clip, among how many each question was asked.
    """
    counts = np.concatenate(list(candidates))
    clip_of = np.repeat(np.arange(len(ranks)), [len(of) for of in ranks])
    asked = np.bincount(clip_of)

    def a_clip(values: np.ndarray) -> np.ndarray:
        return np.bincount(clip_of, values) / asked

    flat = np.concatenate(list(ranks))
    scores = {
        f"V2T_R@{k}": _score(
            a_clip(flat <= k), np.mean, float(a_clip(np.minimum(k, counts) / counts).mean())
        )
        for k in KS
    }
    by_count = {int(count): intervals.chance_v2t(int(count), KS) for count in np.unique(counts)}

    def by_chance(name: str) -> np.ndarray:
        return a_clip(np.array([by_count[int(count)][name] for count in counts]))

    for name, values in (("MRR", 1 / flat), ("DCG", 1 / np.log2(1 + flat)), ("MeanR", flat)):
        scores[f"V2T_{name}"] = _score(a_clip(values), np.mean, float(by_chance(name).mean()))
    middle = float(np.median(by_chance("MedianR")))
    return scores | {"V2T_MedianR": _score(a_clip(flat), np.median, middle)}


def _units(folds: Sequence[FoldScores]) -> dict[str, np.ndarray]:
    """Metric -> one number a unit, folds after each other."""
    ranks = np.concatenate([metrics.v2t_ranks(*fold) for fold in folds])
    hits = [metrics.t2v_hits(*fold, KS) for fold in folds]
    first = np.concatenate([fold.first_rank for fold in hits])
    units: dict[str, np.ndarray] = {f"V2T_R@{k}": ranks <= k for k in KS}
    units |= {"V2T_MRR": 1 / ranks, "V2T_DCG": 1 / np.log2(1 + ranks)}
    units |= {"V2T_MedianR": ranks, "V2T_MeanR": ranks}
    units |= {f"T2V_P@{k}": np.concatenate([fold.hits[k] for fold in hits]) / k for k in KS}
    units |= {f"T2V_R@{k}": first <= k for k in KS}
    units |= {"T2V_MRR": 1 / first, "T2V_MedianR": first, "T2V_MeanR": first}
    return units


def _score(values: np.ndarray, statistic: Callable, chance: float) -> Score:
    low, high = intervals.bootstrap_interval(values, statistic)
    return Score(value=float(statistic(values)), low=low, high=high, chance=chance)
