"""Tasks: pure functions from scores to metrics with intervals and chance levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks import intervals, metrics
from benchmarks.results import Score

RETRIEVAL = "retrieval"
KS = (1, 5, 10)


class FoldScores(NamedTuple):
    """A fold's test clips against the gallery.

    ``scores`` float32 (labels, clips), higher is better; ``label_of_clip`` int (clips,), rows of
    ``scores``.
    """

    scores: np.ndarray
    label_of_clip: np.ndarray


def retrieval(folds: Sequence[FoldScores]) -> dict[str, Score]:
    """V2T and T2V retrieval over all folds, with the paper's definitions of the tabled metrics.

    V2T: each test clip ranks all gallery labels; the unit of the bootstrap is the clip. T2V: each
    label that occurs in a fold ranks the fold's test clips; the unit is the (fold, label) query.
    Folds are pooled over their units. Over unique texts these are the reference's numbers.
    """
    ranks = np.concatenate([metrics.v2t_ranks(*fold) for fold in folds])
    hits = [metrics.t2v_hits(*fold, KS) for fold in folds]
    first = np.concatenate([fold.first_rank for fold in hits])
    v2t_chance = intervals.chance_v2t(len(folds[0].scores), KS)
    t2v_chance = _mean_of(
        [
            intervals.chance_t2v(hit.positives, fold.scores.shape[1], KS)
            for hit, fold in zip(hits, folds, strict=True)
        ]
    )
    units: dict[str, np.ndarray] = {f"V2T_R@{k}": ranks <= k for k in KS}
    units["V2T_MedianR"] = ranks
    units |= {f"T2V_P@{k}": np.concatenate([fold.hits[k] for fold in hits]) / k for k in KS}
    units |= {f"T2V_R@{k}": first <= k for k in KS}
    units["T2V_MedianR"] = first
    chance = {f"V2T_{name}": value for name, value in v2t_chance.items()}
    chance |= {f"T2V_{name}": value for name, value in t2v_chance.items()}
    return {
        name: _score(values.astype(float), np.median if "Median" in name else np.mean, chance[name])
        for name, values in units.items()
    }


def _score(values: np.ndarray, statistic: Callable, chance: float) -> Score:
    low, high = intervals.bootstrap_interval(values, statistic)
    return Score(value=float(statistic(values)), low=low, high=high, chance=chance)


def _mean_of(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
