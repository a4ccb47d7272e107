"""Retrieval among labels: V2T ranks the labels of the split, T2V the test clips.

Decision: not on ``official``, the split of the paper's corpora, for encoders whose prompts have
language tags: the paper has one gallery there, the prompts
    (:mod:`benchmarks.tasks.tagged_retrieval`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.evaluation import galleries
from benchmarks.tasks import Task

if TYPE_CHECKING:
    from benchmarks.evaluation.context import EvaluationContext, FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks


def run(fold: FoldContext) -> GalleryRanks:
    """Rank the test clips in the label gallery."""
    return fold.rank(fold.context.label_gallery)


def skip(context: EvaluationContext) -> str | None:
    """On ``official`` encoders with tagged prompts are evaluated among prompts."""
    encoder = context.first_encoder
    if not encoder.reads_text:
        return "the encoder reads no text"
    tagged = galleries.is_tagged(encoder.template) and encoder.template != galleries.PAIR
    if context.split == galleries.OFFICIAL and tagged:
        return f"on {galleries.OFFICIAL} prompts with language tags are ranked instead"
    return None


TASKS = (Task(galleries.RETRIEVAL, "retrieval among labels", "retrieval", run, skip, order=1),)
