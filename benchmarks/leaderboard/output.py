"""The page and the exports of the leaderboard, as files.

Decisions
* Everything is made from results and points, so the page comes back without data, features or runs,
  and equal files give an equal page. ``make repro`` leaves out the group ``local``, which git does
  not track.
* The page is ``results/leaderboard/index.html``; exports lie in ``results/leaderboard-exports``,
  because every JSON file below ``results/leaderboard`` is a result.

Cost: 1 s for 300 results.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from benchmarks.leaderboard import clips, columns, exports, page, sharing
from benchmarks.leaderboard.board import Board, board_of
from benchmarks.leaderboard.compact import collector_off, read_all
from signclip.core import files
from signclip.core.workspace import Workspace

PAGE, EXPORTS = "index.html", "leaderboard-exports"


def write(
    workspace: Workspace, *, groups: Iterable[str] | None = None, without: Iterable[str] = ()
) -> list[Path]:
    """Write the page and the exports.

    Args:
        groups: of results that are shown; None: all.
        without: groups that are not shown.

    Returns:
        The page and the folder of exports.

    Raises:
        ConfigError: a result or its metadata are damaged.
    """
    board, html = build(workspace, groups=groups, without=without)
    target, folder = workspace.leaderboard / PAGE, workspace.results / EXPORTS
    with files.writing(target):
        files.write_text(target, html)
    write_exports(board, folder, time=last_change(workspace.leaderboard))
    return [target, folder]


def build(
    workspace: Workspace, *, groups: Iterable[str] | None = None, without: Iterable[str] = ()
) -> tuple[Board, str]:
    """The board and its page; arguments and errors are those of :func:`write`."""
    chosen, left_out = None if groups is None else set(groups), set(without)

    def is_shown(group: str) -> bool:
        return (chosen is None or group in chosen) and group not in left_out

    with collector_off():
        known = clips.read(workspace.points)
        found = read_all(workspace.leaderboard, is_shown)
        table = columns.table_of(found, workspace.leaderboard)
        board = board_of(table, clips.about(known))
        return board, page.render(board, known, clips.predictions(workspace.points))


def write_exports(board: Board, folder: Path, *, time: int) -> None:
    """Write a board in all other formats; the folder is replaced as a whole.

    Args:
        time: seconds since 1970, in the records that ask for one.
    """
    with files.writing(folder), files.atomic_folder(folder) as partial:
        for name, text in (
            ("leaderboard.csv", exports.csv(board)),
            ("leaderboard.md", exports.markdown(board)),
            ("leaderboard.tex", exports.latex(board)),
        ):
            (partial / name).write_text(text, encoding="utf-8")
        records = partial / "every-eval-ever"
        records.mkdir()
        for number, row in enumerate(board.table.rows):
            name = sharing.file_name(row)
            record = sharing.every_eval_ever(board, number, time)
            (records / f"{name}.json").write_text(files.canonical_json(record), encoding="utf-8")
            hub = partial / "hub" / name / ".eval_results"
            hub.mkdir(parents=True)
            (hub / "signclip.yaml").write_text(
                sharing.eval_results(board, number), encoding="utf-8"
            )
        # formats of others have no place for a seal of ours
        files.record_digests([path for path in partial.rglob("*") if path.is_file()])


def last_change(leaderboard: Path) -> int:
    """When results were last committed, in seconds since 1970; 0 where that is not known."""
    command = ["git", "log", "-1", "--format=%ct", "--", f"{leaderboard}/*.json"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(shown.strip() or 0)
