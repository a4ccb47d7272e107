"""What an encoder answers, and what is kept of it: Parquet in ``predictions/<encoder>/<split>/``.

Decisions
* Embeddings are ranked without a matrix of scores; a recogniser's answer is such a matrix.
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
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from benchmarks import galleries, metrics, streaming, tasks
from benchmarks.galleries import Gallery
from benchmarks.metrics import Ranks
from signclip import files

if TYPE_CHECKING:  # it imports torch, and who reads predictions need not wait for that
    from benchmarks.opened import Fold

CLIPS_FILE, GALLERY_FILE = "clips.parquet", "gallery.parquet"
TAGGED = "tagged_"  # what the names of the tagged gallery's files begin with


class Recognised(NamedTuple):
    """A recogniser's answer for one fold and gallery."""

    scores: np.ndarray  # float32 (texts, clips)

    def ranks(self, own: np.ndarray) -> Ranks:
        """Where clips and texts find each other; ``own`` int (clips,), each clip's text."""
        return metrics.ranks(self.scores, own, tasks.KS)


class Embedded(NamedTuple):
    """An encoder's answer: embeddings, whose dot products are the scores."""

    clips: np.ndarray  # float32 (clips, d)
    gallery: np.ndarray  # float32 (texts, d)

    def ranks(self, own: np.ndarray) -> Ranks:
        """As :meth:`Recognised.ranks`, streamed."""
        return streaming.ranks(self.clips, self.gallery, own, tasks.KS)


class Answer(NamedTuple):
    """What one seed's encoder said of one fold, in one gallery."""

    seed: int
    fold: Fold
    own: np.ndarray  # int (clips,): each clip's row of the gallery
    scored: Recognised | Embedded
    ranks: Ranks


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
