"""From ranks to scores: metrics with intervals and chance levels, over folds and seeds.

Ranks come from a score matrix (:func:`benchmarks.metrics.ranks`) or from embeddings
(:func:`benchmarks.metrics.streaming.ranks`).

Decisions
* Runs of several seeds are one measurement. A unit (clip or query) is averaged over seeds before
  the bootstrap, which therefore resamples clips and not seeds; the median pools the ranks of all
  seeds (:func:`benchmarks.metrics.ties.median`).
* Chance is what the same metric gives where all candidates of every query are tied.

Cost: 0.5 s for 4,500 clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks import metrics
from benchmarks.metrics import Ranks, TiedRanks, intervals, ties
from benchmarks.results import Score

KS = metrics.RECALL_AT
MEDIAN = "MedianR"


def score_galleries(*seeds: Sequence[Ranks]) -> dict[str, Score]:
    """V2T and T2V scores over all folds, with the paper's definitions of the metrics.

    V2T: each test clip ranks all texts of the gallery; the unit of the bootstrap is the clip. T2V:
    each text that has clips in a fold ranks the fold's test clips; the unit is the (fold, text)
    query. Folds are pooled over their units. For unique texts these are the paper's numbers.

    Args:
        seeds: for each seed the same folds, with the same clips and texts.
    """
    folds = seeds[0]
    queries = [fold.t2v for fold in folds]
    texts = np.repeat([fold.texts for fold in folds], [len(fold.v2t) for fold in folds])
    clips = np.repeat([len(fold.v2t) for fold in folds], [len(of.labels) for of in queries])
    positives = np.concatenate([of.positives for of in queries])
    v2t = _scores(
        [TiedRanks.join(fold.v2t for fold in of_seed) for of_seed in seeds],
        TiedRanks.nothing_known(texts, np.ones_like(texts)),
    )
    t2v = _scores(
        [TiedRanks.join(fold.t2v.first_rank for fold in of_seed) for of_seed in seeds],
        TiedRanks.nothing_known(clips, positives),
    )
    del t2v["DCG"]  # T2V has several right clips, and this counts the first one only
    for k in KS:
        hits = [np.concatenate([fold.t2v.hits[k] for fold in of_seed]) for of_seed in seeds]
        by_chance = float(np.mean(np.minimum(k, clips) * positives / clips)) / k
        t2v[f"P@{k}"] = _mean(np.mean(hits, axis=0) / k, by_chance)
    return {f"V2T_{name}": score for name, score in v2t.items()} | {
        f"T2V_{name}": score for name, score in t2v.items()
    }


def score_candidates(
    ranks: Sequence[TiedRanks],
    candidates: Sequence[np.ndarray],
    positives: Sequence[np.ndarray] | None = None,
) -> dict[str, Score]:
    """V2T scores where each clip has its own candidates, or several queries.

    Args:
        ranks: of each clip, the ranks of its queries; they are averaged per clip.
        candidates: of each clip, the number of candidates of each query.
        positives: of each clip, the number of right candidates of each query, where the rank is
            that of the first one; None: one.
    """
    counts = np.concatenate(list(candidates))
    right = np.ones_like(counts) if positives is None else np.concatenate(list(positives))
    clip = np.repeat(np.arange(len(ranks)), [len(of) for of in ranks])
    found = _scores([TiedRanks.join(ranks)], TiedRanks.nothing_known(counts, right), clip)
    return {f"V2T_{name}": score for name, score in found.items()}


def _scores(
    seeds: Sequence[TiedRanks], by_chance: TiedRanks, unit: np.ndarray | None = None
) -> dict[str, Score]:
    """The metrics of queries' ranks.

    Args:
        seeds: ranks of the same queries with each seed.
        by_chance: the ranks of the queries if nothing is known.
        unit: int (queries,), the unit of each query; None: each is one.
    """
    unit = np.arange(len(by_chance)) if unit is None else unit
    sizes = np.bincount(unit)
    each = [metrics.rank_units(of_seed) for of_seed in seeds]
    chance = metrics.rank_units(by_chance)
    scores = {
        name: _mean(
            np.bincount(unit, np.mean([of_seed[name] for of_seed in each], axis=0)) / sizes,
            float(np.mean(np.bincount(unit, chance[name]) / sizes)),
        )
        for name in chance
    }
    pooled, of_all = TiedRanks.join(seeds), np.tile(unit, len(seeds))
    low, high = intervals.bootstrap_median(pooled, of_all)
    scores[MEDIAN] = Score(
        value=ties.median(pooled, of_all), low=low, high=high, chance=ties.median(by_chance, unit)
    )
    return scores


def _mean(values: np.ndarray, chance: float) -> Score:
    low, high = intervals.bootstrap_interval(values)
    # rounding may leave a bound a bit beyond what is possible
    value = float(np.mean(values))
    return Score(value=value, low=min(low, value), high=max(high, value), chance=chance)
