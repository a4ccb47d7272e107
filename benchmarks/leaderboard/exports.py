"""Exports of a board: CSV, Markdown, LaTeX.

Decisions
* The CSV is tidy: one row a cell and metric, with its tie group, range of places and everything
  that a reader needs to compare it (fingerprints, n, resampled units, contamination, hardware).
* Markdown and LaTeX have the overall order and one table a place. The places of a row are printed
  as the range that the data allow, as on the page.

Cost: a second for 60 rows and 35 places.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from benchmarks.leaderboard.board import Board, Column
from benchmarks.leaderboard.columns import Place

RULE = (
    "Borda over all rows: in each column a row gets a point for every row that it beats and half "
    "a point for every equal one; borda is its points divided by those possible in the columns "
    "that it has. A missing column is missing, not lost. rank: 95 % interval over resampled clips "
    "and columns."
)
TIES = (
    "places: those that paired tests of the column allow (exact randomisation tests at 5 %, Holm's "
    "correction)."
)
_LATEX = str.maketrans({c: f"\\{c}" for c in "#$%&_{}"} | {"–": "--", "^": "\\^{}", "~": "\\~{}"})


def tidy(board: Board) -> pd.DataFrame:
    """One row a cell and metric."""
    rows = []
    for place in board.places:
        units = board.units[place]
        for column in board.columns[place]:
            for number, cell in enumerate(column.cells):
                row, result = board.table.rows[cell.row], cell.result
                score, ties = result.scores[column.metric], column.ties
                rows.append(
                    {
                        "encoder": row.key.encoder,
                        "origin": row.key.origin,
                        "group": result.group,
                        "revision": result.revision,
                        "kind": row.kind,
                        **{name: getattr(place, name) for name in Place._fields},
                        "metric": column.metric,
                        "value": score.value,
                        "low": score.low,
                        "high": score.high,
                        "chance": score.chance,
                        "tie_group": ties.group[number] + 1 if ties else None,
                        "best_place": ties.low[number] if ties else None,
                        "worst_place": ties.high[number] if ties else None,
                        "rows": len(column.cells),
                        "detectable": ties.detectable if ties else None,
                        "resampled": units.kind,
                        "units": units.count,
                        "n_evaluated": result.n_evaluated,
                        "n_total": result.n_total,
                        "n_dropped": sum(result.n_dropped.values()),
                        "seeds": " ".join(map(str, result.seeds)),
                        "seen": cell.exposure,
                        "signers": result.signers,
                        "parameters": result.cost.parameters,
                        "clips_per_second": result.cost.evaluation_clips_per_second,
                        "hardware": result.hardware,
                        "commit": result.git_commit,
                    }
                )
    frame = pd.DataFrame(rows)
    places = ["tie_group", "best_place", "worst_place"]
    return frame.astype(dict.fromkeys(places, "Int64")) if len(frame) else frame


def csv(board: Board) -> str:
    """:func:`tidy` as text, numbers with six digits."""
    return tidy(board).to_csv(index=False, lineterminator="\n", float_format="%.6g")


def overall(board: Board) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the overall order."""
    ordered = sorted(
        (standing.rank, board.table.rows[row].name, row)
        for row, standing in enumerate(board.standings)
        if standing.rank is not None
    )
    body = []
    for _, name, row in ordered:
        standing, about = board.standings[row], board.table.rows[row]
        body.append(
            [
                _range(standing.low, standing.high),
                name,
                about.key.revision,
                about.kind,
                f"{standing.borda:.3f}",
                f"{standing.mean:.3f}",
                f"{standing.columns} of {len(board.places)}",
            ]
        )
    return ["rank", "encoder", "revision", "kind", "borda", "mean of tasks", "columns"], body


def of_column(board: Board, column: Column) -> tuple[list[str], list[list[str]]]:
    """Head and rows of one column, best first."""
    body = []
    for number in column.order:
        cell = column.cells[number]
        score = cell.result.scores[column.metric]
        places = "–"
        if column.ties is not None:
            places = _range(column.ties.low[number], column.ties.high[number])
        interval = f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
        of = f"{cell.result.n_evaluated} of {cell.result.n_total}"
        body.append([places, board.table.rows[cell.row].name, interval, of, cell.exposure])
    return ["places", "encoder", f"{column.metric} [95 %]", "clips", "seen of the corpus"], body


def caption(board: Board, column: Column) -> str:
    """What the numbers of a column are."""
    place, units = column.place, board.units[column.place]
    first = column.cells[0].result
    parts = [
        f"{place.task} on {place.corpus}, {place.split} ({place.labels} candidates, "
        f"data {place.corpus_fingerprint}, split {place.split_fingerprint})",
        f"chance {column.chance:.3f}",
    ]
    if column.ties is not None:
        parts += [
            f"tests resample {units.count} {units.kind}; Holm over {column.ties.family} of "
            f"{column.ties.pairs} pairs",
            f"smallest detectable difference {column.ties.detectable:.3f}",
        ]
    else:
        parts.append(column.why_untested)
    if first.signers:
        parts.append(first.signers)
    dropped = sum(first.corpus_dropped.values())
    return "; ".join([*parts, f"{dropped} clips dropped from the corpus"])


def markdown(board: Board) -> str:
    """The overall order and one table a place."""
    text = ["# Leaderboard\n", *_markdown(*overall(board)), f"\n{RULE}\n", f"{TIES}\n"]
    for place in board.places:
        column = board.main(place)
        text += [f"\n## {place.task}, {place.corpus}, {place.split}\n"]
        text += [*_markdown(*of_column(board, column)), f"\n{caption(board, column)}.\n"]
    return "\n".join(text)


def latex(board: Board) -> str:
    """As :func:`markdown`, as booktabs tables."""
    text = io.StringIO()
    text.write("% needs \\usepackage{booktabs}\n")
    text.writelines(_latex(*overall(board), f"{RULE} {TIES}"))
    for place in board.places:
        column = board.main(place)
        text.writelines(_latex(*of_column(board, column), caption(board, column)))
    return text.getvalue()


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


def _markdown(head: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"

    yield line(head)
    yield line("---" for _ in head)
    yield from map(line, body)


def _latex(head: Sequence[str], body: Iterable[Sequence[str]], caption: str) -> Iterator[str]:
    def line(cells: Iterable[str]) -> str:
        return " & ".join(_escaped(cell) for cell in cells) + " \\\\\n"

    yield "\\begin{table}\n\\centering\n"
    yield f"\\begin{{tabular}}{{{'l' * len(head)}}}\n\\toprule\n"
    yield line(head) + "\\midrule\n"
    yield from map(line, body)
    yield f"\\bottomrule\n\\end{{tabular}}\n\\caption{{{_escaped(caption)}}}\n\\end{{table}}\n\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "/").translate(_LATEX)
