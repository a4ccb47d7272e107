"""Predictions of every test clip: Parquet files below ``predictions/<group>/<encoder>/``.

Decisions
* A rank is stored as the lowest and the highest that it can be (:mod:`benchmarks.metrics.ties`):
  ``rank``, ``rank_high``, and ``rank_right``, the right candidates among the tied ones.
* Retrieval: ``<split>/clips.parquet``, a row per seed and test clip (id, label, predicted text,
  rank of its own text, embedding), and ``<split>/gallery.parquet``, the texts of the gallery with
  their embeddings. The gallery of prompts has both files with ``tagged_`` before the name, without
  the clips' embeddings. A folder is written atomically.
* Scores are the products of the two embeddings and not stored; a recogniser, which has none, stores
  its scores of every text.
* Other tasks: ``protocols/<split>.parquet``, a row per seed, query and task (id, predicted text,
  rank, number of candidates).
* A run that was trained on another split, and a revision, are part of the name:
  ``<split>.<run>.<revision>``.

Cost: 4 bytes a number of an embedding, or a text for a recogniser.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.evaluation.ranks import Embedded, GalleryRanks, Recognised, TaskRanks
from benchmarks.metrics import TiedRanks
from signclip.core import files, parquet

if TYPE_CHECKING:
    from benchmarks.evaluation.context import EvaluationContext

CLIPS_FILE, GALLERY_FILE = "clips.parquet", "gallery.parquet"
TAGGED = "tagged_"  # prefix of the files of the prompt gallery
PREFIXES = {RETRIEVAL: "", TAGGED_RETRIEVAL: TAGGED}
PROTOCOLS = "protocols"  # folder of the other tasks

RANK_COLUMNS = ("rank", "rank_high", "rank_right")
NO_RANKS = TiedRanks(*[np.empty(0, np.int64)] * 3)

Where = tuple[int, int]  # seed and fold


def write(
    context: EvaluationContext,
    ranks: Mapping[str, Sequence[Sequence[TaskRanks]]],
    *,
    keep_others: bool = False,
) -> None:
    """Write the predictions of some tasks.

    Args:
        ranks: task -> seed -> fold.
        keep_others: keep those of other tasks in the same files; otherwise they are dropped.
    """
    folder = context.workspace.predictions / context.encoder
    name = context.predictions_name
    flat: dict[str, list[tuple[Where, Any]]] = {
        task: [
            ((seed, fold.number), one)
            for seed, of_seed in zip(context.seeds, of_task, strict=True)
            for fold, one in zip(context.folds, of_seed, strict=True)
        ]
        for task, of_task in ranks.items()
    }
    retrieval = {task: flat.pop(task) for task in PREFIXES if task in flat}
    if retrieval:
        languages = context.clips["sign_language"]
        _write_retrieval(folder / name, retrieval, languages, keep_others=keep_others)
    if flat:
        path = folder / PROTOCOLS / f"{name}.parquet"
        tables = [_queries(task, *one) for task, of_task in flat.items() for one in of_task]
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.writing(path), files.atomic_file(path) as partial:
            if keep_others and path.is_file():
                there = parquet.read(path)
                tables.insert(0, there[~there["task"].isin(flat)])
            pd.concat(tables, ignore_index=True).to_parquet(partial, index=False)
        files.record_digests([path])


def _write_retrieval(
    folder: Path,
    ranks: Mapping[str, list[tuple[Where, GalleryRanks]]],
    languages: pd.Series,
    *,
    keep_others: bool,
) -> None:
    with files.writing(folder), files.atomic_folder(folder) as partial:
        if keep_others and folder.is_dir():
            shutil.copytree(folder, partial, dirs_exist_ok=True)
        for place, (task, of_task) in enumerate(ranks.items()):
            clips = [_clips(where, one, languages, embeddings=not place) for where, one in of_task]
            texts = [_gallery(where, one) for where, one in of_task]
            for name, tables in ((CLIPS_FILE, clips), (GALLERY_FILE, texts)):
                pd.concat(tables, ignore_index=True).to_parquet(
                    partial / (PREFIXES[task] + name), index=False
                )
        files.record_digests([path for path in partial.iterdir() if path.name != files.DIGESTS])


def _clips(
    where: Where, one: GalleryRanks, languages: pd.Series, *, embeddings: bool
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "seed": where[0],
            "fold": where[1],
            "id": one.ids,
            "sign_language": list(languages[one.ids]),
            "label": [one.names[row] for row in one.targets],
            "predicted": one.predicted,
            **_columns(one.ranks.v2t),
        }
    )
    if isinstance(one.scored, Recognised):
        table["scores"] = list(one.scored.scores.T)
    elif isinstance(one.scored, Embedded) and embeddings:
        table["embedding"] = list(one.scored.clips)
    return table


def _gallery(where: Where, one: GalleryRanks) -> pd.DataFrame:
    table = pd.DataFrame({"seed": where[0], "fold": where[1], "label": list(one.names)})
    if isinstance(one.scored, Embedded):
        table["embedding"] = list(one.scored.gallery)
    return table


def bounds(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The rank columns of a table of predictions; see :func:`ranks_of`."""
    return _columns(ranks_of(table))


def _columns(ranks: TiedRanks) -> dict[str, np.ndarray]:
    return dict(zip(RANK_COLUMNS, (ranks.low, ranks.high, ranks.right), strict=True))


def ranks_of(table: pd.DataFrame) -> TiedRanks:
    """The ranks in a table of predictions; in one without bounds nothing is tied."""
    given = [table[name].to_numpy() for name in RANK_COLUMNS if name in table]
    return TiedRanks.of(*given)


def _queries(task: str, where: Where, one: TaskRanks) -> pd.DataFrame:
    """One row a query: the clip, its rank, the number of candidates, and the predicted text."""
    ranks, candidates = one.by_clip()
    queries = [len(of_clip) for of_clip in ranks]
    return pd.DataFrame(
        {
            "task": task,
            "seed": where[0],
            "fold": where[1],
            "id": np.repeat(one.ids, queries),
            "predicted": np.repeat(one.predicted, queries),
            **_columns(TiedRanks.join(ranks) if ranks else NO_RANKS),
            "candidates": np.concatenate([np.empty(0, np.int64), *candidates]),
        }
    )
