"""Recognition by class means: cosine with the mean of each class's training clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.tasks import Task, _conditions

if TYPE_CHECKING:
    from benchmarks.evaluation.context import FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks


def run(fold: FoldContext) -> GalleryRanks:
    """Rank labels by the cosine with their prototype."""
    from benchmarks.evaluation import classifiers

    return fold.classify(classifiers.prototypes)


skip = _conditions.first_of(_conditions.no_embeddings, _conditions.too_many_scores)

TASKS = (Task("prototypes", "class means", "recognition", run, skip, order=10),)
