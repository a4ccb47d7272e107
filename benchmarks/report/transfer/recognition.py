"""Recognition on a transfer corpus: zero-shot, few-shot, linear probe, from scratch, fine-tuned.

Decisions
* One line per encoder and way of training, on the corpus's ``official`` split: floors and skeleton
  models; rows trained on another corpus (the embedded one, unless ``params.yaml`` says otherwise)
  that have not seen this one (*zero-shot*); the same rows trained from scratch; and fine-tuned from
  the pretrained runs. Each with what few-shot, class means and the linear probe reach on its
  embeddings.
* A result that is missing is an empty cell: which there are depends on what was measured.

Cost: reading the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from benchmarks import suites, tasks
from benchmarks.evaluation.galleries import OFFICIAL, RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.report.cells import cell, score_columns
from benchmarks.report.page import Page, Table
from benchmarks.results import Result
from benchmarks.source import Source
from signclip.core.errors import ConfigError

METRICS = ("V2T_R@1", "V2T_R@5", "V2T_MedianR")
PRINTED = {"V2T R@1": "V2T_R@1", "V2T R@5": "V2T_R@5"}  # heading -> metric
FLOOR, ZERO_SHOT, SCRATCH, FINE_TUNED = "floor", "zero-shot", "from scratch", "fine-tuned"
IN_VOCABULARY = "zero-shot, in vocabulary"
LABELS, PROMPTS = (RETRIEVAL,), (TAGGED_RETRIEVAL, RETRIEVAL)
GALLERY = "retrieval"  # head of the column of an encoder's own scores


class Line(NamedTuple):
    """An encoder and a way of training; its retrieval result is that of the first task there is."""

    encoder: str
    training: str
    revision: str
    retrieval: tuple[str, ...]


def lines(profile: str, run: str) -> list[Line]:
    """The lines of the table, in order.

    Args:
        run: the name of the runs that were trained on another corpus.
    """
    rows, finetuned = suites.expand(["everywhere"]), suites.expand(["finetuned"])
    pretrained = suites.expand(["everywhere", "tested"])
    revision = f"{profile}.{run}"
    return [
        *(Line(name, FLOOR, profile, LABELS) for name in suites.expand([suites.FLOOR_SUITE])),
        *(Line(name, SCRATCH, profile, LABELS) for name in suites.expand([suites.SKELETON_SUITE])),
        *(Line(name, ZERO_SHOT, revision, ("zero_shot",)) for name in pretrained),
        *(Line(name, IN_VOCABULARY, revision, ("zero_shot_in_vocabulary",)) for name in pretrained),
        *(Line(name, SCRATCH, profile, PROMPTS) for name in rows),
        *(Line(name, FINE_TUNED, profile, PROMPTS) for name in finetuned),
    ]


Found = Mapping[Line, Mapping[str, Result]]  # line -> task -> result, that of retrieval under ""


def read(source: Source, *, missing_ok: bool = False) -> Found:
    """The results that there are.

    Raises:
        ConfigError: there is none, unless that is ``missing_ok``.
    """
    found: dict[Line, dict[str, Result]] = {}
    for line in lines(source.profile, source.run):

        def result(task: str, line: Line = line) -> Result | None:
            return source.find(line.encoder, task, OFFICIAL, revision=line.revision)

        retrieval = [one for task in line.retrieval if (one := result(task)) is not None]
        here = {"": retrieval[0]} if retrieval else {}
        if line.training != IN_VOCABULARY:  # the other tasks take all clips of the split
            for task in tasks.names_of("recognition"):
                if (one := result(task)) is not None:
                    here[task] = one
        if here:
            found[line] = here
    if not found and not missing_ok:
        raise ConfigError(
            f"{source.workspace.leaderboard / source.group}: no results on {source.corpus}; "
            f"`signbench transfer {source.corpus}` makes them"
        )
    return found


def frame(found: Found) -> pd.DataFrame:
    """One row per line and task."""
    rows = []
    for line, results_of in found.items():
        for task, result in results_of.items():
            row = {
                "id": line.encoder,
                "row": result.title,
                "learning": line.training,
                "task": task or result.task,
                "n_evaluated": str(result.n_evaluated),
                "n_total": str(result.n_total),
                "texts": str(result.labels),
            }
            rows.append(row | score_columns(result, METRICS) | {"signature": result.signature})
    return pd.DataFrame(rows).fillna("")


def printed(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One line per encoder and way of training, one column per task."""
    recognition = tasks.names_of("recognition")
    out = []
    for (name, training), part in table.groupby(["id", "learning"], sort=False):
        rows = {row["task"]: row for row in part.to_dict("records")}
        retrieval = next((row for task, row in rows.items() if task not in recognition), {})
        line = {"id": name, "training": training, GALLERY: cell(retrieval, metric)}
        line |= {tasks.title_of(task): cell(rows.get(task, {}), metric) for task in recognition}
        out.append(line)
    return pd.DataFrame(out)


def signatures(found: Found) -> dict[str, list[str]]:
    """Signature -> the lines with numbers of it."""
    bearers: dict[str, list[str]] = {}
    for line, results_of in found.items():
        for result in results_of.values():
            bearers.setdefault(result.signature, []).append(f"{line.encoder} {line.training}")
    return bearers


def build(source: Source) -> Page:
    """See the module."""
    found = read(source)
    table = frame(found)
    shown = [result for results_of in found.values() for result in results_of.values()]
    in_vocabulary = {
        f"{result.n_evaluated} of {result.n_total}"
        for line, results_of in found.items()
        for result in results_of.values()
        if line.training == IN_VOCABULARY
    }
    notes = dict(
        first=shown[0],
        run=source.run,
        embedded=source.run == suites.IN_DOMAIN,
        ways=dict(zero_shot=ZERO_SHOT, fine_tuned=FINE_TUNED, in_vocabulary=IN_VOCABULARY),
        in_vocabulary=sorted(in_vocabulary),
        gallery=GALLERY,
        metric=METRICS[0],
        signatures=signatures(found),
    )
    parts = {heading: printed(table, metric) for heading, metric in PRINTED.items()}
    return Page(table, parts, notes, shown, title=f"{source.corpus}: recognition")


TABLE = Table(
    "recognition", "Recognition on a transfer corpus", (), build, template="transfer_recognition"
)
