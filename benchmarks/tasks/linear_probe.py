"""Recognition by a linear probe: logistic regression on the embeddings of the training clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.tasks import Task, _conditions

if TYPE_CHECKING:
    from benchmarks.evaluation.context import EvaluationContext, FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks


def run(fold: FoldContext) -> GalleryRanks:
    """Rank labels by their probability."""
    from benchmarks.evaluation import classifiers

    return fold.classify(classifiers.linear_probe)


def single_class(context: EvaluationContext) -> str | None:
    """A probe needs two classes."""
    if any(len(set(context.labels(fold.train))) < 2 for fold in context.folds):
        return "training has one label"
    return None


def training_too_large(context: EvaluationContext) -> str | None:
    """The probe holds a matrix of the training labels and clips, too."""
    cells = (len(set(context.labels(fold.train))) * len(fold.train) for fold in context.folds)
    return _conditions.too_large(context, max(cells))


skip = _conditions.first_of(
    _conditions.no_embeddings, _conditions.too_many_scores, single_class, training_too_large
)

TASKS = (Task("linear_probe", "linear probe", "recognition", run, skip, order=20),)
