"""Conceptualisation: retrieval among labels where every prompt has the tag of one sign language.

As in the paper the tag is ``<ase>``, so a clip of another language has to find its label through
the concept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.tasks import Task, _conditions, _languages
from signclip.text import label, prompt

if TYPE_CHECKING:
    from benchmarks.evaluation.context import FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks

TAG = "ase"


def run(fold: FoldContext) -> GalleryRanks:
    """Rank the labels of the split for each test clip, all prompts tagged alike."""
    _languages.tag_template(fold)
    context, embedding_fold = fold.context, fold.embedding_fold
    labels = context.label_gallery.names
    texts_of = context.clips.groupby(context.clips["text"].map(label))
    spoken = texts_of["spoken_language"].first()
    prompts = [
        prompt(
            embedding_fold.prompts.full, text=name, sign_language=TAG, spoken_language=spoken[name]
        )
        for name in labels
    ]
    texts = embedding_fold.embed_text(prompts)
    return fold.rank_texts(texts, labels, context.labels(fold.fold.test))


skip = _conditions.first_of(_conditions.no_texts, _conditions.no_language_tags)

TASKS = (
    Task("conceptualisation", f"label, every prompt tagged <{TAG}>", "language", run, skip, 3),
)
