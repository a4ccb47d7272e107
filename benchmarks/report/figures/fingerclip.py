"""Figures, each with the plotted numbers beside it as CSV.

Decision: a figure is a pure function of predictions (``predictions/<encoder>/<split>``); pictures
hold no date, and t-SNE has a fixed seed and start. Cost: a few seconds each.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from benchmarks.evaluation.predictions import CLIPS_FILE, GALLERY_FILE
from benchmarks.report.figures.drawing import STYLE, save
from signclip.core import files, parquet
from signclip.text import sign_languages


def letter_space(predictions: Path, *, fold: int = 0) -> tuple[Figure, pd.DataFrame]:
    """A fold's held-out clips and the letter prompts in two dimensions (t-SNE of embeddings).

    Args:
        predictions: folder of an encoder with embeddings.

    Returns:
        the figure; columns kind (clip or prompt), id, label, sign_language, predicted, x, y.
    """
    clips = parquet.read(predictions / CLIPS_FILE).query("fold == @fold")
    prompts = parquet.read(predictions / GALLERY_FILE).query("fold == @fold")
    clips = clips.assign(sign_language=clips["id"].str.rsplit("-", n=1).str[0])
    # Clips and prompts lie in two cones apart (a known trait of contrastive models), and t-SNE
    # would show only that gap: each side is centred on its own mean, and directions are drawn.
    # Nearness in the picture is so not quite the score, which decides what counts as found.
    # Boxes of prompts that would hide each other are moved apart.
    vectors = np.stack([*clips["embedding"], *prompts["embedding"]])
    sides = np.array(["clip"] * len(clips) + ["prompt"] * len(prompts))
    for side in ("clip", "prompt"):
        vectors[sides == side] -= vectors[sides == side].mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    perplexity = min(12, len(vectors) - 1)
    places = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(
        vectors
    )
    numbers = pd.concat(
        [
            clips[["id", "label", "sign_language", "predicted"]].assign(kind="clip"),
            prompts[["label"]].assign(kind="prompt", id="", sign_language="", predicted=""),
        ],
        ignore_index=True,
    )[["kind", "id", "label", "sign_language", "predicted"]]
    boxes = sides == "prompt"
    places[boxes] = spread_out(places[boxes], least=np.ptp(places, axis=0).max() / 25)
    numbers["x"], numbers["y"] = places.T
    return _draw_letter_space(numbers, f"{predictions.parent.name}, fold {fold}"), numbers


def spread_out(places: np.ndarray, *, least: float) -> np.ndarray:
    """Points moved as little as it takes until no two are nearer than ``least``: (n, 2) -> (n, 2).

    What would be drawn on each other could not be read; 1,000 rounds of pushing pairs apart.
    """
    places = places.astype(np.float64)
    first, second = np.triu_indices(len(places), 1)
    for _ in range(1000):
        step = places[second] - places[first]
        distance = np.hypot(*step.T)
        near = np.flatnonzero(distance < least)
        if not len(near):
            break
        for pair in near:
            way = step[pair] / distance[pair] if distance[pair] else np.array([1.0, 0.0])
            push = way * (least - distance[pair]) * 0.51
            places[first[pair]] -= push
            places[second[pair]] += push
    return places


def _draw_letter_space(numbers: pd.DataFrame, title: str) -> Figure:
    names = sign_languages()
    tags = sorted(set(numbers["sign_language"]) - {""}, key=lambda tag: names[tag].name)
    # dark and light in turn, so that neighbours on the colour circle stay apart
    palettes = [sns.husl_palette(len(tags), s=0.95, l=lightness) for lightness in (0.4, 0.68)]
    colours = {tag: palettes[i % 2][i] for i, tag in enumerate(tags)}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.5, 6))
        axes = figure.add_subplot()
        prompts = numbers[numbers["kind"] == "prompt"].set_index("label")
        for row in numbers[numbers["kind"] == "clip"].to_dict("records"):
            target = prompts.loc[row["label"]]
            right = row["predicted"] == row["label"]
            axes.plot(
                [row["x"], target["x"]],
                [row["y"], target["y"]],
                color="0.75" if right else "#e7b5b5",
                linewidth=0.5,
                linestyle="-" if right else ":",
                zorder=1,
            )
            axes.text(
                row["x"],
                row["y"],
                row["label"].upper(),
                color=colours[row["sign_language"]],
                ha="center",
                va="center",
                fontweight="bold" if right else "normal",
                zorder=3,
            )
        for letter, row in prompts.iterrows():
            axes.text(
                row["x"],
                row["y"],
                letter.upper(),
                ha="center",
                va="center",
                zorder=2,
                bbox=dict(boxstyle="square,pad=0.2", facecolor="white", edgecolor="0.2"),
            )
        margin = 3
        axes.set_xlim(numbers["x"].min() - margin, numbers["x"].max() + margin)
        axes.set_ylim(numbers["y"].min() - margin, numbers["y"].max() + margin)
        axes.set(xticks=[], yticks=[])
        sns.despine(ax=axes, left=True, bottom=True)
        handles = [mpl.lines.Line2D([], [], marker="o", ls="", color=colours[t]) for t in tags]
        labels = [f"{names[tag].name.removesuffix(' Sign Language')} ({tag})" for tag in tags]
        legend = axes.legend(
            handles,
            labels,
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            title="sign language",
        )
        legend._legend_box.align = "left"
        axes.set_title(
            f"{title}: {(numbers['kind'] == 'clip').sum()} held-out clips (coloured) and the "
            "letter prompts (boxed); a line joins a clip to its letter;\nbold, solid line: the "
            "letter is found; thin, dotted: it is not. t-SNE of directions, each side centred on "
            "its mean",
            loc="left",
            fontsize=9,
        )
    return figure


def confusion(predictions: Path) -> tuple[Figure, pd.DataFrame]:
    """Which letter was taken for which, over all folds; rows are the signed letters.

    Returns:
        the figure; columns label, predicted, clips, share (of the signed letter's clips).
    """
    clips = parquet.read(predictions / CLIPS_FILE)
    letters = sorted(set(clips["label"]) | set(clips["predicted"]))
    counts = pd.crosstab(clips["label"], clips["predicted"]).reindex(
        index=letters, columns=letters, fill_value=0
    )
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 6.8))
        axes = figure.add_subplot()
        sns.heatmap(
            shares,
            ax=axes,
            cmap="Blues",
            vmin=0,
            vmax=1,
            square=True,
            linewidths=0.3,
            linecolor="0.95",
            annot=counts.astype(str).replace("0", ""),
            fmt="",
            annot_kws={"size": 6},
            cbar_kws={"label": "share of the signed letter's clips", "shrink": 0.8},
            xticklabels=[letter.upper() for letter in letters],
            yticklabels=[letter.upper() for letter in letters],
        )
        axes.set(xlabel="prompt with the highest score", ylabel="signed letter")
        axes.tick_params(axis="both", length=0, rotation=0)
        right = int(np.trace(counts.to_numpy()))
        axes.set_title(
            f"{predictions.parent.name}: {right} of {len(clips)} held-out clips score their own "
            f"letter highest ({right / len(clips):.2f}); numbers are clips",
            loc="left",
            fontsize=9,
        )
    numbers = counts.stack().rename("clips").reset_index()
    numbers["share"] = shares.stack().to_numpy()
    return figure, numbers[numbers["clips"] > 0]


def write_fingerclip(predictions: Path, out: Path) -> None:
    """``fingerclip_letters`` and ``fingerclip_confusion`` from an encoder's predictions."""
    with files.writing(out / "fingerclip"):
        save(*letter_space(predictions), out, "fingerclip_letters")
        save(*confusion(predictions), out, "fingerclip_confusion")
