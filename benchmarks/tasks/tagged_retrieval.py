"""Retrieval among prompts with language tags, one for each (sign language, label) of the corpus.

Decision: only for encoders whose prompts name the sign language, and not on ``letters``, which is
about letters whatever the language. Recognisers, which read no text, are not evaluated so on
``official``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.evaluation import galleries
from benchmarks.tasks import Task

if TYPE_CHECKING:
    from benchmarks.evaluation.context import EvaluationContext, FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks


def run(fold: FoldContext) -> GalleryRanks:
    """Rank the test clips in the prompt gallery."""
    return fold.rank(fold.context.prompt_gallery)


def skip(context: EvaluationContext) -> str | None:
    """For prompts with language tags, on splits with several languages."""
    encoder = context.first_encoder
    if not encoder.reads_text:
        return "the encoder reads no text"
    if not galleries.is_tagged(encoder.template):
        return "the encoder's prompts name no sign language"
    if context.split == galleries.LANGUAGE_FREE:
        return f"on {galleries.LANGUAGE_FREE} labels are ranked whatever the language"
    if context.split == galleries.OFFICIAL and encoder.template == galleries.PAIR:
        return f"on {galleries.OFFICIAL} recognisers rank labels"
    return None


TASKS = (
    Task(galleries.TAGGED_RETRIEVAL, "retrieval among prompts", "retrieval", run, skip, order=2),
)
