"""A recogniser's scores in the order of the labels that are asked for.

Decision: a label without a training clip cannot be answered: it scores below all others, for each
clip by that clip's own scores, so that nothing depends on the clip's company. Such labels tie.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def by_label(scores: np.ndarray, names: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Scores (names, clips) to float32 (labels, clips); minus infinity becomes a finite last.

    Args:
        names: what the recogniser knows, one a row, each once.
        labels: what it is asked for, in any order.
    """
    scores = np.asarray(scores, dtype=np.float64)
    impossible = np.isneginf(scores)
    lowest = np.min(scores, axis=0, where=~impossible, initial=np.inf)
    lowest[np.isinf(lowest)] = 0  # a clip for which nothing is possible
    step = 1 + np.abs(lowest)  # float32 keeps it apart
    scores = np.where(impossible, lowest - step, scores)
    row_of = {name: row for row, name in enumerate(names)}
    unknown = lowest - 2 * step
    rows = [scores[row_of[name]] if name in row_of else unknown for name in labels]
    return np.stack(rows).astype(np.float32)
