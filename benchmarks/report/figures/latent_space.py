"""Latent space: clips and prompts of a few letters over all sign languages, of two models.

Decisions
* Like the paper's picture of a few words over languages (Fig. 2), with letters. One panel a model,
  with the same clips; how the positions were computed is in :mod:`benchmarks.points.latent_space`.
* A clip is its letter, a prompt a small square of the same colour; clips and prompts that the model
  was not trained on are ringed, respectively hollow. Nothing is joined by lines: a line from each
  clip to its prompt made a tangle.
* The title says what groups the points, letters or sign languages: whichever more held-out clips
  share with their nearest clip in the full space. Groups of languages are named where their prompts
  are.

Cost: a second.
"""

from __future__ import annotations

from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from benchmarks.points.latent_space import CLIP, HELD_OUT, LETTERS, NEED, PROMPT, TRAINING
from benchmarks.report.drawing import (
    GREY,
    INK,
    OKABE_ITO,
    PAGE_WIDTH,
    Drawing,
    Figure,
    panel_title,
    records,
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
ADJECTIVE = {HELD_OUT: "held-out", TRAINING: "training"}
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


def held_out(table: pd.DataFrame, model: str) -> pd.Series:
    """The row of a model's held-out clips; ``table`` as :func:`shares` gives it."""
    return table[(table["model"] == model) & (table["role"] == HELD_OUT)].iloc[0]


def by_chance(points: pd.DataFrame, column: str) -> float:
    """The share of clips that would have the column's value in common with a random other clip."""
    clips = points[points["kind"] == CLIP].drop_duplicates("id")
    alike = clips.groupby(column)["id"].transform("size") - 1
    return float(alike.mean() / (len(clips) - 1))


def plot(points: pd.DataFrame, table: pd.DataFrame) -> matplotlib.figure.Figure:
    """One panel a model; ``table`` as :func:`shares` gives it."""
    models = list(dict.fromkeys(points["model"]))
    figure = matplotlib.figure.Figure(figsize=(PAGE_WIDTH, 3.75), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False)[0]
    for letter, model, axes in zip("abcdef", models, panels, strict=False):
        found = held_out(table, model)
        group = max(GROUPS, key=lambda column: found[column])
        _panel(axes, points[points["model"] == model], group)
        panel_title(
            axes,
            letter,
            f"{model}: clips lie near those of their {GROUPS[group]}\n"
            f"({found['clips']} held-out clips: same letter {found[LABEL]:.0%}, "
            f"language {found[LANGUAGE]:.0%})",
        )
    figure.legend(handles=_handles(), loc="outside lower center", ncols=5, handletextpad=0.5)
    return figure


def _panel(axes: Axes, points: pd.DataFrame, group: str) -> None:
    for row in records(points[points["kind"] == PROMPT]):
        colour = COLOURS[row.label]
        face = "white" if row.role == HELD_OUT else colour
        edge: dict[str, Any] = dict(markeredgecolor=colour, markeredgewidth=0.7)
        axes.plot(row.x, row.y, "s", markersize=2.6, markerfacecolor=face, zorder=2, **edge)
    for row in records(points[points["kind"] == CLIP]):
        if row.role == HELD_OUT:
            edge = dict(markeredgecolor=INK, markeredgewidth=0.8)
            axes.plot(row.x, row.y, "o", markersize=7.5, markerfacecolor="white", zorder=3, **edge)
        style: dict[str, Any] = dict(color=COLOURS[row.label], weight="bold", size=6.5, zorder=4)
        axes.text(row.x, row.y, row.label.upper(), ha="center", va="center", **style)
    if group == LANGUAGE:
        _name_languages(axes, points)
    axes.set(xticks=[], yticks=[], xlim=(-1.08, 1.08), ylim=(-1.08, 1.12))
    for spine in axes.spines.values():
        spine.set(visible=True, color="#BBBBBB")


def _name_languages(axes: Axes, points: pd.DataFrame) -> None:
    """A tag beside the prompts of each sign language, on the side with most room."""
    taken = points[["x", "y"]].to_numpy()
    for tag, rows in points[points["kind"] == PROMPT].groupby(LANGUAGE):
        x, y = rows["x"], rows["y"]
        places = np.array(
            [
                (x.median(), y.max() + 0.07),
                (x.median(), y.min() - 0.07),
                (x.min() - 0.09, y.median()),
                (x.max() + 0.09, y.median()),
            ]
        )
        room = np.linalg.norm(places[:, None] - taken, axis=-1).min(axis=1)
        inside = (np.abs(places) < 1.02).all(axis=1)
        place = places[np.where(inside, room, -1).argmax()]
        taken = np.concatenate([taken, place[None]])
        style: dict[str, Any] = dict(color=GREY, ha="center", va="center", size=6.5, zorder=5)
        halo = [withStroke(linewidth=1.6, foreground="white")]
        axes.text(place[0], place[1], str(tag), path_effects=halo, **style)


def _handles() -> list[Line2D]:
    ring: dict[str, Any] = dict(marker="o", markersize=7, markeredgecolor=INK, color="white")
    square: dict[str, Any] = dict(marker="s", markersize=3, markeredgecolor=GREY, color=GREY)
    letter: dict[str, Any] = dict(
        marker="$\\mathbf{A}$", markersize=4.5, markeredgewidth=0, color=INK
    )
    kinds = {
        "clip, training": letter,
        "ringed: clip, held out": ring,
        "prompt, training": square,
        "hollow: prompt, held out": square | {"color": "white"},
    }
    return [Line2D([], [], linestyle="", label=name, **style) for name, style in kinds.items()]


def caption(points: pd.DataFrame, table: pd.DataFrame) -> str:
    """What is shown, and what the distances mean."""
    languages = points[LANGUAGE].nunique()
    letters = " ".join(LETTERS.upper())
    parts = [
        f"Clips (letters) and text prompts (squares, same colours) of {letters} in {languages} "
        "sign languages of the embedded corpus, as models trained on in_domain embed them. The "
        "paper shows four words; this corpus has letters. t-SNE of directions, clips and prompts "
        "each centred on their own mean, so only neighbourhoods mean something."
    ]
    for model in dict.fromkeys(table["model"]):
        rows = table[table["model"] == model].set_index("role")
        told = [
            f"{round(row['own_first'] * row['clips'])} of {row['clips']} {ADJECTIVE[role]} clips"
            for role, row in rows.iterrows()
        ]
        parts.append(
            f"{model}: the own prompt scores highest among those shown for {' and '.join(told)}."
        )
    chances = [by_chance(points, column) for column in GROUPS]
    parts.append(
        "Titles: shares of the held-out clips whose nearest other clip, in the full space, has the "
        f"same letter (by chance {chances[0]:.0%}) and the same sign language ({chances[1]:.0%})."
    )
    return " ".join(parts)


def draw(source: Source) -> Drawing:
    """See the module."""
    points = source.points("latent_space")
    table = shares(points)
    found = list(source.select(NEED).values())
    about = caption(points, table)
    return Drawing(plot(points, table), points, found, about, points=("latent_space",))


FIGURE = Figure("latent_space", "Clips and prompts of a few letters", (NEED,), draw)
