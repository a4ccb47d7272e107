"""Zero-shot retrieval by an encoder that was trained on other clips: among the test clips'
prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.evaluation import galleries
from benchmarks.tasks import Task, _conditions

if TYPE_CHECKING:
    from benchmarks.evaluation.context import FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks


def run(fold: FoldContext) -> GalleryRanks:
    """Rank the prompts of the test clips."""
    return rank_prompts(fold, fold.fold.test)


def rank_prompts(fold: FoldContext, ids: Sequence[str]) -> GalleryRanks:
    """Rank clips among their own prompts."""
    clips, embedding_fold = fold.context.clips.loc[list(ids)], fold.embedding_fold
    gallery = galleries.prompts(clips, embedding_fold.prompts.full)
    texts = embedding_fold.embed_text(gallery.names)
    target_names = [gallery.names[gallery.targets[clip]] for clip in ids]
    return fold.rank_texts(texts, gallery.names, target_names, ids)


skip = _conditions.first_of(_conditions.no_texts, _conditions.not_transferred)

TASKS = (Task("zero_shot", "zero-shot, prompts of the test clips", "transfer", run, skip, 1),)
