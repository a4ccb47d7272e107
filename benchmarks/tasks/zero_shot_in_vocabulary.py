"""Zero-shot retrieval of concepts that are frequent in pretraining, as in the paper.

The paper keeps test clips whose concept has more than 20 pretraining clips (``test_in_vocab`` in
the authors' code).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.tasks import Task, _conditions
from benchmarks.tasks.zero_shot import rank_prompts

if TYPE_CHECKING:
    from benchmarks.evaluation.context import EvaluationContext, FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks

FREQUENT = 20  # a concept is kept if it has more pretraining clips


def run(fold: FoldContext) -> GalleryRanks:
    """Rank the prompts of the test clips with a frequent label."""
    context, test = fold.context, np.array(fold.fold.test)
    kept = in_vocabulary(context.labels(list(test)), context.pretraining_labels)
    return rank_prompts(fold, test[kept].tolist())


def in_vocabulary(
    labels: Sequence[str], pretraining_labels: Sequence[str], *, more_than: int = FREQUENT
) -> np.ndarray:
    """Which clips' labels are frequent in pretraining: bool (clips,).

    Args:
        labels: of the test clips.
        pretraining_labels: one per pretraining clip.
        more_than: pretraining clips of a frequent label.
    """
    seen = Counter(pretraining_labels)
    return np.array([seen[label] > more_than for label in labels], dtype=bool)


def nothing_in_vocabulary(context: EvaluationContext) -> str | None:
    """Every fold needs a test clip with a frequent label."""
    for fold in context.folds:
        if not in_vocabulary(context.labels(fold.test), context.pretraining_labels).any():
            return f"no label of a fold has more than {FREQUENT} clips in the encoder's training"
    return None


skip = _conditions.first_of(
    _conditions.no_texts, _conditions.not_transferred, nothing_in_vocabulary
)

TASKS = (
    Task(
        "zero_shot_in_vocabulary",
        "zero-shot, labels frequent in pretraining",
        "transfer",
        run,
        skip,
        order=2,
        dropped="its label is rare in the encoder's own training",
    ),
)
