"""From an encoder to result files.

Decisions
* A clip is scored from its own frames, and the gallery is the same for every clip. (Every
  (language, letter) occurs once, so whoever knows which letters a clip's language has in training
  can win by elimination.) What it is asked among: :mod:`benchmarks.galleries`; what an encoder
  gets to see: :mod:`benchmarks.encoders`.
* Encoders whose prompts name the sign language are asked twice, among labels and among (language,
  label) prompts, from one embedding of the clip.

Outputs: a result for each gallery (:mod:`benchmarks.results`), and per-clip predictions and
embeddings as Parquet, those of the tagged gallery in files of their own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks import galleries, metrics, results, tasks
from benchmarks.encoders import Scored, Training
from benchmarks.galleries import Gallery
from benchmarks.opened import Fold, Opened, Stored
from signclip import files

CLIPS_FILE, GALLERY_FILE = "clips.parquet", "gallery.parquet"
TAGGED = "tagged_"  # what the names of the tagged gallery's files begin with


class Answer(NamedTuple):
    """What one seed's encoder said of one fold, in one gallery."""

    seed: int
    fold: Fold
    own: np.ndarray  # int (clips,): each clip's row of the gallery
    scored: Scored


def evaluate(
    found: Opened, *, predictions: Path, leaderboard: Path, revision: str | None = None
) -> dict[str, results.Result]:
    """Measure retrieval on a split and write results and predictions.

    Args:
        predictions: folder that becomes ``clips.parquet`` and ``gallery.parquet``.
        revision: under which the results are written; default the profile.

    Returns:
        task -> result.

    Raises:
        SignCLIPError: a run or the store is damaged.
    """
    clips, folds = found.clips, found.folds
    asked = galleries.of(found.split, clips, found.rows, found.each[0].template)
    start = time.perf_counter()
    scored = [[_score_fold(one, fold, asked, found) for fold in folds] for one in found.each]
    seconds = time.perf_counter() - start + found.cache.saved_seconds
    common = found.described(revision, seconds)
    written, tables = {}, {}
    for place, gallery in enumerate(asked):
        answers = [
            Answer(seed, fold, np.array([gallery.own[clip] for clip in fold.test]), of_fold[place])
            for seed, of_seed in zip(found.seeds, scored, strict=True)
            for fold, of_fold in zip(folds, of_seed, strict=True)
        ]
        predicted = pd.concat(
            [_clip_table(answer, gallery, clips, embeddings=not place) for answer in answers],
            ignore_index=True,
        )
        prefix = TAGGED if gallery.task == galleries.TAGGED_RETRIEVAL else ""
        tables[prefix + CLIPS_FILE] = predicted
        tables[prefix + GALLERY_FILE] = pd.concat(
            [_gallery_table(answer, gallery) for answer in answers], ignore_index=True
        )
        by_seed = [
            [tasks.FoldScores(a.scored.scores, a.own) for a in answers if a.seed == seed]
            for seed in found.seeds
        ]
        written[gallery.task] = results.Result(
            **common,
            task=gallery.task,
            scores=tasks.retrieval(*by_seed),
            labels=len(gallery.names),
            ranks={
                str(clip): [int(rank) for rank in ranks]
                for clip, ranks in predicted.groupby("id")["rank"]
            },
        )
    with files.writing(predictions), files.atomic_folder(predictions) as partial:
        for name, table in tables.items():
            table.to_parquet(partial / name, index=False)
    for result in written.values():
        result.write(leaderboard)
    return written


def _score_fold(encoder: Any, fold: Fold, asked: Sequence[Gallery], found: Opened) -> list[Scored]:
    """A fold's test clips in each gallery."""
    known = found.clips.loc[fold.train]
    languages = list(zip(known["sign_language"], known["spoken_language"], strict=True))
    features = [found.store[i] for i in fold.train] if encoder.learns else []
    training = Training(features, list(known["text"]), languages)
    tested = Stored(found.store, fold.test)
    return encoder.score_fold(fold.number, training, tested, asked, fold.test, found.cache)


def _clip_table(
    answer: Answer, gallery: Gallery, clips: pd.DataFrame, *, embeddings: bool
) -> pd.DataFrame:
    ids, scored = answer.fold.test, answer.scored
    table = pd.DataFrame(
        {
            "seed": answer.seed,
            "fold": answer.fold.number,
            "id": ids,
            "sign_language": list(clips.loc[ids, "sign_language"]),
            "label": [gallery.names[i] for i in answer.own],
            "predicted": [gallery.names[i] for i in scored.scores.argmax(axis=0)],
            "rank": metrics.v2t_ranks(scored.scores, answer.own),
            "scores": list(scored.scores.T),
        }
    )
    if embeddings and scored.clips is not None:
        table["embedding"] = list(scored.clips)
    return table


def _gallery_table(answer: Answer, gallery: Gallery) -> pd.DataFrame:
    table = pd.DataFrame(
        {"seed": answer.seed, "fold": answer.fold.number, "label": list(gallery.names)}
    )
    if answer.scored.gallery is not None:
        table["embedding"] = list(answer.scored.gallery)
    return table
