"""One letter in several sign languages: frames of its clips as drawn hands.

Decisions
* Like the paper's picture of one sign over languages (Fig. 3), with the poses that a model sees in
  place of screenshots. Letter, languages and frames are those of
  :mod:`benchmarks.points.skeletons`.
* A strip begins with the upper body in the middle frame, at the same scale in all strips; beside it
  the hands of each frame, centred, at one scale a strip. So the shape of the hand is legible, and
  its place is in the small picture.

Cost: a second.
"""

from __future__ import annotations

from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from benchmarks.points.skeletons import FRAMES, LETTER
from benchmarks.report.drawing import GREY, INK, PAGE_WIDTH, Drawing, Figure, records
from benchmarks.report.skeletons import (
    View,
    around,
    draw_body,
    draw_hands,
    finger_legend,
    hands_of,
    palm_length,
)
from benchmarks.source import NoResults, Source
from signclip.text import sign_language

COLUMNS = 2
# in cells; a cell holds the hands of one frame
BODY, GAP, HEAD, LEGEND = 1.25, 0.35, 0.32, 0.35
FILL = 0.82  # share of a cell that hands fill
LEAST = 2.1  # palm lengths in a cell
UPPER_BODY = View(np.array([0.0, 0.22]), 2.7)  # shoulder widths, from the head to the hips
PAPER = "#F6F6F6"


def strips(points: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """One row per strip, in the order of the points: id, sign_language, label, frames, of_frames.

    Args:
        points: rows of the selection *strips*.
        clips: the points of that name.
    """
    table = clips.set_index("id").loc[list(dict.fromkeys(points["id"]))].reset_index()
    shown = points.groupby("id")["frame"].agg(
        lambda frames: " ".join(map(str, sorted(set(frames))))
    )
    table = table.rename(columns={"frames": "of_frames"})
    table["frames"] = table["id"].map(shown)
    return table[["id", "sign_language", "label", "frames", "of_frames"]]


def plot(table: pd.DataFrame, points: pd.DataFrame) -> matplotlib.figure.Figure:
    """Strips in columns; ``table`` as :func:`strips` gives it."""
    wide, high = BODY + FRAMES, HEAD + BODY + 0.12
    rows = -(-len(table) // COLUMNS)
    size = np.array([COLUMNS * wide + (COLUMNS - 1) * GAP, rows * high + LEGEND])
    figure = matplotlib.figure.Figure(figsize=size * (PAGE_WIDTH / size[0]))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.03, size[0] + 0.03), ylim=(size[1], 0))
    axes.set_axis_off()
    by_clip = dict(list(points.groupby("id")))
    for number, row in enumerate(records(table)):
        column, line = divmod(number, rows)
        _strip(axes, by_clip[row.id], row, (column * (wide + GAP), line * high))
    axes.legend(
        handles=finger_legend(),
        loc="lower right",
        bbox_to_anchor=(1, 0),
        borderaxespad=0.1,
        ncols=5,
        handlelength=1.2,
        columnspacing=1.2,
    )
    axes.text(0, size[1] - 0.05, "time in each strip: left to right", color=GREY, va="bottom")
    return figure


def _strip(axes: Axes, points: pd.DataFrame, row: Any, corner: tuple[float, float]) -> None:
    """One strip with its upper left corner at ``corner``."""
    left, top = corner
    language = sign_language(row.sign_language)
    axes.text(left, top + HEAD - 0.1, language.name, weight="bold", color=INK, va="baseline")
    axes.text(
        *(left + BODY + FRAMES, top + HEAD - 0.1),
        f"frames {row.frames.replace(' ', ', ')} of {row.of_frames}",
        color=GREY,
        ha="right",
        va="baseline",
        size=6.5,
    )
    top += HEAD
    frames = [frame for _, frame in points.groupby("frame")]
    hands = [hands_of(frame) for frame in frames]
    paper = Rectangle((left, top), BODY - 0.06, BODY, color=PAPER, linewidth=0, zorder=0)
    axes.add_patch(paper)
    at = (left + BODY / 2 - 0.03, top + BODY / 2)
    view = View(UPPER_BODY.centre, UPPER_BODY.size / BODY, at)
    middle = next(n for n, frame in enumerate(frames) if "body" in set(frame["part"]))
    draw_body(axes, frames[middle], view, width=1.4, clip=paper)
    draw_hands(axes, [(hand, view) for hand in hands[middle]], width=1.3)
    views = [around(np.concatenate(one)) for one in hands if one]
    palm = max((palm_length(hand) for one in hands for hand in one), default=0.0)
    size = max([LEAST * palm, *(view.size for view in views)]) / FILL
    drawn = []
    for number, one in enumerate(hands):
        x = left + BODY + number
        axes.add_patch(Rectangle((x, top), 0.94, BODY, color=PAPER, linewidth=0, zorder=0))
        if one:
            centre = around(np.concatenate(one)).centre
            drawn += [(hand, View(centre, size, (x + 0.47, top + BODY / 2))) for hand in one]
    draw_hands(axes, drawn, width=1.9)


def caption(table: pd.DataFrame) -> str:
    """What is shown, on which clips."""
    return (
        f"The letter {LETTER.upper()} in {len(table)} sign languages, as MediaPipe Holistic poses "
        "of the embedded corpus. (The paper shows the sign for 'house'; this corpus has letters.) "
        f"A strip shows the hands in {FRAMES} frames, at the middles of equal parts of the clip, "
        "centred and at one scale a strip, and at its left the upper body in the middle frame. "
        "Frames count from 0. Nothing is mirrored: in this corpus Italian Sign Language is signed "
        "with the left hand."
    )


def draw(source: Source) -> Drawing:
    """See the module."""
    points = source.points("skeletons").query("shown == 'strips'")
    if points.empty:
        raise NoResults("no clips of the drawn letter; `signbench points skeletons`")
    table = strips(points, source.points("clips"))
    return Drawing(
        plot(table, points), table, caption=caption(table), points=("skeletons", "clips")
    )


FIGURE = Figure("letter_strips", "One letter in several sign languages", (), draw)
