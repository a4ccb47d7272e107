"""Exports in the formats of others: Every Eval Ever 0.3 and the Hub's evaluation results.

Decisions
* Every Eval Ever (evalevalai.com): one JSON record an encoder, with the main metric of every place,
  its interval, and what identifies data and split. Its package does not install on Python 3.11, so
  the fields are written here. Whoever submits a record to its store gives it the name that is asked
  for there, ``data/<collection>/<developer>/<model>/<uuid4>.json``.
* The Hub reads ``.eval_results/*.yaml`` of a model repository: a list of values, each of a dataset
  and a task. It accepts ids of registered benchmark datasets only; ``signclip-benchmark/<corpus>``
  is a name for one, to be replaced by whoever uploads the file.
* The time of a record is given by the caller, so that equal results give equal files.

Cost: milliseconds an encoder.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import yaml

from benchmarks.leaderboard.board import Board, Column
from benchmarks.leaderboard.columns import Cell, Row, lower_is_better

VERSION = "0.3.0"
NAMESPACE, LIBRARY = "signclip-benchmark", "signbench"
RELATIONS = {"author": "first_party", "us": "first_party", "third party": "third_party"}
CLIPS = "percentile bootstrap over clips"
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's takes a fifth of the time
Json = dict[str, Any]


def file_name(row: Row) -> str:
    """A name for the files of a row."""
    parts = [row.key.encoder, row.key.revision, row.key.origin]
    return re.sub(r"[^A-Za-z0-9._-]", "-", "__".join(parts))


def every_eval_ever(board: Board, row: int, time: int) -> Json:
    """The record of one row.

    Args:
        time: seconds since 1970, when the record was made.
    """
    about = board.table.rows[row]
    metadata = about.metadata
    relation = RELATIONS[metadata.run_by] if metadata is not None else "other"
    suites = sorted({cell.result.suite for _, cell in _cells(board, row)})
    details = {
        "revision": about.key.revision,
        "kind": about.kind,
        "licence": (metadata.licence if metadata else None) or "not known",
        "training_corpora": _training_corpora(about),
        "deployment_type": "self_deployed",  # encoders run on the evaluator's machine
        "model_availability": "unknown",  # a licence of weights does not say that they are there
    }
    return {
        "schema_version": VERSION,
        "evaluation_id": f"{NAMESPACE}/{file_name(about)}/{time}",
        "retrieved_timestamp": str(time),
        "source_metadata": {
            "source_name": "SignCLIP benchmark suite",
            "source_type": "evaluation_run",
            "source_organization_name": ", ".join(metadata.authors) if metadata else "not known",
            "evaluator_relationship": relation,
        },
        "eval_library": {"name": LIBRARY, "version": " ".join(suites)},
        "model_info": {
            "name": about.title or about.name,
            "id": f"{about.key.origin}/{about.key.encoder}",
            "developer": ", ".join(metadata.authors) if metadata else "not known",
            "additional_details": details,
        },
        "evaluation_results": [_evaluation(column, cell) for column, cell in _cells(board, row)],
    }


def _cells(board: Board, row: int) -> Iterator[tuple[Column, Cell]]:
    for place in board.places:
        column = board.main(place)
        at = bisect.bisect_left(column.cells, row, key=attrgetter("row"))
        if at < len(column.cells) and column.cells[at].row == row:
            yield column, column.cells[at]


def _training_corpora(row: Row) -> str:
    if row.metadata is None or row.metadata.training_corpora is None:
        return "not known"
    names = [
        " < ".join([corpus.name, *corpus.derives_from]) for corpus in row.metadata.training_corpora
    ]
    return ", ".join(names) or "none before the evaluation"


def _evaluation(column: Column, cell: Cell) -> Json:
    place, result = column.place, cell.result
    score = result.scores[column.metric]
    lower = lower_is_better(column.metric)
    return {
        "evaluation_result_id": result.signature,
        "evaluation_name": f"{place.task}.{place.corpus}.{place.split}",
        "source_data": {
            "dataset_name": place.corpus,
            "source_type": "other",
            "additional_details": {
                "split": place.split,
                "corpus_fingerprint": place.corpus_fingerprint,
                "split_fingerprint": place.split_fingerprint,
                "candidates": str(place.labels),
            },
        },
        "metric_config": {
            "metric_id": f"{NAMESPACE}.{column.metric}",
            "metric_name": column.metric,
            "metric_unit": "rank" if lower else "proportion",
            "lower_is_better": lower,
            "score_type": "continuous",
            "min_score": 1 if lower else 0,
            "max_score": place.labels if lower else 1,
        },
        "score_details": {
            "score": score.value,
            "details": {
                "chance": f"{score.chance:.6g}",
                "seen_of_the_corpus": cell.exposure,
                "git_commit": result.git_commit,
                "n_dropped": str(sum(result.n_dropped.values())),
            },
            "uncertainty": {
                "confidence_interval": {
                    "lower": score.low,
                    "upper": score.high,
                    "confidence_level": 0.95,
                    "method": CLIPS,
                },
                "num_samples": result.n_evaluated,
            },
        },
    }


def eval_results(board: Board, row: int) -> str:
    """The YAML of a model repository's ``.eval_results`` for one row."""
    metadata = board.table.rows[row].metadata
    entries = []
    for column, cell in _cells(board, row):
        place = column.place
        entry: Json = {
            "dataset": {
                "id": f"{NAMESPACE}/{place.corpus}",
                "task_id": f"{place.task}.{place.split}",
                "revision": place.corpus_fingerprint,
            },
            "value": round(cell.result.scores[column.metric].value, 6),
            "notes": f"{column.metric}; {cell.result.signature}",
        }
        if metadata is not None and metadata.link:
            entry["source"] = {"url": metadata.link}
        entries.append(entry)
    return yaml.dump(entries, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=1000)
