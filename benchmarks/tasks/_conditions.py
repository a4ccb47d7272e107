"""Conditions that several tasks share: why a task makes no sense for an encoder on a split."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from benchmarks.evaluation import galleries

if TYPE_CHECKING:
    from benchmarks.evaluation.context import EvaluationContext
    from benchmarks.tasks import Skip

_log = logging.getLogger(__name__)

# Scores in one matrix: 4 GB of float64, at the peak two to three times that. ASL Citizen has a
# fifth of them.
MOST_CELLS = 500_000_000


def first_of(*conditions: Skip) -> Skip:
    """The reason of the first condition that gives one."""

    def skip(context: EvaluationContext) -> str | None:
        return next((why for one in conditions if (why := one(context)) is not None), None)

    return skip


def no_embeddings(context: EvaluationContext) -> str | None:
    """The task needs embeddings of clips."""
    return None if context.first_encoder.embeds else "the encoder has no embeddings"


def no_texts(context: EvaluationContext) -> str | None:
    """The task needs embeddings of texts, too."""
    reads_text = context.first_encoder.reads_text
    return no_embeddings(context) or (None if reads_text else "the encoder reads no text")


def no_language_tags(context: EvaluationContext) -> str | None:
    """The task needs prompts with language tags, of languages that are in training."""
    if not galleries.is_tagged(context.first_encoder.template):
        return "the encoder's prompts name no sign language"
    return no_languages(context)


def no_languages(context: EvaluationContext) -> str | None:
    """The task needs several sign languages, all of which are in training."""
    for fold in context.folds:
        known = set(context.languages(fold.train))
        if len(known) < 2:
            return "training has one sign language"
        if not set(context.languages(fold.test)) <= known:
            return "sign languages of test clips are not in training"
    return None


def not_transferred(context: EvaluationContext) -> str | None:
    """The task is for encoders that were trained on other clips than the split's."""
    transferred = context.first_encoder.transferred
    return None if transferred else "the encoder was trained on this split"


def too_many_scores(context: EvaluationContext) -> str | None:
    """The scores of all labels for all test clips do not fit into memory."""
    labels = len(context.label_gallery.names)
    return too_large(context, max(labels * len(fold.test) for fold in context.folds))


def too_large(context: EvaluationContext, cells: int) -> str | None:
    """A matrix of so many numbers does not fit into memory; this is logged."""
    if cells <= MOST_CELLS:
        return None
    _log.warning(
        "%s, %s: %d scores in one matrix are over the limit of %d (benchmarks.tasks._conditions)",
        context.encoder,
        context.split,
        cells,
        MOST_CELLS,
    )
    return f"{cells} scores in one matrix, more than {MOST_CELLS}"
