"""Retrieval broken down by text, sign language and signer, and how much of a gallery is used.

Decisions
* A function of the points ``predictions`` and ``clips``; groups and metrics are defined in
  :mod:`benchmarks.metrics.breakdown`.
* An encoder that was evaluated among labels is shown with these; one that was evaluated among
  prompts only, as on ``official``, with its prompts.
* The CSV has every group. Printed are all clips, the means over groups, and R@1 of each group
  where there are at most :data:`MOST` groups.

Cost: a second; longer for 450,000 clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from benchmarks import suites
from benchmarks.evaluation.galleries import RETRIEVAL
from benchmarks.evaluation.predictions import ranks_of
from benchmarks.metrics import breakdown
from benchmarks.report.cells import NOTHING
from benchmarks.report.page import Page, Table
from benchmarks.source import Need, Source
from signclip.core.errors import ConfigError

BEST_OF_FINGERCLIP = "E3.2"
NEEDS = (
    Need(
        suites.LETTERS,
        RETRIEVAL,
        (BEST_OF_FINGERCLIP, "everywhere", suites.SKELETON_SUITE, suites.FLOOR_SUITE),
    ),
    Need(suites.IN_DOMAIN, RETRIEVAL, ("everywhere", suites.FLOOR_SUITE)),
    Need(suites.UNSEEN, RETRIEVAL, ("everywhere", suites.FLOOR_SUITE)),
)
METRICS = ("R@1", "R@5", "R@10", "R@20", "MRR", "DCG", "MedianR", "MeanR")
MOST = 26  # groups that are printed one by one: an alphabet
TITLES = {"language": "sign language", "class": "text", "signer": "signer"}  # of groupings


class Groups(NamedTuple):
    """The predictions of one encoder on a split, by group."""

    groups: dict[str, breakdown.Breakdown]  # by class, language, signer
    coverage: breakdown.Coverage
    seeds: tuple[int, ...]
    prompts: bool = False  # the gallery held prompts, not labels


Found = Mapping[tuple[str, str], Groups]  # (split, encoder) -> its predictions


def break_down(predictions: pd.DataFrame, clips: pd.DataFrame) -> Groups:
    """Group the predictions of one encoder on one split.

    Args:
        predictions: columns of :mod:`benchmarks.points.predictions`.
        clips: what they are grouped by (label, sign_language, signer), by id.

    Raises:
        ConfigError: a clip is not in the corpus.
    """
    by_seed = {
        seed: of_seed.sort_values("id", ignore_index=True)
        for seed, of_seed in predictions.reset_index(drop=True).groupby("seed", sort=True)
    }
    ids = pd.Index(next(iter(by_seed.values()))["id"])
    if len(others := ids.difference(clips.index)):
        raise ConfigError(
            f"predictions of {others[0]}, a clip that the corpus does not have: they are of "
            "another corpus"
        )
    of_clip = predictions.drop_duplicates("id").set_index("id").loc[ids]
    names = sorted({*of_clip["label"][of_clip["in_gallery"] > 0], *predictions["predicted"]})
    row_of = {name: row for row, name in enumerate(names)}
    targets = of_clip["label"].map(row_of).where(of_clip["in_gallery"] > 0).fillna(-1)
    predicted = predictions["predicted"].map(row_of)
    first = predictions.iloc[0]
    return Groups(
        breakdown.breakdowns([ranks_of(of) for of in by_seed.values()], clips.loc[ids]),
        breakdown.coverage(targets.to_numpy(int), predicted.to_numpy(int), int(first["gallery"])),
        tuple(by_seed),
        bool(first["prompts"]),
    )


def frame(found: Found) -> pd.DataFrame:
    """One row per split, encoder, grouping and group; ``all`` is the mean over clips."""
    rows = []
    for (split, name), one in found.items():
        where = {"split": split, "id": name}
        micro = next(iter(one.groups.values())).micro
        rows.append({**where, "by": "all", "clips": one.coverage.clips, **micro})
        for by, groups in one.groups.items():
            if groups.macro:
                mean = {"group": "mean over groups", "clips": groups.table["clips"].sum()}
                rows.append({**where, "by": by, **mean, **groups.macro})
            for group, row in groups.table.iterrows():
                rows.append({**where, "by": by, "group": group, **row})
    table = pd.DataFrame(rows).astype({"clips": int})
    return table[["split", "id", "by", "group", "clips", *METRICS]]


def summary(found: Found) -> pd.DataFrame:
    """One row per split and encoder: over clips, R@1 as a mean over groups, and coverage."""
    rows = []
    for (split, name), one in found.items():
        micro = next(iter(one.groups.values())).micro
        row = {"split": split, "id": name, "clips": str(one.coverage.clips)}
        row |= {metric: _rounded(micro[metric], metric) for metric in METRICS}
        for by in ("class", "language", "signer"):
            macro = one.groups[by].macro
            row[f"R@1 by {by}"] = _rounded(macro["R@1"], "R@1") if macro else NOTHING
        coverage = one.coverage
        row["texts with clips"] = f"{round(coverage.texts_with_clip * coverage.texts)}"
        row["texts predicted"] = f"{round(coverage.texts_predicted * coverage.texts)}"
        row["texts"] = str(coverage.texts)
        rows.append(row)
    return pd.DataFrame(rows)


def by_group(found: Found, split: str, by: str) -> pd.DataFrame:
    """R@1 on a split, one row per group, one column per encoder."""
    columns: dict[str, pd.Series] = {}
    for (its_split, name), one in found.items():
        if its_split == split:
            table = one.groups[by].table
            columns.setdefault("clips", table["clips"].astype(str))
            columns[name] = table["R@1"].map(lambda value: _rounded(value, "R@1"))
    # an encoder may have no clips of a group
    return pd.DataFrame(columns).fillna(NOTHING).rename_axis(by).reset_index()


def _rounded(value: float, metric: str) -> str:
    return f"{value:.1f}" if metric in ("MedianR", "MeanR") else f"{value:.3f}"


def parts(found: Found) -> dict[str, pd.DataFrame]:
    """Heading -> printed part: all clips, then R@1 of groups, split by split."""
    splits = list(dict.fromkeys(split for split, _ in found))
    printed = {"All clips": summary(found)}
    for by, title in TITLES.items():
        for split in splits:
            part = by_group(found, split, by)
            if 0 < len(part) <= MOST:
                shown = "letter" if (by, split) == ("class", suites.LETTERS) else title
                printed[f"R@1 by {shown}, {split}"] = part
    return printed


def page(found: Found, source: Source, *, title: str = "", points: Sequence[str] = ()) -> Page:
    """The page of predictions that have been read."""
    outside = [
        (
            name,
            split,
            one.coverage.clips - round(one.coverage.clips_in_gallery * one.coverage.clips),
        )
        for (split, name), one in found.items()
        if one.coverage.clips_in_gallery < 1
    ]
    notes = dict(
        corpus=source.corpus,
        profile=source.profile,
        seeds=sorted({seed for one in found.values() for seed in one.seeds}),
        prompted=list(dict.fromkeys(name for (_, name), one in found.items() if one.prompts)),
        ungrouped=ungrouped(found),
        outside=outside,
    )
    return Page(frame(found), parts(found), notes, title=title, points=points)


def ungrouped(found: Found) -> dict[str, list[str]]:
    """Grouping -> how many clips of each split have no group, in words."""
    counts = {
        by: {
            split: f"{one.groups[by].ungrouped} of {one.coverage.clips} clips ({split})"
            for (split, _), one in found.items()
            if one.groups[by].ungrouped
        }
        for by in TITLES
    }
    return {by: list(of_split.values()) for by, of_split in counts.items() if of_split}


def build(source: Source) -> Page:
    """See the module.

    Raises:
        NoResults: there are no predictions.
    """
    clips = source.points("clips").set_index("id", drop=False).rename_axis(None)
    predictions = source.points("predictions")
    wanted = {need.split: suites.expand(need.rows) for need in NEEDS}
    found = {}
    for split, names in wanted.items():
        for name in names:
            here = (predictions["split"] == split) & (predictions["encoder"] == name)
            if here.any():
                found[split, name] = break_down(predictions[here], clips)
    return page(found, source, points=("clips", "predictions"))


TABLE = Table("breakdown", "Retrieval by letter and sign language", NEEDS, build)
