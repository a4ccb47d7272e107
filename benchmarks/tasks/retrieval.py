"""Retrieval from ranks: metrics with intervals and chance levels.

Ranks come from a matrix (:func:`benchmarks.metrics.ranks`) or, without one, from embeddings
(:func:`benchmarks.metrics.streaming.ranks`).

Decision: runs of several seeds are one measurement. A unit (clip or query) is averaged over seeds,
so that the bootstrap goes over what was measured and not over how often; a median is then of mean
ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks import metrics
from benchmarks.metrics import Ranks, intervals
from benchmarks.results import Score

KS = metrics.RECALL_AT


def retrieval(*seeds: Sequence[Ranks]) -> dict[str, Score]:
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
        name: _score(name, np.mean([units[name] for units in each], axis=0), chance[name])
        for name in each[0]
    }


def _chance_v2t(folds: Sequence[Ranks]) -> dict[str, float]:
    """What random scores would get; where galleries differ, the mean over clips of their folds'.

    (The median's is then the mean of medians, not the median of all.)
    """
    each = [intervals.chance_v2t(fold.texts, KS) for fold in folds]
    if len({fold.texts for fold in folds}) == 1:
        return each[0]
    clips = [len(fold.v2t) for fold in folds]
    return {name: float(np.average([of[name] for of in each], weights=clips)) for name in each[0]}


def _chance_t2v(folds: Sequence[Ranks]) -> dict[str, float]:
    """The same of queries: a fold counts as often as it has any."""
    each = [intervals.chance_t2v(fold.t2v.positives, len(fold.v2t), KS) for fold in folds]
    queries = [len(fold.t2v.labels) for fold in folds]
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
    by_count = {int(count): intervals.chance_v2t(int(count), KS) for count in np.unique(counts)}

    def a_clip(values: np.ndarray) -> np.ndarray:
        return np.bincount(clip_of, values) / asked

    def chance(name: str) -> float:
        return float(_statistic(name)(a_clip([by_count[int(count)][name] for count in counts])))

    units = metrics.rank_units(np.concatenate(list(ranks)))
    return {
        f"V2T_{name}": _score(name, a_clip(values), chance(name)) for name, values in units.items()
    }


def _units(folds: Sequence[Ranks]) -> dict[str, np.ndarray]:
    """Metric -> one number a unit, folds after each other."""
    ranks = np.concatenate([fold.v2t for fold in folds])
    first = np.concatenate([fold.t2v.first_rank for fold in folds])
    found = {k: np.concatenate([fold.t2v.hits[k] for fold in folds]) for k in KS}
    units = {f"V2T_{name}": values for name, values in metrics.rank_units(ranks).items()}
    units |= {f"T2V_P@{k}": hits / k for k, hits in found.items()}
    of_first = metrics.rank_units(first)
    del of_first["DCG"]  # of the first right clip alone it would be none
    return units | {f"T2V_{name}": values for name, values in of_first.items()}


def _statistic(name: str) -> Callable:
    return np.median if "Median" in name else np.mean


def _score(name: str, values: np.ndarray, chance: float) -> Score:
    low, high = intervals.bootstrap_interval(values, _statistic(name))
    return Score(value=float(_statistic(name)(values)), low=low, high=high, chance=chance)
