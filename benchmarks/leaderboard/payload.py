"""The data of the page: one JSON object with everything that the page shows.

Decisions
* Cells are arrays by place, ranks and points base64 bytes: the page of this repository stays below
  3 MB, one of 1,000 encoders and 20 places below 6 MB.
* Ranks of clips, which comparisons and hard cases need, are kept for the rows in overall order
  until :data:`RANK_BYTES` are used; points of clips until :data:`POINT_BYTES`. What is left out is
  counted, and the page says so.
* Nothing in it depends on the time or the machine, so equal results give an equal page.

Cost: 0.2 s for 60 rows.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import tasks
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.leaderboard.board import Board, Column
from benchmarks.leaderboard.columns import PIPELINE, Cell, Place, Row, lower_is_better
from benchmarks.points import player
from benchmarks.results import SUBMITTED, Result
from signclip.poses.landmarks import BODY, HAND_PARENT, HAND_POINTS
from signclip.text.languages import sign_languages

RANK_BYTES, POINT_BYTES = 1_200_000, 2_800_000  # before base64 makes 4 characters of 3 bytes
DIGITS = 4
Json = dict[str, Any]
Predictions = Mapping[tuple[str, str], Mapping[str, str]]


def payload(board: Board, clips: pd.DataFrame, predictions: Predictions) -> Json:
    """The data of the page.

    Args:
        clips: as :func:`benchmarks.leaderboard.clips.read` gives them.
        predictions: (split, encoder) -> clip -> label.
    """
    hardware = sorted({cell.result.hardware for cell in _cells(board)})
    kept = _rows_with_ranks(board)
    tables = {corpus: _Clips(board, corpus, clips) for corpus in _corpora(board)}
    return {
        "rows": [_row(row) for row in board.table.rows],
        "hardware": hardware,
        "hidden": dict(board.table.hidden),
        "suite": sorted({cell.result.suite for cell in _cells(board)}),
        "languages": {tag: one.name for tag, one in sign_languages().items()},
        "skeleton": _skeleton(),
        "clips": {corpus: table.json() for corpus, table in tables.items()},
        "without_ranks": len(board.table.rows) - len(kept),
        "places": [
            _place(board, place, tables[place.corpus])
            | {"ranks": _ranks(board, place, kept)}
            | {"predicted": _predicted(board, place, predictions, tables[place.corpus])}
            | {"hw": [hardware.index(c.result.hardware) for c in board.table.cells[place]]}
            for place in board.places
        ],
    }


def _cells(board: Board) -> list[Cell]:
    return [cell for cells in board.table.cells.values() for cell in cells]


def _corpora(board: Board) -> list[str]:
    return list(dict.fromkeys(place.corpus for place in board.places))


def _row(row: Row) -> Json:
    about = row.metadata.model_dump(mode="json") if row.metadata is not None else None
    return {
        "name": row.name,
        "encoder": row.key.encoder,
        "revision": row.key.revision,
        "origin": row.key.origin,
        "title": row.title,
        "kind": row.kind,
        "about": about,
    }


def _signers(shared: list[Result]) -> str:
    """Which signers a split shares, as most results say: older versions had other words for it."""
    said = Counter(result.signers for result in shared if result.signers)
    return max(said, key=lambda words: (said[words], words), default="")


def _place(board: Board, place: Place, clips: _Clips) -> Json:
    cells, units = board.table.cells[place], board.units[place]
    shared = [cell.result for cell in cells]
    return {
        "corpus": place.corpus,
        "corpus_fingerprint": place.corpus_fingerprint,
        "split": place.split,
        "split_fingerprint": place.split_fingerprint,
        "task": place.task,
        "title": _title(place.task),
        "labels": place.labels,
        "n": max(result.n_total for result in shared),
        "units": {"kind": units.kind, "count": units.count, "why": units.why},
        "signers": _signers(shared),
        "corpus_dropped": shared[0].corpus_dropped,
        "clips": [clips.number[clip] for clip in board.ranks[place].clips],
        "rows": [cell.row for cell in cells],
        "evaluated": [result.n_evaluated for result in shared],
        "dropped": [result.n_dropped for result in shared],
        "exposure": [cell.exposure for cell in cells],
        "parameters": [result.cost.parameters for result in shared],
        "training": [round(result.cost.training_seconds, 1) for result in shared],
        "speed": [_significant(result.cost.evaluation_clips_per_second) for result in shared],
        "seeds": [" ".join(map(str, result.seeds)) for result in shared],
        "commit": [result.git_commit for result in shared],
        "group": [result.group for result in shared],
        "revision": [result.revision for result in shared],
        "metrics": [_metric(column) for column in board.columns[place]],
        "draws": board.points[place].replicates.shape[1],
        "replicates": _bytes(board.points[place].replicates),
    }


def _title(task: str) -> str:
    known = tasks.all_tasks()
    return known[task].title if task in known else task


def _metric(column: Column) -> Json:
    scores = [cell.result.scores[column.metric] for cell in column.cells]
    found: Json = {
        "name": column.metric,
        "lower": lower_is_better(column.metric),
        "chance": round(column.chance, DIGITS + 1),
        "value": [round(score.value, DIGITS + 1) for score in scores],
        "low": [round(score.low, DIGITS) for score in scores],
        "high": [round(score.high, DIGITS) for score in scores],
        "why": column.why_untested,
    }
    if column.ties is not None:
        found |= {
            "group": column.ties.group,
            "best": column.ties.low,
            "worst": column.ties.high,
            "pairs": column.ties.pairs,
            "family": column.ties.family,
            "neighbours": column.ties.neighbours,
            "detectable": round(column.ties.detectable, DIGITS),
        }
    return found


def _rows_with_ranks(board: Board) -> set[int]:
    """The first rows in overall order, until :data:`RANK_BYTES` are used."""
    sizes = np.zeros(len(board.table.rows))
    for place in board.places:
        rows = [cell.row for cell in board.table.cells[place]]
        sizes[rows] += _stored_sizes(board.ranks[place].array)
    chosen, used = set(), 0.0
    for row in sorted(range(len(sizes)), key=lambda row: _overall(board, row)):
        used += sizes[row]
        if used > RANK_BYTES:
            break
        chosen.add(row)
    return chosen


def _overall(board: Board, row: int) -> tuple[bool, int, int]:
    """Submitted rows and floors would be missed first, but the order is the overall one."""
    rank = board.standings[row].rank
    origin = board.table.rows[row].key.origin
    return (origin not in (PIPELINE, SUBMITTED), rank or len(board.standings) + 1, row)


def _ranks(board: Board, place: Place, kept: set[int]) -> list[Json | None]:
    """Of each cell the ranks of the place's clips, clip by clip, 0 where it has none.

    ``tied``: of each rank the highest and the right candidates among the tied ones.
    """
    found: list[Json | None] = []
    tied = board.ranks[place].tied
    for at, (cell, ranks) in enumerate(
        zip(board.table.cells[place], board.ranks[place].array, strict=True)
    ):
        if cell.row not in kept or not ranks.any():
            found.append(None)
            continue
        stored = _stored(ranks)
        shown = {"of": stored.shape[1], "size": stored.itemsize, "data": _bytes(stored)}
        if at in tied:  # few: the bounds of all its ranks
            shown["tied"] = _bytes(tied[at][:, : stored.shape[1]].astype("<u4"))
        found.append(shown)
    return found


def _stored(ranks: np.ndarray) -> np.ndarray:
    most = int((ranks > 0).sum(axis=1).max(initial=1))
    return ranks[:, :most].astype(np.uint8 if ranks.max(initial=0) < 256 else "<u2")


def _stored_sizes(ranks: np.ndarray) -> np.ndarray:
    """Bytes of :func:`_stored` of each row of (rows, clips, ranks)."""
    most = (ranks > 0).sum(axis=2).max(axis=1, initial=1)
    return ranks.shape[1] * most * np.where(ranks.max(axis=(1, 2), initial=0) < 256, 1, 2)


def _bytes(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _significant(value: float) -> float:
    return float(f"{value:.3g}")


def _predicted(board: Board, place: Place, predictions: Predictions, clips: _Clips) -> Json | None:
    """Predicted labels of the cells, as numbers of ``labels``; None: none are recorded."""
    if place.task != RETRIEVAL or place.corpus != player.EMBEDDED:
        return None
    ids = board.ranks[place].clips
    found: dict[str, Mapping[str, str]] = {}
    for number, cell in enumerate(board.table.cells[place]):
        of_cell = predictions.get((place.split, cell.result.encoder))
        if of_cell and board.table.rows[cell.row].key.origin == PIPELINE:
            found[str(number)] = of_cell
    labels = sorted({label for of_cell in found.values() for label in of_cell.values()})
    number_of = {label: number for number, label in enumerate(labels)}
    cells = {
        cell: [number_of[of_cell[clip]] if clip in of_cell else -1 for clip in ids]
        for cell, of_cell in found.items()
    }
    return {"labels": labels, "cells": cells} if cells else None


class _Clips:
    """The clips of one corpus that any result has tested."""

    def __init__(self, board: Board, corpus: str, known: pd.DataFrame):
        tested: set[str] = set()
        for place in board.places:
            if place.corpus == corpus:
                tested.update(board.ranks[place].clips)
        rows = known[(known["corpus"] == corpus) & known["id"].isin(tested)]
        self._known = rows.set_index("id")
        self.ids = sorted(tested)
        self.number = {clip: number for number, clip in enumerate(self.ids)}

    def json(self) -> Json:
        """The columns of ``player.csv``, one list each."""
        table = self._known.reindex(self.ids, fill_value="")
        points, used, left_out = [], 0, 0
        for encoded in table["points"]:
            used += len(encoded) * 3 // 4
            left_out += bool(encoded) and used > POINT_BYTES
            points.append(encoded if used <= POINT_BYTES else "")
        return {
            "ids": self.ids,
            "label": list(table["label"]),
            "language": list(table["sign_language"]),
            "signer": list(table["signer"]),
            "frames": [int(frames or 0) for frames in table["frames"]],
            "fps": [float(fps or 0) for fps in table["fps"]],
            "hand": [float(hand or 0) for hand in table["hand"]],
            "points": points,
            "left_out": left_out,
        }


def _skeleton() -> Json:
    """The lines between the player's points, and what its numbers mean."""
    names, body = list(player.NAMES), len(player.BODY_NAMES)
    place = {name: number for number, name in enumerate(names)}

    def line(a: str, b: str) -> list[int]:
        return [place[BODY, a], place[BODY, b]]

    lines = [line("LEFT_SHOULDER", "RIGHT_SHOULDER"), line("MOUTH_LEFT", "MOUTH_RIGHT")]
    for side in ("LEFT", "RIGHT"):
        lines += [line(f"{side}_SHOULDER", f"{side}_ELBOW"), line(f"{side}_ELBOW", f"{side}_WRIST")]
    hands: list[Sequence[Sequence[int]]] = []
    for number in range(2):
        wrist, first = body - 2 + number, body + number * (HAND_POINTS - 1)
        points = [wrist, *range(first, first + HAND_POINTS - 1)]
        hands.append([[points[HAND_PARENT[p]], points[p]] for p in range(1, HAND_POINTS)])
    return {
        "points": len(names),
        "body": body,
        "step": player.BODY_STEP,
        "hidden": player.HIDDEN,
        "lines": lines,
        "hands": hands,
        "head": [place[BODY, name] for name in ("NOSE", "LEFT_EYE", "RIGHT_EYE")],
        "frames": player.FRAMES,
        "clips": player.MOST_CLIPS,
    }
