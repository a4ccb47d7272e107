"""Retrieval taken apart by text, sign language and signer, and how much of a gallery is used.

Decisions
* A pure function of per-clip predictions and the manifest; what is counted and how:
  :mod:`benchmarks.metrics.breakdown`.
* Of the pipeline's splits the encoders of :data:`ROWS`, all of which must be there. Of a split that
  is named, on whatever corpus, those of :func:`candidates` that have predictions: who was asked
  there is decided by who ran what.
* An encoder that was asked among labels is shown so; one that was asked among prompts alone, as on
  ``official``, by its prompts.
* The CSV has every group. Printed are all clips, the means over groups, and R@1 of each group
  where there are at most :data:`MOST` of them.

Cost: a second; some more for 450,000 clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks import suites
from benchmarks.evaluation.predictions import CLIPS_FILE, GALLERY_FILE, TAGGED
from benchmarks.metrics import breakdown
from benchmarks.report.tables.fingerclip import NOTHING, as_latex, as_markdown
from signclip.core import files, parquet
from signclip.core.errors import ConfigError
from signclip.corpora import manifest

TABLE, TITLE = "breakdown", "Retrieval by letter and sign language"
TITLE_OF_ANY = "retrieval by text, sign language and signer"
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
MOST = 26  # groups that are printed one by one: an alphabet
CALLED = {"language": "sign language", "class": "text", "signer": "signer"}  # in headings


class Apart(NamedTuple):
    """One encoder's answers on a split, taken apart."""

    groups: dict[str, breakdown.Breakdown]  # by class, language, signer
    coverage: breakdown.Coverage
    prompts: bool = False  # asked among prompts, not among labels


Found = Mapping[tuple[str, str], Apart]  # (split, encoder) -> its answers


def candidates() -> list[str]:
    """Every row of every suite, floors first: who may have predictions on a split."""
    return suites.expand([suites.BASELINE_SUITE, suites.SKELETON_SUITE, *suites.read()])


def name_of(corpus: str, splits: Sequence[str]) -> str:
    """The table's name: that of the pipeline's, or the corpus's own where splits are named."""
    return f"{corpus}-{TABLE}" if splits else TABLE


def apart(
    predictions: pd.DataFrame, clips: pd.DataFrame, gallery: Iterable[str], *, prompts: bool = False
) -> Apart:
    """Take predictions apart.

    Args:
        predictions: ``clips.parquet``: id, seed, label, predicted, rank.
        clips: the manifest, by id.
        gallery: the texts that were asked for.
        prompts: whether these are prompts.
    """
    by_clip = predictions.pivot(index="id", columns="seed", values="rank").sort_index()
    if len(others := by_clip.index.difference(clips.index)):
        raise ConfigError(
            f"predictions of {others[0]}, a clip that the corpus does not have: they are another's "
            "(the folder is --predictions)"
        )
    ranks = by_clip.to_numpy().T
    place = {name: i for i, name in enumerate(sorted(set(gallery)))}
    labels = predictions.drop_duplicates("id").set_index("id")["label"].loc[by_clip.index]
    own, predicted = (
        names.map(place).fillna(-1).to_numpy(int) for names in (labels, predictions["predicted"])
    )
    covered = breakdown.coverage(own, predicted, len(place))
    return Apart(breakdown.breakdowns(ranks, clips.loc[by_clip.index]), covered, prompts)


def table(found: Found) -> pd.DataFrame:
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


def summary(found: Found) -> pd.DataFrame:
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


def groups(found: Found, split: str, by: str) -> pd.DataFrame:
    """R@1 of a split, one row a group, one column an encoder."""
    columns: dict[str, pd.Series] = {}
    for (its, name), one in found.items():
        if its != split:
            continue
        of = one.groups[by].table
        columns.setdefault("clips", of["clips"].astype(str))
        columns[name] = of["R@1"].map(lambda value: _short(value, "R@1"))
    shown = pd.DataFrame(columns).fillna(NOTHING)  # an encoder may have lost a group's clips
    return shown.rename_axis(by).reset_index()


def _short(value: float, metric: str) -> str:
    return f"{value:.1f}" if metric in ("MedianR", "MeanR") else f"{value:.3f}"


def blocks(found: Found, splits: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Heading -> printed part: all clips, then R@1 of few enough groups, split by split."""
    parts = {"All clips": summary(found)}
    for by, called in CALLED.items():
        for split in splits:
            part = groups(found, split, by)
            if 0 < len(part) <= MOST:
                said = "letter" if (by, split) == ("class", suites.LETTERS) else called
                parts[f"R@1 by {said}, {split}"] = part
    return parts


def notes(found: Found, corpus: str, profile: str, seeds: Sequence[int]) -> list[str]:
    """What a reader must know to read the table rightly."""
    prompted = dict.fromkeys(name for (_, name), one in found.items() if one.prompts)
    among = f" ({', '.join(prompted)}: among prompts)" if prompted else ""
    return [
        f"{corpus}, profile `{profile}`, seeds {', '.join(map(str, seeds))}, video to text among "
        f"labels{among}, clips of all folds. Intervals stand in the other tables; a group has few "
        "clips, so its number says little alone.",
        "*R@1 by class, language, signer*: the mean over groups, each counting as much.",
        *_ungrouped(found),
        "DCG: 1 / log2(1 + rank), the text of a clip being the only right one. *texts*: the "
        "galleries of all folds; *asked*, *answered*: how many of them are the text of a test "
        f"clip, or rank first for one, in any fold. {_outside(found)}",
        "Every group, with all metrics, is in the CSV.",
    ]


def _ungrouped(found: Found) -> list[str]:
    """How many clips of each split have no group, and so count in no mean over groups."""
    told = []
    for by in CALLED:
        of_split = {
            split: f"{one.groups[by].ungrouped} of {one.coverage.clips} clips ({split})"
            for (split, _), one in found.items()
            if one.groups[by].ungrouped
        }
        if of_split:
            told.append(
                f"No {by} is recorded for {', '.join(of_split.values())}: these count in no such "
                "mean, and where that is so of all clips the cell is empty."
            )
    return told


def _outside(found: Found) -> str:
    """Clips whose own text is not in the gallery, which cannot be right."""
    told = []
    for (split, name), one in found.items():
        clips, there = one.coverage.clips, one.coverage.clips_in_gallery
        if there < 1:
            told.append(f"{clips - round(there * clips)} of {clips} ({name}, {split})")
    if not told:
        return "Each clip's own text is in its gallery."
    return f"Clips whose text is not in their gallery and which cannot be right: {', '.join(told)}."


def _read(folder: Path, clips: pd.DataFrame) -> tuple[Apart, set[int]] | None:
    """An encoder's answers taken apart, and their seeds; None where there are none."""
    for prefix in ("", TAGGED):
        paths = [folder / (prefix + name) for name in (CLIPS_FILE, GALLERY_FILE)]
        if all(path.is_file() for path in paths):
            predicted = parquet.read(paths[0])
            gallery = parquet.read(paths[1], ["label"])["label"]
            return apart(predicted, clips, gallery, prompts=bool(prefix)), set(predicted["seed"])
    return None


def write(
    *,
    profile: str,
    corpus: str,
    data: Path,
    predictions: Path,
    results_folder: Path,
    splits: Sequence[str] = (),
) -> pd.DataFrame:
    """Write ``tables/breakdown.{csv,md,tex}``; of named splits ``tables/<corpus>-breakdown.*``.

    Args:
        splits: what is taken apart; by default the pipeline's splits, :data:`ROWS`.

    Raises:
        ConfigError: predictions are missing.
    """
    clips = manifest.read(data / corpus).set_index("id", drop=False).rename_axis(None)
    wanted = {split: suites.expand(rows) for split, rows in ROWS.items()}
    if splits:
        wanted = {split: candidates() for split in splits}
    found: dict[tuple[str, str], Apart] = {}
    seeds: set[int] = set()
    for split, names in wanted.items():
        for name in names:
            one = _read(predictions / name / split, clips)
            if one is not None:
                found[split, name] = one[0]
                seeds |= one[1]
            elif not splits:
                raise ConfigError(
                    f"{predictions / name / split}: no predictions; "
                    f"python -m benchmarks evaluate {name} --split {split}"
                )
        if not any(split == its for its, _ in found):
            raise ConfigError(
                f"{predictions}/*/{split}: no predictions of {', '.join(names)}; python -m "
                f"benchmarks evaluate baselines --corpus {corpus} --split {split} "
                f"--predictions {predictions}"
            )
    frame = table(found)
    parts = blocks(found, wanted)
    name = name_of(corpus, splits)
    title = f"{corpus}: {TITLE_OF_ANY}" if splits else TITLE
    out = results_folder / "tables"
    with files.writing(out / name):
        text = frame.to_csv(index=False, lineterminator="\n", float_format="%.4f")
        files.write_text(out / f"{name}.csv", text)
        remarks = notes(found, corpus, profile, sorted(seeds))
        files.write_text(out / f"{name}.md", as_markdown(parts, title, remarks))
        files.write_text(out / f"{name}.tex", as_latex(parts, title, name))
    return frame
