"""Latent space: clips and prompts of a few letters over all sign languages, of two models.

Decisions
* Like the paper's picture of a few words over languages (Fig. 2), with letters. One panel a model,
  with the same clips; how the positions were computed is in :mod:`benchmarks.points.latent_space`.
* A clip is its letter, a prompt a small square of the same colour; clips and prompts that the model
  was not trained on are ringed, respectively hollow. Nothing is joined by lines: a line from each
  clip to its prompt made a tangle.
* What groups the points is named where the points of a group are: letters, or sign languages,
  whichever more clips share with their nearest clip in the full space. The shares are in the title.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.figure
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from benchmarks.points.latent_space import CLIP, HELD_OUT, LETTERS, NEED, PROMPT
from benchmarks.report.drawing import (
    GREY,
    INK,
    OKABE_ITO,
    PAGE_WIDTH,
    Drawing,
    Figure,
    panel_title,
)
from benchmarks.source import Source

COLOURS = dict(
    zip(
        LETTERS,
        (OKABE_ITO[x] for x in ("vermillion", "blue", "orange", "green", "purple", "sky")),
        strict=True,
    )
)
LABEL, LANGUAGE = "label", "sign_language"
GROUPS = {LABEL: "letter", LANGUAGE: "sign language"}


def shares(points: pd.DataFrame) -> pd.DataFrame:
    """How often a clip's nearest clip has its letter, and its sign language.

    Args:
        points: of any number of models; see :mod:`benchmarks.points.latent_space`.

    Returns:
        One row per model and role: model, role, clips, label, sign_language (shares of clips), and
        own_first, the share whose own prompt scores highest among those shown.
    """
    clips = points[points["kind"] == CLIP]
    by_id = clips.drop_duplicates("id").set_index("id")
    same = {
        column: clips["nearest"].map(by_id[column]) == clips[column] for column in (LABEL, LANGUAGE)
    }
    same["own_first"] = clips["ranked_first"] == clips["id"]
    table = clips[["model", "role"]].assign(clips=1, **same)
    counted = table.groupby(["model", "role"], sort=False).agg(
        {"clips": "sum"} | dict.fromkeys(same, "mean")
    )
    return counted.reset_index()


def overall(table: pd.DataFrame, model: str) -> dict[str, float]:
    """The shares of a model's clips, whatever their role; ``table`` as :func:`shares` gives it."""
    rows = table[table["model"] == model]
    weights = rows["clips"] / rows["clips"].sum()
    return {column: float((rows[column] * weights).sum()) for column in GROUPS}


def plot(points: pd.DataFrame, table: pd.DataFrame) -> matplotlib.figure.Figure:
    """One panel a model; ``table`` as :func:`shares` gives it."""
    models = list(dict.fromkeys(points["model"]))
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, 3.75), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False)[0]
    for letter, model, axes in zip("abcdef", models, panels, strict=False):
        found = overall(table, model)
        group = max(GROUPS, key=lambda column: found[column])
        _panel(axes, points[points["model"] == model], group)
        panel_title(
            axes,
            letter,
            f"{model}: clips lie near those of their {GROUPS[group]}\n"
            f"nearest clip: same letter {found[LABEL]:.0%}, same language {found[LANGUAGE]:.0%}",
        )
    figure.legend(handles=_handles(), loc="outside lower center", ncols=5, handletextpad=0.5)
    return figure


def _panel(axes: Axes, points: pd.DataFrame, group: str) -> None:
    for row in points[points["kind"] == PROMPT].itertuples():
        colour = COLOURS[row.label]
        face = "white" if row.role == HELD_OUT else colour
        axes.plot(
            *(row.x, row.y, "s"),
            **dict(markersize=2.6, markerfacecolor=face, markeredgecolor=colour),
            **dict(markeredgewidth=0.7, zorder=2),
        )
    for row in points[points["kind"] == CLIP].itertuples():
        colour = COLOURS[row.label]
        if row.role == HELD_OUT:
            axes.plot(
                *(row.x, row.y, "o"),
                **dict(markersize=8, markerfacecolor="white", markeredgecolor=INK),
                **dict(markeredgewidth=0.8, zorder=3),
            )
        axes.text(
            *(row.x, row.y, row.label.upper()),
            **dict(color=colour, weight="bold", ha="center", va="center", zorder=4),
        )
    if group == LANGUAGE:
        for tag, rows in points[points["kind"] == PROMPT].groupby(LANGUAGE):
            axes.text(
                *(rows["x"].median(), rows["y"].median(), tag),
                **dict(color=GREY, ha="center", va="center", size=6.5, zorder=5),
                path_effects=[withStroke(linewidth=1.6, foreground="white")],
            )
    axes.set(xticks=[], yticks=[], xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal")
    for spine in axes.spines.values():
        spine.set(visible=True, color="#BBBBBB")


def _handles() -> list[Line2D]:
    square: Mapping[str, object] = dict(marker="s", linestyle="", markersize=3)
    return [
        Line2D([], [], marker="$\\mathbf{A}$", linestyle="", color=INK, label="clip, trained on"),
        Line2D(
            *([], []),
            marker="o",
            linestyle="",
            markersize=7,
            markerfacecolor="white",
            markeredgecolor=INK,
            label="clip, held out",
        ),
        Line2D([], [], color=GREY, label="text prompt, trained on", **square),
        Line2D(
            *([], []),
            markerfacecolor="white",
            markeredgecolor=GREY,
            label="text prompt, held out",
            **square,
        ),
    ]


def caption(points: pd.DataFrame, table: pd.DataFrame) -> str:
    """What is shown, and what the distances mean."""
    languages = points[LANGUAGE].nunique()
    letters = " ".join(LETTERS.upper())
    parts = [
        f"Clips (letters) and text prompts (squares, same colours) of {letters} in {languages} sign "
        "languages of the embedded corpus, as two models trained on in_domain embed them. The "
        "paper shows four words; this corpus has letters. t-SNE of directions, clips and prompts "
        "each centred on their own mean, so only neighbourhoods mean something."
    ]
    for model in dict.fromkeys(table["model"]):
        rows = table[table["model"] == model].set_index("role")
        told = [
            f"{round(row['own_first'] * row['clips'])} of {row['clips']} {role} clips"
            for role, row in rows.iterrows()
        ]
        parts.append(
            f"{model}: the own prompt scores highest among those shown for {' and '.join(told)}."
        )
    parts.append("Shares of nearest clips are measured in the full space, over all shown clips.")
    return " ".join(parts)


def draw(source: Source) -> Drawing:
    """See the module."""
    points = source.points("latent_space")
    table = shares(points)
    found = list(source.select(NEED).values())
    about = caption(points, table)
    return Drawing(plot(points, table), points, found, about, points=("latent_space",))


FIGURE = Figure("latent_space", "Clips and prompts of a few letters", (NEED,), draw)
