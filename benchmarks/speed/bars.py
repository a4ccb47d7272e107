"""Figures with bars: printed side by side, written to a sealed file, and judged.

Decision: apart from :mod:`benchmarks.speed.report`, whose imports would count in measured memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer

from benchmarks.results import hardware
from signclip.core import files


def judge(figures: Mapping[str, float], bars: Mapping[str, float], out: Path) -> None:
    """Print the figures beside their bars and write both to ``out``.

    Raises:
        typer.Exit: with status 1; a figure is above its bar.
    """
    missed = [name for name, bar in bars.items() if figures[name] > bar]
    for name, value in figures.items():
        bar = f"  (bar: {bars[name]:g})" if name in bars else ""
        typer.echo(f"{name:32} {value:>12,}{bar}")
    report = {"figures": figures, "bars": bars, "missed": missed, "hardware": hardware()}
    files.write_text(out, files.sealed_json(report))
    if missed:
        raise typer.Exit(1)
