"""What is kept of every test clip: Parquet files in ``predictions/<encoder>/<split>/``.

Decisions
* ``clips.parquet``: a row a seed and test clip: what it is, what it was taken for, the rank of its
  own text, and its embedding; ``gallery.parquet``: the texts it was asked among, with theirs. Both
  with ``tagged_`` before the name for the gallery of (language, label) prompts, where the clips'
  embeddings are not written again.
* Scores are the products of the two embeddings and not kept; a recogniser, which has none, keeps
  its scores of every text.

Cost: 4 bytes a number of an embedding, or a text for a recogniser.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.evaluation import galleries
from benchmarks.evaluation.galleries import Gallery
from benchmarks.evaluation.scores import Answer, Embedded, Recognised
from signclip.core import files

CLIPS_FILE, GALLERY_FILE = "clips.parquet", "gallery.parquet"
TAGGED = "tagged_"  # what the names of the tagged gallery's files begin with


def write(folder: Path, answers: list[tuple[Gallery, list[Answer]]], languages: pd.Series) -> None:
    """Write a split's predictions, all or nothing.

    Args:
        answers: each gallery with its answers, of all seeds and folds.
        languages: the sign language of each clip, by id.
    """
    with files.writing(folder), files.atomic_folder(folder) as partial:
        for place, (gallery, of_gallery) in enumerate(answers):
            prefix = TAGGED if gallery.task == galleries.TAGGED_RETRIEVAL else ""
            clips = [_clips(one, gallery, languages, embeddings=not place) for one in of_gallery]
            texts = [_gallery(one, gallery) for one in of_gallery]
            for name, tables in ((CLIPS_FILE, clips), (GALLERY_FILE, texts)):
                pd.concat(tables, ignore_index=True).to_parquet(
                    partial / (prefix + name), index=False
                )


def _clips(
    answer: Answer, gallery: Gallery, languages: pd.Series, *, embeddings: bool
) -> pd.DataFrame:
    ids, scored = answer.fold.test, answer.scored
    table = pd.DataFrame(
        {
            "seed": answer.seed,
            "fold": answer.fold.number,
            "id": ids,
            "sign_language": list(languages[ids]),
            "label": [gallery.names[i] for i in answer.own],
            "predicted": [gallery.names[i] for i in answer.ranks.predicted],
            "rank": answer.ranks.v2t,
        }
    )
    if isinstance(scored, Recognised):
        table["scores"] = list(scored.scores.T)
    elif embeddings:
        table["embedding"] = list(scored.clips)
    return table


def _gallery(answer: Answer, gallery: Gallery) -> pd.DataFrame:
    table = pd.DataFrame(
        {"seed": answer.seed, "fold": answer.fold.number, "label": list(gallery.names)}
    )
    if isinstance(answer.scored, Embedded):
        table["embedding"] = list(answer.scored.gallery)
    return table
