"""Where the numbers of a table, a figure or the whole page come from, and what they cost.

Decisions
* Equal facts of many results are told once, with the number of results where they differ.
* Costs are those in the result files, so equal results give an equal page.
* Training is counted once for each model: several tasks and splits of a result's group may share
  their runs.

Cost: milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

import pandas as pd

from benchmarks.report import provenance
from benchmarks.report.cells import NOTHING
from benchmarks.results import REPRO, Result

RESULTS = "../leaderboard"  # from the page


class Origin(NamedTuple):
    """Where numbers come from.

    Attributes:
        facts: what -> lines.
        results: paths of the result files below ``results/leaderboard``.
        points: names of the plotted points.
    """

    facts: dict[str, list[str]]
    results: list[str]
    points: list[str]


def origin_of(shown: Iterable[Result], points: Sequence[str] = ()) -> Origin:
    """The origin of what shows some results and points."""
    found = {provenance.key(one): one for one in shown}
    results = [found[key] for key in sorted(found)]
    facts = {
        "Commit": _counted(results, lambda one: [one.git_commit]),
        "Data": _distinct(results, lambda one: f"{one.corpus} {one.corpus_fingerprint}"),
        "Splits": _distinct(results, lambda one: _split(one)),
        "Profiles": _distinct(results, lambda one: one.revision),
        "Seeds": [", ".join(map(str, sorted({seed for one in results for seed in one.seeds})))],
        "Packages": _distinct(results, _packages),
        "Hardware": _counted(results, lambda one: [one.hardware]),
        "Measured by": _counted(results, lambda one: [provenance.command(one)]),
    }
    kept = {name: lines for name, lines in facts.items() if any(lines)}
    return Origin(kept if results else {}, sorted(found), sorted(points))


def _split(result: Result) -> str:
    return f"{result.split} of {result.corpus} {result.split_fingerprint}"


def _packages(result: Result) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(result.packages.items()))


def _distinct(results: Iterable[Result], of: Callable[[Result], str]) -> list[str]:
    return sorted({of(one) for one in results})


def _counted(results: Sequence[Result], of: Callable[[Result], list[str]]) -> list[str]:
    """Values, most frequent first, with their numbers of results where there are several."""
    counts = Counter(value for one in results for value in of(one))
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    if len(ordered) == 1:
        return ordered
    return [f"{value} ({counts[value]} of {len(results)} results)" for value in ordered]


def duration(seconds: float) -> str:
    """A duration as a reader wants it: ``35 s``, ``4.2 min``, ``1.5 h``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def trainings(results: Iterable[Result]) -> dict[tuple[str, ...], float]:
    """Seconds of training, once for each model: key of a training -> seconds."""
    found: dict[tuple[str, ...], float] = {}
    for one in results:
        runs = tuple(sorted(one.runs.values())) or (one.corpus, one.split, one.revision)
        found[(one.group, one.encoder, *runs)] = one.cost.training_seconds
    return found


def totals(results: Sequence[Result]) -> pd.DataFrame:
    """One row a group of results: how many, of how many encoders, and their training time."""
    rows = []
    for group in sorted({one.group for one in results}, key=lambda name: (name != REPRO, name)):
        of_group = [one for one in results if one.group == group]
        rows.append(
            {
                "group": group,
                "results": str(len(of_group)),
                "encoders": str(len({one.encoder for one in of_group})),
                "training": duration(sum(trainings(of_group).values())),
                "hardware": "; ".join(_distinct(of_group, lambda one: one.hardware)),
            }
        )
    return pd.DataFrame(rows)


def costs(results: Sequence[Result]) -> pd.DataFrame:
    """One row an encoder of the pipeline: parameters, training by split, speed of evaluation."""
    pipeline = [one for one in results if one.group == REPRO]
    splits = sorted({one.split for one in pipeline})
    rows = []
    for name in dict.fromkeys(one.encoder for one in pipeline):
        of = [one for one in pipeline if one.encoder == name]
        row = {"id": name, "row": of[0].title, "parameters": f"{of[0].cost.parameters:,}"}
        for split in splits:
            seconds = sum(trainings(one for one in of if one.split == split).values())
            row[f"training on {split} [s]"] = f"{seconds:,.0f}" if seconds else NOTHING
        row["evaluated clips a second"] = f"{_speed(of):,.0f}"
        rows.append(row)
    return pd.DataFrame(rows)


def _speed(results: Iterable[Result]) -> float:
    return median(one.cost.evaluation_clips_per_second for one in results)
