"""The method as a diagram: two encoders, the matrix of scores, the contrastive loss.

Decisions
* Like the paper's illustration (Fig. 1), with frames of the embedded corpus and their own prompts
  in place of screenshots. Everything but the frames is drawn by code; the only numbers are those of
  the frames.
* Coordinates are inches from the upper left corner of the picture, so that what is written here is
  what is printed.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from benchmarks.report.drawing import GREY, OKABE_ITO, PAGE_WIDTH, Drawing, Figure, records
from benchmarks.report.skeletons import View, draw_body, draw_hands, hands_of
from benchmarks.source import NoResults, Source
from signclip.text import sign_language

PROMPT = "<en> <{sign_language}> {label}"  # of the rows E4 to E8.1 on the embedded corpus
HEIGHT = 3.15
TEXT, POSE = OKABE_ITO["vermillion"], OKABE_ITO["blue"]
TEXT_PALE, POSE_PALE, PAIR, PAPER = "#FBE3D3", "#D6E8F5", "#BFE5D6", "#F6F6F6"
UPPER_BODY = View(np.array([0.0, 0.22]), 2.7)  # shoulder widths, from the head to the hips
LEFT, FRAME = 0.22, 0.56  # of prompts and strips; a frame of a clip
STRIP_TOPS, PROMPT_TOPS = (1.16, 1.77, 2.38), (0.26, 0.46, 0.66)
ENCODER_LEFT, ENCODER_WIDTH, TEXT_AT, POSE_AT = 2.17, 1.12, 0.55, 2.02
MATRIX_LEFT, MATRIX_TOP, CELL_WIDTH, CELL_HEIGHT, GAP = 3.98, 0.79, 0.43, 0.36, 0.06
ITEMS = ("1", "2", "3", "…", "N")
ROW, COLUMN = 1, 2  # of the matrix, that stand for all


def plot(points: pd.DataFrame, prompts: Sequence[str]) -> matplotlib.figure.Figure:
    """The diagram.

    Args:
        points: rows of the selection *method*.
        prompts: of its clips, in their order.
    """
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, HEIGHT))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, PAGE_WIDTH), ylim=(HEIGHT, 0))
    axes.set_axis_off()
    _prompts(axes, prompts)
    _strips(axes, points)
    _encoders(axes)
    _matrix(axes)
    _loss(axes)
    return figure


def _prompts(axes: Axes, prompts: Sequence[str]) -> None:
    axes.text(0.08, 0.12, "Text with language tags", weight="bold", va="center")
    for number, (top, text) in enumerate(zip(PROMPT_TOPS, prompts, strict=True)):
        _text(axes, 0.12, top + 0.085, str(number + 1), color=GREY)
        _box(axes, (LEFT, top, 3 * FRAME + 0.06, 0.17), TEXT_PALE)
        axes.text(LEFT + 0.08, top + 0.088, text, va="center", family="DejaVu Sans Mono")
    _text(axes, LEFT + 1.5 * FRAME, 0.91, "⋮", color=GREY)


def _strips(axes: Axes, points: pd.DataFrame) -> None:
    axes.text(0.08, 1.06, "Sign clips as MediaPipe Holistic poses", weight="bold", va="center")
    clips = points.groupby("id", sort=False)
    for number, (top, (_, clip)) in enumerate(zip(STRIP_TOPS, clips, strict=True)):
        _text(axes, 0.12, top + FRAME / 2, str(number + 1), color=GREY)
        for place, (_, frame) in enumerate(clip.groupby("frame")):
            left = LEFT + place * (FRAME + 0.03)
            paper = Rectangle((left, top), FRAME, FRAME, color=PAPER, linewidth=0, zorder=0)
            axes.add_patch(paper)
            at = (left + FRAME / 2, top + FRAME / 2)
            view = View(UPPER_BODY.centre, UPPER_BODY.size / FRAME, at)
            draw_body(axes, frame, view, width=1.2, clip=paper)
            draw_hands(axes, [(hand, view) for hand in hands_of(frame)], width=1.6)
    _text(axes, LEFT + 1.5 * FRAME, 3.04, "⋮", color=GREY)


def _encoders(axes: Axes) -> None:
    ends = (LEFT + 3 * FRAME + 0.1, ENCODER_LEFT - 0.03, ENCODER_LEFT + ENCODER_WIDTH + 0.03)
    column = MATRIX_LEFT - CELL_WIDTH - GAP
    for at, to, colour in (
        (TEXT_AT, MATRIX_LEFT - 0.04, TEXT),
        (POSE_AT, column - 0.04, POSE),
    ):
        _arrow(axes, (ends[0], at), (ends[1], at), colour)
        _arrow(axes, (ends[2], at), (to, at), colour)
    _encoder(axes, TEXT_AT, "Text encoder", ("BERT", "mean over tokens"), (TEXT_PALE, TEXT))
    steps = ("videomlp per frame", "BERT", "mean over frames")
    _encoder(axes, POSE_AT, "Pose encoder", steps, (POSE_PALE, POSE))


def _encoder(
    axes: Axes, at: float, name: str, steps: Sequence[str], colours: tuple[str, str]
) -> None:
    """A box centred at a height, with its steps from top to bottom."""
    height = 0.27 + 0.27 * len(steps)
    top, middle = at - height / 2, ENCODER_LEFT + ENCODER_WIDTH / 2
    _box(axes, (ENCODER_LEFT, top, ENCODER_WIDTH, height), colours[0], edge=colours[1])
    _text(axes, middle, top + 0.13, name, weight="bold")
    for number, step in enumerate(steps):
        upper = top + 0.25 + 0.27 * number
        _box(axes, (ENCODER_LEFT + 0.07, upper, ENCODER_WIDTH - 0.14, 0.19), "white")
        _text(axes, middle, upper + 0.097, step, size=6.5)
        if number:
            _arrow(axes, (middle, upper - 0.075), (middle, upper + 0.01), GREY, size=4)


def _matrix(axes: Axes) -> None:
    heading = "Scores of a batch: dot products of all pairs"
    axes.text(MATRIX_LEFT - CELL_WIDTH - GAP, 0.12, heading, weight="bold", va="center")
    for i, item in enumerate(ITEMS):
        x, y = MATRIX_LEFT + i * CELL_WIDTH, MATRIX_TOP + i * CELL_HEIGHT
        _cell(axes, (x, MATRIX_TOP - CELL_HEIGHT - GAP), _name("T", item), TEXT_PALE)
        name = "⋮" if item == "…" else _name("P", item)
        _cell(axes, (MATRIX_LEFT - CELL_WIDTH - GAP, y), name, POSE_PALE)
        for j, other in enumerate(ITEMS):
            if "…" not in (item, other):
                text = _name("P", item) + r"$\cdot$" + _name("T", other)
            else:
                text = "⋱" if i == j else ("⋮" if item == "…" else "…")
            corner = (MATRIX_LEFT + j * CELL_WIDTH, y)
            _cell(axes, corner, text, PAIR if i == j else "white", bold=i == j)


def _loss(axes: Axes) -> None:
    """A row and a column framed, each with the direction of the loss that it stands for."""
    size = len(ITEMS)
    right, bottom = MATRIX_LEFT + size * CELL_WIDTH, MATRIX_TOP + size * CELL_HEIGHT
    y, x = MATRIX_TOP + ROW * CELL_HEIGHT, MATRIX_LEFT + COLUMN * CELL_WIDTH
    for corner, width, height, colour in (
        ((MATRIX_LEFT, y), size * CELL_WIDTH, CELL_HEIGHT, POSE),
        ((x, MATRIX_TOP), CELL_WIDTH, size * CELL_HEIGHT, TEXT),
    ):
        frame = Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=1.4)
        axes.add_patch(frame)
    middle = y + CELL_HEIGHT / 2
    _arrow(axes, (right + 0.02, middle), (right + 0.13, middle), POSE)
    pose_to_text = "pose to text:\nwhich text of\nthe row is\nthe clip's?"
    axes.text(right + 0.16, middle, pose_to_text, color=POSE, va="center", size=6.5)
    middle = x + CELL_WIDTH / 2
    _arrow(axes, (middle, bottom + 0.02), (middle, bottom + 0.13), TEXT)
    text_to_pose = "text to pose: which clip of the column is the text's?"
    axes.text(middle, bottom + 0.21, text_to_pose, color=TEXT, ha="center", va="center", size=6.5)
    loss = "Contrastive loss: cross-entropy in both directions, added"
    axes.text(middle, bottom + 0.4, loss, weight="bold", ha="center", va="center")


def _name(letter: str, item: str) -> str:
    return "…" if item == "…" else rf"$\mathregular{{{letter}}}_{{{item}}}$"


def _cell(
    axes: Axes, corner: tuple[float, float], text: str, colour: str, *, bold: bool = False
) -> None:
    axes.add_patch(
        Rectangle(corner, CELL_WIDTH, CELL_HEIGHT, facecolor=colour, edgecolor=GREY, linewidth=0.5)
    )
    x, y = corner[0] + CELL_WIDTH / 2, corner[1] + CELL_HEIGHT / 2
    _text(axes, x, y, text, weight="bold" if bold else "normal")


def _box(
    axes: Axes, bounds: tuple[float, float, float, float], colour: str, *, edge: str = "none"
) -> None:
    left, top, width, height = bounds
    style = "round,pad=0,rounding_size=0.05"
    axes.add_patch(
        FancyBboxPatch((left, top), width, height, boxstyle=style, facecolor=colour, edgecolor=edge)
    )


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    *,
    size: float = 7,
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            *(start, end),
            arrowstyle="-|>",
            mutation_scale=size,
            color=colour,
            linewidth=0.9,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _text(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, ha="center", va="center", **style)


def caption(clips: pd.DataFrame) -> str:
    """What is shown; ``clips`` are the drawn ones of the points *clips*."""
    shown = [
        f"{row.label.upper()} in {sign_language(row.sign_language).name}" for row in records(clips)
    ]
    return (
        "SignCLIP. A pose encoder (videomlp, a small MLP, and BERT) and a text encoder (BERT) are "
        "trained together on pairs of a sign clip and its text, which begins with tags of the "
        "spoken and the sign language. The score of a clip and a text is the dot product of their "
        "embeddings. The loss is the cross-entropy of each clip's own text among the texts of the "
        "batch, plus that of each text's own clip among the clips; own pairs lie on the diagonal "
        "(green). Row 2 and column 3 are framed as examples. The frames are poses of "
        f"the embedded corpus ({', '.join(shown)}); the paper's clips are signs, with texts such "
        "as '<en> <ase> house'."
    )


def draw(source: Source) -> Drawing:
    """See the module."""
    points = source.points("skeletons").query("shown == 'method'")
    if points.empty:
        raise NoResults("no clips of the drawn letters; `signbench points skeletons`")
    clips = source.points("clips").set_index("id").loc[list(dict.fromkeys(points["id"]))]
    prompts = [
        PROMPT.format(sign_language=row.sign_language, label=row.label) for row in records(clips)
    ]
    about = caption(clips)
    return Drawing(plot(points, prompts), points, caption=about, points=("skeletons", "clips"))


FIGURE = Figure("method", "The method: two encoders and a contrastive loss", (), draw)
