"""Sign-language identification: clips among prompts that have a language tag and no text.

The gallery has one prompt (``<en> <ase>``) for each sign language of training, so the metrics are
those of retrieval; macro F1, which the paper reports, is added.

An encoder without texts identifies languages by class means: the cosine with the mean embedding of
each language's training clips (``identification_prototypes``). Every encoder with embeddings is
evaluated that way, too, so that the two columns each compare like with like.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics import f1
from benchmarks.tasks import Task, _conditions, _languages
from signclip.text import prompt

if TYPE_CHECKING:
    from benchmarks.evaluation.context import FoldContext
    from benchmarks.evaluation.ranks import GalleryRanks
    from benchmarks.results import Score


def run(fold: FoldContext) -> GalleryRanks:
    """Rank the sign languages of training for each test clip."""
    context, template = fold.context, _languages.tag_template(fold)
    languages = sorted(set(context.languages(fold.fold.train)))
    spoken = _languages.spoken(fold, languages)
    texts = fold.embedding_fold.embed_text(
        [
            prompt(template, text="", sign_language=one, spoken_language=spoken[one])
            for one in languages
        ]
    )
    return fold.rank_texts(texts, languages, context.languages(fold.fold.test))


def by_class_means(fold: FoldContext) -> GalleryRanks:
    """Rank the sign languages of training by the cosine with their prototype."""
    from benchmarks.evaluation import classifiers

    languages = fold.context.languages
    classes = sorted(set(languages(fold.fold.train)))
    return fold.classify_as(classifiers.prototypes, languages, classes)


def macro_f1(ranks: Sequence[Sequence[GalleryRanks]]) -> dict[str, Score]:
    """Macro F1 over all folds; languages are numbered by name."""
    names = sorted({name for one in ranks[0] for name in one.names})
    number = {name: i for i, name in enumerate(names)}

    def numbers(one: GalleryRanks, rows: np.ndarray) -> list[int]:
        return [number[one.names[row]] for row in rows]

    targets = np.array([i for one in ranks[0] for i in numbers(one, one.targets)])
    predicted = [
        [i for one in of_seed for i in numbers(one, one.ranks.predicted)] for of_seed in ranks
    ]
    return {"F1": f1.score(targets, np.array(predicted), len(names))}


skip = _conditions.first_of(_conditions.no_texts, _conditions.no_language_tags)

TASKS = (
    Task("identification", "sign language", "language", run, skip, 1, extra_scores=macro_f1),
    Task(
        "identification_prototypes",
        "sign language, by class means",
        "clips",
        by_class_means,
        _conditions.first_of(_conditions.no_embeddings, _conditions.no_languages),
        order=2,
        extra_scores=macro_f1,
    ),
)
