"""From ranks to scores: metrics with intervals and chance levels, over folds and seeds.

Ranks come from a score matrix (:func:`benchmarks.metrics.ranks`) or from embeddings
(:func:`benchmarks.metrics.streaming.ranks`).

Decision: runs of several seeds are one measurement. A unit (clip or query) is averaged over seeds
before the bootstrap, which therefore resamples clips and not seeds; a median is then of mean ranks.
Cost: 0.5 s for 4,500 clips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks import metrics
from benchmarks.metrics import Ranks, clip_retrieval, intervals
from benchmarks.results import Score

KS = metrics.RECALL_AT


def score_galleries(*seeds: Sequence[Ranks]) -> dict[str, Score]:
    """V2T and T2V scores over all folds, with the paper's definitions of the metrics.

    V2T: each test clip ranks all texts of the gallery; the unit of the bootstrap is the clip. T2V:
    each text that has clips in a fold ranks the fold's test clips; the unit is the (fold, text)
    query. Folds are pooled over their units. For unique texts these are the paper's numbers.

    Args:
        seeds: for each seed the same folds, with the same clips and texts.
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
    """Chance levels of V2T metrics, averaged over clips where the folds' galleries differ.

    (For the median this is the mean of medians, not the median of all.)
    """
    each = [intervals.chance_v2t(fold.texts, KS) for fold in folds]
    if len({fold.texts for fold in folds}) == 1:
        return each[0]
    clips = [len(fold.v2t) for fold in folds]
    return {name: float(np.average([of[name] for of in each], weights=clips)) for name in each[0]}


def _chance_t2v(folds: Sequence[Ranks]) -> dict[str, float]:
    """Chance levels of T2V metrics, averaged over queries."""
    each = [intervals.chance_t2v(fold.t2v.positives, len(fold.v2t), KS) for fold in folds]
    queries = [len(fold.t2v.labels) for fold in folds]
    return {name: float(np.average([of[name] for of in each], weights=queries)) for name in each[0]}


def score_candidates(
    ranks: Sequence[np.ndarray],
    candidates: Sequence[np.ndarray],
    positives: Sequence[np.ndarray] | None = None,
) -> dict[str, Score]:
    """V2T scores where each clip has its own candidates, or several queries.

    Args:
        ranks: of each clip, the ranks of its queries, 1-based; they are averaged per clip.
        candidates: of each clip, the number of candidates of each query.
        positives: of each clip, the number of right candidates of each query, where the rank is
            that of the first one; None: one.
    """
    counts = np.concatenate(list(candidates))
    right = np.ones_like(counts) if positives is None else np.concatenate(list(positives))
    clip_of = np.repeat(np.arange(len(ranks)), [len(of) for of in ranks])
    queries = np.bincount(clip_of)
    queries_of = list(zip(right.tolist(), counts.tolist(), strict=True))
    by_count = {
        (m, n): intervals.chance_v2t(n, KS) if m == 1 else clip_retrieval.chance_first_hit(m, n, KS)
        for m, n in set(queries_of)
    }

    def per_clip(values: np.ndarray) -> np.ndarray:
        return np.bincount(clip_of, values) / queries

    def chance(name: str) -> float:
        return float(_statistic(name)(per_clip([by_count[one][name] for one in queries_of])))

    units = metrics.rank_units(np.concatenate(list(ranks)))
    return {
        f"V2T_{name}": _score(name, per_clip(values), chance(name))
        for name, values in units.items()
    }


def _units(folds: Sequence[Ranks]) -> dict[str, np.ndarray]:
    """Metric -> one number per unit, fold after fold."""
    ranks = np.concatenate([fold.v2t for fold in folds])
    first = np.concatenate([fold.t2v.first_rank for fold in folds])
    found = {k: np.concatenate([fold.t2v.hits[k] for fold in folds]) for k in KS}
    units = {f"V2T_{name}": values for name, values in metrics.rank_units(ranks).items()}
    units |= {f"T2V_P@{k}": hits / k for k, hits in found.items()}
    of_first = metrics.rank_units(first)
    del of_first["DCG"]  # T2V has several right clips, and this counts the first one only
    return units | {f"T2V_{name}": values for name, values in of_first.items()}


def _statistic(name: str) -> Callable:
    return np.median if "Median" in name else np.mean


def _score(name: str, values: np.ndarray, chance: float) -> Score:
    low, high = intervals.bootstrap_interval(values, _statistic(name))
    return Score(value=float(_statistic(name)(values)), low=low, high=high, chance=chance)
