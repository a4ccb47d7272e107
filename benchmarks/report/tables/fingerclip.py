"""Tables of the paper: published numbers beside ours, as CSV, Markdown and LaTeX.

Decisions
* A table is a pure function of the published values (``benchmarks/paper/*.csv``) and of result
  files; it holds no date, time, host or commit, so equal results give equal bytes.
* A number measured on the embedded corpus stands in columns of its own and is never called a
  reproduction: the verdict column speaks of the paper's corpus only, and says what it would need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from baselines import BASELINES
from baselines.skeletons import table as skeletons
from benchmarks import results
from benchmarks.results import Result
from signclip.core import files

TABLE, TITLE = "fingerclip", "FingerCLIP: fingerspelling retrieval"
PAPER = Path(__file__).parents[2] / "paper"
METRICS = {
    "V2T": ("V2T_R@1", "V2T_R@5", "V2T_R@10", "V2T_MedianR"),
    "T2V": ("T2V_P@1", "T2V_P@5", "T2V_P@10", "T2V_MedianR"),
}
# Facts 1.3: derived from the number of clips a letter in the test set of camera 2.
PAPER_CEILINGS = {5: "0.78", 10: "0.44"}
# What a profile changes against the published recipe, told under the table.
DEVIATIONS = {
    "cpu": (
        "small towers from random weights instead of BERT-base, a WordPiece vocabulary made from "
        "the prompts, prompts without the language's name, one letter each a batch, learning rate, "
        "epochs and layers chosen on validation clips (one pose layer for its time), a rate that "
        "falls to 0, the last epoch's weights instead of those of the lowest validation loss; 68 % "
        "of the clips train, 12 % validate (the paper: 80 and 10), float32"
    ),
    "paper": (
        "prompts without the language's name, at most one clip of each label a batch, validation "
        "loss over all prompts instead of over batches, float32 instead of fp16"
    ),
    "smoke": "as in `cpu`, and trained for one epoch only: these numbers mean nothing",
}
DIRECTIONS = {"V2T": "video to text", "T2V": "text to video"}
COSTS_OF = ("encoder", "revision", "corpus", "split")  # what a row of the costs is of
NOTHING = "–"
INTERVALS = (
    "[low, high]: 95 % bootstrap interval over clips (video to text) or over letter queries "
    "(text to video), given the trained models. It leaves out what other seeds would change, "
    "and takes clips as independent: those of one sign language are not, so an interval that "
    "speaks of new languages would be wider."
)
SIGNERS_UNRECORDED = "not recorded in these results, which are older than the check"


def published(table: str) -> pd.DataFrame:
    """A published table as transcribed in ``benchmarks/paper/<table>.csv``, all cells as text."""
    return pd.read_csv(PAPER / f"{table}.csv", dtype=str, keep_default_na=False)


def fingerclip(ours: Mapping[str, Result]) -> pd.DataFrame:
    """The FingerCLIP table, one row an experiment, then skeleton models, floors and chance.

    Args:
        ours: results on the embedded corpus by encoder.
    """
    rows = []
    for paper in published("fingerclip").to_dict("records"):
        result = ours.get(paper["experiment"])
        row = {
            "id": paper["id"],
            "row": paper["title"],
            "config": paper["config"],
            "published_test_clips": paper["test_clips"],
        }
        row |= {f"published_{name}": paper[name] for names in METRICS.values() for name in names}
        row |= {"verdict": f"needs {paper['needs']}"}
        rows.append(row | _own_columns(result))
    for name in (*skeletons.models(), *BASELINES):
        if name in ours:
            row = {
                "id": "ours",
                "row": ours[name].title,
                "config": name,
                "verdict": "not in the paper",
            }
            rows.append(row | _own_columns(ours[name]))
    rows.append(_chance_row(next(iter(ours.values()))))
    return pd.DataFrame(rows).fillna("")


def ceiling(result: Result, k: int) -> float:
    """The highest P@k possible: clips a letter and fold, as if dealt evenly, over k."""
    positives = result.n_evaluated / (result.labels * len(result.folds))
    return min(1.0, positives / k)


def _own_columns(result: Result | None) -> dict[str, str]:
    if result is None:
        return {}
    columns = score_columns(result, [name for names in METRICS.values() for name in names])
    dropped = "; ".join(f"{count} {reason}" for reason, count in result.n_dropped.items())
    return columns | {
        "n_total": str(result.n_total),
        "n_evaluated": str(result.n_evaluated),
        "n_dropped": str(sum(result.n_dropped.values())),
        "dropped_because": dropped,
        "signature": result.signature,
    }


def _chance_row(result: Result) -> dict[str, str]:
    row = {"id": "ours", "row": "chance", "config": "random scores", "verdict": "not in the paper"}
    for names in METRICS.values():
        for name in names:
            row[f"ours_{name}"] = row[f"chance_{name}"] = number(result.scores[name].chance, name)
    return row


def score_columns(result: Result, metrics: Sequence[str]) -> dict[str, str]:
    """Of each metric ``ours_<metric>``, its ``_low`` and ``_high``, and ``chance_<metric>``."""
    columns = {}
    for name in metrics:
        score = result.scores[name]
        columns[f"ours_{name}"] = number(score.value, name)
        columns[f"ours_{name}_low"] = number(score.low, name)
        columns[f"ours_{name}_high"] = number(score.high, name)
        columns[f"chance_{name}"] = number(score.chance, name)
    return columns


def number(value: float, metric: str) -> str:
    """A metric's value as a table's CSV has it."""
    return f"{value:.1f}" if metric.endswith(("MedianR", "MeanR")) else f"{value:.4f}"


def cell(row: Mapping[str, str], metric: str, *, whose: str = "ours") -> str:
    """Our number with its interval, as printed."""
    value = row.get(f"{whose}_{metric}", "")
    if not value:
        return NOTHING
    low, high = row.get(f"{whose}_{metric}_low", ""), row.get(f"{whose}_{metric}_high", "")
    digits = 1 if "Median" in metric else 3
    short = [f"{float(x):.{digits}f}" for x in (value, low, high) if x]
    return short[0] if len(short) == 1 else f"{short[0]} [{short[1]}, {short[2]}]"


def _printed(table: pd.DataFrame, direction: str) -> pd.DataFrame:
    """The columns that people read, for one direction of retrieval."""
    out = {
        "id": table["id"],
        "row": table["row"],
        "RWTH-FS here": table["verdict"],
    }
    for metric in METRICS[direction]:
        short = metric.split("_")[1].replace("MedianR", "MedR")
        out[f"paper {short}"] = table[f"published_{metric}"].replace("", NOTHING)
        out[f"ours {short}"] = [cell(row, metric) for row in table.to_dict("records")]
    return pd.DataFrame(out)


def dropped(result: Result) -> str:
    """What a corpus has lost when it was read, as a note."""
    refused = "; ".join(f"{count}: {reason}" for reason, count in result.corpus_dropped.items())
    return f"Dropped when the corpus was read: {refused or 'none'}."


def missing_models() -> list[str]:
    """The skeleton models that the tables cannot show, as notes: one a reason."""
    titles: dict[str, list[str]] = {}
    for about in skeletons.missing().values():
        titles.setdefault(about["reason"], []).append(about["title"])
    return [
        f"Skeleton models that are missing: {', '.join(of)}: {reason}."
        for reason, of in titles.items()
    ]


def notes(ours: Mapping[str, Result]) -> list[str]:
    """What a reader must know to read the table rightly."""
    first = next(iter(ours.values()))
    return [
        "*paper*: German fingerspelling (RWTH-FS); the S3D and I3D rows on 303 test videos of both "
        "cameras, the pose rows on 153 of camera 2, so these two groups are not comparable.",
        f"*ours*: {first.corpus}, split {first.split}: {first.n_evaluated} of {first.n_total} test "
        f"clips evaluated over {len(first.folds)} folds, {first.labels} letters, "
        f"seeds {', '.join(map(str, first.seeds))}, profile `{first.revision}`. Another corpus: no "
        "reproduction of a paper cell, in either direction.",
        f"What differs from the paper's recipe in profile `{first.revision}`: "
        + DEVIATIONS.get(first.revision, "not recorded")
        + ".",
        dropped(first),
        f"Signers ({first.corpus}, split {first.split}): {first.signers or SIGNERS_UNRECORDED}.",
        *missing_models(),
        INTERVALS,
        "P@5 and P@10 cannot reach 1, there being few clips a letter: ceilings "
        + ", ".join(
            f"{ceiling(first, k):.2f} (P@{k}, ours), {PAPER_CEILINGS[k]} (P@{k}, paper, pose rows)"
            for k in (5, 10)
        )
        + ".",
        "Dominant hand: the right one; a clip in which only the left hand is ever seen is mirrored "
        "(in the embedded corpus the Italian clips and one Turkish clip).",
        f"Signature: `{first.signature}`.",
    ]


def markdown(table: pd.DataFrame, title: str, remarks: Sequence[str]) -> str:
    """The printed table, one block a direction, and its notes."""
    parts = {f"{way}: {words}": _printed(table, way) for way, words in DIRECTIONS.items()}
    return as_markdown(parts, title, remarks)


def latex(table: pd.DataFrame, title: str) -> str:
    """The printed table as two ``tabular`` blocks (needs ``booktabs``)."""
    said = "Ours: embedded corpus, 95\\,\\% bootstrap intervals."
    return "\n".join(
        _tabular(_printed(table, way), f"{title}, {words}. {said}", f"fingerclip-{way}")
        for way, words in DIRECTIONS.items()
    )


def encoders() -> list[str]:
    """The encoders whose results are shown: the paper's rows that run here, then others."""
    rows = published(TABLE)["experiment"]
    return [*rows[rows != ""], *skeletons.models(), *BASELINES]


def write(
    *,
    revision: str,
    corpus: str,
    results_folder: Path,
    split: str = "letters",
) -> pd.DataFrame:
    """Write ``tables/fingerclip.{csv,md,tex}`` and ``costs/fingerclip.csv``.

    Raises:
        ConfigError: a result is missing or invalid.
    """
    board = results_folder / "leaderboard"
    ours = {
        name: results.read(results.path_of(board, name, revision, "retrieval", corpus, split))
        for name in encoders()
    }
    frame = fingerclip(ours)
    with files.writing(results_folder / "tables" / TABLE):
        write_files(
            results_folder,
            TABLE,
            frame,
            markdown(frame, TITLE, notes(ours)),
            latex(frame, TITLE),
            list(ours.values()),
        )
    return frame


def as_markdown(parts: Mapping[str, pd.DataFrame], title: str, remarks: Sequence[str]) -> str:
    """Headings, printed parts, and notes."""
    lines = [f"# {title}\n"]
    for heading, part in parts.items():
        printed = part.to_markdown(index=False, disable_numparse=True)
        lines += [f"## {heading}\n", printed + "\n"]
    lines += ["## Notes\n", "\n".join(f"- {remark}" for remark in remarks) + "\n"]
    return "\n".join(lines)


def as_latex(parts: Mapping[str, pd.DataFrame], title: str, label: str) -> str:
    """One ``tabular`` a part (needs ``booktabs``)."""
    out = []
    for place, (heading, part) in enumerate(parts.items(), start=1):
        heading = heading.replace("%", "\\%").replace("_", "\\_")
        out.append(_tabular(part, f"{title}. {heading}.", f"{label}-{place}"))
    return "\n".join(out)


def _tabular(part: pd.DataFrame, caption: str, label: str) -> str:
    body = part.style.hide(axis="index").format(escape="latex")
    body = body.format_index(escape="latex", axis=1)
    return body.to_latex(hrules=True, caption=caption, label=f"tab:{label}")


def write_files(
    results_folder: Path,
    table: str,
    frame: pd.DataFrame,
    markdown: str,
    latex: str,
    shown: Sequence[Result],
) -> None:
    """A table in its three forms, and what the results that it shows have cost."""
    out = results_folder / "tables"
    files.write_text(out / f"{table}.csv", frame.to_csv(index=False, lineterminator="\n"))
    files.write_text(out / f"{table}.md", markdown)
    files.write_text(out / f"{table}.tex", latex)
    write_costs(results_folder, table, shown)


def write_costs(results_folder: Path, table: str, shown: Sequence[Result]) -> None:
    """``costs/<table>.csv``: one row an encoder, revision, corpus and split.

    ``task`` is the first of theirs that the table shows: all tasks of a run have its parameters and
    its training, and differ in what of an evaluation was on the clock.
    """
    costs = pd.DataFrame(
        [
            {
                **{field: getattr(result, field) for field in COSTS_OF},
                "task": result.task,
                **result.cost.model_dump(),
                "hardware": result.hardware,
            }
            for result in shown
        ]
    ).drop_duplicates(list(COSTS_OF))
    costs = costs.round({"training_seconds": 1, "evaluation_clips_per_second": 1})
    files.write_text(results_folder / "costs" / f"{table}.csv", costs.to_csv(index=False))
