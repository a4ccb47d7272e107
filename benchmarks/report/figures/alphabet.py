"""The fingerspelling alphabets of some sign languages, as drawn hands.

Decisions
* One row a language, in two blocks of 13 letters, so that hands are large enough to be told apart
  at the width of a page. The languages and the rule for the frame are those of
  :mod:`benchmarks.points.skeletons`.
* Each hand is drawn as filmed: nothing is mirrored or turned. The scale of a cell is that of its
  hand, but a closed hand is not blown up beyond :data:`LEAST` palm lengths.

Cost: two seconds.
"""

from __future__ import annotations

import matplotlib.figure
import numpy as np
import pandas as pd

from benchmarks.points.skeletons import ALPHABET
from benchmarks.report.drawing import FAINT, GREY, PAGE_WIDTH, Drawing, Figure, records
from benchmarks.report.skeletons import (
    View,
    around,
    draw_hands,
    finger_legend,
    hands_of,
    palm_length,
)
from benchmarks.source import NoResults, Source
from signclip.text import sign_language

BLOCK = 13  # letters in a row
LEAST = 2.1  # palm lengths in a cell
FILL = 0.8  # share of a cell that a hand fills
NAMES = 1.55  # cells that the names of languages take
TOP, GAP, LEGEND = 0.5, 0.7, 0.45  # cells above, between and below the blocks
FINGER_WIDTH = 1.7  # points


def cells(points: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """The clips in the order of the grid: columns id, sign_language, label, frame, hands.

    Args:
        points: rows of the selection *alphabet*.
        labels: of clips, by id.
    """
    table = points.groupby("id", sort=False).agg(frame=("frame", "first"), hands=("part", "unique"))
    table = table.reset_index()
    table["sign_language"] = table["id"].str.partition("-")[0]
    table["label"] = table["id"].map(labels)
    table["hands"] = table["hands"].map(lambda parts: " ".join(sorted(parts)))
    return table[["id", "sign_language", "label", "frame", "hands"]]


def plot(table: pd.DataFrame, points: pd.DataFrame) -> matplotlib.figure.Figure:
    """The grid; ``table`` as :func:`cells` gives it."""
    languages = list(dict.fromkeys(table["sign_language"]))
    height_of = len(languages) + GAP
    blocks = len(ALPHABET) // BLOCK
    cell = PAGE_WIDTH / (NAMES + BLOCK)
    bottom = blocks * height_of - GAP + LEGEND
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, cell * (TOP + bottom)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-NAMES, BLOCK), ylim=(bottom, -TOP))
    axes.set_axis_off()
    hands = []
    by_clip = dict(list(points.groupby("id")))
    for row in records(table):
        block, column = divmod(ALPHABET.index(row.label), BLOCK)
        at = (column + 0.5, block * height_of + languages.index(row.sign_language) + 0.5)
        found = hands_of(by_clip[row.id])
        if found:
            view = around(np.concatenate(found), least=LEAST * max(map(palm_length, found)))
            hands += [(hand, View(view.centre, view.size / FILL, at)) for hand in found]
    draw_hands(axes, hands, width=FINGER_WIDTH)
    for block in range(blocks):
        top = block * height_of
        for column in range(BLOCK):
            letter = ALPHABET[block * BLOCK + column].upper()
            axes.text(column + 0.5, top - 0.28, letter, ha="center", va="center", weight="bold")
        for number, tag in enumerate(languages):
            name = sign_language(tag).name.removesuffix(" Sign Language")
            axes.text(-NAMES + 0.12, top + number + 0.42, name, va="center")
            axes.text(-NAMES + 0.12, top + number + 0.72, tag, va="center", color=GREY, size=6.5)
            axes.plot([-NAMES + 0.12, BLOCK - 0.1], [top + number] * 2, color=FAINT, linewidth=0.5)
    axes.legend(
        handles=finger_legend(),
        loc="lower right",
        bbox_to_anchor=(1, 0),
        ncols=5,
        handlelength=1.2,
        columnspacing=1.2,
    )
    return figure


def caption(table: pd.DataFrame) -> str:
    """What is shown, how the frames were chosen, and what cannot be read from it."""
    hands: dict[str, set[str]] = {}
    for row in records(table):
        hands.setdefault(row.sign_language, set()).update(row.hands.split())
    left = [sign_language(tag).name for tag, seen in hands.items() if seen == {"left"}]
    both = [sign_language(tag).name for tag, seen in hands.items() if len(seen) > 1]
    parts = [
        f"Fingerspelling alphabets of {table['sign_language'].nunique()} sign languages in the "
        f"embedded corpus: the hands as MediaPipe Holistic detected them in one frame of each of "
        f"{len(table)} clips. The frame is the held one: in the middle half of the clip, the one "
        "in which the hand moves least; movements, as of J and Z, are not shown. Hands are drawn "
        "as filmed, nothing is mirrored, and each cell has its own scale.",
    ]
    if left:
        parts.append(f"{' and '.join(left)}: signed with the left hand.")
    if both:
        parts.append(f"{' and '.join(both)}: some letters have two hands.")
    if len(table) < table["sign_language"].nunique() * len(ALPHABET):
        parts.append("An empty cell: the language has no clip of this letter.")
    return " ".join(parts)


def draw(source: Source) -> Drawing:
    """See the module."""
    points = source.points("skeletons").query("shown == 'alphabet'")
    if points.empty:
        raise NoResults("no letters of the drawn sign languages; `signbench points skeletons`")
    labels = source.points("clips").set_index("id")["label"]
    table = cells(points, labels)
    return Drawing(
        plot(table, points), table, caption=caption(table), points=("skeletons", "clips")
    )


FIGURE = Figure("alphabet", "The letters of several sign languages", (), draw)
