"""How numbers become the cells of a table, in the CSV and as printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.metrics.compare import compare
from benchmarks.results import Result

NOTHING = "–"  # printed where there is no number
DIRECTIONS = {"V2T": "video to text", "T2V": "text to video"}
RETRIEVAL_METRICS = {
    "V2T": ("V2T_R@1", "V2T_R@5", "V2T_R@10", "V2T_MedianR"),
    "T2V": ("T2V_P@1", "T2V_P@5", "T2V_P@10", "T2V_MedianR"),
}
ALL_RETRIEVAL_METRICS = tuple(name for names in RETRIEVAL_METRICS.values() for name in names)


def number(value: float, metric: str) -> str:
    """A metric's value as the CSV has it: four decimals, ranks one."""
    return f"{value:.1f}" if metric.endswith(("MedianR", "MeanR")) else f"{value:.4f}"


def short(metric: str) -> str:
    """A metric's name without its direction, as a column is headed."""
    return metric.split("_")[-1].replace("MedianR", "MedR")


def score_columns(
    result: Result, metrics: Sequence[str], prefix: str = "ours", *, chance: bool = True
) -> dict[str, str]:
    """Of each metric ``<prefix>_<metric>``, its ``_low`` and ``_high``, and ``chance_<metric>``."""
    columns = {}
    for name in metrics:
        score = result.scores[name]
        columns[f"{prefix}_{name}"] = number(score.value, name)
        columns[f"{prefix}_{name}_low"] = number(score.low, name)
        columns[f"{prefix}_{name}_high"] = number(score.high, name)
        if chance:
            columns[f"chance_{name}"] = number(score.chance, name)
    return columns


def difference_columns(a: Result, b: Result, column: str, metric: str) -> dict[str, str]:
    """The paired difference a - b of a metric, and its ``_low`` and ``_high``."""
    found = compare(a, b, metric)
    return {
        f"{column}_{metric}": f"{found.difference:+.4f}",
        f"{column}_{metric}_low": f"{found.low:+.4f}",
        f"{column}_{metric}_high": f"{found.high:+.4f}",
    }


def cell(row: Mapping[str, str], metric: str, prefix: str = "ours", *, digits: int = 3) -> str:
    """A number of the CSV with its interval, as printed."""
    values = [row.get(f"{prefix}_{metric}{end}", "") for end in ("", "_low", "_high")]
    digits = 1 if "Median" in metric else digits
    shown = [f"{float(value):.{digits}f}" for value in values if value]
    if not shown:
        return NOTHING
    return shown[0] if len(shown) == 1 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def difference_cell(row: Mapping[str, str], metric: str, column: str) -> str:
    """A paired difference with its interval, as printed: bold where the interval excludes 0."""
    value = row.get(f"{column}_{metric}", "")
    if not value:
        return NOTHING
    low, high = float(row[f"{column}_{metric}_low"]), float(row[f"{column}_{metric}_high"])
    shown = f"{float(value):+.3f} [{low:+.3f}, {high:+.3f}]"
    return f"**{shown}**" if low > 0 or high < 0 else shown


def seeds_of(result: Result) -> str:
    """The seeds of a result as a column has them: ``0 1 2``."""
    return " ".join(map(str, result.seeds))
