"""Published cells beside ours: the frame that the tables of the paper are made from.

Decisions
* One row a cell: published value, tolerance and source; our number on the same corpus, difference,
  CV* in percent and verdict; then our numbers on the corpora at hand, in columns of their own
  (*places*), which judge no cell of the paper.
* Rows and values are data (:mod:`benchmarks.paper`); a table module says which places it has and
  what stands below the paper's rows (skeleton models, floors, chance).
* Our number on the paper's corpus is a result of profile ``paper``: group ``pretraining-<corpus>``
  or ``transfer-<corpus>``, split ``official``.

Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from benchmarks import paper
from benchmarks.evaluation.galleries import OFFICIAL, RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.paper import Column
from benchmarks.report import verdicts
from benchmarks.report.cells import NOTHING, number
from benchmarks.report.verdicts import Measured
from benchmarks.results import Result
from benchmarks.source import Source
from signclip.core.config import read_yaml
from signclip.core.errors import ConfigError

IDENTITY = ("row", "id", "id_source", "title", "config", "experiment")
JUDGED = ("published", "tolerance", "source", "ours", "ours_low", "ours_high", "difference", "cv")
# Columns that are counted on our models, from points; and columns of whole numbers.
COUNTED = ("dims", "parameters", "spatial")
COUNTED_FROM = "the points model_sizes: `signbench points model_sizes`"
WHOLE = (*COUNTED, "clips", "signs", "signers", "sign_languages", "test_clips", "concepts")
Find = Callable[[str], Result | None]  # experiment -> its result at a place


@dataclass
class Cells:
    """Cells of a table in the making, and the results that they are from.

    Attributes:
        rows: of the frame.
        sources: (row, column) -> results; a place is named before the column.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    sources: dict[tuple[str, str], list[Result]] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        """One row a cell, empty cells as empty text."""
        return pd.DataFrame(self.rows).fillna("")

    def shown(self) -> list[Result]:
        """The results, each once."""
        return list({id(one): one for of in self.sources.values() for one in of}.values())


def column_of(table: str, name: str) -> tuple[Column | None, str]:
    """What a column is measured with, and its metric; None: nothing of ours measures it."""
    for column in paper.columns(table):
        if name.startswith(column.prefix):
            return column, name.removeprefix(column.prefix)
    return None, name


def _on_papers_corpus(
    source: Source, column: Column | None, row: Mapping[str, str]
) -> Result | None:
    """Our result of a row on the corpus of a column, with the paper's recipe, if there is one."""
    if column is None or not row["experiment"]:
        return None
    task = row["task"] or column.task
    revision = paper.PROFILE
    if column.pretrained or row["pretrained"]:
        revision = f"{revision}.{OFFICIAL}"
    where = dict(group=f"{column.use}-{column.corpus}", revision=revision, corpus=column.corpus)
    # among prompts; a row whose prompts name no language has one gallery
    tasks = (TAGGED_RETRIEVAL, RETRIEVAL) if task == TAGGED_RETRIEVAL else (task,)
    return source.find_first(row["experiment"], tasks, OFFICIAL, **where)


def compare(
    table: str,
    source: Source,
    places: Mapping[str, Find],
    *,
    counted: Mapping[tuple[str, str], float] | None = None,
    refused: Mapping[str, str] | None = None,
) -> Cells:
    """The cells of a published table.

    Args:
        places: name of a place -> how it finds the result of an experiment. They are shown in the
            columns without a prefix.
        counted: (row, column) -> our number, where it is counted instead of measured.
        refused: column, or row and column with a space between -> why it is not comparable.
    """
    cells = Cells()
    of_row = dict(list(paper.published(table).groupby("row", sort=False)))
    pretrained_on = read_yaml(source.workspace.params).get("pretrained", {}).get("corpus", "")
    for row in paper.rows(table).to_dict("records"):
        if row["row"] not in of_row:
            raise ConfigError(f"rows.csv: row {row['row']} of {table} has no cell in {table}.csv")
        for value in of_row[row["row"]].to_dict("records"):
            name = value["column"]
            column, metric = column_of(table, name)
            measured, verdict = None, ""
            result = _on_papers_corpus(source, column, row)
            if result is not None and metric in result.scores:
                score = result.scores[metric]
                measured = Measured(score.value, score.low, score.high)
                cells.sources[row["row"], name] = [result]
                if result.group.startswith("transfer-") and pretrained_on != paper.CORPUS:
                    verdict = f"pretrained on {pretrained_on}"
            elif counted and (row["row"], name) in counted:
                measured = Measured(*[counted[row["row"], name]] * 3)
                cells.sources[row["row"], name] = []  # from points
            verdict = (
                (refused or {}).get(name) or (refused or {}).get(f"{row['row']} {name}") or verdict
            )
            if verdict:
                verdict = verdicts.verdict(verdicts.NOT_COMPARABLE, verdict)
            line = {key: row[key] for key in IDENTITY} | {"column": name}
            needed = COUNTED_FROM if name in COUNTED else needs(row, column)
            line |= judged(value, measured, metric, needed, verdict)
            if column is None or not column.prefix:
                line |= _at_places(cells, row, name, places)
            cells.rows.append(line)
    return cells


def add_ours(
    cells: Cells,
    rows: Iterable[Mapping[str, str]],
    columns: Iterable[str],
    places: Mapping[str, Find],
) -> None:
    """Add rows that are not in the paper; of ``IDENTITY`` they have the keys that they need."""
    columns = list(columns)
    for row in rows:
        for name in columns:
            line = {key: row.get(key, "") for key in IDENTITY} | {"column": name}
            line["verdict"] = verdicts.OURS
            cells.rows.append(line | _at_places(cells, row, name, places))


def judged(
    value: Mapping[str, str],
    measured: Measured | None,
    metric: str,
    needed: str,
    verdict: str = "",
) -> dict[str, str]:
    """A published value, our number beside it, and the verdict.

    Args:
        needed: what measuring it needs.
        verdict: in place of one that follows from the numbers.
    """
    line = {"published": value["value"], "tolerance": value["tolerance"], "source": value["source"]}
    if measured is not None:
        names = ("ours", "ours_low", "ours_high")
        line |= {name: _written(one, metric) for name, one in zip(names, measured, strict=True)}
    if not value["value"]:
        line["verdict"] = verdicts.verdict(verdicts.NOT_PUBLISHED, value["reason"])
    elif verdict:
        line["verdict"] = verdict
    elif measured is not None:
        theirs = paper.numeric(value["value"])
        digits = 0 if metric in WHOLE else 4
        line["difference"] = f"{measured.value - theirs:+.{digits}f}"
        if theirs + measured.value and not value["value"].endswith("M"):  # cut to millions
            line["cv"] = f"{verdicts.coefficient_of_variation(theirs, measured.value):.1f}"
        line["verdict"] = verdicts.judge(value, measured)
    else:
        line["verdict"] = verdicts.verdict(verdicts.NOT_RUN, f"needs {needed}")
    return line


def _written(value: float, metric: str) -> str:
    """A number as the CSV has it."""
    return f"{value:.0f}" if metric in WHOLE else number(value, metric)


def needs(row: Mapping[str, str], column: Column | None) -> str:
    """What measuring a cell needs, in words."""
    of_column = column.needs if column is not None and (column.prefix or not row["needs"]) else ""
    wanted = [one for one in dict.fromkeys((row["needs"], of_column)) if one]
    return " and ".join(wanted) or "what this suite does not have"


def _at_places(
    cells: Cells, row: Mapping[str, str], metric: str, places: Mapping[str, Find]
) -> dict[str, str]:
    """Our numbers on the corpora at hand."""
    line: dict[str, str] = {}
    for place, find in places.items():
        result = find(row["experiment"]) if row["experiment"] else None
        if result is None or metric not in result.scores:
            continue
        score = result.scores[metric]
        line[place] = number(score.value, metric)
        line[f"{place}_low"] = number(score.low, metric)
        line[f"{place}_high"] = number(score.high, metric)
        line[f"{place}_n"] = str(result.n_evaluated)
        cells.sources[row["row"], f"{place} {metric}"] = [result]
    return line


def chance_row(metrics: Sequence[str], found: Mapping[str, Result | None]) -> list[dict[str, str]]:
    """The row of random scores: one cell a metric, at each place that has a result."""
    lines = []
    for metric in metrics:
        line = {"row": "chance", "title": "chance", "column": metric, "verdict": verdicts.OURS}
        for place, result in found.items():
            if result is not None and metric in result.scores:
                line[place] = number(result.scores[metric].chance, metric)
        lines.append(line)
    return lines


def printed(
    frame: pd.DataFrame, columns: Mapping[str, str], places: Mapping[str, str], *, digits: int = 3
) -> pd.DataFrame:
    """Some columns of a table as printed: one line a row.

    Args:
        frame: of :class:`Cells`.
        columns: of the frame -> their heads; rows without any of them are left out.
        places: place -> its head.
    """
    shown = frame[frame["column"].isin(list(columns))]
    numbers = shown.get("ours", pd.Series("", shown.index))
    measured = {name: (numbers[shown["column"] == name] != "").any() for name in columns}
    lines = []
    for _, part in shown.groupby("row", sort=False):
        cells = {cell["column"]: cell for cell in part.to_dict("records")}
        first = next(iter(cells.values()))
        line = {"id": shown_id(first), "row": first["title"]}
        for name, head in columns.items():
            cell = cells.get(name, {})
            line[f"paper {head}"] = cell.get("published") or NOTHING
            if measured[name]:
                line[f"here {head}"] = _interval(cell, "ours", name, digits)
                line[f"difference {head}"] = cell.get("difference") or NOTHING
        line["verdict"] = summary([cells[name]["verdict"] for name in columns if name in cells])
        for place, place_head in places.items():
            for name, head in columns.items():
                title = f"{place_head}, {head}" if place_head else f"ours {head}"
                line[title] = _interval(cells.get(name, {}), place, name, digits)
        lines.append(line)
    return pd.DataFrame(lines)


def shown_id(row: Mapping[str, str]) -> str:
    """A row's id as printed: an inferred one is marked, a row without one is ours or unnamed."""
    if not row["id"] or row["id"] == "unnamed":
        return row["experiment"] if row["experiment"] and not row["id_source"] else ""
    return f"{row['id']}*" if row["id_source"] == paper.INFERRED else row["id"]


def _interval(cell: Mapping[str, str], prefix: str, metric: str, digits: int) -> str:
    values = [cell.get(f"{prefix}{end}", "") for end in ("", "_low", "_high")]
    if not values[0]:
        return NOTHING
    if metric in WHOLE:
        return f"{float(values[0]):,.0f}"
    digits = 1 if metric.endswith(("MedianR", "MeanR")) else digits
    value, *ends = [f"{float(one):.{digits}f}" for one in values if one]
    return f"{value} [{ends[0]}, {ends[1]}]" if len(ends) == 2 and ends[0] != ends[1] else value


def summary(found: Sequence[str]) -> str:
    """Verdicts of some cells in one: the verdict itself if they agree, else how many of each."""
    known = [one for one in found if verdicts.kind_of(one) != verdicts.NOT_PUBLISHED] or list(found)
    if len(set(known)) == 1:
        return known[0]
    counts = {kind: sum(verdicts.kind_of(one) == kind for one in known) for kind in verdicts.KINDS}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def printed_text(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns as printed where values are counts or text; ours in brackets if it differs."""
    lines = []
    for _, part in frame[frame["column"].isin(columns)].groupby("row", sort=False):
        cells = {cell["column"]: cell for cell in part.to_dict("records")}
        first = next(iter(cells.values()))
        line = {"id": shown_id(first), "row": first["title"]}
        for name in columns:
            cell = cells.get(name, {})
            published, ours = cell.get("published", ""), cell.get("ours", "")
            shown = f"{int(published):,}" if published.isdigit() else published
            if ours and cell["verdict"] == verdicts.DIFFERS:
                shown += f" [{float(ours):,g}]"
            line[name.replace("_", " ")] = shown or NOTHING
        line["verdict"] = summary([cells[name]["verdict"] for name in columns if name in cells])
        lines.append(line)
    table = pd.DataFrame(lines)
    return table if (table["id"] != "").any() else table.drop(columns="id")


def add_task(
    cells: Cells, found: Mapping[str, Result], place: str, heads: Mapping[str, str], suffix: str
) -> pd.DataFrame | None:
    """Add our results of one task, with chance, to the cells; the printed part, if there are any.

    Args:
        found: encoder -> result.
        place: name of their place.
        heads: metric -> head of its column.
        suffix: tells the rows of the task apart from those of others.
    """
    rows = [
        {"row": f"{name}{suffix}", "title": one.title, "experiment": name, "id": name}
        for name, one in found.items()
    ]
    here = Cells()
    add_ours(here, rows, heads, {place: found.get})
    if found:
        chance = chance_row(list(heads), {place: next(iter(found.values()))})
        here.rows += [{**line, "row": f"chance{suffix}"} for line in chance]
    cells.rows += here.rows
    cells.sources |= here.sources
    return only_ours(printed(here.frame(), heads, {place: ""})) if found else None


def only_ours(part: pd.DataFrame) -> pd.DataFrame:
    """A printed part without the columns of the paper and the verdicts."""
    return part[[head for head in part if not head.startswith(("paper", "verdict"))]]
