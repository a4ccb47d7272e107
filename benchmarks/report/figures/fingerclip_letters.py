"""FingerCLIP's embedding space: held-out clips and letter prompts of one fold in two dimensions.

Decisions
* t-SNE of directions, with a fixed seed and start. Clips and prompts lie in two separate cones (a
  known property of contrastive models), and t-SNE would show that gap only: each side is centred on
  its own mean. Nearness in the picture is therefore not quite the score that decides the ranks.
* Boxes of prompts that would cover each other are moved apart.

Cost: a few seconds.
"""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.evaluation.predictions import GALLERY_FILE
from benchmarks.report.drawing import STYLE, Drawing, Figure, read_clips
from benchmarks.report.source import Need, Source
from signclip.core import parquet
from signclip.text import sign_languages

ENCODER, SPLIT, FOLD = "E3.2", suites.LETTERS, 0
PUSHES = 1000  # rounds of moving boxes apart


def embed_in_two(clips: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """Positions of clips and prompts of one fold.

    Args:
        clips: columns id, label, predicted, embedding.
        prompts: columns label, embedding.

    Returns:
        columns kind (clip or prompt), id, label, sign_language, predicted, x, y.
    """
    from sklearn.manifold import TSNE

    clips = clips.assign(sign_language=clips["id"].str.rsplit("-", n=1).str[0])
    vectors = np.stack([*clips["embedding"], *prompts["embedding"]])
    sides = np.array(["clip"] * len(clips) + ["prompt"] * len(prompts))
    for side in ("clip", "prompt"):
        vectors[sides == side] -= vectors[sides == side].mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    reduction = TSNE(perplexity=min(12, len(vectors) - 1), init="pca", random_state=0, n_jobs=1)
    positions = reduction.fit_transform(vectors)
    numbers = pd.concat(
        [
            clips[["id", "label", "sign_language", "predicted"]].assign(kind="clip"),
            prompts[["label"]].assign(kind="prompt", id="", sign_language="", predicted=""),
        ],
        ignore_index=True,
    )[["kind", "id", "label", "sign_language", "predicted"]]
    boxes = sides == "prompt"
    positions[boxes] = spread_out(positions[boxes], least=np.ptp(positions, axis=0).max() / 25)
    numbers["x"], numbers["y"] = positions.T
    return numbers


def spread_out(positions: np.ndarray, *, least: float) -> np.ndarray:
    """Points moved as little as needed until no two are nearer than ``least``: (n, 2) -> (n, 2)."""
    positions = positions.astype(np.float64)
    first, second = np.triu_indices(len(positions), 1)
    for _ in range(PUSHES):
        step = positions[second] - positions[first]
        distance = np.hypot(*step.T)
        near = np.flatnonzero(distance < least)
        if not len(near):
            break
        for pair in near:
            direction = step[pair] / distance[pair] if distance[pair] else np.array([1.0, 0.0])
            push = direction * (least - distance[pair]) * 0.51
            positions[first[pair]] -= push
            positions[second[pair]] += push
    return positions


def plot(numbers: pd.DataFrame, title: str) -> matplotlib.figure.Figure:
    """Letters coloured by sign language, lines to their prompts."""
    import seaborn as sns

    names = sign_languages()
    tags = sorted(set(numbers["sign_language"]) - {""}, key=lambda tag: names[tag].name)
    # dark and light in turn, so that neighbours on the colour circle can be distinguished
    palettes = [sns.husl_palette(len(tags), s=0.95, l=lightness) for lightness in (0.4, 0.68)]
    colours = {tag: palettes[i % 2][i] for i, tag in enumerate(tags)}
    centred = dict(ha="center", va="center")
    with mpl.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(8.5, 6))
        axes = figure.add_subplot()
        prompts = numbers[numbers["kind"] == "prompt"].set_index("label")
        for row in numbers[numbers["kind"] == "clip"].to_dict("records"):
            prompt = prompts.loc[row["label"]]
            hit = row["predicted"] == row["label"]
            axes.plot(
                [row["x"], prompt["x"]],
                [row["y"], prompt["y"]],
                color="0.75" if hit else "#e7b5b5",
                linewidth=0.5,
                linestyle="-" if hit else ":",
                zorder=1,
            )
            axes.text(
                *(row["x"], row["y"], row["label"].upper()),
                color=colours[row["sign_language"]],
                fontweight="bold" if hit else "normal",
                zorder=3,
                **centred,
            )
        box = dict(boxstyle="square,pad=0.2", facecolor="white", edgecolor="0.2")
        for letter, row in prompts.iterrows():
            axes.text(row["x"], row["y"], letter.upper(), zorder=2, bbox=box, **centred)
        margin = 3
        axes.set_xlim(numbers["x"].min() - margin, numbers["x"].max() + margin)
        axes.set_ylim(numbers["y"].min() - margin, numbers["y"].max() + margin)
        axes.set(xticks=[], yticks=[])
        sns.despine(ax=axes, left=True, bottom=True)
        handles = [mpl.lines.Line2D([], [], marker="o", ls="", color=colours[t]) for t in tags]
        legend = axes.legend(
            handles,
            [f"{names[tag].name.removesuffix(' Sign Language')} ({tag})" for tag in tags],
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            title="sign language",
        )
        legend._legend_box.align = "left"
        axes.set_title(
            f"{title}: {(numbers['kind'] == 'clip').sum()} held-out clips (coloured) and the "
            "letter prompts (boxed); a line joins a clip to its letter.\nBold, solid line: the "
            "letter ranks first; thin, dotted: it does not. t-SNE of directions, each side centred "
            "on its mean",
            loc="left",
            fontsize=9,
        )
    return figure


def draw(source: Source) -> Drawing:
    """See the module."""
    clips = read_clips(source, ENCODER, SPLIT).query("fold == @FOLD")
    prompts = parquet.read(source.predictions(ENCODER, SPLIT) / GALLERY_FILE).query("fold == @FOLD")
    numbers = embed_in_two(clips, prompts)
    return Drawing(plot(numbers, f"{ENCODER}, fold {FOLD}"), numbers)


FIGURE = Figure(
    "fingerclip_letters",
    "Held-out letters and their prompts in FingerCLIP's embedding space",
    (Need(SPLIT, RETRIEVAL, (ENCODER,)),),
    draw,
)
