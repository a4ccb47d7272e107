"""The paper's other protocols: few-shot, linear probe, identification and more, on every split.

Decisions
* One row per split and task, the encoders of the suite ``everywhere`` beside each other, and the
  last of them minus the first, paired by clip.
* Recognition is measured on every split; tasks about sign languages need test languages that are
  in training, so they are measured on ``in_domain``.
* A split on which the profile's plan asks none of these encoders is left out.
* On Spreadthesign the paper identifies sign languages and concepts. Where those results are
  present (group ``pretraining-spreadthesign``, profile ``paper``), they are rows of their own. The
  authors committed no number of them, so there is no published column and no verdict.

Cost: a tenth of a second per task, for the differences.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from benchmarks import paper, suites, tasks
from benchmarks.evaluation.galleries import OFFICIAL
from benchmarks.report.cells import (
    NOTHING,
    cell,
    difference_cell,
    difference_columns,
    score_columns,
    seeds_of,
)
from benchmarks.report.page import Page, Table
from benchmarks.report.tables.pretraining import PAPER_GROUP
from benchmarks.results import Result
from benchmarks.source import Need, Source, needed

ROWS = "everywhere"
SPLITS = (suites.LETTERS, suites.IN_DOMAIN, suites.UNSEEN)
METRICS = (
    *("V2T_R@1", "V2T_R@5", "V2T_R@10", "V2T_R@20"),
    *("V2T_MRR", "V2T_DCG", "V2T_MedianR", "V2T_MeanR"),
)
PRINTED = {"V2T R@1": "V2T_R@1", "V2T R@10": "V2T_R@10"}  # heading -> metric
OF_THE_PAPER = ("identification", "identification_oracle", "conceptualisation")
ON_PAPERS_CORPUS = f"{paper.CORPUS}, {OFFICIAL}"  # in place of a split

Found = Mapping[tuple[str, str], Mapping[str, Result]]  # (split, task) -> encoder -> result


def needs() -> tuple[Need, ...]:
    """The results that the table shows, split by split."""
    of_languages = tasks.names_of("recognition", "language")
    return tuple(
        need
        for split in SPLITS
        for need in needed(
            [split],
            of_languages if split == suites.IN_DOMAIN else tasks.names_of("recognition"),
            ROWS,
        )
    )


def frame(found: Found) -> pd.DataFrame:
    """One row per split, task and encoder."""
    rows = []
    for (split, task), results_of in found.items():
        base = next(iter(results_of))
        for name, result in results_of.items():
            row = {
                "split": split,
                "protocol": task,
                "id": name,
                "seeds": seeds_of(result),
                "n_evaluated": str(result.n_evaluated),
                "n_total": str(result.n_total),
                "texts": str(result.labels),
            }
            row |= score_columns(result, METRICS) | {"signature": result.signature}
            if name != base:
                row |= {"minus": base}
                row |= difference_columns(result, results_of[base], "minus", METRICS[0])
            rows.append(row)
    return pd.DataFrame(rows).fillna("")


def printed(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row per split and task, one column per encoder."""
    names = list(dict.fromkeys(table["id"]))
    lines = []
    for (split, task), part in table.groupby(["split", "protocol"], sort=False):
        rows = {row["id"]: row for row in part.to_dict("records")}
        first = next(iter(rows.values()))
        line = {"split": split, "protocol": tasks.title_of(task), "texts": first["texts"]}
        line["clips"] = f"{first['n_evaluated']} of {first['n_total']}"
        line |= {name: cell(rows.get(name, {}), metric) for name in names}
        if metric == METRICS[0] and len(names) > 1:
            last = rows.get(names[-1], {})
            line[f"{names[-1]} - {names[0]}"] = difference_cell(last, metric, "minus")
        line["chance"] = cell({f"ours_{metric}": first[f"chance_{metric}"]}, metric)
        lines.append(line)
    return pd.DataFrame(lines).fillna(NOTHING)


def on_papers_corpus(source: Source) -> Found:
    """The results on Spreadthesign that are present."""
    where = dict(group=PAPER_GROUP, revision=paper.PROFILE, corpus=paper.CORPUS)
    found: dict[tuple[str, str], dict[str, Result]] = {}
    for task in OF_THE_PAPER:
        for name in suites.expand([ROWS]):
            result = source.find(name, task, OFFICIAL, **where)
            if result is not None:
                found.setdefault((ON_PAPERS_CORPUS, task), {})[name] = result
    return found


def build(source: Source) -> Page:
    """See the module."""
    ours = {
        (need.split, need.task): source.select(need)
        for need in needs()
        if set(suites.expand(need.rows)) & set(source.planned(need.split, need.task))
    }
    theirs = on_papers_corpus(source)
    found = ours | theirs
    table = frame(found)
    first = {key: next(iter(results_of.values())) for key, results_of in found.items()}
    of_split = {split: result for (split, _), result in reversed(first.items())}
    notes = dict(
        ours=next(iter(first.values())),
        theirs=next((first[key] for key in theirs), None),
        of_split=dict(reversed(of_split.items())),
        on_papers_corpus=ON_PAPERS_CORPUS,
        signatures={key: result.signature for key, result in first.items()},
    )
    shown = [result for results_of in found.values() for result in results_of.values()]
    parts = {heading: printed(table, metric) for heading, metric in PRINTED.items()}
    return Page(table, parts, notes, shown)


TABLE = Table("protocols", "Protocols other than retrieval", needs(), build)
