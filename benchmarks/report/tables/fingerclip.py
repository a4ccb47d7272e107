"""FingerCLIP: the published numbers on RWTH-FS beside ours on the embedded corpus.

Decisions
* A number that was measured on the embedded corpus stands in columns of its own and is never called
  a reproduction: the verdict speaks of the paper's corpus only, and says what it would need.
* Below the paper's rows stand the skeleton models, the floors and chance.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from baselines.skeletons import table as skeletons
from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.paper import published
from benchmarks.report.cells import (
    ALL_RETRIEVAL_METRICS,
    DIRECTIONS,
    NOTHING,
    RETRIEVAL_METRICS,
    cell,
    number,
    score_columns,
    short,
)
from benchmarks.report.page import Page, Table
from benchmarks.results import Result
from benchmarks.source import Need, Source

NEED = Need(suites.LETTERS, RETRIEVAL, ("fingerclip", suites.SKELETON_SUITE, suites.FLOOR_SUITE))
NOT_PUBLISHED = "not in the paper"


def frame(ours: Mapping[str, Result]) -> pd.DataFrame:
    """One row per experiment of the paper, then skeleton models, floors and chance.

    Args:
        ours: encoder -> result on the embedded corpus.
    """
    rows = []
    for paper in published("fingerclip").to_dict("records"):
        row = {
            "id": paper["id"],
            "row": paper["title"],
            "config": paper["config"],
            "published_test_clips": paper["test_clips"],
        }
        row |= {f"published_{name}": paper[name] for name in ALL_RETRIEVAL_METRICS}
        row |= {"verdict": f"needs {paper['needs']}"}
        rows.append(row | _columns(ours.get(paper["experiment"])))
    for name in suites.expand([suites.SKELETON_SUITE, suites.FLOOR_SUITE]):
        if name in ours:
            row = {
                "id": "ours",
                "row": ours[name].title,
                "config": name,
                "verdict": NOT_PUBLISHED,
            }
            rows.append(row | _columns(ours[name]))
    rows.append(_chance(next(iter(ours.values()))))
    return pd.DataFrame(rows).fillna("")


def _columns(result: Result | None) -> dict[str, str]:
    if result is None:
        return {}
    reasons = "; ".join(f"{count} {reason}" for reason, count in result.n_dropped.items())
    return score_columns(result, ALL_RETRIEVAL_METRICS) | {
        "n_total": str(result.n_total),
        "n_evaluated": str(result.n_evaluated),
        "n_dropped": str(sum(result.n_dropped.values())),
        "dropped_because": reasons,
        "signature": result.signature,
    }


def _chance(result: Result) -> dict[str, str]:
    row = {"id": "ours", "row": "chance", "config": "random scores", "verdict": NOT_PUBLISHED}
    for name in ALL_RETRIEVAL_METRICS:
        row[f"ours_{name}"] = row[f"chance_{name}"] = number(result.scores[name].chance, name)
    return row


def printed(table: pd.DataFrame, direction: str) -> pd.DataFrame:
    """The printed columns of one direction of retrieval."""
    out = {"id": table["id"], "row": table["row"], "RWTH-FS here": table["verdict"]}
    for metric in RETRIEVAL_METRICS[direction]:
        out[f"paper {short(metric)}"] = table[f"published_{metric}"].replace("", NOTHING)
        out[f"ours {short(metric)}"] = [cell(row, metric) for row in table.to_dict("records")]
    return pd.DataFrame(out)


def ceiling(result: Result, k: int) -> float:
    """The highest possible P@k, if the clips of a fold are spread evenly over the letters."""
    positives = result.n_evaluated / (result.labels * len(result.folds))
    return min(1.0, positives / k)


def missing_models() -> dict[str, str]:
    """Why skeleton models are not in the table -> their titles."""
    titles: dict[str, list[str]] = {}
    for about in skeletons.missing().values():
        titles.setdefault(about["reason"], []).append(about["title"])
    return {reason: ", ".join(names) for reason, names in titles.items()}


def build(source: Source) -> Page:
    """See the module."""
    ours = source.select(NEED)
    table = frame(ours)
    first = next(iter(ours.values()))
    return Page(
        table,
        {f"{way}: {words}": printed(table, way) for way, words in DIRECTIONS.items()},
        dict(
            first=first,
            missing=missing_models(),
            ceilings={k: ceiling(first, k) for k in (5, 10)},
        ),
        list(ours.values()),
    )


TABLE = Table("fingerclip", "FingerCLIP: fingerspelling retrieval", (NEED,), build)
