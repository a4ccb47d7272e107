"""A recogniser's scores, rearranged into the order of the labels that are queried.

Decision: a label without a training clip cannot be predicted, so it scores below all other labels.
That lowest score is computed from the clip's own scores, so the other clips of a call change
nothing. All such labels of a clip tie.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def by_label(scores: np.ndarray, known: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Rearrange scores (known labels, clips) into float32 (labels, clips).

    A score of minus infinity becomes a finite score below the clip's others; a label that is not
    known scores below that.

    Args:
        known: the recogniser's labels, one a row, each once.
        labels: the queried labels, in any order.
    """
    scores = np.asarray(scores, dtype=np.float64)
    impossible = np.isneginf(scores)
    lowest = np.min(scores, axis=0, where=~impossible, initial=np.inf)
    lowest[np.isinf(lowest)] = 0  # every label is impossible for this clip
    step = 1 + np.abs(lowest)  # large enough to survive rounding to float32
    scores = np.where(impossible, lowest - step, scores)
    row_of = {name: row for row, name in enumerate(known)}
    unknown = lowest - 2 * step
    rows = [scores[row_of[name]] if name in row_of else unknown for name in labels]
    return np.stack(rows).astype(np.float32)
