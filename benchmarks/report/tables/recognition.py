"""Isolated sign recognition: zero-shot, few-shot, linear probe, from scratch, fine-tuned.

Decisions
* The paper's table has PopSign ASL, ASL Citizen and Sem-Lex; the authors committed none of its
  numbers, so its cells are empty but for what third parties report of it. What they did commit,
  preliminary runs on Kaggle's asl-signs, stands in a part of its own.
* Ours: the same protocols on the embedded corpus, and on transfer corpora at hand with the
  MMAction2 baselines and the floors beside them. Pages of one transfer corpus are in
  ``results/transfer``.

Cost: a second.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import paper, suites, tasks
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.report import published, verdicts
from benchmarks.report.cells import NOTHING, number, short
from benchmarks.report.page import Page, Table
from benchmarks.report.published import Cells
from benchmarks.report.transfer import recognition as transfer
from benchmarks.results import Result
from benchmarks.source import Source, needed

NAME = "recognition"
ROWS = "everywhere"
SPLITS = (suites.LETTERS, suites.IN_DOMAIN, suites.UNSEEN)
NEEDS = (
    *needed(SPLITS, [RETRIEVAL], ROWS, suites.SKELETON_SUITE, suites.FLOOR_SUITE),
    *needed(SPLITS, tasks.names_of("recognition"), ROWS),
)
TRAINED = {"zero-shot": "encoder trained on letters"}  # how a line's encoder was trained, in words
METRICS = ("V2T_R@1", "V2T_R@5", "V2T_R@10", "V2T_MedianR", "V2T_MRR", "V2T_DCG")
PRINTED = ("V2T_R@1", "V2T_R@10")
CORPORA = {"PS": "PopSign ASL", "AC": "ASL Citizen", "SL": "Sem-Lex"}
PRELIMINARY = "AS_"


def add(cells: Cells, result: Result, row: str, title: str, place: str) -> None:
    """Add the cells of one of our results."""
    for metric in METRICS:
        score = result.scores.get(metric)
        if score is None:
            continue
        cells.rows.append(
            {
                **dict(row=row, title=title, experiment=result.encoder, column=f"{place} {metric}"),
                "verdict": verdicts.OURS,
                "corpus": result.corpus,
                "split": result.split,
                "task": result.task,
                "here": number(score.value, metric),
                "here_low": number(score.low, metric),
                "here_high": number(score.high, metric),
                "chance": number(score.chance, metric),
                "n_evaluated": str(result.n_evaluated),
                "n_total": str(result.n_total),
                "texts": str(result.labels),
            }
        )
        cells.sources[row, f"{place} {metric}"] = [result]


def on_embedded(source: Source, cells: Cells) -> None:
    """Add retrieval, few-shot, class means and linear probe on the embedded corpus."""
    for need in NEEDS:
        for name, result in source.select(need).items():
            trained = name in suites.expand([ROWS])
            title = f"{name}, {tasks.title_of(need.task)}" if trained else result.title
            add(cells, result, f"{name} {need.task}", title, need.split)


def on_transfer(source: Source, cells: Cells) -> list[str]:
    """Add all encoders on the transfer corpora at hand; returns these corpora."""
    groups = source.frame["group"]
    corpora = sorted(set(source.frame[groups.str.startswith("transfer-")]["corpus"]))
    here = []
    for corpus in corpora:
        there = Source(
            source.workspace, source.profile, corpus, source.seed, f"transfer-{corpus}", source.run
        )
        found = transfer.read(there, missing_ok=True)
        if found:
            here.append(corpus)
        for line, results_of in found.items():
            for task, result in results_of.items():
                how = tasks.title_of(task) if task else line.training
                trained = TRAINED.get(line.training, line.training)
                title = f"{line.encoder}, {how}" + (f" ({trained})" if task else "")
                row = f"{line.encoder} {line.training} {task or transfer.GALLERY}"
                add(cells, result, row, title, corpus)
    return here


def printed(frame: pd.DataFrame, places: list[str]) -> pd.DataFrame:
    """Our numbers at some places: one line a row."""
    lines = []
    for _, part in frame[frame["verdict"] == verdicts.OURS].groupby("row", sort=False):
        cells = {cell["column"]: cell for cell in part.to_dict("records")}
        line = {"row": part["title"].iloc[0]}
        for place in places:
            for metric in PRINTED:
                cell = cells.get(f"{place} {metric}", {})
                ends = [cell.get(name, "") for name in ("here", "here_low", "here_high")]
                value, low, high = [f"{float(one):.3f}" if one else "" for one in ends]
                head = f"{place}, {short(metric)}" if len(places) > 1 else short(metric)
                line[head] = f"{value} [{low}, {high}]" if value else NOTHING
        if any(cell != NOTHING for name, cell in line.items() if name != "row"):
            lines.append(line)
    return pd.DataFrame(lines or [{"row": NOTHING}])


def build(source: Source) -> Page:
    """See the module."""
    cells = published.compare(NAME, source, {})
    on_embedded(source, cells)
    corpora = on_transfer(source, cells)
    frame = cells.frame()
    of_paper = frame[frame["verdict"] != verdicts.OURS]
    preliminary = of_paper["column"].str.startswith(PRELIMINARY)
    parts = {}
    for prefix, corpus in CORPORA.items():
        columns = {f"{prefix}_{metric}": short(metric) for metric in METRICS[:4]}
        parts[f"Published, {corpus}"] = published.printed(of_paper[~preliminary], columns, {})
    columns = {f"{PRELIMINARY}{metric}": short(metric) for metric in METRICS[:4]}
    parts["Preliminary runs of the authors on asl-signs (Kaggle), not in the paper"] = (
        published.printed(of_paper[preliminary], columns, {})
    )
    parts["Ours, V2T on the embedded corpus"] = printed(frame, list(SPLITS))
    for corpus in corpora:
        parts[f"Ours, V2T on {corpus}"] = printed(frame, [corpus])
    shown = cells.shown()
    notes = dict(
        corpus=source.corpus,
        profile=source.profile,
        corpora=corpora,
        first=shown[0] if shown else None,
        papers=[paper.CORPUS],
    )
    return Page(frame, parts, notes, shown, cells=cells.sources)


TABLE = Table(NAME, "Isolated sign recognition", NEEDS, build)
