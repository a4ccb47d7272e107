"""The page: one HTML file that needs no network, with its styles and scripts inlined.

Decision: scripts are classic ones in one function, in the order of :data:`SCRIPTS`, and the data
are JSON in the page, so that it works from ``file://``. Nothing that a submission says becomes
markup: the scripts escape every text. A content security policy forbids all requests.

Cost: milliseconds beside the data.
"""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from benchmarks.leaderboard import exports, paired, payload, sharing
from benchmarks.leaderboard.board import Board
from benchmarks.points import player

TEMPLATES = Path(__file__).with_name("templates")
SCRIPTS = ("data", "state", "player", "table", "detail", "compare", "plot", "main")


def render(board: Board, clips: pd.DataFrame, predictions: payload.Predictions) -> str:
    """The page of a board; the arguments are those of :func:`payload.payload`."""
    data = payload.payload(board, clips, predictions)
    tables = data["clips"].values()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        css=_inline("page.css"),
        js=Markup("\n".join(_inline(f"{name}.js") for name in SCRIPTS)),
        data=_script_json(data),
        rows=len(board.table.rows),
        places=len(board.places),
        results=sum(map(len, board.table.cells.values())),
        clips=sum(bool(points) for table in tables for points in table["points"]),
        left_out=sum(table["left_out"] for table in tables),
        clips_cap=player.MOST_CLIPS,
        frames_cap=player.FRAMES,
        points_cap=payload.POINT_BYTES / 1e6,
        without_ranks=data["without_ranks"],
        suite=", ".join(data["suite"]),
        rule=exports.RULE,
        all_pairs=paired.ALL_PAIRS,
        least_units=paired.LEAST_UNITS,
        every_eval_ever=sharing.VERSION,
    )


def _inline(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _script_json(data: payload.Json) -> Markup:
    """JSON that cannot end its script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
