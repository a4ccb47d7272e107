"""Corpus cards: one page about a built corpus, with a figure and its statistics as CSV.

Decisions
* A card is a function of the built corpus (manifest, splits, dropped clips), of its clip files and
  of the catalogue; it holds no path, date or machine, so equal corpora give equal bytes.
* The detection rate of a body part is the fraction of frames with at least one of its points; for a
  large corpus it is estimated on a sample drawn with a fixed seed, and the card says so.

Cost: one read of at most 2,000 clips, a few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from signclip import poses
from signclip.core import files
from signclip.core.progress import bar
from signclip.corpora import manifest, splits
from signclip.corpora.catalogue import About
from signclip.poses import reader
from signclip.poses.landmarks import BODY, FACE, LEFT_HAND, RIGHT_HAND
from signclip.text import label, sign_languages

PARTS = {BODY: "body", FACE: "face", LEFT_HAND: "left hand", RIGHT_HAND: "right hand"}
SAMPLE, SEED = 2_000, 0
LIMIT = 256  # frames; longer clips are truncated in the paper's pretraining
BINS = 40
_STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def detection(clips: pd.DataFrame, root: Path, *, progress: bool = True) -> pd.DataFrame:
    """Measure how often each body part is detected.

    Args:
        clips: a manifest; at most :data:`SAMPLE` of its clips are read, drawn with a fixed seed.

    Returns:
        Columns part, frames (fraction of frames), clips (fraction of clips, in any frame).

    Raises:
        PoseError: a clip can no longer be read.
    """
    chosen = clips
    if len(clips) > SAMPLE:
        order = np.random.default_rng(SEED).permutation(len(clips))[:SAMPLE]
        chosen = clips.iloc[np.sort(order)]
    frames_with = dict.fromkeys(PARTS, 0)
    clips_with = dict.fromkeys(PARTS, 0)
    frames = 0
    rows = chosen[["id", "path"]].to_dict("records")
    for row in bar(rows, desc="reading for the card", unit="clip", disable=not progress):
        marks = poses.to_landmarks(reader.read_pose(root / row["path"], sample=row["id"]))
        frames += len(marks.valid)
        components = np.array([component for component, _ in marks.names])
        for part in PARTS:
            detected = marks.valid[:, components == part].any(axis=1)
            frames_with[part] += int(detected.sum())
            clips_with[part] += bool(detected.any())
    return pd.DataFrame(
        {
            "part": [PARTS[part] for part in PARTS],
            "frames": [frames_with[part] / max(frames, 1) for part in PARTS],
            "clips": [clips_with[part] / max(len(rows), 1) for part in PARTS],
        }
    )


def lengths(clips: pd.DataFrame) -> pd.DataFrame:
    """Histogram of clip lengths: columns from, to (in frames, ``to`` excluded), clips."""
    most = int(clips["frames"].max())
    # by the 99th percentile, so that a few very long clips do not put all others into one bin
    step = max(1, round(np.percentile(clips["frames"], 99) / BINS))
    edges = np.arange(0, most + step + 1, step)
    counts, _ = np.histogram(clips["frames"], bins=edges)
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "clips": counts})


def languages(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips, labels and signers of each sign language, the largest first."""
    table = clips.assign(label=clips["text"].map(label)).groupby("sign_language")
    counts = table.agg(
        clips=("id", "size"),
        labels=("label", "nunique"),
        signers=("signer", lambda column: column[column != ""].nunique()),
    )
    return counts.reset_index().sort_values(
        ["clips", "sign_language"], ascending=[False, True], ignore_index=True
    )


def _split_table(clips: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name, part in table.groupby("split", sort=False):
        roles = part["role"].value_counts()
        rows.append(
            {
                "split": name,
                "folds": part["fold"].nunique(),
                **{role: int(roles.get(role, 0)) for role in splits.ROLES},
                "signers": splits.shared_signers(part, clips).text(),
            }
        )
    return pd.DataFrame(rows)


def totals(clips: pd.DataFrame) -> dict[str, float]:
    """The size of a corpus: clips, sign_languages, signers (0: not recorded), signs, hours, frames.

    Signs are unique labels; hours are frames divided by frames per second, summed over clips.
    """
    return {
        "clips": len(clips),
        "sign_languages": clips["sign_language"].nunique(),
        "signers": clips["signer"][clips["signer"] != ""].nunique(),
        "signs": clips["text"].map(label).nunique(),
        "hours": float((clips["frames"] / clips["fps"]).sum() / 3600),
        "frames": int(clips["frames"].sum()),
    }


def concepts(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips of each label, the most frequent first: columns label, clips."""
    counts = clips["text"].map(label).value_counts().rename_axis("label").reset_index(name="clips")
    return counts.sort_values(["clips", "label"], ascending=[False, True], ignore_index=True)


def numbers(clips: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """The statistics as rows: panel, name, value.

    Panels: total (:func:`totals`), length (:func:`lengths`), language (clips), concept (clips of a
    label), frames seen and clips seen (:func:`detection`).
    """
    rows = [("total", name, f"{value:.10g}") for name, value in totals(clips).items()]
    rows += [
        ("length", f"{row['from']}-{row['to'] - 1}", str(row["clips"]))
        for row in _dicts(lengths(clips))
    ]
    rows += [
        ("language", row["sign_language"], str(row["clips"])) for row in _dicts(languages(clips))
    ]
    rows += [("concept", row["label"], str(row["clips"])) for row in _dicts(concepts(clips))]
    for column in ("frames", "clips"):
        rows += [(f"{column} seen", row["part"], f"{row[column]:.4f}") for row in _dicts(rates)]
    return pd.DataFrame(rows, columns=["panel", "name", "value"])


def _dicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def draw(title: str, clips: pd.DataFrame, rates: pd.DataFrame) -> Figure:
    """Plot lengths, languages and detection rates side by side."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        length, language, parts = figure.subplots(1, 3, width_ratios=(1.3, 1, 0.8))
        histogram = lengths(clips)
        length.bar(
            histogram["from"],
            histogram["clips"],
            width=histogram["to"] - histogram["from"],
            align="edge",
            color="#4c72b0",
        )
        median = clips["frames"].median()
        length.axvline(median, color="0.2", linewidth=1)
        length.set_title(f"Length: median {median:g} frames", loc="left", fontsize=9)
        if histogram["to"].max() > LIMIT:
            length.axvline(LIMIT, color="#c44e52", linestyle="--", linewidth=1)
            length.annotate(
                f"{LIMIT}: limit of the models",
                (LIMIT, length.get_ylim()[1]),
                textcoords="offset points",
                xytext=(-4, -4),
                ha="right",
                va="top",
                color="#c44e52",
            )
        length.set(xlabel="frames", ylabel="clips", xlim=(0, None))
        counted = languages(clips)
        shown = counted.head(25)[::-1]
        names = sign_languages()
        language.barh(
            [
                f"{names[tag].name.removesuffix(' Sign Language')} ({tag})"
                for tag in shown["sign_language"]
            ],
            shown["clips"],
            color="#55a868",
        )
        more = f"; the largest 25 of {len(counted)}" if len(counted) > len(shown) else ""
        language.set_title(f"Clips per sign language{more}", loc="left", fontsize=9)
        language.tick_params(axis="y", length=0, labelsize=7 if len(shown) > 12 else 9)
        language.set(xlabel="clips", ylim=(min(-0.8, len(shown) - 5), len(shown) - 0.2))
        places = np.arange(len(rates))
        for offset, column, colour, words in (
            (0.2, "frames", "#8172b2", "of frames"),
            (-0.2, "clips", "#ccb974", "of clips, in any frame"),
        ):
            parts.barh(places - offset, rates[column], height=0.38, color=colour, label=words)
            for place, value in zip(places, rates[column], strict=True):
                parts.text(value + 0.01, place - offset, f"{value:.2f}", va="center", fontsize=7)
        parts.set_yticks(places, rates["part"])
        parts.invert_yaxis()
        parts.set(xlim=(0, 1.12), xlabel="fraction with the part detected")
        parts.set_title("Detection", loc="left", fontsize=9)
        parts.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), frameon=False, fontsize=7)
        figure.suptitle(f"{title}: {len(clips):,} clips", x=0.01, ha="left", fontsize=11)
    return figure


def markdown(
    name: str,
    about: About,
    clips: pd.DataFrame,
    dropped: pd.DataFrame,
    table: pd.DataFrame,
    rates: pd.DataFrame,
) -> str:
    """The text of the card."""
    frames = clips["frames"]
    total = totals(clips)
    expected = about.expected
    counts = pd.DataFrame(
        [
            {"": what, "here": here, "complete copy": expected.text(what)}
            for what, here in (
                ("clips", f"{total['clips']:,}"),
                ("languages", str(total["sign_languages"])),
                ("signers", str(total["signers"] or "not recorded")),
                ("labels", f"{total['signs']:,}"),
            )
        ]
    )
    quantiles = ", ".join(f"{int(np.percentile(frames, q))} (p{q})" for q in (5, 25, 50, 75, 95))
    by_language = languages(clips).assign(
        name=lambda t: [sign_languages()[tag].name for tag in t["sign_language"]],
        signers=lambda t: t["signers"].astype(object).where(t["signers"] > 0, "not recorded"),
    )[["sign_language", "name", "clips", "labels", "signers"]]
    read = min(len(clips), SAMPLE)
    sample = f"in a sample of {read:,} clips" if read < len(clips) else "in all clips"
    shares = rates.assign(
        **{column: rates[column].map("{:.3f}".format) for column in ("frames", "clips")}
    ).rename(columns={"frames": "fraction of frames", "clips": "fraction of clips, in any frame"})
    parts = [
        f"# {name}\n",
        f"{about.title}.\n",
        f"![lengths, languages, detection]({name}.png)\n",
        "## Counts\n",
        _markdown_table(counts),
        f"Complete copy: {about.expected_source}.\n",
        "## Sign languages\n",
        _markdown_table(by_language),
        "## Lengths\n",
        f"{int(frames.sum()):,} frames; a clip has {frames.min()} to {frames.max()}, "
        f"{frames.mean():.1f} on average; {quantiles}. "
        f"Clips of more than {LIMIT} frames: {int((frames > LIMIT).sum()):,}. Frames per second: "
        + ", ".join(f"{rate:g}" for rate in sorted(clips["fps"].round(2).unique())[:8])
        + ".\n",
        "## Detection\n",
        f"How often a body part has at least one detected point, {sample}:\n",
        _markdown_table(shares),
        "## Splits\n",
        "Clips in each set, summed over the folds, and whether test signers are in other sets:\n",
        _markdown_table(_split_table(clips, table)),
        f"{about.splits[0].upper()}{about.splits[1:]}.\n",
        "## Dropped clips\n",
        "\n".join(f"- {line}" for line in manifest.reasons(dropped)) or "None.",
        "\n## Known defects\n",
        "\n".join(f"- {defect}" for defect in about.defects) or "None known.",
        "\n## Licence and citation\n",
        f"{about.licence[0].upper()}{about.licence[1:]}. Source: {about.licence_source}.\n",
        f"Cite: {about.citation}\n",
        f"Home: {about.homepage}",
    ]
    return "\n".join(parts) + "\n"


def _markdown_table(table: pd.DataFrame) -> str:
    return table.to_markdown(index=False, disable_numparse=True) + "\n"


def write(
    corpus: Path, root: Path, about: About, out: Path, *, progress: bool = True
) -> Mapping[str, Path]:
    """Write the card of a built corpus: ``<name>.md``, ``.png`` and ``.csv`` below ``out``.

    Their digests are recorded beside them, for ``signclip verify``.

    Args:
        corpus: folder of the built corpus; its name is that of the card.
        root: folder with the clips.

    Raises:
        ManifestError, ConfigError: the corpus is not built, or its tables are damaged.
        PoseError: a clip can no longer be read.
    """
    name = corpus.name
    clips = manifest.read(corpus)
    table = pd.concat([splits.read(corpus, split) for split in splits.names(corpus)])
    rates = detection(clips, root, progress=progress)
    paths = {suffix: out / f"{name}.{suffix}" for suffix in ("md", "png", "csv")}
    with files.writing(out / name):
        text = markdown(name, about, clips, manifest.read_dropped(corpus), table, rates)
        files.write_text(paths["md"], text)
        with files.atomic_file(paths["png"]) as partial:
            draw(name, clips, rates).savefig(
                partial, format="png", dpi=150, metadata={"Software": None}
            )
        csv = numbers(clips, rates).to_csv(index=False, lineterminator="\n")
        files.write_text(paths["csv"], csv)
        files.record_digests(list(paths.values()))
    return paths
