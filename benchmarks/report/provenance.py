"""Where a number comes from: the sidecar of each table and figure, and ``signbench why``.

Decisions
* Beside ``<name>.csv`` lies ``<name>.json``: the command that makes the table or figure, the points
  it was drawn from, each result it shows with its file, commit, data and run fingerprints and the
  command that measures it, and which result each cell is from.
* A result is named by its path below ``results/leaderboard``.

Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evaluation.galleries import RETRIEVAL, TAGGED_RETRIEVAL
from benchmarks.results import FULL, REPRO, Result
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace

# (row id, column) -> the results that a cell was computed from: one, or two that are compared
Cells = Mapping[tuple[str, str], Sequence[Result]]


def key(result: Result) -> str:
    """The result's file below ``results/leaderboard``."""
    return result.path(Path()).as_posix()


def command(result: Result) -> str:
    """The command that measures a result, once what it needs is there."""
    group, _, corpus = result.group.partition("-")
    profile = result.revision.partition(".")[0]
    other = profile in ("paper", "smoke")
    if group in ("transfer", "pretraining"):
        command = {"transfer": "transfer", "pretraining": "pretrain"}[group]
        return f"signbench {command} {corpus}" + f" --profile {profile}" * other
    if result.group in (FULL, REPRO):
        return f"make {result.group}" + f" PROFILE={profile}" * other
    seeds = " ".join(f"--seed {seed}" for seed in result.seeds)
    name = "evaluate" if result.task in (RETRIEVAL, TAGGED_RETRIEVAL) else "protocols"
    return f"signbench {name} {result.encoder} --split {result.split} {seeds}"


def chain(result: Result) -> dict[str, Any]:
    """What one result was measured with."""
    return {
        "encoder": result.encoder,
        "task": result.task,
        "corpus": {result.corpus: result.corpus_fingerprint},
        "split": {result.split: result.split_fingerprint},
        "runs": result.runs,
        "commit": result.git_commit,
        "packages": result.packages,
        "hardware": result.hardware,
        "signature": result.signature,
        "command": command(result),
    }


def sidecar(
    title: str,
    made_by: str,
    shown: Iterable[Result],
    *,
    points: Sequence[str] = (),
    cells: Cells | None = None,
    caption: str = "",
) -> str:
    """The text of ``<name>.json``.

    Args:
        made_by: the command that makes the table or figure.
        points: names of the points it is drawn from.
        cells: which results each cell is from; they are listed, too.
    """
    cells = cells or {}
    results_of = {key(one): chain(one) for one in shown}
    rows: dict[str, dict[str, list[str]]] = {}
    for (row, column), of_cell in cells.items():
        rows.setdefault(row, {})[column] = [key(one) for one in of_cell]
        results_of |= {key(one): chain(one) for one in of_cell}
    about: dict[str, Any] = {"title": title, "command": made_by, "results": results_of}
    if caption:
        about["caption"] = caption
    if points:
        about["points"] = [f"results/points/{name}.csv" for name in points]
    if rows:
        about["cells"] = rows
    return files.sealed_json(about)


def read(path: Path) -> dict[str, Any]:
    """A sidecar.

    Raises:
        ConfigError: it is missing or damaged.
    """
    try:
        about = files.read_json(path)
        return {"title": about["title"], "command": about["command"], **about}
    except OSError as error:
        raise ConfigError(
            f"{path}: not here ({error.strerror}); `signbench paper` writes it"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: damaged ({error}); `signbench paper` writes it again") from None


def _one_of(wanted: str, names: Iterable[str], what: str) -> str:
    names = sorted(names)
    if wanted in names:
        return wanted
    alike = [name for name in names if wanted.casefold() in name.casefold()]
    if len(alike) == 1:
        return alike[0]
    raise ConfigError(f"no {what} {wanted!r}; there are {', '.join(alike or names)}")


def why(workspace: Workspace, name: str, row: str = "", column: str = "") -> str:
    """The chain behind a table's cell, or behind a figure, as text for a terminal.

    Raises:
        ConfigError: there is no such table, figure, row or column here.
    """
    places = {
        path.stem: path
        for folder in ("figures", "tables")
        for path in sorted((workspace.results / folder).glob("*.json"))
    }
    if not places:
        raise ConfigError(f"{workspace.results}: no tables or figures here; run `signbench paper`")
    path = places[_one_of(name, places, "table or figure")]
    about = read(path)
    lines = [
        about["title"],
        f"  file     {path.with_suffix('.csv')}",
        f"  command  {about['command']}",
    ]
    shown = list(about["results"])
    if row:
        of_row = about.get("cells", {})
        row = _one_of(row, of_row, "row")
        if not column:
            return "\n".join([*lines, f"  {row} has columns", *_indented(sorted(of_row[row]))])
        column = _one_of(column, of_row[row], f"column of {row}")
        shown = of_row[row][column]
        lines += [f"  cell     {row}, {column}", *_published(path.with_suffix(".csv"), row, column)]
    lines += [f"  points   {name}" for name in about.get("points", ())]
    for one in shown:
        lines += ["", *_told(workspace, one, about["results"][one])]
    if not row and about.get("cells"):
        lines += ["", "rows:", *_indented(about["cells"])]
    return "\n".join(lines)


def _published(path: Path, row: str, column: str) -> list[str]:
    """The published value of a cell, its source and the verdict, as far as the CSV has them."""
    import pandas as pd

    cells = pd.read_csv(path, dtype=str, keep_default_na=False)
    if not {"row", "column", "published", "verdict"} <= set(cells):
        return []
    named = cells["column"].map(column.endswith)
    here = cells[(cells["row"] == row) & named]
    if here.empty:
        return []
    cell = here.iloc[0]
    lines = [f"  verdict  {cell['verdict']}"]
    if cell["published"]:
        tolerance = f" +- {cell['tolerance']}" if cell["tolerance"] else ""
        lines.insert(0, f"  paper    {cell['published']}{tolerance} ({cell['source']})")
    return lines


def _indented(names: Iterable[str]) -> list[str]:
    return [f"    {name}" for name in names]


def _told(workspace: Workspace, name: str, about: Mapping[str, Any]) -> list[str]:
    path = workspace.leaderboard / name
    digest = files.sha256_file(path)[:12] if path.is_file() else "not here"
    ((corpus, data),) = about["corpus"].items()
    ((split, roles),) = about["split"].items()
    runs = [f"{run} ({fingerprint})" for run, fingerprint in about["runs"].items()]
    return [
        f"result   {path}",
        f"  sha256   {digest}",
        f"  commit   {about['commit']}",
        f"  data     {corpus} {data}, split {split} {roles}",
        *(f"  run      {about['encoder']}/{run}" for run in runs or ["none: nothing was trained"]),
        f"  packages {', '.join(f'{one} {version}' for one, version in about['packages'].items())}",
        f"  hardware {about['hardware']}",
        f"  command  {about['command']}",
    ]
