"""Few-shot recognition: nearest neighbours among k training clips a class, with the paper's k."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.tasks import Task, _conditions

if TYPE_CHECKING:
    from benchmarks.evaluation.context import FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks

SHOTS = (1, 5, 10, 100)  # the paper's


def run(fold: FoldContext, *, k: int) -> GalleryRanks:
    """Rank labels by the votes of the nearest of k shots a class."""
    from benchmarks.evaluation import classifiers

    return fold.classify(partial(classifiers.few_shot, k=k))


skip = _conditions.first_of(_conditions.no_embeddings, _conditions.too_many_scores)

TASKS = tuple(
    Task(f"few_shot_{k}", f"{k}-shot nearest neighbours", "recognition", partial(run, k=k), skip, i)
    for i, k in enumerate(SHOTS)
)
