"""Retrieval taken apart by letter, sign language and signer, and how much of a gallery is used.

Decision: a pure function of per-clip predictions and the manifest, for the encoders of
:data:`ROWS` on each split; what is counted and how: :mod:`benchmarks.breakdown`. The CSV has every
group, the printed table all clips, the means over groups, and R@1 of each language and letter.

Cost: a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks import breakdown, suites
from benchmarks.predictions import CLIPS_FILE, GALLERY_FILE
from benchmarks.tables import NOTHING, as_latex, as_markdown
from signclip import files, manifest, parquet
from signclip.errors import ConfigError

TABLE, TITLE = "breakdown", "Retrieval by letter and sign language"
BEST_OF_FINGERCLIP = "E3.2"
ROWS = {  # split -> suites and rows
    suites.LETTERS: (
        BEST_OF_FINGERCLIP,
        "everywhere",
        suites.SKELETON_SUITE,
        suites.BASELINE_SUITE,
    ),
    suites.IN_DOMAIN: ("everywhere", suites.BASELINE_SUITE),
    suites.UNSEEN: ("everywhere", suites.BASELINE_SUITE),
}
METRICS = ("R@1", "R@5", "R@10", "R@20", "MRR", "DCG", "MedianR", "MeanR")


class Apart(NamedTuple):
    """One encoder's answers on a split, taken apart."""

    groups: dict[str, breakdown.Breakdown]  # by class, language, signer
    coverage: breakdown.Coverage


def apart(predictions: pd.DataFrame, clips: pd.DataFrame, texts: int) -> Apart:
    """Take predictions apart.

    Args:
        predictions: ``clips.parquet``: id, seed, label, predicted, rank.
        clips: the manifest, by id.
        texts: of the gallery.
    """
    by_clip = predictions.pivot(index="id", columns="seed", values="rank").sort_index()
    ranks = by_clip.to_numpy().T
    names = sorted({*predictions["label"], *predictions["predicted"]})
    place = {name: i for i, name in enumerate(names)}
    own = predictions.drop_duplicates("id").set_index("id")["label"].loc[by_clip.index].map(place)
    covered = breakdown.coverage(
        own.to_numpy(), predictions["predicted"].map(place).to_numpy(), texts
    )
    return Apart(breakdown.breakdowns(ranks, clips.loc[by_clip.index]), covered)


def table(found: Mapping[tuple[str, str], Apart]) -> pd.DataFrame:
    """One row a (split, encoder, grouping, group); the grouping ``all`` is the mean over clips."""
    out = []
    for (split, name), one in found.items():
        some = next(iter(one.groups.values()))
        where = {"split": split, "id": name}
        out.append({**where, "by": "all", "clips": one.coverage.clips, **some.micro})
        for by, groups in one.groups.items():
            if groups.macro:
                mean = {"group": "mean over groups", "clips": groups.table["clips"].sum()}
                out.append({**where, "by": by, **mean, **groups.macro})
            for group, row in groups.table.iterrows():
                out.append({**where, "by": by, "group": group, **row})
    frame = pd.DataFrame(out)
    return frame.astype({"clips": int})[["split", "id", "by", "group", "clips", *METRICS]]


def summary(found: Mapping[tuple[str, str], Apart]) -> pd.DataFrame:
    """One row a (split, encoder): over clips, R@1 as a mean over groups, and coverage."""
    out = []
    for (split, name), one in found.items():
        micro = next(iter(one.groups.values())).micro
        row = {"split": split, "id": name, "clips": str(one.coverage.clips)}
        row |= {metric: _short(micro[metric], metric) for metric in METRICS}
        for by in ("class", "language", "signer"):
            macro = one.groups[by].macro
            row[f"R@1 by {by}"] = _short(macro["R@1"], "R@1") if macro else NOTHING
        coverage = one.coverage
        row["texts asked"] = f"{round(coverage.texts_with_clip * coverage.texts)}"
        row["texts answered"] = f"{round(coverage.texts_predicted * coverage.texts)}"
        row["texts"] = str(coverage.texts)
        out.append(row)
    return pd.DataFrame(out)


def groups(found: Mapping[tuple[str, str], Apart], split: str, by: str) -> pd.DataFrame:
    """R@1 of a split, one row a group, one column an encoder."""
    columns: dict[str, pd.Series] = {}
    for (its, name), one in found.items():
        if its != split:
            continue
        of = one.groups[by].table
        columns.setdefault("clips", of["clips"].astype(str))
        columns[name] = of["R@1"].map(lambda value: _short(value, "R@1"))
    return pd.DataFrame(columns).rename_axis(by).reset_index()


def _short(value: float, metric: str) -> str:
    return f"{value:.1f}" if metric in ("MedianR", "MeanR") else f"{value:.3f}"


def notes(corpus: str, profile: str, seeds: Sequence[int]) -> list[str]:
    """What a reader must know to read the table rightly."""
    return [
        f"{corpus}, profile `{profile}`, seeds {', '.join(map(str, seeds))}, video to text among "
        "labels, clips of all folds. Intervals stand in the other tables; a group has few clips, "
        "so its number says little alone.",
        "*R@1 by class, language, signer*: the mean over groups, each counting as much. Who signs "
        "is not recorded in the embedded corpus; where that is so the cell is empty.",
        "DCG: 1 / log2(1 + rank), the text of a clip being the only right one. *texts*: the "
        "gallery of a fold; *asked*, *answered*: how many of them are the text of a test clip, or "
        "rank first for one, in any fold.",
        "Every group, with all metrics, is in the CSV.",
    ]


def write(
    *, profile: str, corpus: str, data: Path, predictions: Path, results_folder: Path
) -> pd.DataFrame:
    """Write ``tables/breakdown.{csv,md,tex}``.

    Raises:
        ConfigError: predictions are missing.
    """
    clips = manifest.read(data / corpus).set_index("id", drop=False).rename_axis(None)
    found, seeds = {}, set()
    for split, rows in ROWS.items():
        for name in suites.expand(rows):
            folder = predictions / name / split
            for file in (CLIPS_FILE, GALLERY_FILE):
                if not (folder / file).is_file():
                    raise ConfigError(
                        f"{folder / file}: no predictions; "
                        f"python -m benchmarks evaluate {name} --split {split}"
                    )
            predicted = parquet.read(folder / CLIPS_FILE)
            gallery = parquet.read(folder / GALLERY_FILE, ["seed", "fold"])
            texts = gallery.value_counts().max()
            found[split, name] = apart(predicted, clips, int(texts))
            seeds |= set(predicted["seed"])
    frame = table(found)
    parts = {"All clips": summary(found)}
    for split in ROWS:
        parts[f"R@1 by sign language, {split}"] = groups(found, split, "language")
    parts[f"R@1 by letter, {suites.LETTERS}"] = groups(found, suites.LETTERS, "class")
    out = results_folder / "tables"
    with files.writing(out / TABLE):
        text = frame.to_csv(index=False, lineterminator="\n", float_format="%.4f")
        files.write_text(out / f"{TABLE}.csv", text)
        files.write_text(
            out / f"{TABLE}.md", as_markdown(parts, TITLE, notes(corpus, profile, sorted(seeds)))
        )
        files.write_text(out / f"{TABLE}.tex", as_latex(parts, TITLE, TABLE))
    return frame
